"""Pairs of functions that count: none is left out that has an integral, and what is left out moves no energy."""

from __future__ import annotations

import numpy as np
import pytest
from pyscf import df, dft, gto, lib

from electroscreen.quantum import fitting, pairs
from electroscreen.quantum.fitting import OrbitalFitting, of_pairs, to_pairs
from electroscreen.quantum.gradient import gradients_of
from electroscreen.quantum.integration import PatchwiseIntegration
from electroscreen.quantum.pairs import fitted_integrals, half_turned, pairs_that_count
from electroscreen.quantum.response import TurnFitting

# Some far apart, some near.
FAR = "Li 0 0 0; F 0 0 1.6; O 9 0 0; H 9 0.76 0.59; H 9 -0.76 0.59; Na 0 14 0"


def molecule(atoms=FAR, cart=True, **more):
    return gto.M(atom=atoms, basis="6-31g(d,p)", cart=cart, charge=1, verbose=0, **more)


@pytest.fixture(params=[True, False], ids=["cartesian", "spherical"])
def far(request):
    return molecule(cart=request.param)


def test_pairs_left_out_have_no_integrals(far):
    found = pairs_that_count(far)
    count = far.nao * (far.nao + 1) // 2
    left_out = np.setdiff1d(np.arange(count), found.packed)
    assert 0.2 < len(left_out) / count < 0.8
    integrals = df.incore.cholesky_eri(far, auxmol=df.addons.make_auxmol(far))
    assert np.abs(integrals[:, left_out]).max() <= pairs.NEGLIGIBLE
    # Shells are left out whole: of those kept nearly all have something to say.
    telling = np.abs(integrals[:, found.packed]).max(axis=0) > pairs.NEGLIGIBLE
    assert telling.mean() > 0.8


def test_the_pairs_of_each_shell_are_numbered_as_they_stand(far):
    found = pairs_that_count(far)
    square = np.full((far.nao, far.nao), -1)
    first, second = np.tril_indices(far.nao)
    square[first[found.packed], second[found.packed]] = np.arange(found.count)
    square = np.maximum(square, square.T)
    assert [shell.own.start for shell in found.shells] == far.ao_loc_nr()[:-1].tolist()
    for number, shell in enumerate(found.shells):
        assert number == shell.number and number in shell.neighbours
        np.testing.assert_array_equal(shell.numbers, square[shell.own][:, shell.partners])
        others = np.setdiff1d(np.arange(far.nao), shell.partners)
        assert (square[shell.own][:, others] == -1).all()


@pytest.mark.parametrize("together", [1, 1000])
def test_integrals_are_pyscfs(together, far, monkeypatch):
    fits = df.addons.make_auxmol(far)
    counted = pairs_that_count(far)
    expected = df.incore.cholesky_eri(far, auxmol=fits)[:, counted.packed]
    monkeypatch.setattr(pairs, "SOLVED_TOGETHER", together)
    found = fitted_integrals(far, fits, counted, at_once=50)
    assert {block.shape[1] for block in found} == {50, fits.nao % 50}
    np.testing.assert_allclose(np.concatenate(found, axis=1).T, expected, rtol=0, atol=1e-9)


def test_a_molecule_has_all_its_pairs():
    water = molecule("O 0 0 0.12; H 0 0.76 -0.47; H 0 -0.76 -0.47", spin=1)
    assert pairs_that_count(water).count == water.nao * (water.nao + 1) // 2


