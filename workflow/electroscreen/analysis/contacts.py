"""Who is near whom, frame by frame: what shells, clusters and residence times are made of, kept from the one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAR_A = 6.5  # the widest first shells (liquid alkali metals) and 1 Å more
NEAR_IONS_A = 10.0  # room for a solvent molecule between two ions
_KEPT_AT_MOST = 20_000_000
_FAR_FRAMES = 200
_FAR_EVERY_AT_MOST = 10


@dataclass(frozen=True)
class Contacts:
    """Pairs of a centre and a partner that are near each other.

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


def kept_every(pairs_in_a_frame: int, frames: int) -> int:
    """Return of how many frames one is kept, so that the near pairs of all these frames fit into memory."""
    return max(1, -(-pairs_in_a_frame * frames // _KEPT_AT_MOST))


def far_every(frames: int, edges_a: np.ndarray) -> int:
    """Return of how many frames one has all its pairs counted, the others only those that are near enough to be kept.

    200 frames at least, and one of ten: pairs of an ideal gas grow as r², so that a bin at 6.5 Å then holds as many as
    one at 6.5 Å / √10 = 2.1 Å, where the nearest first shells are, does from all frames. In boxes that hardly reach
    farther, all frames.
    """
    if edges_a.min() / 2 <= NEAR_IONS_A:
        return 1
    return min(max(1, frames // _FAR_FRAMES), _FAR_EVERY_AT_MOST)
