"""Pair counts, the pair distribution g(r) and the running coordination number n(r)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from electroscreen.analysis.contacts import ContactKeeper, Contacts

BIN_A = 0.02
UNITS_AT_MOST = 200
_DISTANCES_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class PairCounts:
    """Pairs counted by distance in one trajectory.

    Attributes
    ----------
    counts
        Pairs in each block of time, of each independent unit, in each bin of `BIN_A`: shape (blocks, units, bins).
        A unit is a molecule that bears centres (or a group of them where there are more than `UNITS_AT_MOST`).
    centers_of_unit
        Number of centres in each unit, shape (units,).
    frames_of_block
        Shape (blocks,).
    counts_times_volume
        Counts of each frame times its volume, summed over frames and centres, shape (bins,).
    pairs
        Number of pairs that could be counted in a frame: those within a molecule are not.
    contacts
        Who was near whom.
    """

    counts: np.ndarray
    centers_of_unit: np.ndarray
    frames_of_block: np.ndarray
    counts_times_volume: np.ndarray
    pairs: int
    contacts: Contacts

    @property
    def centers(self) -> int:
        """Number of centres."""
        return int(self.centers_of_unit.sum())

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.frames_of_block.sum())


class PairCounter:
    """Counts pairs frame by frame, up to half the shortest box edge.

    All distances of centres to partners are computed: a sphere that reaches half across a box holds half of its
    atoms, so that neighbour lists save nothing. (Measured for 20 × 2000 pairs: MDAnalysis 2 ms a frame, freud's RDF
    4.5 ms, freud's neighbour list 13 ms.)

    Parameters
    ----------
    centers, partners
        Indices of atoms.
    molecule
        Number of the molecule of each atom in the box; pairs within a molecule are left out.
    range_a
        Distance up to which pairs are counted.
    keeper
        Takes the distances of every frame, infinite within a molecule.
    """

    def __init__(
        self,
        centers: np.ndarray,
        partners: np.ndarray,
        molecule: np.ndarray,
        range_a: float,
        blocks: int,
        threads: int = 1,
        keeper: ContactKeeper | None = None,
    ) -> None:
        self.keeper = keeper or ContactKeeper()
        self.centers, self.partners = centers, partners
        self.bins = int(range_a / BIN_A + 1e-9)
        self.backend = "OpenMP" if threads > 1 else "serial"
        own, units = np.unique(molecule[centers], return_inverse=True)
        groups = min(len(own), UNITS_AT_MOST)
        self.unit = units * groups // len(own)
        rows = max(1, _DISTANCES_AT_ONCE // len(partners))
        self.chunks = [slice(start, start + rows) for start in range(0, len(centers), rows)]
        # Pairs within a molecule are few: their places are kept, not a mask of all pairs.
        self.within = [np.nonzero(molecule[centers[c]][:, None] == molecule[partners]) for c in self.chunks]
        self.histogram = np.zeros((blocks, groups, self.bins), dtype=np.int64)
        self.frames_of_block = np.zeros(blocks, dtype=np.int64)
        self.counts_times_volume = np.zeros(self.bins)
        self.shortest_range_a = range_a
        self.distances = np.empty((min(rows, len(centers)), len(partners)))
        # Places in the histogram, until there are enough of one block and one volume to be worth a count.
        self.places: list[np.ndarray] = []
        self.waiting_for: tuple[int, float] = (0, 0.0)

    def add(self, positions: np.ndarray, edges: np.ndarray, block: int) -> None:
        """Count one frame.

        Parameters
        ----------
        positions
            All atoms in Å, wrapped or not, shape (atoms, 3).
        edges
            Box edges in Å, shape (3,).
        block
            Number of the block of time that the frame belongs to.
        """
        volume = float(edges.prod())
        if (block, volume) != self.waiting_for:
            self._count()
            self.waiting_for = (block, volume)
        for chunk, within in zip(self.chunks, self.within, strict=True):
            distances = self._distances(positions, edges, chunk)
            distances[within] = np.inf
            self.places.append(self._places(distances, self.unit[chunk]))
            self.keeper.add(chunk.start, distances)
            if sum(map(len, self.places)) > _DISTANCES_AT_ONCE:
                self._count()
        self.keeper.end_frame()
        self.frames_of_block[block] += 1
        self.shortest_range_a = min(self.shortest_range_a, edges.min() / 2)

    def counts(self) -> PairCounts:
        """Return what was counted; bins beyond half the shortest edge ever met are left out."""
        self._count()
        bins = min(self.bins, int(self.shortest_range_a / BIN_A + 1e-9))
        return PairCounts(
            counts=self.histogram[:, :, :bins],
            centers_of_unit=np.bincount(self.unit),
            frames_of_block=self.frames_of_block,
            counts_times_volume=self.counts_times_volume[:bins],
            pairs=len(self.centers) * len(self.partners) - sum(len(rows) for rows, _ in self.within),
            contacts=self.keeper.contacts(),
        )

    def _distances(self, positions: np.ndarray, edges: np.ndarray, chunk: slice) -> np.ndarray:
        from MDAnalysis.lib.distances import distance_array

        box = np.array([*edges, 90, 90, 90], dtype=np.float32)
        centers, partners = positions[self.centers[chunk]], positions[self.partners]
        return distance_array(centers, partners, box, self.distances[: len(centers)], self.backend)

    def _places(self, distances: np.ndarray, unit: np.ndarray) -> np.ndarray:
        """Places in the histogram (units, bins); all that lies beyond the range falls into one more bin."""
        place = np.minimum(distances / BIN_A, self.bins).astype(np.int64)
        place += (unit * (self.bins + 1))[:, None]
        return place.ravel()

    def _count(self) -> None:
        if not self.places:
            return
        units, width = self.histogram.shape[1], self.bins + 1
        counted = np.bincount(np.concatenate(self.places), minlength=units * width)
        counted = counted.reshape(units, width)[:, : self.bins]
        block, volume = self.waiting_for
        self.histogram[block] += counted
        self.counts_times_volume += counted.sum(axis=0) * volume
        self.places = []


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

    g(r) = Σ_frames V × counts / (frames × pairs × 4/3 π (r₂³ - r₁³)), with the volume V of each frame and the number
    of pairs that do not sit in one molecule, which is N(N-1) for atoms of one kind (Allen and Tildesley, Computer
    Simulation of Liquids, 2nd ed. 2017, section 8.2).
    """
    bins = min(replica.counts.shape[2] for replica in replicas)
    weighted = sum(replica.counts_times_volume[:bins] for replica in replicas)
    per_bin = sum(replica.counts.sum(axis=(0, 1))[:bins] for replica in replicas)
    g = weighted / (shell_volumes_a3(bins) * sum(replica.frames * replica.pairs for replica in replicas))
    per_center = per_bin / sum(replica.frames * replica.centers for replica in replicas)
    return Distribution((np.arange(bins) + 0.5) * BIN_A, g, np.cumsum(per_center) - per_center / 2)


def shell_volumes_a3(bins: int) -> np.ndarray:
    """Return the volumes of the spherical shells of the bins, shape (bins,)."""
    return 4 / 3 * np.pi * np.diff((np.arange(bins + 1) * BIN_A) ** 3)


def per_center(counts: PairCounts) -> np.ndarray:
    """Return the mean number of partners of a centre, shape (blocks, units, bins)."""
    return counts.counts / (counts.frames_of_block[:, None, None] * counts.centers_of_unit[:, None])