@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_half_turned_integrals(far, precision):
    counted = pairs_that_count(far)
    generator = np.random.default_rng(5)
    block, orbitals = generator.normal(size=(counted.count, 3)), generator.normal(size=(far.nao, 4)).astype(precision)
    packed = np.zeros((3, far.nao * (far.nao + 1) // 2))
    packed[:, counted.packed] = block.T
    expected = np.einsum("puv,vi->uip", lib.unpack_tril(packed), orbitals)
    found = half_turned(block, counted, orbitals)
    assert found.dtype == precision
    np.testing.assert_allclose(found, expected, rtol=0, atol=100 * np.finfo(precision).eps)


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("at_once", [20_000, 1e8])
def test_matrices_are_pyscfs_where_pairs_are_left_out(at_once, in_memory, far, monkeypatch):
    monkeypatch.setattr(fitting, "AT_ONCE_BYTES", at_once)
    generator = np.random.default_rng(6)
    density = generator.normal(size=(2, far.nao, far.nao))
    density += density.swapaxes(1, 2)
    ours = OrbitalFitting(far)
    ours.max_memory = 4000 if in_memory else 1
    expected = df.DF(far).get_jk(density, hermi=1)
    for found, known in zip(ours.get_jk(density, hermi=1), expected, strict=True):
        np.testing.assert_allclose(found, known, rtol=0, atol=1e-10 * np.abs(known).max())
    assert isinstance(ours._cderi, list) == (ours.pairs is not None) == in_memory
    assert ours.get_naoaux() == df.addons.make_auxmol(far).nao


def test_what_is_left_out_moves_neither_energy_nor_forces():
    found, known = (dft.RKS(molecule()).density_fit(with_df=kind(molecule())) for kind in (OrbitalFitting, df.DF))
    for mean_field in (found, known):
        mean_field.xc, mean_field.grids.level, mean_field.conv_tol = "b3lypg", 0, 1e-10
        mean_field._numint = PatchwiseIntegration()
    assert found.kernel() == pytest.approx(known.kernel(), abs=1e-9)
    theirs = known.nuc_grad_method()
    theirs.grid_response = True
    np.testing.assert_allclose(gradients_of(found).kernel(), theirs.kernel(), rtol=0, atol=3e-6)
    assert found.with_df.pairs.count < 0.8 * found.mol.nao * (found.mol.nao + 1) / 2
    # Turns of occupied orbitals, in single precision.
    empty, occupied = found.mo_coeff[:, found.mo_occ == 0], found.mo_coeff[:, found.mo_occ > 0]
    half = empty @ np.random.default_rng(8).normal(size=(empty.shape[1], occupied.shape[1])) @ occupied.T
    (coulomb, exchange), expected = (one.get_jk(half + half.T) for one in (TurnFitting(found), known.with_df))
    np.testing.assert_allclose(coulomb, expected[0], rtol=0, atol=1e-9 * np.abs(expected[0]).max())
    on_occupied = expected[1] @ occupied
    np.testing.assert_allclose(exchange @ occupied, on_occupied, rtol=0, atol=5e-6 * np.abs(on_occupied).max())


def test_a_fitting_built_again_with_less_memory_is_pyscfs(far):
    ours = OrbitalFitting(far)
    ours.build()
    ours.max_memory = 1
    ours.build()
    assert ours.pairs is None and not isinstance(ours._cderi, list)


def test_who_asks_for_all_integrals_gets_them(far):
    ours, theirs = OrbitalFitting(far), df.DF(far)
    found, known = (np.concatenate(list(one.loop(7))) for one in (ours, theirs))
    assert ours.pairs.count < found.shape[1] and ours.get_naoaux() == len(found)
    np.testing.assert_allclose(found, known, rtol=0, atol=1e-9)
    generator = np.random.default_rng(7)
    packed, of_fits = generator.normal(size=(2, found.shape[1])), generator.normal(size=(2, len(found)))
    np.testing.assert_allclose(of_pairs(ours, packed), packed @ found.T, atol=1e-9)
    np.testing.assert_allclose(to_pairs(ours, of_fits), of_fits @ found, atol=1e-9)


def test_where_functions_of_the_fit_depend_on_each_other_the_integrals_are_pyscfs():
    cation = molecule("Li 0 0 0; F 0 0 1.6", spin=1)
    twice = {atom: 2 * gto.basis.load("def2-universal-jkfit", atom) for atom in ("Li", "F")}
    ours, theirs = (kind(cation, auxbasis=twice) for kind in (OrbitalFitting, df.DF))
    density = np.eye(cation.nao)
    expected = theirs.get_jk(density, hermi=1)
    found = ours.get_jk(density, hermi=1)
    assert ours.pairs is None
    for one, known in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, known, atol=1e-6)


def test_a_forgotten_fitting_begins_anew(far):
    ours = OrbitalFitting(far)
    ours.build()
    assert ours.reset().pairs is None and ours._cderi is None
