"""Who is near whom, frame by frame: what shells, clusters and residence times are made of, kept from the one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAR_A = 6.5  # the widest first shells (liquid alkali metals) and 1 Å more
NEAR_IONS_A = 10.0  # room for a solvent molecule between two ions
FAR_A = NEAR_IONS_A  # beyond, g(r) has no shells to tell apart, and so many pairs that few frames tell as much
_KEPT_AT_MOST = 20_000_000
_FAR_FRAMES = 200
_FAR_EVERY_AT_MOST = 16


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
    """Return of how many frames one is counted beyond `FAR_A`: the first, and on from there.

    At least 200 frames are, and one of 16: pairs of an ideal gas grow as r², so that a bin at 10 Å then holds as many
    as one at 10 Å / √16 = 2.5 Å, where first shells are, does from all frames. In boxes that hardly reach farther,
    all are.
    """
    if edges_a.min() / 2 <= FAR_A:
        return 1
    return min(max(1, frames // _FAR_FRAMES), _FAR_EVERY_AT_MOST)
