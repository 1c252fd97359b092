"""PySCF's continuum solvents with what does not change between the cycles of an SCF computed once.

In each cycle PySCF 2.14 computes the electrostatic integrals at the surface of the cavity twice, all of them and not
half although they are symmetric, and solves two systems of linear equations of always the same matrix: two thirds of
the time of an SCF in a solvent. The numbers are the same, see tests/test_continuum.py.

Where memory does not hold the integrals (some fifty atoms), the SCF converges in the potential of its fitted density,
which is wrong by some 1e-4 of an atomic unit, and the energy of the density that it ends with is taken with the true
potential: the error is of second order, below 1e-7 hartree.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.linalg
from pyscf import df, gto, lib
from pyscf.solvent import pcm, smd

from electroscreen.quantum.fitting import of_pairs, packed_pairs, to_pairs

# Of the memory that the SCF has left; the rest is for its own matrices.
SHARE_OF_MEMORY = 0.8
FEWEST_POINTS = 400


class _Kept:
    """What the two models share; comes before PySCF's own class.

    `fitting` is the density fitting of the SCF, where it has one.
    """

    fitting = None

    def build(self, ng: int | None = None):
        super().build(ng)
        # Charges on the surface for potentials on it; K and R as Lange and Herbert, J. Chem. Phys. 133, 244111 (2010).
        self._response = np.linalg.solve(self._intermediates["K"], self._intermediates["R"])
        self._integrals = None
        self._fitted = self._potentials_of_fit()
        return self

    def reset(self, mol=None):
        self._response = self._integrals = self._fitted = None
        return super().reset(mol)

    def to_gpu(self):
        """Return PySCF's own model on the GPU, which has its own ways."""
        self._response = self._integrals = self._fitted = None
        return self.view(self._plain).to_gpu()

    def _get_vind(self, dms):
        if not self._intermediates:
            self.build()
        functions = dms.shape[-1]
        density = dms.reshape(-1, functions, functions)
        if len(density) == 2:
            density = density.sum(axis=0, keepdims=True)
        potentials = self.v_grids_n - self._get_v(density)
        charges = potentials @ self._response.T
        symmetric = (charges + potentials @ self._response) / 2
        self._intermediates |= {
            "q": charges[0],
            "q_sym": symmetric[0],
            "v_grids": potentials[0],
            "dm": density,
        }
        return 0.5 * symmetric[0] @ potentials[0], self._get_vmat(symmetric)[0]

    def left_out_hartree(self, density: np.ndarray) -> float:
        """Return what the true potential of a density adds to an energy that was computed with the fitted one."""
        if self._fitted is None:
            return 0.0
        total = density.reshape(-1, *density.shape[-2:]).sum(axis=0, keepdims=True)
        potentials = [(self.v_grids_n - of(total))[0] for of in (self._get_v_true, self._get_v)]
        true, fitted = (v @ self._response @ v / 2 for v in potentials)
        return float(true - fitted)

    def _get_v(self, dms):
        """Return the potential of the electrons at the points, (n_densities, n_points)."""
        if self._fitted is None:
            return self._get_v_true(dms)
        return of_pairs(self.fitting, _packed(dms)) @ self._fitted

    def _get_v_true(self, dms):
        pairs = _packed(dms)
        return np.concatenate([pairs @ block for block in self._blocks()], axis=1)

    def _get_vmat(self, q):
        """Return the potential of charges at the points as matrices, (n_sets, n_functions, n_functions)."""
        q = q.reshape(-1, len(self.surface["grid_coords"]))
        if self._fitted is not None:
            return lib.unpack_tril(-to_pairs(self.fitting, q @ self._fitted.T))
        packed, start = 0.0, 0
        for block in self._blocks():
            packed = packed - q[:, start : start + block.shape[1]] @ block.T
            start += block.shape[1]
        return lib.unpack_tril(packed)

    def _potentials_of_fit(self) -> np.ndarray | None:
        """Potentials at the points of the functions that the density is fitted with, as `fitting` combines them.

        None where there is no such fit, and where memory holds the true integrals.
        """
        points = len(self.surface["grid_coords"])
        if self.fitting is None or self._points_to_keep(points) == points:
            return None
        if self.fitting._cderi is None:
            self.fitting.build()
        functions = self.fitting.auxmol
        try:
            lower = scipy.linalg.cholesky(functions.intor("int2c2e"), lower=True)
        except scipy.linalg.LinAlgError:
            return None  # PySCF fits in another way then
        potentials = gto.intor_cross("int2c2e", functions, self._charges_at(slice(None)))
        return scipy.linalg.solve_triangular(lower, potentials, lower=True)

    def _blocks(self) -> Iterator[np.ndarray]:
        """Yield the integrals, (n_pairs, some points): those that memory holds are kept, others computed each time."""
        points = len(self.surface["grid_coords"])
        if self._integrals is None:
            self._integrals = self._integrals_at(slice(0, self._points_to_keep(points)))
        yield self._integrals
        for span in lib.prange(self._integrals.shape[1], points, FEWEST_POINTS):
            yield self._integrals_at(slice(*span))

    def _points_to_keep(self, points: int) -> int:
        left_mb = (self.max_memory - lib.current_memory()[0]) * SHARE_OF_MEMORY
        pairs = self.mol.nao * (self.mol.nao + 1) // 2
        fit = int(left_mb * 1e6 / 8 / pairs)
        # Where not all fit, room is left for those that are computed.
        return points if fit >= points else max(fit - FEWEST_POINTS, FEWEST_POINTS)

    def _charges_at(self, points: slice):
        exponents = self.surface["charge_exp"][points] ** 2
        charges = gto.fakemol_for_charges(self.surface["grid_coords"][points], expnt=exponents)
        charges.cart = self.mol.cart
        return charges

    def _integrals_at(self, points: slice) -> np.ndarray:
        charges = self._charges_at(points)
        return df.incore.aux_e2(self.mol, charges, intor=self.mol._add_suffix("int3c2e"), aosym="s2ij")


class PCM(_Kept, pcm.PCM):
    """PySCF's PCM."""

    _plain = pcm.PCM
    _keys = frozenset({"_response", "_integrals", "_fitted", "fitting"})


class SMD(_Kept, smd.SMD):
    """PySCF's SMD."""

    _plain = smd.SMD
    _keys = frozenset({"_response", "_integrals", "_fitted", "fitting"})


def _packed(densities: np.ndarray) -> np.ndarray:
    """Lower triangles of density matrices, each pair of functions once."""
    return packed_pairs((densities + densities.transpose(0, 2, 1)) / 2)
