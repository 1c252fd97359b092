"""Who is counted around whom in a trajectory, sorted out once so that each atom is looked at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

UNITS_AT_MOST = 200
FRAMES_AT_ONCE = 32
_AT_ONCE = 32_768  # distances of single precision, which with what is made of them fit into the cache of a core


@dataclass(frozen=True)
class Surroundings:
    """Who is counted around whom.

    An atom that is a partner in several pairs is looked at once.

    Attributes
    ----------
    centers
        Atoms, shape (centers,).
    partners
        Of each pair of sites: the atoms counted around the centres.
    near_a
        Of each pair of sites: distance within which contacts are kept.
    atoms
        Partners of any pair, shape (atoms,), sorted by kind: those of one kind are in the same pairs.
    kind, is_in
        Kind of each of these atoms, shape (atoms,), and which pairs a kind is in, shape (pairs, kinds).
    unit
        Of each centre: its molecule, or a group of them where there are more than `UNITS_AT_MOST`.
    within
        Numbers of centre and of partner, shape (2, pairs of atoms), of those in one molecule: they are not counted.
    """

    centers: np.ndarray
    partners: tuple[np.ndarray, ...]
    near_a: tuple[float, ...]
    atoms: np.ndarray
    kind: np.ndarray
    is_in: np.ndarray
    unit: np.ndarray
    within: np.ndarray

    @classmethod
    def of(
        cls, centers: Sequence[int], partners: Sequence[Sequence[int]], near_a: Sequence[float], molecule: np.ndarray
    ) -> Surroundings:
        """Sort out centres and partners, given the number of the molecule of each atom in the box."""
        centers, partners = np.array(centers), tuple(map(np.array, partners))
        atoms = np.unique(np.concatenate(partners))
        is_in, kind = np.unique([np.isin(atoms, of) for of in partners], axis=1, return_inverse=True)
        order = np.argsort(kind, kind="stable")
        own, units = np.unique(molecule[centers], return_inverse=True)
        groups = min(len(own), UNITS_AT_MOST)
        return cls(
            centers=centers,
            partners=partners,
            near_a=tuple(near_a),
            atoms=atoms[order],
            kind=kind[order],
            is_in=is_in,
            unit=units * groups // len(own),
            within=_of_one_molecule(molecule[centers], molecule[atoms[order]]),
        )

    def pairs(self, number: int) -> int:
        """Return how many pairs of atoms of this pair of sites are counted in a frame."""
        left_out = self.is_in[number, self.kind[self.within[1]]].sum()
        return len(self.centers) * len(self.partners[number]) - int(left_out)

    @cached_property
    def groups(self) -> list[Group]:
        """Centres that are counted together."""
        size = max(1, _AT_ONCE // (FRAMES_AT_ONCE * len(self.atoms)))
        starts = range(0, len(self.centers), size)
        return [self._group(slice(start, min(start + size, len(self.centers)))) for start in starts]

    @cached_property
    def kind_near_a(self) -> np.ndarray:
        """Distance within which contacts of each kind are kept for any pair, shape (kinds,)."""
        return np.array([max(np.array(self.near_a)[is_in]) for is_in in self.is_in.T])

    def _group(self, centers: slice) -> Group:
        center, atom = self.within[:, slice(*np.searchsorted(self.within[0], [centers.start, centers.stop]))]
        unit = self.unit[centers] - self.unit[centers].min()
        first = int(self.unit[centers].min())
        return Group(centers, center - centers.start, atom, slice(first, first + int(unit.max()) + 1), unit)


@dataclass(frozen=True)
class Group:
    """Some centres, which of their partners are in their own molecule, and their units: all of them, and of each."""

    centers: slice
    own_center: np.ndarray
    own_atom: np.ndarray
    units: slice
    unit: np.ndarray


def _of_one_molecule(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pairs of numbers of equal molecules, shape (2, pairs), ascending in the first."""
    order = np.argsort(second, kind="stable")
    starts, ends = (np.searchsorted(second[order], first, side=side) for side in ("left", "right"))
    repeated = np.repeat(np.arange(len(first)), ends - starts)
    along = np.arange(len(repeated)) - np.repeat(np.cumsum(ends - starts) - (ends - starts), ends - starts)
    return np.array([repeated, order[starts[repeated] + along]], dtype=np.int64)
