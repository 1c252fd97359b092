"""Integrals of the exchange-correlation functional over the grid, from the basis functions that reach each part of it.

PySCF multiplies matrices of all basis functions at every point. Points are sorted by where they are, so that a few
hundred together are near few functions only; and where memory allows, their values are kept from cycle to cycle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from pyscf.dft.gen_grid import BLKSIZE
from pyscf.dft.numint import NumInt

# Functions that are smaller at all points of a patch, gradients too, are left out there: energies change by less than
# the SCF is converged to.
NEGLIGIBLE = 1e-9
POINTS_OF_PATCH = 9 * BLKSIZE
PATCHES_AT_ONCE = 32  # the functional is evaluated for so many together
SHARE_OF_MEMORY = 1 / 3  # of what is free at the first cycle; the integrals of the density fitting come later
BYTES_PER_MB = 1e6


@dataclass(frozen=True)
class Patch:
    """Neighbouring points of the grid, and the values there of the functions that reach them.

    Attributes
    ----------
    points
        Where the points stand in the grid.
    functions
        Numbers of the basis functions.
    values
        Functions, and for gradients their three slopes, atomic units, shape (1 or 4, functions, points).
    """

    points: slice
    functions: np.ndarray
    values: np.ndarray

    def density(self, matrix: np.ndarray, orbitals: np.ndarray | None) -> np.ndarray:
        """Return the electron density of a symmetric density matrix, and its gradient, shape (1 or 4, points).

        `orbitals`, where they are known, are the matrix's factor: functions times occupied orbitals.
        """
        if orbitals is not None and 2 * orbitals.shape[1] < len(self.functions):
            near = orbitals[self.functions]
            contracted = near @ (near.T @ self.values[0])
        else:
            contracted = matrix[np.ix_(self.functions, self.functions)] @ self.values[0]
        found = np.einsum("xfp,fp->xp", self.values, contracted)
        found[1:] *= 2
        return found

    def add_potential(self, matrix: np.ndarray, weighted: np.ndarray) -> None:
        """Add half of the potential's matrix, whose transpose is the other half; `weighted` as `density` is shaped."""
        scaled = np.einsum("xfp,xp->fp", self.values, weighted)
        matrix[np.ix_(self.functions, self.functions)] += self.values[0] @ scaled.T


@dataclass
class _Kept:
    """Patches of one grid whose values are kept, as far as memory reaches."""

    coordinates: np.ndarray
    slopes: bool
    bytes_left: float
    patches: dict[int, Patch] = field(default_factory=dict)


