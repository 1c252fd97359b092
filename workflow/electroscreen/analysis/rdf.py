"""Pair counts, and the pair distribution g(r) and the running coordination number n(r) that they make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from electroscreen.analysis.contacts import Contacts

BIN_A = 0.02


@dataclass(frozen=True)
class PairCounts:
    """Pairs counted by distance in one trajectory.

    Attributes
    ----------
    counts
        Pairs in each block of time, of each independent unit, in each bin of `BIN_A`: shape (blocks, units, bins).
        A unit is a molecule that bears centres, or a group of them where there are many, see `surroundings`.
    centers_of_unit
        Number of centres in each unit, shape (units,).
    frames_of_block
        Frames of each block in which pairs so far apart were counted, shape (blocks, bins).
    counts_times_volume
        Counts of each frame times its volume, summed over frames and centres, shape (bins,).
    pairs
        Number of pairs that could be counted in a frame: those within a molecule are not.
    find_contacts
        Gives `contacts`, which not every pair needs.
    """

    counts: np.ndarray
    centers_of_unit: np.ndarray
    frames_of_block: np.ndarray
    counts_times_volume: np.ndarray
    pairs: int
    find_contacts: Callable[[], Contacts]

    @cached_property
    def contacts(self) -> Contacts:
        """Who was near whom."""
        return self.find_contacts()

    @property
    def centers(self) -> int:
        """Number of centres."""
        return int(self.centers_of_unit.sum())

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.frames_of_block[:, 0].sum())

    @property
    def mean_counts(self) -> np.ndarray:
        """Mean number of pairs in a frame, shape (bins,)."""
        return self.counts.sum(axis=(0, 1)) / self.frames_of_block.sum(axis=0)


@dataclass(frozen=True)
class Distribution:
    """g(r) and n(r) of all replicas together; all arrays have shape (bins,).

    Attributes
    ----------
    r_a
        Middles of the bins.
    g
        Pair distribution, 1 for an ideal gas.
    n
        Mean number of partners closer than `r_a`, counted directly.
    """

    r_a: np.ndarray
    g: np.ndarray
    n: np.ndarray


def distribution(replicas: Sequence[PairCounts]) -> Distribution:
    """Return the pair distribution and the running coordination number.

    g(r) = Σ_frames V × counts / (frames × pairs × 4/3 π (r₂³ - r₁³)), with the volume V of each frame, the number of
    frames in which pairs so far apart were counted, and the number of pairs that do not sit in one molecule, which is
    N(N-1) for atoms of one kind (Allen and Tildesley, Computer Simulation of Liquids, 2nd ed. 2017, section 8.2).
    """
    bins = min(replica.counts.shape[2] for replica in replicas)
    weighted = sum(replica.counts_times_volume[:bins] for replica in replicas)
    per_bin = sum(replica.counts.sum(axis=(0, 1))[:bins] for replica in replicas)
    frames = [replica.frames_of_block.sum(axis=0)[:bins] for replica in replicas]
    seen = sum(of * replica.pairs for of, replica in zip(frames, replicas, strict=True))
    g = weighted / (shell_volumes_a3(bins) * seen)
    per_center = per_bin / sum(of * replica.centers for of, replica in zip(frames, replicas, strict=True))
    return Distribution((np.arange(bins) + 0.5) * BIN_A, g, np.cumsum(per_center) - per_center / 2)


def shell_volumes_a3(bins: int) -> np.ndarray:
    """Return the volumes of the spherical shells of the bins, shape (bins,)."""
    return 4 / 3 * np.pi * np.diff((np.arange(bins + 1) * BIN_A) ** 3)


def per_center(counts: PairCounts) -> np.ndarray:
    """Return the mean number of partners of a centre, shape (blocks, units, bins)."""
    return counts.counts / (counts.frames_of_block[:, None] * counts.centers_of_unit[:, None])
