"""Pairs of basis functions that have a product worth naming, and their integrals with the functions of a fit.

By Schwarz' inequality a pair uv has no fitted integral above the root of (uv|uv). In a complex of 67 atoms half of all
pairs have nothing above 1e-10 atomic units: functions near their nuclei, and those of atoms far apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pyscf import gto, lib
from pyscf.df.outcore import _guess_shell_ranges
from pyscf.scf import _vhf
from scipy.linalg import cholesky, get_blas_funcs

NEGLIGIBLE = 1e-11  # largest integral of a pair that is left out, atomic units
BYTES = 8
AT_ONCE_BYTES = 2e8  # of integrals that are computed together


@dataclass(frozen=True)
class Pairs:
    """Which pairs count, in the order of the packed lower triangle."""

    functions: int
    packed: np.ndarray
    """(pairs,): where each stands in the packed lower triangle."""
    shells: list[tuple[slice, np.ndarray, np.ndarray]]
    """Of each shell: its functions; those that have a pair with it, (partners,); which pair, (functions, partners)."""

    @property
    def count(self) -> int:
        """Return how many pairs there are."""
        return len(self.packed)


def pairs_that_count(mol) -> Pairs:
    """Return the pairs of shells of a molecule whose largest (uv|uv) is not negligible."""
    of_shells = _vhf._VHFOpt(mol, "int2e", qcondname="CVHFnr_int2e_q_cond").q_cond > NEGLIGIBLE
    np.fill_diagonal(of_shells, True)
    starts = mol.ao_loc_nr()
    sizes = np.diff(starts)
    first, second = np.tril_indices(mol.nao)
    shell = np.repeat(np.arange(mol.nbas), sizes)
    packed = np.flatnonzero(of_shells[shell[first], shell[second]])
    numbers = np.full(mol.nao * (mol.nao + 1) // 2, -1)
    numbers[packed] = np.arange(len(packed))
    shells = []
    for k in range(mol.nbas):
        own, partners = np.arange(starts[k], starts[k + 1]), np.flatnonzero(of_shells[k][shell])
        high, low = np.maximum.outer(own, partners), np.minimum.outer(own, partners)
        shells.append((slice(starts[k], starts[k + 1]), partners, numbers[high * (high + 1) // 2 + low]))
    return Pairs(mol.nao, packed, shells)


def fitted_integrals(mol, fits, pairs: Pairs) -> np.ndarray:
    """Return L⁻¹ (P|uv), (pairs, fits), of the pairs that count; L is the Cholesky factor of (P|Q).

    Raises
    ------
    numpy.linalg.LinAlgError
        If functions of the fit depend on each other.
    """
    lower = cholesky(fits.intor("int2c2e", hermi=1), lower=True)
    (solve,) = get_blas_funcs(("trsm",), (lower,))
    name, environment = (
        mol._add_suffix("int3c2e"),
        gto.mole.conc_env(mol._atm, mol._bas, mol._env, fits._atm, fits._bas, fits._env),
    )
    prepared = gto.moleintor.make_cintopt(*environment, name)
    found, done = np.empty((pairs.count, fits.nao)), 0
    for first, last, _ in _guess_shell_ranges(mol, int(AT_ONCE_BYTES / BYTES / fits.nao), "s2ij"):
        span = (first, last, 0, mol.nbas, mol.nbas, mol.nbas + fits.nbas)
        integrals = gto.moleintor.getints3c(name, *environment, span, 1, "s2ij", cintopt=prepared)
        begin, end = (k * (k + 1) // 2 for k in mol.ao_loc_nr()[[first, last]])
        kept = pairs.packed[slice(*np.searchsorted(pairs.packed, [begin, end]))] - begin
        # (P|uv) by rows of P, solved in place from the right.
        counted = np.take(integrals.T, kept, axis=1)
        solved = solve(1.0, lower, counted.T, lower=True, trans_a=1, side=1, overwrite_b=True)
        lib.transpose(solved.T, out=found[done : done + len(kept)])
        done += len(kept)
    return found


def half_turned(block: np.ndarray, pairs: Pairs, orbitals: np.ndarray) -> np.ndarray:
    """Return (P|ui) of some fits, (functions, orbitals, fits), in the precision of the orbitals.

    Parameters
    ----------
    block
        Fitted integrals, (pairs, fits).
    orbitals
        (functions, orbitals).
    """
    block = block.astype(orbitals.dtype, copy=False)
    found = np.empty((pairs.functions, orbitals.shape[1], block.shape[1]), orbitals.dtype)
    for own, partners, numbers in pairs.shells:
        np.matmul(orbitals[partners].T, block[numbers], out=found[own])
    return found


def blocks(integrals: np.ndarray, at_once: int) -> Iterator[np.ndarray]:
    """Yield fitted integrals, (pairs, fits), for some of the fits after others."""
    for first in range(0, integrals.shape[1], at_once):
        yield integrals[:, first : first + at_once]
