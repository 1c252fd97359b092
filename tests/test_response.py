"""Coulomb and exchange matrices of turned orbitals: those that PySCF makes of the same densities."""

from __future__ import annotations

import numpy as np
import pytest

from electroscreen.quantum import response, stability
from electroscreen.quantum.response import quick_turns
from electroscreen.quantum.scf import build_mean_field, build_molecule, converge
from electroscreen.quantum.solvent import in_solvent
from electroscreen.settings import Level

WATER = [[0.0, 0.0, 0.12], [0.0, 0.76, -0.47], [0.0, -0.76, -0.47]]


def solved(functional="b3lypg", multiplicity=1, charge=0, solvent=None, density_fitting=True):
    level = Level(
        functional=functional,
        basis="6-31g(d,p)",
        cartesian=True,
        heavy_basis="def2-svp",
        density_fitting=density_fitting,
    )
    molecule = build_molecule(["O", "H", "H"], np.array(WATER), charge, multiplicity, level)
    mean_field = in_solvent(build_mean_field(molecule, level, 1, 2000), solvent)
    return converge(mean_field, 60, stability=False).mean_field


def turns(mean_field, seed=1):
    """Densities of a random turn, D = C Yᵀ + Y Cᵀ, of the shape of the mean field's own."""
    generator = np.random.default_rng(seed)
    found = []
    coefficients = np.asarray(mean_field.mo_coeff).reshape(-1, *np.shape(mean_field.mo_coeff)[-2:])
    for c, occupied in zip(coefficients, np.atleast_2d(mean_field.mo_occ) > 0, strict=True):
        other = c[:, ~occupied] @ generator.normal(size=((~occupied).sum(), occupied.sum()))
        half = c[:, occupied] @ other.T
        found.append(half + half.T)
    return np.array(found).reshape(np.shape(mean_field.make_rdm1()))


SYSTEMS = [
    {},
    {"functional": "hf"},
    {"functional": "pbe"},
    {"functional": "wb97x"},  # exchange by range
    {"functional": "hse06"},  # of the short range only
    {"functional": "wb97x", "multiplicity": 2, "charge": 1},
    {"multiplicity": 2, "charge": 1},
    {"multiplicity": 3},
    {"solvent": 7.1},
]


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("keeps", [True, False])
def test_matrices_are_pyscfs(system, keeps, monkeypatch):
    mean_field = solved(**system)
    monkeypatch.setattr(response, "SHARE_OF_MEMORY", 0.2 if keeps else 0.0)
    monkeypatch.setattr(response, "AT_ONCE_BYTES", 40_000)  # several blocks
    with quick_turns(mean_field):
        for seed in (1, 2):  # the second finds what the first has kept
            density = turns(mean_field, seed)
            for omega in (None, 0.3, -0.3):
                quick = mean_field.get_jk(mean_field.mol, density, 1, omega=omega)
                plain = type(mean_field).get_jk(mean_field, mean_field.mol, density, 1, omega=omega)
                for one, other in zip(quick, plain, strict=True):
                    assert one.shape == density.shape
                    np.testing.assert_allclose(one, other, atol=1e-10 * np.abs(other).max())
    assert "get_jk" not in vars(mean_field)


def test_without_density_fitting_pyscf_does_it():
    mean_field = solved("hf", density_fitting=False)
    with quick_turns(mean_field):
        assert "get_jk" not in vars(mean_field)


def test_all_is_as_before_after_a_failure():
    mean_field = solved("hf")
    with pytest.raises(ZeroDivisionError), quick_turns(mean_field):
        _ = 1 / 0
    assert "get_jk" not in vars(mean_field)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_lowest_curvature_is_the_same(system, monkeypatch):
    mean_field = solved(**system)
    quick, direction = stability._lowest_curvature(mean_field)
    monkeypatch.setattr(stability, "quick_turns", lambda _: quick_turns(None))
    plain, other = stability._lowest_curvature(mean_field)
    assert quick == pytest.approx(plain, abs=1e-7)
    assert abs(direction @ other) == pytest.approx(1.0, abs=1e-4)
