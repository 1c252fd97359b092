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

    def centres_of_mass(self, positions: np.ndarray, species: str) -> np.ndarray:
        """Return the centres of mass of the molecules of a species.

        Parameters
        ----------
        positions
            Unwrapped, shape (frames, atoms, 3).

        Returns
        -------
        np.ndarray
            Shape (frames, molecules, 3), in double precision.
        """
        own = self.atoms_of[species]
        count = len(self.molecules_of[species])
        if not count:
            return np.zeros((len(positions), 0, 3))
        amu = self.masses_amu[own].reshape(count, -1)[0]
        by_molecule = positions[:, own].reshape(len(positions), count, len(amu), 3)
        return np.einsum("fmak,a->fmk", by_molecule, amu / amu.sum())

    def sums_of_centres(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sum over the centres of mass of the molecules of each species, and the centre of everything.

        Returns
        -------
        sums, centre
            Shapes (species, frames, 3) and (frames, 3).
        """
        frames, everything = len(positions), np.zeros((len(positions), 3))
        sums = []
        for own, of in zip(self.atoms_of.values(), self.molecules_of.values(), strict=True):
            if not len(of):
                sums.append(np.zeros((frames, 3)))
                continue
            # The molecules of a species are alike: their atoms are added up first, and weighed then.
            amu = self.masses_amu[own][: (own.stop - own.start) // len(of)]
            added = positions[:, own].reshape(frames, len(of), -1).sum(axis=1, dtype=float).reshape(frames, -1, 3)
            weighed = np.einsum("fak,a->fk", added, amu)
            sums.append(weighed / amu.sum())
            everything += weighed
        return np.array(sums), everything / self.masses_amu.sum()

    @cached_property
    def atoms_of(self) -> dict[str, slice]:
        """Of each species: its atoms."""
        ends = {name: np.searchsorted(self.molecule, [of.start, of.stop]) for name, of in self.molecules_of.items()}
        return {name: slice(*map(int, of)) for name, of in ends.items()}
