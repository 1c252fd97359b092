"""Chains in a box: which atoms they are, and how far they coil."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Chains:
    """Atoms and masses of the polymer molecules of a box, one array a molecule."""

    atoms: list[np.ndarray]
    masses_amu: list[np.ndarray]

    @classmethod
    def of(cls, molecules: Sequence[Mapping[str, Any]]) -> Chains:
        """Find them among the molecules of composition.json, which stand in the box in this order."""
        atoms, masses, first = [], [], 0
        for entry in molecules:
            size = len(entry["symbols"])
            if entry.get("role") == "polymer":
                atoms += [np.arange(size) + first + size * k for k in range(entry["count"])]
                masses += entry["count"] * [np.asarray(entry["masses_amu"])]
            first += entry["count"] * size
        return cls(atoms, masses)

    def __bool__(self) -> bool:
        return bool(self.atoms)

    def radius_of_gyration_angstrom(self, positions_angstrom: np.ndarray) -> float:
        """Return the root of the mean over chains of Σ m (x - centre)² / Σ m; positions with molecules whole."""
        squares = []
        for atoms, masses in zip(self.atoms, self.masses_amu, strict=True):
            own = positions_angstrom[atoms]
            away = own - np.average(own, axis=0, weights=masses)
            squares.append(np.average((away**2).sum(axis=1), weights=masses))
        return float(np.sqrt(np.mean(squares)))
