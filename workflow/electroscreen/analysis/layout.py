"""Who is who among the atoms of a trajectory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Layout:
    """Who is who among the atoms of a trajectory.

    Attributes
    ----------
    masses_amu
        Shape (atoms,).
    molecule
        Number of the molecule that each atom belongs to, shape (atoms,), ascending.
    molecules_of
        Of each species: the numbers of its molecules.
    """

    masses_amu: np.ndarray
    molecule: np.ndarray
    molecules_of: dict[str, range]

    @classmethod
    def of(cls, molecules: Sequence[Mapping[str, Any]]) -> Layout:
        """Read the entry `molecules` of composition.json."""
        masses: list[float] = []
        sizes: list[int] = []
        molecules_of = {}
        for entry in molecules:
            molecules_of[entry["species"]] = range(len(sizes), len(sizes) + entry["count"])
            masses += entry["count"] * list(entry["masses_amu"])
            sizes += entry["count"] * [len(entry["symbols"])]
        return cls(np.array(masses), np.repeat(np.arange(len(sizes)), sizes), molecules_of)

    def centres_of_mass(self, positions: np.ndarray) -> np.ndarray:
        """Return the centres of mass, shape (molecules, 3), of unwrapped positions, shape (atoms, 3)."""
        return self._shares @ positions

    def centre(self, centres: np.ndarray) -> np.ndarray:
        """Return the centre of mass of everything, shape (..., 3), from those of the molecules, (..., molecules, 3)."""
        return self._molecule_amu @ centres / self._molecule_amu.sum()

    @cached_property
    def _molecule_amu(self) -> np.ndarray:
        return np.bincount(self.molecule, weights=self.masses_amu)

    @cached_property
    def _shares(self) -> Any:
        """Share of each atom in the mass of its molecule, shape (molecules, atoms)."""
        from scipy.sparse import csr_array

        shares = self.masses_amu / self._molecule_amu[self.molecule]
        return csr_array((shares, (self.molecule, np.arange(len(shares)))))
