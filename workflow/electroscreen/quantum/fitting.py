"""Coulomb and exchange matrices by density fitting, from the few orbitals that make up a density matrix.

    K_uv = sum over P and i of ± (P|ui) (P|vi),   (P|ui) = sum over v of (P|uv) C_vi

PySCF does so where it knows the orbitals, by matrices of which it computes both halves, and not at all for a density
matrix that comes without: the guess that each step of an optimisation starts from costs it as much as five cycles.

An SCF that is far from its end may ask for exchange in single precision, which takes half the time and is wrong by some
1e-5 hartree, see `precision`; the Coulomb energy, a thousand times as large, never is.
"""

from __future__ import annotations

import numpy as np
from pyscf import df, lib

BYTES = 8
AT_ONCE_BYTES = 3e7  # of integrals that are worked on together
SINGLE = np.float32
NEGLIGIBLE = 1e-12  # share of the largest, below which an eigenvalue of a density matrix is none


class OrbitalFitting(df.DF):
    """PySCF's density fitting, faster for symmetric density matrices; all else is PySCF's own.

    While `single` is set, exchange matrices are made in single precision.
    """

    _keys = frozenset({"single"})
    single = False

    def get_jk(self, dm, hermi=1, with_j=True, with_k=True, direct_scf_tol=1e-13, omega=None):
        """Return Coulomb and exchange matrices of one density matrix or several; arguments as PySCF's."""
        if not with_k:
            if self._cderi is None:
                # Where a functional has no exact exchange PySCF would compute all integrals anew in each cycle.
                self.build()
            return super().get_jk(dm, hermi, with_j, with_k, direct_scf_tol, omega)[0], None
        if hermi != 1 or not np.isrealobj(dm):
            return super().get_jk(dm, hermi, with_j, with_k, direct_scf_tol, omega)
        if omega:
            # A part of the Coulomb interaction, as functionals have it whose exchange depends on the range.
            with self.range_coulomb(omega) as ranged:
                return _matrices(ranged, dm, with_j, self.single)
        return _matrices(self, dm, with_j, self.single)


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


def _matrices(fitting: df.DF, dm, with_j: bool, single: bool) -> tuple[np.ndarray | None, np.ndarray]:
    densities = np.asarray(dm)
    functions = densities.shape[-1]
    densities = densities.reshape(-1, functions, functions)
    factors, pairs = _factors(dm, densities), packed_pairs(densities)
    coulomb, exchange = np.zeros_like(pairs), np.zeros_like(densities)
    at_once = max(4, int(AT_ONCE_BYTES / (BYTES * functions**2)))
    whole = np.empty((at_once, functions, functions))
    for packed in fitting.loop(2 * at_once if single else at_once):
        if with_j:
            coulomb += (pairs @ packed.T) @ packed
        integrals = _unpacked_single(packed, whole) if single else lib.unpack_tril(packed, out=whole[: len(packed)])
        for matrix, signed in zip(exchange, factors, strict=True):
            for sign, orbitals in signed:
                for turned in _turned(integrals, orbitals):
                    # A matrix times its own transpose: BLAS computes one half.
                    matrix += sign * (turned.T @ turned)
    return lib.unpack_tril(coulomb).reshape(np.shape(dm)) if with_j else None, exchange.reshape(np.shape(dm))


def _unpacked_single(packed: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Squares of packed triangles, two by two: (pairs of fits, n, 2n), the numbers of both in turn; in `whole`.

    PySCF unpacks numbers of double precision, and what it moves may as well be two of single precision.
    """
    side_by_side = np.zeros(((len(packed) + 1) // 2, packed.shape[1], 2), SINGLE)
    side_by_side[..., 0] = packed[::2]
    side_by_side[: len(packed) // 2, :, 1] = packed[1::2]
    moved = side_by_side.view(whole.dtype)[..., 0]
    return lib.unpack_tril(moved, out=whole[: len(moved)]).view(SINGLE)


def _turned(integrals: np.ndarray, orbitals: np.ndarray) -> np.ndarray:
    """(P|iu), for each of the fits that lie in turn (1 or 2): (1 or 2, all other fits times orbitals, n)."""
    turned = np.matmul(orbitals.T.astype(integrals.dtype, order="C"), integrals)
    in_turn = integrals.shape[2] // integrals.shape[1]
    return np.ascontiguousarray(np.moveaxis(turned.reshape(-1, integrals.shape[1], in_turn), 2, 0))


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
