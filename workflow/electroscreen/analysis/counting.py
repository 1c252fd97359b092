"""Counting pairs by distance: around one kind of centre, all kinds of partners at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import pairwise

import numpy as np

from electroscreen.analysis.contacts import Contacts
from electroscreen.analysis.rdf import BIN_A, PairCounts
from electroscreen.analysis.surroundings import FRAMES_AT_ONCE, Group, Surroundings

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
    far_every
        Of how many frames one is counted to the last bin; in the others, pairs are only if near, as contacts are.
    frames, far_frames
        Number of frames that were added, and of those that were counted to the last bin.
    """

    around: Surroundings
    bins: int
    every: int = 1
    far_every: int = 1
    frames: int = field(init=False, default=0)
    far_frames: int = field(init=False, default=0)
    _edges: np.ndarray | None = field(init=False, default=None)
    _waiting: list[tuple[np.ndarray, ...]] = field(init=False, default_factory=list)
    _near: list[tuple[np.ndarray, ...]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        # Frames counted to the last bin, and the others; one bin more, for what is not to be counted.
        shape = (2, int(self.around.unit.max()) + 1, self.around.is_in.shape[1], self.bins + 1)
        self._in_this_box = np.zeros(shape, np.int64)
        self._counts, self._times_volume = np.zeros(shape, np.int64), np.zeros((2, *shape[2:]))

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
        # Boxes of constant volume are counted all at once.
        changes = np.flatnonzero((edges[1:] != edges[:-1]).any(axis=1)) + 1
        for start, stop in pairwise(sorted({*range(0, len(edges), FRAMES_AT_ONCE), *changes, len(edges)})):
            self._count(positions[start:stop], edges[start], first + start)

    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs of each unit and kind in each bin, and their sum over units, each times its volume.

        Returns
        -------
        counts, counts_times_volume
            Shapes (2, units, kinds, bins) and (2, kinds, bins): of the frames counted to the last bin, and of the
            others, where only what is near counts.
        """
        self._close()
        return self._counts[..., :-1], self._times_volume[..., :-1]

    def near(self) -> tuple[np.ndarray, ...]:
        """Return number of the kept frame, numbers of centre and partner, and distance of near pairs."""
        self._close()
        return tuple(np.concatenate(parts) for parts in zip(*self._near, strict=True))

    def _count(self, positions: np.ndarray, edges: np.ndarray, first: int) -> None:
        if self._edges is None or (edges != self._edges).any():
            self._close()
            self._edges = edges
        frames = np.arange(first, first + len(positions))
        centers = _fractions(positions, self.around.centers, edges).swapaxes(1, 2)
        partners = _fractions(positions, self.around.atoms, edges)
        far = frames % self.far_every == 0
        self.frames += len(frames)
        self.far_frames += int(far.sum())
        if not far.all():
            self._count_near(centers[:, :, ~far], partners[:, ~far], frames[~far])
        if far.any():
            # Few frames at a time take longer than many.
            if sum(len(one) for *_, one in self._waiting) + far.sum() > FRAMES_AT_ONCE:
                self._count_waiting()
            self._waiting.append((centers[:, :, far], partners[:, far], frames[far]))

    def _close(self) -> None:
        """Add up what was counted in boxes of one size."""
        if self._edges is None:
            return
        self._count_waiting()
        self._counts += self._in_this_box
        self._times_volume += self._in_this_box.sum(axis=1) * self._edges.prod()
        self._in_this_box[:] = 0
        self._edges = None

    def _count_waiting(self) -> None:
        """Count all pairs of the frames that wait for it."""
        if not self._waiting:
            return
        parts = zip(zip(*self._waiting, strict=True), (2, 1, 0), strict=True)
        centers, partners, frames = (np.concatenate(of, axis) for of, axis in parts)
        self._waiting = []
        every_atom = np.arange(partners.shape[2])
        for group in self.around.groups:
            self._count_group(group, centers, every_atom, partners, frames, self._in_this_box[0])

    def _count_near(self, centers: np.ndarray, partners: np.ndarray, frames: np.ndarray) -> None:
        """Count pairs that are near, from fractions of shapes (3, centers, frames) and (3, frames, atoms)."""
        near = _may_be_near(centers, partners, self._edges, self._contact_bins)
        counted = self._in_this_box[1, :, :, : int(self._contact_bins.max()) + 1]
        near[tuple(self.around.within)] = True
        for group in self.around.groups:
            atoms = np.flatnonzero(near[group.centers].any(axis=0))
            self._count_group(group, centers, atoms, partners.take(atoms, axis=2), frames, counted)

    def _count_group(
        self,
        group: Group,
        centers: np.ndarray,
        atoms: np.ndarray,
        partners: np.ndarray,
        frames: np.ndarray,
        counted: np.ndarray,
    ) -> None:
        """Count pairs of a group of centres with atoms, those of its own molecules among them."""
        shape = (len(group.unit), *partners.shape[1:])
        places, *squares = (of[: math.prod(shape)].reshape(shape) for of in self._room)
        here = _distances(centers[:, group.centers, :, None], partners[:, None], self._edges, places, squares)
        here[group.own_center, :, np.searchsorted(atoms, group.own_atom)] = np.inf
        self._note(group, here, atoms, frames)
        _, kinds, width = counted.shape
        np.minimum(here, width - 1, out=here)
        np.copyto(places, here, casting="unsafe")
        places += (self.around.kind[atoms] * width).astype(np.int32)
        if group.unit[-1]:
            places += (group.unit * kinds * width).astype(np.int32)[:, None, None]
        units = group.units.stop - group.units.start
        numbers = np.bincount(places.ravel(), minlength=units * kinds * width)
        counted[group.units] += numbers.reshape(units, kinds, width)

    def _note(self, group: Group, bins: np.ndarray, atoms: np.ndarray, frames: np.ndarray) -> None:
        """Keep contacts, from distances in bins of shape (centers of the group, frames, atoms)."""
        places = np.flatnonzero(bins < self._contact_bins[atoms])
        row = places // len(atoms)
        center = row // len(frames)
        frame, atom = frames[row - center * len(frames)], atoms[places - row * len(atoms)]
        kept = np.flatnonzero(frame % self.every == 0) if self.every > 1 else slice(None)
        # In few bytes, as they go from process to process.
        parts = (frame // self.every, center + group.centers.start, atom)
        sizes = (np.uint32, *map(np.min_scalar_type, (len(self.around.centers), len(self.around.atoms))))
        numbers = (of[kept].astype(size) for of, size in zip(parts, sizes, strict=True))
        self._near.append((*numbers, bins.ravel()[places[kept]] * np.float32(BIN_A)))

    @cached_property
    def _contact_bins(self) -> np.ndarray:
        """Of each partner: bins within which contacts are kept."""
        return (self.around.kind_near_a / BIN_A).astype(np.float32)[self.around.kind]

    @cached_property
    def _room(self) -> tuple[np.ndarray, ...]:
        """Room for what is computed again and again, see `_distances`."""
        size = len(self.around.groups[0].unit) * FRAMES_AT_ONCE * len(self.around.atoms)
        return np.empty(size, np.int32), *np.empty((2, size), np.float32)


def near_pairs(around: Surroundings, positions: np.ndarray, edges: np.ndarray) -> int:
    """Return how many contacts there are in one frame, those of all pairs of sites together, each once."""
    tally = Tally(around, int(edges.min() / 2 / BIN_A))
    tally.add(positions[None], edges[None], 0)
    return len(tally.near()[0])


@dataclass(frozen=True)
class Counted:
    """What a `Tally` returned in the end."""

    frames: int
    far_frames: int
    counts: np.ndarray
    counts_times_volume: np.ndarray
    near: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, tally: Tally) -> Counted:
        """Close a tally."""
        return cls(tally.frames, tally.far_frames, *tally.counts(), tally.near())


def pair_counts(around: Surroundings, number: int, blocks: Sequence[Counted], bins: int, every: int = 1) -> PairCounts:
    """Return what the blocks of one trajectory counted of one pair of sites, in this number of bins."""
    is_in = around.is_in[number]
    kept = -(-sum(block.frames for block in blocks) // every)
    near = np.arange(bins) < round(around.near_a[number] / BIN_A)
    volumes = [block.counts_times_volume for block in blocks]
    return PairCounts(
        counts=np.array([_joined(block.counts[:, :, is_in, :bins].sum(axis=2), near) for block in blocks]),
        centers_of_unit=np.bincount(around.unit),
        frames_of_block=np.array([np.where(near, block.frames, block.far_frames) for block in blocks]),
        counts_times_volume=sum(_joined(of[:, is_in, :bins].sum(axis=1), near) for of in volumes),
        pairs=around.pairs(number),
        find_contacts=partial(_contacts, around, number, [block.near for block in blocks], kept, every),
    )


def _joined(parts: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Add to the counts of frames counted to the last bin those of the others, where these are complete."""
    return parts[0] + near * parts[1]


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
    frame, center = frame.astype(np.int32), center.astype(np.int32)
    return Contacts(frame, center, place[around.atoms][atom], distance_a, frames, every, near_a)


def _fractions(positions: np.ndarray, atoms: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Coordinates as fractions of the box edges in 32 bits, shape (3, frames, atoms).

    What overflows is whole boxes, so that the difference of two such numbers is that of the nearest images.
    """
    own = positions.take(atoms, axis=1)
    fractions = np.empty((3, *own.shape[:2]), np.int32)
    for axis in range(3):
        fractions[axis] = np.rint(own[..., axis] * (_WHOLE / edges[axis])).astype(np.int64)
    return fractions


def _distances(
    first: np.ndarray, second: np.ndarray, edges: np.ndarray, apart: np.ndarray, squares: Sequence[np.ndarray]
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


def _may_be_near(centers: np.ndarray, partners: np.ndarray, edges: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Which partners may come within so many bins of which centres in some frames, shape (centers, atoms).

    Those farther in the frame in the middle than the two move from there cannot.
    """
    middle = partners.shape[1] // 2
    then, there = centers[:, :, [middle]], partners[:, [middle]]
    moves = _apart(centers, then, edges).max(axis=1)[:, None], _apart(partners, there, edges).max(axis=0)
    return _apart(then, there, edges) < within + 1 + moves[0] + moves[1]


def _apart(first: np.ndarray, second: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Distances in bins from fractions, as `_distances` but with room of its own."""
    shape = np.broadcast_shapes(first.shape[1:], second.shape[1:])
    return _distances(first, second, edges, np.empty(shape, np.int32), np.empty((2, *shape), np.float32))
