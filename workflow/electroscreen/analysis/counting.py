"""Counting pairs by distance: around one kind of centre, all kinds of partners at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import numpy as np

from electroscreen.analysis.contacts import Contacts
from electroscreen.analysis.rdf import BIN_A, PairCounts
from electroscreen.analysis.surroundings import FRAMES_AT_ONCE, Surroundings

_WHOLE = 2.0**32  # of a box edge


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

    def near(self) -> tuple[np.ndarray, ...]:
        """Return number of the kept frame, numbers of centre and partner, and distance of near pairs."""
        return tuple(np.concatenate(parts) for parts in zip(*self._near, strict=True))

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


def near_pairs(around: Surroundings, positions: np.ndarray, edges: np.ndarray) -> int:
    """Return how many contacts there are in one frame, those of all pairs of sites together, each once."""
    tally = Tally(around, int(edges.min() / 2 / BIN_A))
    tally.add(positions[None], edges[None], 0)
    return len(tally.near()[0])


@dataclass(frozen=True)
class Counted:
    """What a `Tally` returned in the end."""

    frames: int
    counts: np.ndarray
    counts_times_volume: np.ndarray
    near: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, tally: Tally) -> Counted:
        """Close a tally."""
        return cls(tally.frames, *tally.counts(), tally.near())


def pair_counts(around: Surroundings, number: int, blocks: Sequence[Counted], bins: int, every: int = 1) -> PairCounts:
    """Return what the blocks of one trajectory counted of one pair of sites, in this number of bins."""
    is_in = around.is_in[number]
    frames = np.array([block.frames for block in blocks])
    kept = -(-int(frames.sum()) // every)
    return PairCounts(
        counts=np.array([block.counts[:, is_in, :bins].sum(axis=1) for block in blocks]),
        centers_of_unit=np.bincount(around.unit),
        frames_of_block=frames,
        counts_times_volume=sum(block.counts_times_volume[is_in, :bins].sum(axis=0) for block in blocks),
        pairs=around.pairs(number),
        find_contacts=partial(_contacts, around, number, [block.near for block in blocks], kept, every),
    )


def _contacts(
    around: Surroundings, number: int, blocks: Sequence[tuple[np.ndarray, ...]], frames: int, every: int
) -> Contacts:
    """Pick the contacts of one pair of sites from those of all."""
    is_in, partners, near_a = around.is_in[number], around.partners[number], around.near_a[number]
    in_pair = is_in[around.kind]
    picked = [[of[chosen] for of in near] for near in blocks for chosen in [np.flatnonzero(in_pair[near[2]])]]
    frame, center, atom, distance_a = (np.concatenate(of) for of in zip(*picked, strict=True))
    if (around.kind_near_a[is_in] > near_a).any():
        nearer = distance_a < near_a
        frame, center, atom, distance_a = frame[nearer], center[nearer], atom[nearer], distance_a[nearer]
    place = np.zeros(around.atoms.max() + 1, dtype=np.int32)
    place[partners] = np.arange(len(partners))
    return Contacts(frame, center, place[around.atoms][atom], distance_a, frames, every, near_a)


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
