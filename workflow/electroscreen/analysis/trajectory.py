"""One pass over a trajectory: pair counts and centres of mass, with no more than one frame in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.analysis.contacts import NEAR_A, NEAR_IONS_A, ContactKeeper
from electroscreen.analysis.rdf import PairCounter, PairCounts
from electroscreen.sites import Site, atoms_of

Pair = tuple[Site, Site]

BLOCKS = 10
FRAMES_AT_LEAST = 2 * BLOCKS
_ANGSTROM_PER_NM = 10.0


class UnusableTrajectoryError(ValueError):
    """A trajectory that holds nothing to analyse; the message is the reason, for a verdict."""


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

    def centres_of_mass(self, positions: np.ndarray) -> np.ndarray:
        """Return the centres of mass, shape (molecules, 3), of unwrapped positions, shape (atoms, 3)."""
        starts = np.flatnonzero(np.diff(self.molecule, prepend=-1))
        moments = np.add.reduceat(self.masses_amu[:, None] * positions, starts)
        return moments / np.add.reduceat(self.masses_amu, starts)[:, None]

    def centre(self, positions: np.ndarray) -> np.ndarray:
        """Return the centre of mass of everything, shape (3,)."""
        return self.masses_amu @ positions / self.masses_amu.sum()


@dataclass(frozen=True)
class Harvest:
    """What one pass over one trajectory gathered.

    Attributes
    ----------
    frames, frame_ps
        Number of frames and the time between them.
    volume_a3
        Mean volume of the box.
    pairs
        Of each pair of sites: counts by distance, and who was near whom.
    paths_a
        Of each species asked for: centres of mass of its molecules relative to that of the whole system, shape
        (molecules, frames, 3).
    sums_a
        Of every species: the sum over those of its molecules, shape (frames, 3).
    followed
        False if an atom jumped by more than half a box edge between two frames: then `paths_a` mean nothing.
    """

    frames: int
    frame_ps: float
    volume_a3: float
    pairs: dict[Pair, PairCounts]
    paths_a: dict[str, np.ndarray]
    sums_a: dict[str, np.ndarray]
    followed: bool


def read_trajectory(
    path: Path, molecules: Sequence[Mapping[str, Any]], pairs: Sequence[Pair], species: Sequence[str], threads: int = 1
) -> Harvest:
    """Read an XTC file once and gather all that the analysis needs.

    Parameters
    ----------
    path
        Unwrapped coordinates with whole molecules, in a rectangular box.
    molecules
        The entry `molecules` of composition.json.
    pairs
        Pairs of sites to count; each must have atoms, see `sites.atoms_of`.
    species
        Species whose centres of mass are kept.

    Raises
    ------
    UnusableTrajectoryError
        If it is empty, too short, not evenly spaced in time, or its box is not rectangular.
    ValueError
        If it does not hold the atoms of the composition.
    """
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    if path.stat().st_size == 0:
        raise UnusableTrajectoryError("the trajectory is empty")
    layout = Layout.of(molecules)
    with XTCFile(str(path)) as file:
        frames = len(file)
        if frames < FRAMES_AT_LEAST:
            raise UnusableTrajectoryError(f"the trajectory has {frames} frames, {FRAMES_AT_LEAST} are needed")
        if file.n_atoms != len(layout.masses_amu):
            raise ValueError(f"{path}: holds {file.n_atoms} atoms, the composition {len(layout.masses_amu)}")
        times, volumes = np.empty(frames), np.empty(frames)
        paths = {name: np.empty((len(layout.molecules_of[name]), frames, 3)) for name in species}
        sums = {name: np.empty((frames, 3)) for name in layout.molecules_of}
        counters: dict[Pair, PairCounter] = {}
        previous, followed = None, True
        for i, frame in enumerate(file):
            positions = _ANGSTROM_PER_NM * frame.x.astype(float)
            edges = _edges(_ANGSTROM_PER_NM * frame.box)
            if not counters:
                counters = {pair: _counter(pair, molecules, layout, edges.min() / 2, frames, threads) for pair in pairs}
            times[i], volumes[i] = frame.time, edges.prod()
            for counter in counters.values():
                counter.add(positions, edges, block=i * BLOCKS // frames)
            centres = layout.centres_of_mass(positions) - layout.centre(positions)
            for name, numbers in layout.molecules_of.items():
                own = centres[numbers.start : numbers.stop]
                sums[name][i] = own.sum(axis=0)
                if name in paths:
                    paths[name][:, i] = own
            followed &= previous is None or bool((np.abs(positions - previous) <= edges / 2).all())
            previous = positions
    return Harvest(
        frames=frames,
        frame_ps=_spacing(times),
        volume_a3=float(volumes.mean()),
        pairs={pair: counter.counts() for pair, counter in counters.items()},
        paths_a=paths,
        sums_a=sums,
        followed=followed,
    )


def _counter(
    pair: Pair,
    molecules: Sequence[Mapping[str, Any]],
    layout: Layout,
    range_a: float,
    frames: int,
    threads: int,
) -> PairCounter:
    centers, partners = (np.array(atoms_of(site, molecules)) for site in pair)
    charges = [{entry["charge_e"] for entry in molecules if atoms_of(site, [entry])} for site in pair]
    opposite = any(first * second < 0 for first in charges[0] for second in charges[1])
    keeper = ContactKeeper(NEAR_IONS_A if opposite else NEAR_A, frames)
    return PairCounter(centers, partners, layout.molecule, range_a, BLOCKS, threads, keeper)


def _edges(box: np.ndarray) -> np.ndarray:
    edges = np.diag(box).astype(float)
    if np.abs(box - np.diag(np.diag(box))).max() > 1e-3 or edges.min() <= 0:
        raise UnusableTrajectoryError("the box of the trajectory is not rectangular")
    return edges


def _spacing(times_ps: np.ndarray) -> float:
    """Return the time between frames, having checked that it is the same everywhere."""
    steps = np.diff(times_ps)
    usual = float(np.median(steps))
    # XTC keeps the time as a 32-bit float, whose rounding grows with the time itself.
    tolerance = 0.01 * abs(usual) + 4 * np.spacing(np.float32(np.abs(times_ps).max()))
    odd = np.flatnonzero(np.abs(steps - usual) > tolerance)
    if usual <= 0 or len(odd):
        where = int(odd[0]) if len(odd) else 0
        raise UnusableTrajectoryError(
            f"its frames are not evenly spaced: {steps[where]:g} ps between frames {where + 1} and {where + 2}, "
            f"{usual:g} ps elsewhere"
        )
    return float((times_ps[-1] - times_ps[0]) / (len(times_ps) - 1))
