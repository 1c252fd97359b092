"""Integrals over the grid patch by patch, beside PySCF's own integrator."""

from __future__ import annotations

import numpy as np
import pytest
from pyscf import dft, gto, lib
from pyscf.dft.numint import NumInt

from electroscreen.quantum.integration import POINTS_OF_PATCH, PatchwiseIntegration
from electroscreen.quantum.scf import build_mean_field, converge
from electroscreen.settings import Level

# Long enough that its ends do not reach each other's patches.
CHAIN = "; ".join(f"H 0 0 {1.5 * i}; F 0 0.1 {1.5 * i + 0.75}" for i in range(6))
PLENTY_MB, NEXT_TO_NOTHING_MB = 4000, 1e-3


@pytest.fixture(scope="module")
def system():
    """A molecule longer than its functions reach, its grid, and two density matrices that are no one's ground state."""
    molecule = gto.M(atom=CHAIN, basis="6-31g(d,p)", cart=True, verbose=0)
    grids = dft.Grids(molecule)
    grids.level = 0
    grids.build(with_non0tab=True)
    random = np.random.default_rng(5).standard_normal((2, molecule.nao, molecule.nao))
    guess = dft.RKS(molecule).get_init_guess()
    return molecule, grids, np.stack([guess / 2 + 0.002 * (m + m.T) for m in random])


@pytest.mark.parametrize("functional", ["lda,vwn", "b3lypg"])
@pytest.mark.parametrize("memory_mb", [PLENTY_MB, NEXT_TO_NOTHING_MB])
def test_a_closed_shell_as_by_pyscf(system, functional, memory_mb):
    molecule, grids, (density, _) = system
    expected = NumInt().nr_rks(molecule, grids, functional, 2 * density)
    ours = PatchwiseIntegration()
    for _ in range(2):  # the second time from what was kept
        found = ours.nr_rks(molecule, grids, functional, 2 * density, max_memory=memory_mb)
        agree(found, expected)


@pytest.mark.parametrize("functional", ["lda,vwn", "b3lypg"])
def test_an_open_shell_as_by_pyscf(system, functional):
    molecule, grids, densities = system
    expected = NumInt().nr_uks(molecule, grids, functional, densities)
    agree(PatchwiseIntegration().nr_uks(molecule, grids, functional, densities), expected)


@pytest.mark.parametrize("spins", [1, 2])
def test_from_orbitals_as_from_their_density_matrix(system, spins):
    """Few orbitals are the shorter way; PySCF's SCF hands them over with the matrix."""
    molecule, grids, _ = system
    coefficients = np.linalg.qr(np.random.default_rng(3).standard_normal((molecule.nao, molecule.nao)))[0]
    occupations = np.stack([np.arange(molecule.nao) < few for few in (7, 4)])[:spins] * (3.0 - spins)
    matrices = np.einsum("ia,sa,ja->sij", coefficients, occupations, coefficients)
    tags = {"mo_coeff": np.stack([coefficients] * spins), "mo_occ": occupations}
    ours, theirs = PatchwiseIntegration(), NumInt()
    if spins == 1:
        matrices, tags = matrices[0], {key: of[0] for key, of in tags.items()}
    asked = "nr_rks" if spins == 1 else "nr_uks"
    found = getattr(ours, asked)(molecule, grids, "b3lypg", lib.tag_array(matrices, **tags))
    agree(found, getattr(theirs, asked)(molecule, grids, "b3lypg", matrices))


def test_what_it_cannot_do_is_pyscfs(system):
    molecule, grids, (density, _) = system
    expected = NumInt().nr_rks(molecule, grids, "tpss", 2 * density)
    agree(PatchwiseIntegration().nr_rks(molecule, grids, "tpss", 2 * density), expected)


def test_far_functions_are_left_out_and_near_ones_kept(system):
    molecule, grids, (density, _) = system
    ours = PatchwiseIntegration()
    ours.nr_rks(molecule, grids, "b3lypg", density, max_memory=PLENTY_MB)
    patches = ours._kept.patches.values()
    assert sum(len(patch.values[0, 0]) for patch in patches) == len(grids.coords)
    assert min(len(patch.functions) for patch in patches) < 0.7 * molecule.nao
    assert max(len(patch.values[0, 0]) for patch in patches) == POINTS_OF_PATCH


def test_another_grid_is_not_taken_for_the_one_before(system):
    molecule, grids, (density, _) = system
    ours = PatchwiseIntegration()
    ours.nr_rks(molecule, grids, "b3lypg", 2 * density)
    finer = dft.Grids(molecule)
    finer.level = 1
    finer.build(with_non0tab=True)
    agree(ours.nr_rks(molecule, finer, "b3lypg", 2 * density), NumInt().nr_rks(molecule, finer, "b3lypg", 2 * density))


def test_an_scf_comes_to_the_same_energy_and_keeps_no_memory():
    level = Level(functional="b3lypg", basis="6-31g(d,p)", cartesian=True, heavy_basis="def2-svp")
    molecule = gto.M(atom="O 0 0 0; H 0 0 0.96; H 0 0.93 -0.24", basis="6-31g(d,p)", cart=True, verbose=0)
    ours, theirs = (build_mean_field(molecule, level, 2, 1000) for _ in range(2))
    theirs._numint = NumInt()
    energy = converge(ours, 50).mean_field.e_tot
    assert energy == pytest.approx(theirs.kernel(), abs=1e-9)
    assert ours._numint._kept is None


def agree(found, expected):
    """Numbers of electrons, energy in hartree, potential: to what an SCF is converged to and better."""
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
