"""Gradients of fitted energies: those of PySCF, and slopes of the energy that they belong to."""

from __future__ import annotations

import numpy as np
import pytest
from pyscf.data.nist import BOHR
from pyscf.dft import gen_grid

from electroscreen.quantum import fitting, gradient, grid_slope
from electroscreen.quantum.gradient import fitted_slope, gradients_of
from electroscreen.quantum.grid_slope import integrated_slope, weight_slope
from electroscreen.quantum.scf import build_mean_field, build_molecule, converge
from electroscreen.quantum.solvent import in_solvent
from electroscreen.settings import Level

# Bent, and no symmetry: every component of every force counts.
SYMBOLS = ["Li", "O", "H"]
POSITIONS = np.array([[0.0, 0.0, 0.0], [1.6, 0.1, -0.1], [2.1, 0.8, 0.2]])


def solved(functional="b3lypg", symbols=SYMBOLS, positions=POSITIONS, charge=0, multiplicity=1, solvent=None, **level):
    of_level = {"functional": functional, "basis": "6-31g(d,p)", "cartesian": True, "heavy_basis": "def2-svp"}
    asked = Level(**(of_level | {"density_fitting": True} | level))
    molecule = build_molecule(symbols, np.asarray(positions), charge, multiplicity, asked)
    mean_field = in_solvent(build_mean_field(molecule, asked, 1, 2000), solvent)
    mean_field.conv_tol, mean_field.conv_tol_grad = 1e-11, 1e-7
    mean_field.kernel()
    assert mean_field.converged
    return mean_field


def pyscfs(mean_field):
    theirs = mean_field.nuc_grad_method()
    theirs.grid_response = True
    return theirs.set(verbose=0).kernel()


SYSTEMS = [
    {},
    {"functional": "hf"},
    {"functional": "pbe"},  # no exact exchange
    {"functional": "lda,vwn"},
    {"functional": "m06l"},  # the grid's part is PySCF's
    {"functional": "wb97x"},  # all is PySCF's: exchange by range
    {"charge": 1, "multiplicity": 2},
    {"functional": "hf", "multiplicity": 3},
    {"functional": "pbe", "charge": -1, "multiplicity": 2},
    {"solvent": 7.1},
    {"cartesian": False},
    {"density_fitting": False},
    {"symbols": ["Sn", "F", "H"], "positions": POSITIONS * 1.2, "multiplicity": 1},  # a core potential
]


@pytest.mark.parametrize("system", SYSTEMS, ids=str)
def test_gradient_is_pyscfs(system, monkeypatch):
    for module in (fitting, gradient):
        monkeypatch.setattr(module, "AT_ONCE_BYTES", 10_000)  # several blocks
    monkeypatch.setattr(grid_slope, "NUMBERS_AT_ONCE", 9 * 1000)
    mean_field = solved(**system)
    assert np.abs(gradients_of(mean_field).kernel() - pyscfs(mean_field)).max() < 3e-7


@pytest.mark.parametrize("system", [{}, {"functional": "hf"}, {"charge": 1, "multiplicity": 2}], ids=str)
def test_gradient_is_the_slope_of_the_energy(system):
    step, direction = 2e-3, np.random.default_rng(3).normal(size=(3, 3))
    energies = [solved(positions=POSITIONS + sign * step * direction, **system).e_tot for sign in (1, -1)]
    slope = (energies[0] - energies[1]) / (2 * step / BOHR)
    ours = gradients_of(solved(**system)).kernel()
    assert np.sum(ours * direction) == pytest.approx(slope, abs=2e-5)
    # Nothing pushes a molecule as a whole: the grid goes with it.
    assert np.abs(ours.sum(axis=0)).max() < 1e-6


def test_pyscf_makes_only_what_is_left_to_it(monkeypatch):
    """Were it asked for all, the tests above would compare it with itself."""
    from pyscf.df.grad import rhf
    from pyscf.grad import rks

    def refuse(*_, **__):
        raise AssertionError("PySCF's own")

    mean_field = solved()
    monkeypatch.setattr(rhf, "get_jk", refuse)
    monkeypatch.setattr(rks, "get_vxc_full_response", refuse)
    assert np.isfinite(gradients_of(mean_field).kernel()).all()


def test_without_room_or_with_a_singular_fit_it_is_pyscfs(monkeypatch):
    mean_field = solved()
    theirs = pyscfs(mean_field)
    monkeypatch.setattr(gradient, "SHARE_OF_MEMORY", 0.0)
    monkeypatch.setattr(gradient, "fitted_slope", lambda *_: pytest.fail("no room for it"))
    assert np.allclose(gradients_of(mean_field).kernel(), theirs, rtol=0, atol=1e-9)
    monkeypatch.undo()
    monkeypatch.setattr(mean_field.with_df, "get_naoaux", lambda: 7)
    assert fitted_slope(mean_field, 0.2) is None
    assert np.allclose(gradients_of(mean_field).kernel(), theirs, rtol=0, atol=1e-9)


def test_grids_of_another_kind_are_left_to_pyscf():
    mean_field = solved()
    mean_field.grids.becke_scheme = gen_grid.stratmann
    assert integrated_slope(mean_field) is None


@pytest.mark.parametrize("count", [2, 5])
def test_weights_move_as_their_slope_says(count):
    """Shares of the cells as PySCF partitions space, points fixed to their atoms, by finite differences."""
    generator = np.random.default_rng(count)
    centres = generator.normal(size=(count, 3)) * 2.5
    atoms = generator.integers(count, size=60)
    offsets = generator.normal(size=(60, 3)) * 1.2
    worth = generator.normal(size=60)
    skew = generator.uniform(-0.4, 0.4, size=(count, count))
    skew -= skew.T

    def total(places):
        apart = np.linalg.norm(places[:, None] - places[None], axis=2) + np.eye(count)
        distances = np.linalg.norm(places[:, None] - (places[atoms] + offsets), axis=2)
        cells = np.ones((count, 60))
        for i in range(count):
            for j in range(count):
                if i != j:
                    mu = (distances[i] - distances[j]) / apart[i, j]
                    smooth = mu + skew[i, j] * (1 - mu**2)
                    for _ in range(3):
                        smooth = (3 - smooth**2) * smooth / 2
                    cells[i] *= (1 - smooth) / 2
        return float((worth * cells[atoms, np.arange(60)] / cells.sum(axis=0)).sum())

    expected = np.zeros_like(centres)
    for place in np.ndindex(*centres.shape):
        step = np.zeros_like(centres)
        step[place] = 1e-5
        expected[place] = (total(centres + step) - total(centres - step)) / 2e-5
    ours = weight_slope(centres, centres[atoms] + offsets, atoms, worth, skew)
    assert np.abs(expected).max() > 0.01
    assert ours == pytest.approx(expected, abs=1e-7)


def test_a_single_atom_is_pushed_by_nothing():
    mean_field = solved(symbols=["Ne"], positions=[[0.3, 0.2, 0.1]])
    assert np.abs(gradients_of(mean_field).kernel()).max() < 1e-8


def test_the_energy_converged_by_the_ladder_has_the_same_gradient():
    level = Level(functional="b3lypg", basis="6-31g(d,p)", cartesian=True, heavy_basis="def2-svp", density_fitting=True)
    molecule = build_molecule(SYMBOLS, POSITIONS, 0, 1, level)
    mean_field = converge(build_mean_field(molecule, level, 1, 2000), 60).mean_field
    assert np.allclose(gradients_of(mean_field).kernel(), pyscfs(mean_field), rtol=0, atol=1e-6)
