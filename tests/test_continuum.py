"""The continuum solvents that keep their integrals against PySCF's own, which computes them anew."""

from __future__ import annotations

import numpy as np
import pytest
from pyscf import df, dft, gto
from pyscf.solvent import smd

from electroscreen.quantum import continuum
from electroscreen.quantum.fitting import OrbitalFitting
from electroscreen.quantum.integration import PatchwiseIntegration
from electroscreen.quantum.scf import converge
from electroscreen.quantum.solvent import in_solvent

WATER = "O 0 0 0; H 0 0.757 0.587; H 0 -0.757 0.587"
EPSILON = 7.1


def water(charge: int = 0, cart: bool = True, fitting=OrbitalFitting):
    molecule = gto.M(atom=WATER, basis="6-31g(d,p)", charge=charge, spin=charge, cart=cart, verbose=0)
    mean_field = (dft.UKS if charge else dft.RKS)(molecule)
    mean_field.xc, mean_field.grids.level, mean_field.conv_tol = "b3lypg", 0, 1e-10
    mean_field._numint = PatchwiseIntegration()
    return mean_field.density_fit(with_df=fitting(molecule))


def plain(solvent, **molecule):
    mean_field = water(**molecule, fitting=df.DF)
    if isinstance(solvent, str):
        return mean_field.SMD(smd.SMD(mean_field.mol, solvent))
    solvated = mean_field.PCM()
    solvated.with_solvent.method, solvated.with_solvent.eps = "IEF-PCM", solvent
    return solvated


@pytest.mark.parametrize("charge", [0, 1])
@pytest.mark.parametrize("solvent", [EPSILON, "acetone"])
def test_energies_and_gradients_are_those_of_pyscf(solvent, charge):
    ours, theirs = in_solvent(water(charge=charge), solvent), plain(solvent, charge=charge)
    assert ours.kernel() == pytest.approx(theirs.kernel(), abs=1e-9)
    assert ours.e_tot < water(charge=charge).kernel() - 5e-3
    gradients = [mean_field.nuc_grad_method().set(verbose=0).kernel() for mean_field in (ours, theirs)]
    np.testing.assert_allclose(*gradients, atol=2e-7)


def test_spherical_functions_too():
    ours, theirs = in_solvent(water(cart=False), EPSILON), plain(EPSILON, cart=False)
    assert ours.kernel() == pytest.approx(theirs.kernel(), abs=1e-9)


@pytest.mark.parametrize(("room_points", "kept_points"), [(0, 77), (200, 123)])
def test_what_memory_does_not_hold_is_computed_in_blocks(monkeypatch, room_points, kept_points):
    whole, parts = in_solvent(water(), EPSILON), in_solvent(water(), EPSILON)
    parts.with_solvent.fitting = None
    energy, functions = whole.kernel(), parts.mol.nao
    points = len(whole.with_solvent.surface["grid_coords"])
    assert whole.with_solvent._integrals.shape == (functions * (functions + 1) // 2, points) and points > 300
    monkeypatch.setattr(continuum, "FEWEST_POINTS", 77)
    monkeypatch.setattr(continuum.lib, "current_memory", lambda: (0, 0))
    parts.with_solvent.max_memory = (room_points + 0.5) * 8e-6 * whole.with_solvent._integrals.shape[0] / 0.8
    assert parts.kernel() == pytest.approx(energy, abs=1e-9)
    assert parts.with_solvent._integrals.shape[1] == kept_points


@pytest.mark.parametrize("charge", [0, 1])
@pytest.mark.parametrize("solvent", [EPSILON, "acetone"])
def test_where_memory_is_short_the_potential_is_fitted_and_the_energy_true(monkeypatch, solvent, charge):
    """SCFs in the fitted potential end 1e-6 hartree off; with the true potential of their density they do not."""
    whole, fitted = (in_solvent(water(charge=charge), solvent) for _ in range(2))
    energy = converge(whole, 50, stability=False).mean_field.e_tot
    assert whole.with_solvent.left_out_hartree(whole.make_rdm1()) == 0.0
    monkeypatch.setattr(continuum, "FEWEST_POINTS", 100)
    fitted.with_solvent.max_memory = 0
    assert converge(fitted, 50, stability=False).mean_field.e_tot == pytest.approx(energy, abs=5e-8)
    left_out = fitted.with_solvent.left_out_hartree(fitted.make_rdm1())
    assert 2e-7 < abs(left_out) < 1e-4
    # Which is what the two models' energies of one density differ by.
    density = fitted.make_rdm1()
    one, other = (mean_field.with_solvent.kernel(density)[0] for mean_field in (whole, fitted))
    assert one - other == pytest.approx(left_out, abs=1e-10)


def test_the_fitted_potential_is_that_of_the_fitted_density():
    """A long way off it is that of the charge: the fit keeps it."""
    mean_field = in_solvent(water(), EPSILON)
    mean_field.kernel()
    cavity = mean_field.with_solvent
    cavity.max_memory = 0
    cavity._fitted = cavity._potentials_of_fit()
    density = mean_field.make_rdm1()[None]
    true, fitted = cavity._get_v_true(density)[0], cavity._get_v(density)[0]
    assert 1e-6 < np.abs(true - fitted).max() < 2e-3
    assert fitted == pytest.approx(true, rel=2e-3)
    charges = np.random.default_rng(3).normal(size=len(true))
    # The two ways are transposes of each other, or the energy would have no minimum.
    along = np.einsum("ij,ij->", cavity._get_vmat(charges)[0], density[0])
    assert along == pytest.approx(-charges @ fitted, rel=1e-9)


def test_the_job_s_memory_is_what_the_cavity_may_use():
    mean_field = water()
    mean_field.max_memory = 1234
    assert in_solvent(mean_field, EPSILON).with_solvent.max_memory == 1234


def test_a_moved_molecule_has_a_new_cavity():
    ours = in_solvent(water(), EPSILON)
    ours.kernel()
    stretched = gto.M(atom=WATER.replace("0.757", "0.9"), basis="6-31g(d,p)", cart=True, verbose=0)
    ours.reset(stretched)
    theirs = plain(EPSILON)
    theirs.reset(stretched)
    assert ours.kernel() == pytest.approx(theirs.kernel(), abs=1e-9)


def test_integrals_are_computed_once(monkeypatch):
    calls = []
    whole = continuum.df.incore.aux_e2

    def counted(*arguments, **more):
        calls.append(more.get("aosym"))
        return whole(*arguments, **more)

    monkeypatch.setattr(continuum.df.incore, "aux_e2", counted)
    in_solvent(water(), EPSILON).kernel()
    assert calls.count("s2ij") == 1
