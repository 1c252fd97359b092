"""Exchange in single precision: as near as its digits allow, and gone from every energy that an SCF ends with."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from pyscf import df, gto

from electroscreen.quantum import fitting, precision
from electroscreen.quantum.fitting import OrbitalFitting
from electroscreen.quantum.scf import SCFNotConvergedError, build_mean_field, converge
from electroscreen.settings import Level

WATER = "O 0 0 0.12; H 0 0.76 -0.47; H 0 -0.76 -0.47"


def level(functional):
    basis = {"basis": "6-31g(d,p)", "cartesian": True, "heavy_basis": "def2-svp"}
    return Level(functional=functional, **basis, density_fitting=True)


def water(spin=0):
    return gto.M(atom=WATER, basis="6-31g(d,p)", cart=True, verbose=0, spin=spin, charge=spin)


@pytest.fixture
def asked(monkeypatch):
    """Of each exchange matrix that is made: whether in single precision."""
    found, get_jk = [], OrbitalFitting.get_jk

    def watched(self, *args, **kwargs):
        found.append(self.single)
        return get_jk(self, *args, **kwargs)

    monkeypatch.setattr(OrbitalFitting, "get_jk", watched)
    return found


@pytest.mark.parametrize("omega", [None, 0.3])
@pytest.mark.parametrize("at_once", [40_000, 3e7])  # many blocks, the last of them smaller, or one
def test_single_precision_is_near_and_leaves_the_coulomb_matrix_alone(at_once, omega, monkeypatch):
    monkeypatch.setattr(fitting, "AT_ONCE_BYTES", at_once)
    molecule = water()
    values = np.random.default_rng(3).normal(size=(2, molecule.nao, molecule.nao))
    density = values + values.swapaxes(1, 2)
    ours, theirs = OrbitalFitting(molecule), df.DF(molecule)
    ours.single = True
    coulomb, exchange = ours.get_jk(density, hermi=1, omega=omega)
    known_coulomb, known_exchange = theirs.get_jk(density, hermi=1, omega=omega)
    np.testing.assert_allclose(coulomb, known_coulomb, atol=1e-11 * np.abs(known_coulomb).max())
    wrong_by = np.abs(exchange - known_exchange).max() / np.abs(known_exchange).max()
    assert 1e-9 < wrong_by < 3e-6


@pytest.mark.parametrize("spin", [0, 1])
@pytest.mark.parametrize("functional", ["b3lypg", "hf", "wb97x"])
def test_the_energy_is_that_of_double_precision(functional, spin, asked):
    molecule = water(spin)
    found = converge(build_mean_field(molecule, level(functional), 1, 4000), 50, stability=False).mean_field
    changed = asked.index(False)
    assert changed >= 3 and not any(asked[changed:]) and len(asked) - changed >= 3
    asked.clear()
    plain = build_mean_field(molecule, level(functional), 1, 4000)
    expected = plain.kernel()
    assert not any(asked)
    assert found.e_tot == pytest.approx(expected, abs=2e-9)
    np.testing.assert_allclose(found.mo_energy, plain.mo_energy, atol=2e-5)


def test_a_converged_guess_is_not_believed_in_single_precision(asked):
    molecule = water()
    first = converge(build_mean_field(molecule, level("b3lypg"), 1, 4000), 50, stability=False)
    asked.clear()
    again = converge(build_mean_field(molecule, level("b3lypg"), 1, 4000), 50, np.array(first.density), False)
    assert asked[:2] == [True, True] and len(asked) > 3 and not any(asked[2:])
    assert again.mean_field.e_tot == pytest.approx(first.mean_field.e_tot, abs=2e-9)


def test_who_does_not_converge_is_left_in_double_precision(asked):
    mean_field = build_mean_field(water(), level("b3lypg"), 1, 4000)
    with pytest.raises(SCFNotConvergedError):
        converge(mean_field, 1, stability=False)
    # One density to start from and one cycle; then the other rungs.
    assert asked[:2] == [True, True] and not any(asked[2:])
    assert not mean_field.with_df.single and mean_field.check_convergence is None


@pytest.mark.parametrize(
    ("gained", "gradient", "ended_before", "last"),
    [
        (0.5, 0.5, False, True),
        (2.0, 0.5, False, False),
        (0.5, 2.0, False, False),
        (2.0, 0.5, True, True),
        (0.5, 2.0, True, True),
        (2.0, 2.0, True, False),
    ],
)
def test_criteria_are_pyscfs(gained, gradient, ended_before, last):
    """Both before, either in the cycle after convergence; here in units of the limits."""
    state = {
        "e_tot": -76.0 - gained * 1e-8,
        "last_hf_e": -76.0,
        "norm_gorb": gradient * 1e-4,
        "conv_tol": 1e-8,
        "conv_tol_grad": 1e-4,
        "scf_conv": ended_before,
    }
    assert precision._Convergence(SimpleNamespace(single=False))(state) == last
    assert not precision._Convergence(SimpleNamespace(single=True))(state)


def test_without_density_fitting_nothing_changes():
    mean_field = build_mean_field(water(), level("b3lypg").model_copy(update={"density_fitting": False}), 1, 4000)
    with precision.single_until_near(mean_field):
        assert mean_field.check_convergence is None
