"""Who is near whom, frame by frame: what shells, clusters and residence times are made of, kept from the one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAR_A = 6.5  # the widest first shells (liquid alkali metals) and 1 Å more
NEAR_IONS_A = 10.0  # room for a solvent molecule between two ions
_KEPT_AT_MOST = 10_000_000


@dataclass(frozen=True)
class Contacts:
    """Pairs of a centre and a partner that are near each other, in the order of the frames.

    Attributes
    ----------
    frame, center, partner
        Of each pair: number of the frame among those kept, and numbers among the centres and the partners.
    distance_a
        Of each pair.
    frames, every
        Number of frames kept, and of how many frames one was kept.
    within_a
        Pairs nearer than this were kept.
    """

    frame: np.ndarray
    center: np.ndarray
    partner: np.ndarray
    distance_a: np.ndarray
    frames: int
    every: int
    within_a: float


class ContactKeeper:
    """Keeps near pairs while a trajectory is read; of `frames`, one of several where memory would not hold all."""

    def __init__(self, within_a: float = NEAR_A, frames: int = 1) -> None:
        self.within_a, self.expected = within_a, frames
        self.every: int | None = None
        self.kept: list[tuple[np.ndarray, ...]] = []
        self.frames = self.seen = 0

    def add(self, first: int, distances: np.ndarray) -> None:
        """Take the distances of some centres, the first of which has this number: shape (centres, partners)."""
        if self.every and self.seen % self.every:
            return
        center, partner = np.nonzero(distances < self.within_a)
        of_frame = np.full(len(center), self.frames, dtype=np.int32)
        near = distances[center, partner].astype(np.float32)
        self.kept.append((of_frame, (center + first).astype(np.int32), partner.astype(np.int32), near))

    def end_frame(self) -> None:
        """Go on to the next frame."""
        if not (self.every and self.seen % self.every):
            self.frames += 1
        self.seen += 1
        if self.every is None:
            in_a_frame = sum(len(part[0]) for part in self.kept)
            self.every = max(1, -(-in_a_frame * self.expected // _KEPT_AT_MOST))

    def contacts(self) -> Contacts:
        """Return what was kept."""
        frame, center, partner, near = (np.concatenate(parts) for parts in zip(*self.kept, strict=True))
        return Contacts(frame, center, partner, near, self.frames, self.every or 1, self.within_a)
