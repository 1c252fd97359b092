"""Coulomb and exchange matrices of small turns of the occupied orbitals, as the question for stability asks for them.

A turn makes of occupied orbitals O, which stay orthonormal in the overlap S, the density D = A Oᵀ + O Aᵀ. Only what
its exchange matrix does to the occupied orbitals counts then:

    (K O)_ui = sum over P, v, and occupied j of A_vj [(P|uv) (P|ji) + (P|uj) (P|vi)],    A = D S O

That is one product with all integrals, where the eigenvectors of D cost three, for those with occupied orbitals are
the same for all turns. In single precision: the curvature is wanted to a thousandth of a hartree.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from electroscreen.quantum.fitting import BYTES, OrbitalFitting, occupied_orbitals, packed_pairs

SINGLE = np.float32
SINGLE_BYTES = 4
AT_ONCE_BYTES = 3e7  # of integrals that are worked on together
SHARE_OF_MEMORY = 0.4  # of what is free, for the integrals of the occupied orbitals


@contextmanager
def turns_only(mean_field) -> Iterator[None]:
    """Let a converged mean field, where it has our density fitting, answer for turns of its orbitals and nothing else.

    Within, `get_jk` gives exchange matrices that are right where they meet an occupied orbital on their right side.
    """
    fitting = getattr(mean_field, "with_df", None)
    if not isinstance(fitting, OrbitalFitting):
        yield
        return
    mean_field.with_df = TurnFitting(mean_field)
    try:
        yield
    finally:
        mean_field.with_df = fitting


class TurnFitting:
    """In place of a density fitting: the matrices of turns of the orbitals that a mean field has now."""

    def __init__(self, mean_field) -> None:
        self._fitting = mean_field.with_df
        self._overlap = mean_field.get_ovlp()
        self._occupied = occupied_orbitals(mean_field.mo_coeff, np.sign(mean_field.mo_occ))
        self._kept = {} if self._fits_memory(mean_field.max_memory) else None

    def get_jk(self, dm, hermi=1, with_j=True, with_k=True, direct_scf_tol=1e-13, omega=None):
        """Return Coulomb matrices, and exchange matrices times the occupied orbitals' projector; as PySCF's."""
        if not with_k:
            return self._fitting.get_jk(dm, hermi, with_j, with_k, direct_scf_tol, omega)
        if omega:
            with self._fitting.range_coulomb(omega) as ranged:
                return self._matrices(ranged, omega, dm, with_j)
        return self._matrices(self._fitting, 0, dm, with_j)

    def _matrices(self, fitting, omega: float, dm, with_j: bool) -> tuple[np.ndarray | None, np.ndarray]:
        from pyscf import lib

        densities = np.asarray(dm).reshape(len(self._occupied), *np.shape(dm)[-2:])
        turned = [(d @ self._overlap @ o).astype(SINGLE) for d, o in zip(densities, self._occupied, strict=True)]
        pairs = packed_pairs(densities)
        coulomb, on_occupied = np.zeros_like(pairs), [np.zeros(o.shape) for o in self._occupied]
        at_once = max(4, int(AT_ONCE_BYTES / (BYTES * densities.shape[-1] ** 2)))
        for block, packed in enumerate(fitting.loop(at_once)):
            if with_j:
                coulomb += (pairs @ packed.T) @ packed
            integrals = lib.unpack_tril(packed).astype(SINGLE)
            for spin, onto in enumerate(on_occupied):
                of_occupied = self._of_occupied((omega, block, spin), integrals)
                onto += _exchange_on_occupied(integrals, *of_occupied, turned[spin])
        exchange = [k @ (self._overlap @ o).T for k, o in zip(on_occupied, self._occupied, strict=True)]
        found = lib.unpack_tril(coulomb).reshape(np.shape(dm)) if with_j else None
        return found, np.reshape(exchange, np.shape(dm))

    def _of_occupied(self, key: tuple, integrals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(P|iu) and (P|ij) of a block of fits, kept for the next turn where memory has the room."""
        if self._kept is not None and key in self._kept:
            return self._kept[key]
        occupied = self._occupied[key[-1]].astype(SINGLE)
        with_functions = np.matmul(occupied.T, integrals)
        found = with_functions, np.matmul(with_functions, occupied)
        if self._kept is not None:
            self._kept[key] = found
        return found

    def _fits_memory(self, max_memory_mb: float) -> bool:
        from pyscf import lib

        columns = sum(o.shape[1] * (o.shape[0] + o.shape[1]) for o in self._occupied)
        free = 1e6 * (max_memory_mb - lib.current_memory()[0])
        return SINGLE_BYTES * columns * self._fitting.get_naoaux() < SHARE_OF_MEMORY * free


def _exchange_on_occupied(
    integrals: np.ndarray, with_functions: np.ndarray, among_occupied: np.ndarray, turned: np.ndarray
) -> np.ndarray:
    """Both parts of K O that a block of fits gives."""
    fits, (functions, occupied) = len(integrals), turned.shape
    direct = np.matmul(integrals, np.matmul(turned, among_occupied)).sum(axis=0)
    crossed = np.matmul(with_functions, turned).transpose(0, 2, 1).reshape(fits * occupied, occupied)
    return direct + with_functions.reshape(fits * occupied, functions).T @ crossed
