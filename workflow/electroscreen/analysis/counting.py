"""Counting pairs by distance: around one kind of centre, all kinds of partners at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np

from electroscreen.analysis.contacts import Contacts
from electroscreen.analysis.rdf import BIN_A, PairCounts

UNITS_AT_MOST = 200
FRAMES_AT_ONCE = 16
_AT_ONCE = 32_768  # distances of single precision, which with what is made of them fit into the cache of a core
_WHOLE = 2.0**32  # of a box edge


@dataclass(frozen=True)
class Surroundings:
    """Who is counted around whom.

    All distances of centres to partners are computed: a sphere that reaches half across a box holds half of its
    atoms, so that neighbour lists save nothing. An atom that is a partner in several pairs is looked at once.

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

    def near_pairs(self, positions: np.ndarray, edges: np.ndarray) -> int:
        """Return how many contacts there are in one frame, those of all pairs of sites together."""
        tally = Tally(self, int(edges.min() / 2 / BIN_A))
        tally.add(positions[None], edges[None], 0)
        return sum(len(part[0]) for part in tally.contacts())

    @cached_property
    def groups(self) -> list[_Group]:
        """Centres that are counted together."""
        size = max(1, _AT_ONCE // (FRAMES_AT_ONCE * len(self.atoms)))
        starts = range(0, len(self.centers), size)
        return [self._group(slice(start, min(start + size, len(self.centers)))) for start in starts]

    @cached_property
    def kind_near_a(self) -> np.ndarray:
        """Distance within which contacts of each kind are kept for any pair, shape (kinds,)."""
        return np.array([max(np.array(self.near_a)[is_in]) for is_in in self.is_in.T])

    def _group(self, centers: slice) -> _Group:
        center, atom = self.within[:, slice(*np.searchsorted(self.within[0], [centers.start, centers.stop]))]
        unit = self.unit[centers] - self.unit[centers].min()
        first = int(self.unit[centers].min())
        return _Group(centers, center - centers.start, atom, slice(first, first + int(unit.max()) + 1), unit)


@dataclass(frozen=True)
class _Group:
    """Some centres, which of their partners are in their own molecule, and their units: all of them, and of each."""

    centers: slice
    own_center: np.ndarray
    own_atom: np.ndarray
    units: slice
    unit: np.ndarray


@dataclass
class Tally:
    """What was counted in one stretch of time.

    Attributes
    ----------
    bins
        Number of bins of `BIN_A`.
    every
        Of how many frames one is kept for its contacts.
    frames
        Number of frames that were added.
    """

    around: Surroundings
    bins: int
    every: int = 1
    frames: int = field(init=False, default=0)
    _near: list[tuple[np.ndarray, ...]] = field(init=False, default_factory=list)
    _of_box: dict[tuple[float, ...], np.ndarray] = field(init=False, default_factory=dict)
    _sums: list[np.ndarray] = field(init=False, default_factory=lambda: [np.zeros(1, np.int64), np.zeros(1)])

    def add(self, positions: np.ndarray, edges: np.ndarray, first: int) -> None:
        """Count some frames.

        Parameters
        ----------
        positions
            All atoms in Å, wrapped or not, shape (frames, atoms, 3).
        edges
            Box edges in Å, shape (frames, 3).
        first
            Number of the first of these frames in the trajectory.
        """
        self.frames += len(positions)
        # Boxes of constant volume are counted all at once.
        changes = np.flatnonzero((edges[1:] != edges[:-1]).any(axis=1)) + 1
        for start, stop in pairwise(sorted({*range(0, len(edges), FRAMES_AT_ONCE), *changes, len(edges)})):
            self._count(positions[start:stop], edges[start], first + start)

    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs of each unit and kind in each bin, and their sum over units, each times its volume.

        Returns
        -------
        counts, counts_times_volume
            Shapes (units, kinds, bins) and (kinds, bins).
        """
        for edges, counted in self._of_box.items():
            here = counted[:, :, : self.bins]
            self._sums = [self._sums[0] + here, self._sums[1] + here.sum(axis=0) * np.prod(edges)]
        self._of_box = {}
        return self._sums[0], self._sums[1]

    def contacts(self) -> list[tuple[np.ndarray, ...]]:
        """Return, of each pair of sites, the frames, numbers of centre and partner, and distances of its contacts."""
        around = self.around
        near = [np.concatenate(parts) for parts in zip(*self._near, strict=True)]
        kind = around.kind[near[2]]
        order = np.argsort(kind.astype(np.int16), kind="stable")
        near = [part[order] for part in near]
        starts = np.searchsorted(kind[order], np.arange(around.is_in.shape[1] + 1))
        found = []
        for partners, near_a, is_in in zip(around.partners, around.near_a, around.is_in, strict=True):
            mine = [slice(*starts[kind : kind + 2]) for kind in np.flatnonzero(is_in)]
            frame, center, atom, distance_a = (np.concatenate([part[of] for of in mine]) for part in near)
            number = np.zeros(around.atoms.max() + 1, dtype=np.int32)
            number[partners] = np.arange(len(partners))
            pairs = (frame, center, number[around.atoms][atom], distance_a)
            wider = (around.kind_near_a[is_in] > near_a).any()
            found.append(tuple(part[distance_a < near_a] for part in pairs) if wider else pairs)
        return found

    def _count(self, positions: np.ndarray, edges: np.ndarray, first: int) -> None:
        around = self.around
        counted = self._room_for(edges)
        _, kinds, width = counted.shape
        centers = _fractions(positions, around.centers, edges).swapaxes(1, 2)
        partners = _fractions(positions, around.atoms, edges)
        within = (around.kind_near_a / BIN_A).astype(np.float32)[around.kind]
        shape = (len(around.groups[0].unit), len(positions), len(around.atoms))
        # Room for what is computed again and again.
        whole, bins = np.empty(shape, np.int32), np.empty((2, *shape), np.float32)
        bin_of_kind = (around.kind * width).astype(np.int32)
        found = []
        for group in around.groups:
            room = slice(len(group.unit))
            here = _distances(centers[:, group.centers, :, None], partners[:, None], edges, whole[room], bins[:, room])
            here[group.own_center, :, group.own_atom] = width - 1
            found.append(_near(here, within, group.centers.start))
            places = whole[room]
            np.copyto(places, here, casting="unsafe")
            np.add(places, bin_of_kind, out=places)
            if group.unit[-1]:
                places += (group.unit * kinds * width).astype(np.int32)[:, None, None]
            units = group.units.stop - group.units.start
            numbers = np.bincount(places.ravel(), minlength=units * kinds * width)
            counted[group.units] += numbers.reshape(units, kinds, width)
        frame, center, atom, bins = (np.concatenate(parts) for parts in zip(*found, strict=True))
        frame += first
        kept = np.flatnonzero(frame % self.every == 0) if self.every > 1 else slice(None)
        numbers = (of[kept].astype(np.int32) for of in (frame // self.every, center, atom))
        self._near.append((*numbers, bins[kept] * np.float32(BIN_A)))

    def _room_for(self, edges: np.ndarray) -> np.ndarray:
        """Counts in a box of this size, shape (units, kinds, bins up to the farthest nearest image)."""
        key = tuple(edges.tolist())
        if key not in self._of_box:
            self.counts()
            # Half the diagonal is the farthest that two atoms can be from each other's nearest image.
            width = max(int(np.linalg.norm(edges) / 2 / BIN_A) + 3, self.bins)
            shape = (int(self.around.unit.max()) + 1, self.around.is_in.shape[1], width)
            self._of_box[key] = np.zeros(shape, dtype=np.int64)
        return self._of_box[key]


@dataclass(frozen=True)
class Counted:
    """What a `Tally` returned in the end; the contacts are those of each pair of sites."""

    frames: int
    counts: np.ndarray
    counts_times_volume: np.ndarray
    contacts: list[tuple[np.ndarray, ...]]

    @classmethod
    def of(cls, tally: Tally) -> Counted:
        """Close a tally."""
        return cls(tally.frames, *tally.counts(), tally.contacts())


def pair_counts(around: Surroundings, number: int, blocks: Sequence[Counted], bins: int, every: int = 1) -> PairCounts:
    """Return what the blocks of one trajectory counted of one pair of sites, in this number of bins."""
    is_in = around.is_in[number]
    frames = np.array([block.frames for block in blocks])
    return PairCounts(
        counts=np.array([block.counts[:, is_in, :bins].sum(axis=1) for block in blocks]),
        centers_of_unit=np.bincount(around.unit),
        frames_of_block=frames,
        counts_times_volume=sum(block.counts_times_volume[is_in, :bins].sum(axis=0) for block in blocks),
        pairs=around.pairs(number),
        contacts=Contacts(
            *(np.concatenate(parts) for parts in zip(*(block.contacts[number] for block in blocks), strict=True)),
            frames=-(-int(frames.sum()) // every),
            every=every,
            within_a=around.near_a[number],
        ),
    )


def _of_one_molecule(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pairs of numbers of equal molecules, shape (2, pairs), ascending in the first."""
    order = np.argsort(second, kind="stable")
    starts, ends = (np.searchsorted(second[order], first, side=side) for side in ("left", "right"))
    repeated = np.repeat(np.arange(len(first)), ends - starts)
    along = np.arange(len(repeated)) - np.repeat(np.cumsum(ends - starts) - (ends - starts), ends - starts)
    return np.array([repeated, order[starts[repeated] + along]], dtype=np.int64)


def _fractions(positions: np.ndarray, atoms: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Coordinates as fractions of the box edges in 32 bits, shape (3, frames, atoms).

    What overflows is whole boxes, so that the difference of two such numbers is that of the nearest images.
    """
    scaled = np.moveaxis(positions.take(atoms, axis=1), 2, 0) * (_WHOLE / edges)[:, None, None]
    return np.ascontiguousarray(np.rint(scaled, out=scaled).astype(np.int64).astype(np.int32))


def _distances(
    first: np.ndarray, second: np.ndarray, edges: np.ndarray, apart: np.ndarray, squares: np.ndarray
) -> np.ndarray:
    """Distances in bins from fractions of shape (3, centers, frames, atoms).

    `apart` (integers) and two `squares` (single precision) are overwritten; the first of them is returned.
    """
    total, along = squares
    for axis in range(3):
        np.subtract(first[axis], second[axis], out=apart)
        here = along if axis else total
        np.copyto(here, apart)
        here *= np.float32(edges[axis] / _WHOLE / BIN_A)
        here *= here
        if axis:
            total += along
    return np.sqrt(total, out=total)


def _near(bins: np.ndarray, within: np.ndarray, first: int) -> tuple[np.ndarray, ...]:
    """Frames, numbers of centre and partner, and distances in bins, of pairs nearer than that of the partner."""
    places = np.flatnonzero(bins < within)
    center, rest = np.divmod(places, bins.shape[1] * bins.shape[2])
    frame, atom = np.divmod(rest, bins.shape[2])
    return frame, center + first, atom, bins.ravel()[places]
