"""Coulomb and exchange matrices from few orbitals: those that PySCF makes of the same densities."""

from __future__ import annotations

import numpy as np
import pytest
from pyscf import df, gto, lib

from electroscreen.quantum import fitting
from electroscreen.quantum.fitting import OrbitalFitting
from electroscreen.quantum.scf import build_mean_field
from electroscreen.settings import Level

WATER = "O 0 0 0.12; H 0 0.76 -0.47; H 0 -0.76 -0.47"


@pytest.fixture(scope="module")
def water():
    return gto.M(atom=WATER, basis="6-31g(d,p)", cart=True, verbose=0)


def symmetric(seed, functions, *sets):
    found = np.random.default_rng(seed).normal(size=(*sets, functions, functions))
    return found + found.swapaxes(-1, -2)


def with_orbitals(seed, functions, *sets):
    """A density matrix tagged, as PySCF's SCF does it, with orbitals of which some are empty and one half full."""
    generator = np.random.default_rng(seed)
    coefficients = generator.normal(size=(*sets, functions, functions))
    occupations = np.zeros((*sets, functions))
    occupations[..., :5] = [2, 2, 1, 2, 0.5]
    density = np.einsum("...pi,...i,...qi->...pq", coefficients, occupations, coefficients)
    return lib.tag_array(density, mo_coeff=coefficients, mo_occ=occupations)


@pytest.mark.parametrize("omega", [None, 0.3])
@pytest.mark.parametrize("sets", [(), (1,), (2,), (3,)])
@pytest.mark.parametrize("make", [symmetric, with_orbitals])
def test_matrices_are_pyscfs(make, sets, omega, water, monkeypatch):
    monkeypatch.setattr(fitting, "AT_ONCE_BYTES", 40_000)  # several blocks
    density = make(5, water.nao, *sets)
    ours, theirs = OrbitalFitting(water), df.DF(water)
    expected = theirs.get_jk(density, hermi=1, omega=omega)
    scale = np.abs(expected).max()
    for found, known in zip(ours.get_jk(density, hermi=1, omega=omega), expected, strict=True):
        assert found.shape == known.shape
        np.testing.assert_allclose(found, known, atol=1e-11 * scale)


def test_what_is_not_asked_for_is_not_made(water):
    coulomb, exchange = OrbitalFitting(water).get_jk(symmetric(1, water.nao), hermi=1, with_j=False)
    assert coulomb is None and np.abs(exchange).max() > 1


def test_other_matrices_are_left_to_pyscf(water):
    crooked = np.random.default_rng(2).normal(size=(water.nao, water.nao))
    for found, known in zip(OrbitalFitting(water).get_jk(crooked, 0), df.DF(water).get_jk(crooked, 0), strict=True):
        np.testing.assert_allclose(found, known, atol=1e-11)
    coulomb, exchange = OrbitalFitting(water).get_jk(symmetric(3, water.nao), hermi=1, with_k=False)
    assert exchange is None and np.abs(coulomb).max() > 1


def test_a_functional_without_exact_exchange_keeps_its_integrals_too(water, monkeypatch):
    """PySCF's own way computes them in each cycle: 31 s of an SCF of Na+ with two DOL by PBE in place of 10."""
    level = Level(functional="pbe", basis="6-31g(d,p)", cartesian=True, heavy_basis="def2-svp", density_fitting=True)
    mean_field, plain = (build_mean_field(water, level, 1, 4000) for _ in range(2))
    built, build = [], OrbitalFitting.build
    monkeypatch.setattr(OrbitalFitting, "build", lambda self: (built.append(1), build(self))[1])
    plain.with_df = df.DF(water)
    assert mean_field.kernel() == pytest.approx(plain.kernel(), abs=1e-9)
    assert len(built) == 1 and mean_field.with_df.pairs is not None
    assert plain.with_df._cderi is None


def test_an_empty_density_has_no_field(water):
    for found in OrbitalFitting(water).get_jk(np.zeros((water.nao, water.nao)), hermi=1):
        assert not found.any()


def test_integrals_are_kept_within_the_memory_of_the_job(water):
    level = Level(functional="b3lypg", basis="6-31g(d,p)", cartesian=True, heavy_basis="def2-svp", density_fitting=True)
    mean_field = build_mean_field(water, level, 1, 6789)
    assert isinstance(mean_field.with_df, OrbitalFitting)
    assert mean_field.with_df.max_memory == mean_field.max_memory == 6789
    energy = mean_field.kernel()
    # Too little for any: PySCF then keeps them in a file.
    on_disk = build_mean_field(water, level, 1, 6789)
    on_disk.with_df.max_memory = 1
    assert on_disk.kernel() == pytest.approx(energy, abs=1e-9)
    assert on_disk.with_df.pairs is None