class PatchwiseIntegration(NumInt):
    """PySCF's integrator, faster for what an SCF asks of it; all else is PySCF's own.

    Energies and potentials as PySCF's, see `tests/test_integration.py`; functionals of the density and its gradient.
    """

    _kept: _Kept | None = None

    def nr_rks(self, mol, grids, xc_code, dms, relativity=0, hermi=1, max_memory=2000, verbose=None):
        """Return number of electrons, energy (hartree) and potential of a closed shell; arguments as PySCF's."""
        if not self._can(xc_code, grids, dms, dimensions=2, hermi=hermi):
            return super().nr_rks(mol, grids, xc_code, dms, relativity, hermi, max_memory, verbose)
        orbitals = [_occupied(getattr(dms, "mo_coeff", None), getattr(dms, "mo_occ", None))]
        electrons, energy, potential = self._integrate(mol, grids, xc_code, np.asarray(dms)[None], orbitals, max_memory)
        return electrons[0], energy, potential[0]

    def nr_uks(self, mol, grids, xc_code, dms, relativity=0, hermi=1, max_memory=2000, verbose=None):
        """Return numbers of electrons, energy (hartree) and potentials of both spins; arguments as PySCF's."""
        if not self._can(xc_code, grids, dms, dimensions=3, hermi=hermi):
            return super().nr_uks(mol, grids, xc_code, dms, relativity, hermi, max_memory, verbose)
        none = (None, None)
        pairs = zip(getattr(dms, "mo_coeff", none), getattr(dms, "mo_occ", none), strict=True)
        return self._integrate(mol, grids, xc_code, np.asarray(dms), [_occupied(*pair) for pair in pairs], max_memory)

    def release(self) -> None:
        """Give back the memory of what was kept from cycle to cycle."""
        self._kept = None

    def _can(self, xc_code: str, grids, dms, dimensions: int, hermi: int) -> bool:
        plain = hermi == 1 and np.ndim(dms) == dimensions and np.isrealobj(dms)
        return plain and grids.non0tab is not None and self._xc_type(xc_code) in ("LDA", "GGA")

    def _integrate(self, mol, grids, xc_code: str, matrices: np.ndarray, orbitals: list, max_memory: float):
        """Numbers of electrons (spins,), energy, potentials (spins, n, n) for density matrices (spins, n, n)."""
        kind, spins = self._xc_type(xc_code), len(matrices)
        electrons, energy, potentials = np.zeros(spins), 0.0, np.zeros_like(matrices)
        for patches in self._patches(mol, grids, kind == "GGA", max_memory):
            weights = grids.weights[patches[0].points.start : patches[-1].points.stop]
            density = np.stack(
                [np.hstack([patch.density(*of) for patch in patches]) for of in zip(matrices, orbitals, strict=True)]
            )
            asked = density if kind == "GGA" else density[:, 0]
            per_electron, slope = self.eval_xc_eff(
                xc_code, asked if spins == 2 else asked[0], deriv=1, xctype=kind, spin=spins - 1
            )[:2]
            counted = density[:, 0] * weights
            electrons += counted.sum(axis=1)
            energy += float(counted.sum(axis=0) @ np.ravel(per_electron))
            weighted = weights * slope.reshape(density.shape)
            weighted[:, 0] /= 2
            first = patches[0].points.start
            for patch in patches:
                here = slice(patch.points.start - first, patch.points.stop - first)
                for potential, of in zip(potentials, weighted, strict=True):
                    patch.add_potential(potential, of[:, here])
        return electrons, energy, potentials + potentials.swapaxes(1, 2)

    def _patches(self, mol, grids, slopes: bool, max_memory: float) -> Iterator[list[Patch]]:
        """All patches of a grid, some dozens at a time, from memory where they are kept."""
        kept = self._kept
        if kept is None or kept.coordinates is not grids.coords or kept.slopes != slopes:
            kept = self._kept = _Kept(grids.coords, slopes, SHARE_OF_MEMORY * max_memory * BYTES_PER_MB)
        starts = range(0, len(grids.coords), POINTS_OF_PATCH)
        for first in range(0, len(starts), PATCHES_AT_ONCE):
            yield [self._patch(mol, grids, kept, start) for start in starts[first : first + PATCHES_AT_ONCE]]

    def _patch(self, mol, grids, kept: _Kept, start: int) -> Patch:
        if start in kept.patches:
            return kept.patches[start]
        points = slice(start, min(start + POINTS_OF_PATCH, len(grids.coords)))
        reaches = grids.non0tab[start // BLKSIZE :]
        values = self.eval_ao(
            mol, grids.coords[points], deriv=int(kept.slopes), non0tab=reaches, cutoff=grids.cutoff
        ).reshape(1 + 3 * kept.slopes, -1, mol.nao)
        # PySCF lays the points of a function side by side.
        values = values.swapaxes(1, 2)
        functions = np.flatnonzero((np.abs(values) > NEGLIGIBLE).any(axis=(0, 2)))
        patch = Patch(points, functions, values[:, functions])
        if patch.values.nbytes <= kept.bytes_left:
            kept.bytes_left -= patch.values.nbytes
            kept.patches[start] = patch
        return patch


def _occupied(coefficients: np.ndarray | None, occupations: np.ndarray | None) -> np.ndarray | None:
    """Occupied orbitals, each times the root of its occupation, so that the density matrix is their square."""
    if coefficients is None:
        return None
    occupied = occupations > 0
    return coefficients[:, occupied] * np.sqrt(occupations[occupied])
