"""Coulomb and exchange matrices by density fitting, from the few orbitals that make up a density matrix.

    K_uv = sum over P and i of ± (P|ui) (P|vi),   (P|ui) = sum over v of (P|uv) C_vi

PySCF does so where it knows the orbitals, by matrices of which it computes both halves, and not at all for a density
matrix that comes without: the guess that each step of an optimisation starts from costs it as much as five cycles.
"""

from __future__ import annotations

import numpy as np
from pyscf import df, lib

BYTES = 8
AT_ONCE_BYTES = 3e7  # of integrals that are worked on together
NEGLIGIBLE = 1e-12  # share of the largest, below which an eigenvalue of a density matrix is none


class OrbitalFitting(df.DF):
    """PySCF's density fitting, faster for symmetric density matrices; all else is PySCF's own."""

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
                return _matrices(ranged, dm, with_j)
        return _matrices(self, dm, with_j)


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


def _matrices(fitting: df.DF, dm, with_j: bool) -> tuple[np.ndarray | None, np.ndarray]:
    densities = np.asarray(dm)
    functions = densities.shape[-1]
    densities = densities.reshape(-1, functions, functions)
    factors, pairs = _factors(dm, densities), packed_pairs(densities)
    coulomb, exchange = np.zeros_like(pairs), np.zeros_like(densities)
    at_once = max(4, int(AT_ONCE_BYTES / (BYTES * functions**2)))
    whole = np.empty((at_once, functions, functions))
    for packed in fitting.loop(at_once):
        if with_j:
            coulomb += (pairs @ packed.T) @ packed
        integrals = lib.unpack_tril(packed, out=whole[: len(packed)])
        for matrix, signed in zip(exchange, factors, strict=True):
            for sign, orbitals in signed:
                turned = np.matmul(orbitals.T, integrals).reshape(-1, functions)
                # A matrix times its own transpose: BLAS computes one half.
                matrix += sign * (turned.T @ turned)
    return lib.unpack_tril(coulomb).reshape(np.shape(dm)) if with_j else None, exchange.reshape(np.shape(dm))


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
