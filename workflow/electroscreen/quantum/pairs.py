"""Pairs of basis functions that have a product worth naming, and their integrals with the functions of a fit.

By Schwarz' inequality a pair uv has no fitted integral above the root of (uv|uv). In a complex of 67 atoms about half
of all pairs have nothing above 1e-11 atomic units: functions near their nuclei, and those of atoms far apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pyscf import gto, lib
from pyscf.scf import _vhf
from scipy.linalg import cholesky, get_blas_funcs

NEGLIGIBLE = 1e-11  # largest integral of a pair that is left out, atomic units
SOLVED_TOGETHER = 4096  # pairs


@dataclass(frozen=True)
class Shell:
    """A shell of basis functions and those with which it makes pairs."""

    number: int
    own: slice
    """Its functions."""
    neighbours: np.ndarray
    """Shells with which its pairs count, itself among them."""
    partners: np.ndarray
    """The functions of these."""
    numbers: np.ndarray
    """(own functions, partners): which pair each is."""


@dataclass(frozen=True)
class Pairs:
    """Which pairs count, in the order of the packed lower triangle."""

    functions: int
    packed: np.ndarray
    """(pairs,): where each stands in the packed lower triangle."""
    shells: list[Shell]

    @property
    def count(self) -> int:
        """Return how many pairs there are."""
        return len(self.packed)


def pairs_that_count(mol) -> Pairs:
    """Return the pairs of shells of a molecule whose largest (uv|uv) is not negligible."""
    of_shells = _vhf._VHFOpt(mol, "int2e", qcondname="CVHFnr_int2e_q_cond").q_cond > NEGLIGIBLE
    np.fill_diagonal(of_shells, True)
    starts = mol.ao_loc_nr()
    shell = np.repeat(np.arange(mol.nbas), np.diff(starts))
    first, second = np.tril_indices(mol.nao)
    packed = np.flatnonzero(of_shells[shell[first], shell[second]])
    numbers = np.full(mol.nao * (mol.nao + 1) // 2, -1)
    numbers[packed] = np.arange(len(packed))
    shells = []
    for k, near in enumerate(of_shells):
        own, partners = np.arange(starts[k], starts[k + 1]), np.flatnonzero(near[shell])
        high, low = np.maximum.outer(own, partners), np.minimum.outer(own, partners)
        pairs = numbers[high * (high + 1) // 2 + low]
        shells.append(Shell(k, slice(starts[k], starts[k + 1]), np.flatnonzero(near), partners, pairs))
    return Pairs(mol.nao, packed, shells)


class ThreeCentres:
    """Integrals (uv|P) of one shell u with some others v, and all functions P of a fit or those of some shells.

    PySCF computes them for ranges of shells: so shells are put side by side for each call.
    """

    def __init__(self, mol, fits, name: str, components: int = 1):
        self._atoms, bases, self._environment = gto.mole.conc_env(
            mol._atm, mol._bas, mol._env, fits._atm, fits._bas, fits._env
        )
        self._bases, self._fits = bases[: mol.nbas], bases[mol.nbas :]
        self._name, self._components = mol._add_suffix(name), components

    def of(self, shell: int, others: np.ndarray, fits: slice = slice(None)) -> np.ndarray:
        """Return (components, fits, others' functions, shell's functions)."""
        orbital, fitting = self._bases[[shell, *others]], self._fits[fits]
        count = len(orbital)
        found = gto.moleintor.getints3c(
            self._name,
            self._atoms,
            np.vstack([orbital, fitting]),
            self._environment,
            (0, 1, 1, count, count, count + len(fitting)),
            self._components,
            cintopt=gto.moleintor.make_cintopt(self._atoms, orbital, self._environment, self._name),
        )
        return found.reshape(self._components, *found.shape[-3:]).transpose(0, 3, 2, 1)


def fitted_integrals(mol, fits, pairs: Pairs, at_once: int) -> list[np.ndarray]:
    """Return L⁻¹ (P|uv) of the pairs that count, (pairs, so many fits) each; L is the Cholesky factor of (P|Q).

    In blocks, for that is how they are read: rows of one array of gigabytes lie too far apart.

    Raises
    ------
    numpy.linalg.LinAlgError
        If functions of the fit depend on each other.
    """
    lower = cholesky(fits.intor("int2c2e", hermi=1), lower=True)
    (solve,) = get_blas_funcs(("trsm",), (lower,))
    firsts = range(0, fits.nao, at_once)
    found, done = [np.empty((pairs.count, min(at_once, fits.nao - first))) for first in firsts], 0
    for rows in _together(_by_pair(mol, fits, pairs), SOLVED_TOGETHER):
        # In place: the transpose lies in memory as BLAS wants it.
        solved = solve(1.0, lower, rows.T, lower=True, overwrite_b=True).T
        for first, block in zip(firsts, found, strict=True):
            block[done : done + len(rows)] = solved[:, first : first + at_once]
        done += len(rows)
    return found


def _by_pair(mol, fits, pairs: Pairs) -> Iterator[np.ndarray]:
    """Yield (P|uv) of the pairs that count, in their order, shell by shell: (pairs of a shell, fits)."""
    centres = ThreeCentres(mol, fits, "int3c2e")
    for shell in pairs.shells:
        integrals = centres.of(shell.number, shell.neighbours[shell.neighbours <= shell.number])[0]
        by_pair = lib.transpose(integrals.reshape(fits.nao, -1)).reshape(*integrals.shape[1:], fits.nao)
        # By the own function, then by its partners up to itself.
        own = np.arange(shell.own.start, shell.own.stop)
        yield by_pair.swapaxes(0, 1)[shell.partners[: integrals.shape[1]] <= own[:, None]]


def _together(some: Iterator[np.ndarray], rows: int) -> Iterator[np.ndarray]:
    """Yield arrays under each other, so many rows or somewhat more at once."""
    held: list[np.ndarray] = []
    for one in some:
        held.append(one)
        if sum(map(len, held)) >= rows:
            yield np.concatenate(held)
            held = []
    if held:
        yield np.concatenate(held)


def half_turned(block: np.ndarray, pairs: Pairs, orbitals: np.ndarray) -> np.ndarray:
    """Return (P|ui) of some fits, (functions, orbitals, fits), in the precision of the orbitals.

    Parameters
    ----------
    block
        Fitted integrals, (pairs, fits).
    orbitals
        (functions, orbitals).
    """
    block, by_orbital = block.astype(orbitals.dtype, copy=False), np.ascontiguousarray(orbitals.T)
    found = np.empty((pairs.functions, orbitals.shape[1], block.shape[1]), orbitals.dtype)
    for shell in pairs.shells:
        np.matmul(by_orbital.take(shell.partners, axis=1), block.take(shell.numbers, axis=0), out=found[shell.own])
    return found
