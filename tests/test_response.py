"""Exchange of turned orbitals, and the lowest curvature: as PySCF has them from whole matrices."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
from pyscf import gto

from electroscreen.quantum import fitting, response, stability
from electroscreen.quantum.response import TurnFitting, turns_only
from electroscreen.quantum.scf import build_mean_field, converge
from electroscreen.settings import Level

WATER = "O 0 0 0.12; H 0 0.76 -0.47; H 0 -0.76 -0.47"
HYDROXYL = "O 0 0 0; H 0 0 0.97"
SINGLE_PRECISION = 2e-6


def solved(atoms, spin=0, functional="b3lyp", **changes):
    molecule = gto.M(atom=atoms, basis="6-31g(d,p)", cart=True, verbose=0, spin=spin)
    level = Level(functional=functional, basis="6-31g(d,p)", cartesian=True, heavy_basis="def2-svp", **changes)
    return converge(build_mean_field(molecule, level, 1, 4000), 100, stability=False).mean_field


def turn(mean_field, seed=4):
    """A symmetric change of the density, (spins, n, n), that turns occupied orbitals into empty ones."""
    generator, made = np.random.default_rng(seed), []
    for orbitals, occupations in zip(*spins(mean_field), strict=True):
        empty, occupied = orbitals[:, occupations == 0], orbitals[:, occupations > 0]
        half = empty @ generator.normal(size=(empty.shape[1], occupied.shape[1])) @ occupied.T
        made.append(half + half.T)
    return np.array(made).reshape(np.shape(mean_field.make_rdm1()))


def spins(mean_field):
    occupations = np.atleast_2d(mean_field.mo_occ)
    return np.reshape(mean_field.mo_coeff, (len(occupations), -1, occupations.shape[1])), occupations


@pytest.mark.parametrize("room", [True, False])
@pytest.mark.parametrize("omega", [None, 0.3])
@pytest.mark.parametrize(("atoms", "spin"), [(WATER, 0), (HYDROXYL, 1), ("H 0 0 0; H 0 0 0.9; H 0 0 1.8", 3)])
def test_exchange_is_right_where_it_meets_an_occupied_orbital(atoms, spin, omega, room, monkeypatch):
    monkeypatch.setattr(fitting, "AT_ONCE_BYTES", 40_000)  # several blocks
    monkeypatch.setattr(response, "SHARE_OF_MEMORY", 0.4 if room else 0)
    mean_field = solved(atoms, spin)
    density = turn(mean_field)
    coulomb, exchange = mean_field.with_df.get_jk(density, omega=omega)
    turns = TurnFitting(mean_field)
    for _ in range(2):  # the second time from what is kept
        found_coulomb, found_exchange = turns.get_jk(density, omega=omega)
        np.testing.assert_allclose(found_coulomb, coulomb, atol=1e-10 * np.abs(coulomb).max())
        for orbitals, occupations, found, known in zip(
            *spins(mean_field), *(np.reshape(k, (-1, *k.shape[-2:])) for k in (found_exchange, exchange)), strict=True
        ):
            expected = orbitals.T @ known @ orbitals[:, occupations > 0]
            least = SINGLE_PRECISION * np.abs(expected).max(initial=0)
            np.testing.assert_allclose(orbitals.T @ found @ orbitals[:, occupations > 0], expected, atol=least)
    assert bool(turns._kept) is room


def test_coulomb_alone_and_exchange_alone():
    mean_field = solved(WATER)
    density, turns = turn(mean_field), TurnFitting(mean_field)
    coulomb, exchange = turns.get_jk(density)
    alone, none = turns.get_jk(density, with_k=False)
    np.testing.assert_allclose(alone, coulomb, atol=1e-9)
    assert none is None
    none, alone = turns.get_jk(density, with_j=False)
    np.testing.assert_allclose(alone, exchange)
    assert none is None


@pytest.mark.parametrize("functional", ["hf", "pbe", "b3lyp", "camb3lyp", "hse06"])
@pytest.mark.parametrize(("atoms", "spin"), [(WATER, 0), ("O 0 0 0; O 0 0 1.21", 2), ("H 0 0 0; H 0 0 2.2", 0)])
def test_the_lowest_curvature_is_that_of_whole_matrices(atoms, spin, functional, monkeypatch):
    mean_field = solved(atoms, spin, functional)
    found, _ = stability._lowest_curvature(mean_field)
    monkeypatch.setattr(response, "turns_only", nullcontext)
    monkeypatch.setattr(stability, "_fock", lambda _: None)  # PySCF makes its own
    known, _ = stability._lowest_curvature(mean_field)
    assert found == pytest.approx(known, abs=2e-4)


@pytest.mark.parametrize(("atoms", "spin"), [(WATER, 0), (HYDROXYL, 1)])
def test_fock_matrix_from_orbitals_is_pyscfs(atoms, spin):
    mean_field = solved(atoms, spin)
    np.testing.assert_allclose(stability._fock(mean_field), mean_field.get_fock(), atol=2e-4)


def test_without_density_fitting_nothing_changes():
    mean_field = solved(WATER, density_fitting=False)
    with turns_only(mean_field):
        assert not hasattr(mean_field, "with_df")
    assert stability.settle(mean_field, 50) == stability.STABLE


def test_the_fitting_comes_back_after_an_error():
    mean_field = solved(WATER)
    before = mean_field.with_df
    with pytest.raises(ZeroDivisionError), turns_only(mean_field):
        assert isinstance(mean_field.with_df, TurnFitting)
        raise ZeroDivisionError
    assert mean_field.with_df is before
