"""Coulomb and exchange matrices by density fitting, from the few orbitals that make up a density matrix.

    K_uv = sum over P and i of ± (P|ui) (P|vi),   (P|ui) = sum over v of (P|uv) C_vi

PySCF does so where it knows the orbitals, by matrices of which it computes both halves, and not at all for a density
matrix that comes without: the guess that each step of an optimisation starts from costs it as much as five cycles. Here
only pairs of functions take part that count, see `pairs`.

An SCF that is far from its end may ask for exchange in single precision, which takes half the time and is wrong by some
1e-5 hartree, see `precision`; the Coulomb matrix, whose energy is many times as large, never is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from pyscf import df, lib

from electroscreen.quantum.pairs import Pairs, fitted_integrals, half_turned, pairs_that_count

BYTES = 8
AT_ONCE_BYTES = 1e8  # of half-turned integrals that are worked on together
SHARE_OF_MEMORY = 0.9  # of what is free, for the integrals
NEGLIGIBLE = 1e-12  # share of the largest, below which an eigenvalue of a density matrix is none


class OrbitalFitting(df.DF):
    """PySCF's density fitting, faster for symmetric density matrices; all else is PySCF's own.

    While `single` is set, exchange matrices are made in single precision.
    """

    _keys = frozenset({"single", "pairs"})
    single = False
    pairs: Pairs | None = None
    """Those whose integrals are kept, in blocks; None before, and where PySCF keeps all."""

    def build(self):
        """Compute the integrals of pairs that count; PySCF's where memory is too small or the fit singular."""
        self.auxmol, self.pairs = df.addons.make_auxmol(self.mol, self.auxbasis), None
        pairs = pairs_that_count(self.mol)
        free = 1e6 * (self.max_memory - lib.current_memory()[0])
        if BYTES * pairs.count * self.auxmol.nao < SHARE_OF_MEMORY * free:
            try:
                self._cderi = fitted_integrals(self.mol, self.auxmol, pairs, self._fits_at_once())
                self.pairs = pairs
                return self
            except np.linalg.LinAlgError:
                pass
        return super().build()

    def reset(self, mol=None):
        """Forget the integrals."""
        self.pairs = None
        return super().reset(mol)

    def loop(self, blksize=None) -> Iterator[np.ndarray]:
        """Yield integrals as PySCF keeps them, (some fits, all pairs packed)."""
        if self._cderi is None:
            self.build()
        if self.pairs is None:
            yield from super().loop(blksize)
            return
        functions = self.pairs.functions
        for some in _narrow(self._cderi, blksize or self.blockdim):
            packed = np.zeros((some.shape[1], functions * (functions + 1) // 2))
            packed[:, self.pairs.packed] = some.T
            yield packed

    def get_naoaux(self) -> int:
        """Return how many fits there are."""
        if self._cderi is None:
            self.build()
        return super().get_naoaux() if self.pairs is None else self.auxmol.nao

    def blocks(self) -> tuple[Pairs, Iterable[np.ndarray]]:
        """Return the pairs that count, and their integrals, (pairs, some fits)."""
        if self._cderi is None:
            self.build()
        if self.pairs is not None:
            return self.pairs, self._cderi
        pairs, all_pairs = pairs_that_count(self.mol), self.loop(self._fits_at_once())
        return pairs, (np.ascontiguousarray(packed[:, pairs.packed].T) for packed in all_pairs)

    def get_jk(self, dm, hermi=1, with_j=True, with_k=True, direct_scf_tol=1e-13, omega=None):
        """Return Coulomb and exchange matrices of one density matrix or several; arguments as PySCF's."""
        if hermi != 1 or not np.isrealobj(dm):
            return super().get_jk(dm, hermi, with_j, with_k, direct_scf_tol, omega)
        if omega:
            # A part of the Coulomb interaction, as functionals have it whose exchange depends on the range.
            with self.range_coulomb(omega) as ranged:
                return _matrices(ranged, dm, with_j, with_k, self.single)
        return _matrices(self, dm, with_j, with_k, self.single)

    def _fits_at_once(self) -> int:
        return _at_once(self.mol.nao * max(*self.mol.nelec, 1))


def _at_once(numbers_per_fit: int) -> int:
    """How many fits are worked on together."""
    return max(8, int(AT_ONCE_BYTES / (BYTES * numbers_per_fit)))


def _narrow(blocks: Iterable[np.ndarray], at_once: int) -> Iterator[np.ndarray]:
    """Yield blocks, (pairs, fits), in parts of no more than so many fits."""
    for block in blocks:
        for first in range(0, block.shape[1], at_once):
            yield block[:, first : first + at_once]


def packed_pairs(densities: np.ndarray) -> np.ndarray:
    """Return the lower triangles of symmetric matrices, (matrices, n, n), so that their product with those of others
    counts each pair of functions once: off the diagonal it stands for two.
    """
    pairs = lib.pack_tril(2 * densities)
    pairs[:, packed_diagonal(densities.shape[-1])] /= 2
    return pairs


def packed_diagonal(count: int) -> np.ndarray:
    """Return where the diagonal of a square of so many rows stands in its packed lower triangle."""
    return np.cumsum(np.arange(1, count + 1)) - 1


def occupied_orbitals(coefficients: np.ndarray, occupations: np.ndarray) -> list[np.ndarray]:
    """Return occupied orbitals, (functions, occupied) for each spin or for both, times the root of their occupation."""
    occupations = np.atleast_2d(occupations)
    coefficients = np.asarray(coefficients).reshape(len(occupations), -1, occupations.shape[1])
    return [c[:, n > 0] * np.sqrt(n[n > 0]) for c, n in zip(coefficients, occupations, strict=True)]


def of_pairs(fitting: OrbitalFitting, packed: np.ndarray) -> np.ndarray:
    """Return what the fit makes of packed pairs, each pair of functions once: (sets, all pairs) to (sets, fits)."""
    pairs, some = fitting.blocks()
    counted = packed[:, pairs.packed]
    return np.concatenate([counted @ block for block in some], axis=1)


def to_pairs(fitting: OrbitalFitting, of_fits: np.ndarray) -> np.ndarray:
    """Return sums over the fits as packed pairs: (sets, fits) to (sets, all pairs)."""
    pairs, some = fitting.blocks()
    packed = np.zeros((len(of_fits), pairs.functions * (pairs.functions + 1) // 2))
    done = 0
    for block in some:
        packed[:, pairs.packed] += of_fits[:, done : done + block.shape[1]] @ block.T
        done += block.shape[1]
    return packed


def coulomb_matrices(fitting: OrbitalFitting, densities: np.ndarray) -> np.ndarray:
    """Return the Coulomb matrices of symmetric density matrices, (matrices, n, n)."""
    return lib.unpack_tril(to_pairs(fitting, of_pairs(fitting, packed_pairs(densities))))


def _matrices(
    fitting: OrbitalFitting, dm, with_j: bool, with_k: bool, single: bool
) -> tuple[np.ndarray | None, np.ndarray | None]:
    densities = np.asarray(dm)
    functions = densities.shape[-1]
    densities = densities.reshape(-1, functions, functions)
    coulomb = exchange = None
    if with_j:
        coulomb = coulomb_matrices(fitting, densities).reshape(np.shape(dm))
    if with_k:
        exchange = _exchange(fitting, _factors(dm, densities), functions, single).reshape(np.shape(dm))
    return coulomb, exchange


def _exchange(fitting: OrbitalFitting, factors: list, functions: int, single: bool) -> np.ndarray:
    if single:
        factors = [[(sign, orbitals.astype(np.float32)) for sign, orbitals in signed] for signed in factors]
    most = max((orbitals.shape[1] for signed in factors for _, orbitals in signed), default=1)
    pairs, some = fitting.blocks()
    exchange = np.zeros((len(factors), functions, functions))
    # Densities without orbitals may have more columns than the molecule has electrons.
    for block in _narrow(some, _at_once(functions * most)):
        for matrix, signed in zip(exchange, factors, strict=True):
            for sign, orbitals in signed:
                turned = half_turned(block, pairs, orbitals).reshape(functions, -1)
                # A matrix times its own transpose: BLAS computes one half.
                matrix += sign * (turned @ turned.T)
    return exchange


def _factors(dm, densities: np.ndarray) -> list[list[tuple[int, np.ndarray]]]:
    """For each matrix: sign and columns, (functions, columns), whose squares with these signs add up to it."""
    coefficients, occupations = getattr(dm, "mo_coeff", None), getattr(dm, "mo_occ", None)
    if coefficients is not None and np.ndim(occupations) == np.ndim(dm) - 1:
        return [[(1, orbitals)] for orbitals in occupied_orbitals(coefficients, occupations)]
    return [_eigenvectors(density) for density in densities]


def _eigenvectors(density: np.ndarray) -> list[tuple[int, np.ndarray]]:
    values, vectors = np.linalg.eigh(density)
    least = NEGLIGIBLE * np.abs(values).max(initial=0.0)
    parts = [(sign, sign * values > least) for sign in (1, -1)]
    return [(sign, vectors[:, kept] * np.sqrt(np.abs(values[kept]))) for sign, kept in parts if kept.any()]
