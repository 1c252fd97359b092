"""Coulomb and exchange matrices of small turns of the occupied orbitals, as the question for stability asks for them.

A turn makes of occupied orbitals O, which stay orthonormal in the overlap S, the density D = A Oᵀ + O Aᵀ. Only what
its exchange matrix does to the occupied orbitals counts then:

    (K O)_ui = sum over P, v, and occupied j of A_vj [(P|uv) (P|ji) + (P|uj) (P|vi)],    A = D S O

That turns all integrals once, where the eigenvectors of D turn them twice, for those with occupied orbitals are
the same for all turns. In single precision: the curvature is wanted to a thousandth of a hartree.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from electroscreen.quantum.fitting import OrbitalFitting, coulomb_matrices, occupied_orbitals
from electroscreen.quantum.pairs import Pairs, half_turned

SINGLE = np.float32
SINGLE_BYTES = 4
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
        densities = np.asarray(dm).reshape(len(self._occupied), *np.shape(dm)[-2:])
        turned = [(d @ self._overlap @ o).astype(SINGLE) for d, o in zip(densities, self._occupied, strict=True)]
        on_occupied = [np.zeros(o.shape) for o in self._occupied]
        pairs, some = fitting.blocks()
        for number, block in enumerate(some):
            single = block.astype(SINGLE)
            for spin, onto in enumerate(on_occupied):
                of_occupied = self._of_occupied((omega, number, spin), single, pairs)
                onto += _exchange_on_occupied(half_turned(single, pairs, turned[spin]), *of_occupied, turned[spin])
        exchange = [k @ (self._overlap @ o).T for k, o in zip(on_occupied, self._occupied, strict=True)]
        coulomb = coulomb_matrices(fitting, densities).reshape(np.shape(dm)) if with_j else None
        return coulomb, np.reshape(exchange, np.shape(dm))

    def _of_occupied(self, key: tuple, block: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
        """(P|iu), (u, i, P), and (P|ij), (i, j, P), of a block of fits, kept for the next turn where there is room."""
        if self._kept is not None and key in self._kept:
            return self._kept[key]
        occupied = self._occupied[key[-1]].astype(SINGLE)
        with_functions = half_turned(block, pairs, occupied)
        found = with_functions, np.tensordot(occupied, with_functions, axes=(0, 0))
        if self._kept is not None:
            self._kept[key] = found
        return found

    def _fits_memory(self, max_memory_mb: float) -> bool:
        from pyscf import lib

        columns = sum(o.shape[1] * (o.shape[0] + o.shape[1]) for o in self._occupied)
        free = 1e6 * (max_memory_mb - lib.current_memory()[0])
        return SINGLE_BYTES * columns * self._fitting.get_naoaux() < SHARE_OF_MEMORY * free


def _exchange_on_occupied(
    with_turned: np.ndarray, with_functions: np.ndarray, among_occupied: np.ndarray, turned: np.ndarray
) -> np.ndarray:
    """Both parts of K O that a block of fits gives; `with_turned` is (P|uv) A_vj, (u, j, P)."""
    direct = np.tensordot(with_turned, among_occupied, axes=((1, 2), (1, 2)))
    crossed = np.tensordot(turned, with_functions, axes=(0, 0))
    return direct + np.tensordot(with_functions, crossed, axes=((1, 2), (0, 2)))
