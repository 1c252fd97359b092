"""Coulomb and exchange matrices of small turns of orbitals, from the occupied orbitals alone that make them up.

The change of a density in a turn is D = C Yᵀ + Y Cᵀ: occupied orbitals C and as many others, Y, that are orthogonal to
them. PySCF's density fitting takes it for any matrix and multiplies with all n functions, ours (`fitting`) with twice
as many columns as there are occupied orbitals; here those are enough, and what they give is kept for the next product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

BYTES = 8
AT_ONCE_BYTES = 8e6  # of integrals that are worked on together: some caches hold as many
SHARE_OF_MEMORY = 0.2  # of what is free, for what all products have in common


@contextmanager
def quick_turns(mean_field) -> Iterator[None]:
    """Let a converged mean field answer with the Coulomb and exchange matrices of turns only; any other is wrong."""
    if not hasattr(mean_field, "with_df"):
        yield
        return
    mean_field.get_jk = _jk_of_turns(mean_field)
    try:
        yield
    finally:
        del mean_field.get_jk


def _jk_of_turns(mean_field) -> Callable:
    """Return what stands in for `mean_field.get_jk`, for densities of turns of its occupied orbitals."""
    from pyscf import lib

    from electroscreen.quantum.fitting import packed_pairs

    fitting, overlap = mean_field.with_df, mean_field.get_ovlp()
    functions = len(overlap)
    coefficients = np.asarray(mean_field.mo_coeff).reshape(-1, functions, np.shape(mean_field.mo_occ)[-1])
    occupations = np.atleast_2d(mean_field.mo_occ) > 0
    orbitals = [c[:, occupied] for c, occupied in zip(coefficients, occupations, strict=True)]

    at_once = int(max(4, AT_ONCE_BYTES / (BYTES * functions**2)))
    kept: dict[tuple[float, int, int], np.ndarray] = {}
    keeps_all = BYTES * functions * fitting.get_naoaux() * sum(c.shape[1] for c in orbitals) < _room(mean_field)
    whole = np.empty((at_once, functions, functions))

    def of_occupied(omega: float, block: int, spin: int, integrals: np.ndarray) -> np.ndarray:
        """Integrals with one function turned into occupied orbitals, the same in every product."""
        key = omega, block, spin
        if key in kept:
            return kept[key]
        found = np.matmul(orbitals[spin].T, integrals).reshape(-1, functions)
        if keeps_all:
            kept[key] = found
        return found

    def jk(mol=None, density=None, hermi=1, with_j=True, with_k=True, omega=None):
        if omega:
            # A part of the Coulomb interaction, as functionals have it whose exchange depends on the range.
            with fitting.range_coulomb(omega) as ranged:
                return matrices(ranged, np.asarray(density), with_j, with_k, omega)
        return matrices(fitting, np.asarray(density), with_j, with_k, 0.0)

    def matrices(fitted, density: np.ndarray, with_j: bool, with_k: bool, omega: float) -> tuple:
        densities = density.reshape(-1, functions, functions)
        others = [d @ overlap @ c for d, c in zip(densities, orbitals, strict=True)]
        pairs = packed_pairs(densities)
        coulomb, half = np.zeros_like(pairs), np.zeros_like(densities)
        for block, packed in enumerate(fitted.loop(at_once)):
            if with_j:
                coulomb += (pairs @ packed.T) @ packed
            if with_k:
                integrals = lib.unpack_tril(packed, out=whole[: len(packed)])
                for spin, y in enumerate(others):
                    turned = np.matmul(y.T, integrals).reshape(-1, functions)
                    half[spin] += of_occupied(omega, block, spin, integrals).T @ turned
        exchange = half + half.swapaxes(1, 2)
        return (
            lib.unpack_tril(coulomb).reshape(density.shape) if with_j else None,
            exchange.reshape(density.shape) if with_k else None,
        )

    return jk


def _room(mean_field) -> float:
    """Bytes for what is kept from product to product."""
    from pyscf import lib

    return 1e6 * SHARE_OF_MEMORY * (mean_field.max_memory - lib.current_memory()[0])
