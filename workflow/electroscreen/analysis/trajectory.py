"""One pass over a trajectory: pair counts and centres of mass, with a few frames at a time in memory."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.analysis.contacts import NEAR_A, NEAR_IONS_A, far_every, kept_every
from electroscreen.analysis.counting import Counted, Tally, near_pairs, pair_counts
from electroscreen.analysis.layout import Layout
from electroscreen.analysis.rdf import BIN_A, PairCounts
from electroscreen.analysis.surroundings import FRAMES_AT_ONCE, Surroundings
from electroscreen.sites import Site, atoms_of
from electroscreen.workers import end_with_parent

Pair = tuple[Site, Site]

BLOCKS = 10
FRAMES_AT_LEAST = 2 * BLOCKS
_ANGSTROM_PER_NM = 10.0


class UnusableTrajectoryError(ValueError):
    """A trajectory that holds nothing to analyse; the message is the reason, for a verdict."""


@dataclass(frozen=True)
class Harvest:
    """What one pass over one trajectory gathered.

    Attributes
    ----------
    path
        The trajectory.
    frames, far_frames, frame_ps
        Number of frames, of those in which all pairs were counted (`contacts.far_every`), and the time between frames.
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

    path: Path
    frames: int
    far_frames: int
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
    threads
        Processes among which the frames are shared.

    Raises
    ------
    UnusableTrajectoryError
        If it is empty, too short, not evenly spaced in time, or its box is not rectangular.
    ValueError
        If it does not hold the atoms of the composition.
    """
    if path.stat().st_size == 0:
        raise UnusableTrajectoryError("the trajectory is empty")
    plan = _plan(path, molecules, pairs, species)
    blocks = _in_processes(plan, threads)
    frames = len(plan.offsets)
    edges = np.concatenate([block.edges_a for block in blocks])
    bins = min(plan.bins, _bins(edges))
    return Harvest(
        path=path,
        frames=frames,
        far_frames=-(-frames // plan.far_every),
        frame_ps=_spacing(np.concatenate([block.times_ps for block in blocks])),
        volume_a3=float(edges.prod(axis=1).mean()),
        pairs={
            pair: pair_counts(around, i, [block.counted[n] for block in blocks], bins, plan.every)
            for n, (own, around) in enumerate(zip(plan.pairs, plan.around, strict=True))
            for i, pair in enumerate(own)
        },
        paths_a={name: np.concatenate([block.paths_a[name] for block in blocks], axis=1) for name in species},
        sums_a={name: np.concatenate([block.sums_a[name] for block in blocks]) for name in plan.layout.molecules_of},
        followed=all(block.followed for block in blocks),
    )


@dataclass(frozen=True)
class _Plan:
    """What is to be gathered, by whichever process."""

    path: Path
    offsets: np.ndarray
    layout: Layout
    species: tuple[str, ...]
    pairs: tuple[tuple[Pair, ...], ...]
    around: tuple[Surroundings, ...]
    bins: int
    every: int
    far_every: int


@dataclass
class _Block:
    """What one block of time gave; shapes as in `Harvest`."""

    times_ps: np.ndarray
    edges_a: np.ndarray
    counted: list[Counted]
    paths_a: dict[str, np.ndarray]
    sums_a: dict[str, np.ndarray]
    followed: bool


def _plan(path: Path, molecules: Sequence[Mapping[str, Any]], pairs: Sequence[Pair], species: Sequence[str]) -> _Plan:
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    layout = Layout.of(molecules)
    with XTCFile(str(path)) as file:
        offsets = np.array(file.offsets)
        if len(offsets) < FRAMES_AT_LEAST:
            raise UnusableTrajectoryError(f"the trajectory has {len(offsets)} frames, {FRAMES_AT_LEAST} are needed")
        if file.n_atoms != len(layout.masses_amu):
            raise ValueError(f"{path}: holds {file.n_atoms} atoms, the composition {len(layout.masses_amu)}")
        frame = file.read()
    positions, edges = _ANGSTROM_PER_NM * frame.x, _edges(frame.box[None])[0]
    around, own = [], []
    for center in dict.fromkeys(center for center, _ in pairs):
        own.append(tuple(pair for pair in pairs if pair[0] == center))
        partners = [atoms_of(partner, molecules) for _, partner in own[-1]]
        near_a = [NEAR_IONS_A if _opposite(pair, molecules) else NEAR_A for pair in own[-1]]
        around.append(Surroundings.of(atoms_of(center, molecules), partners, near_a, layout.molecule))
    every = kept_every(sum(near_pairs(one, positions, edges) for one in around), len(offsets))
    far = far_every(len(offsets), edges)
    return _Plan(path, offsets, layout, tuple(species), tuple(own), tuple(around), _bins(edges), every, far)


def _in_processes(plan: _Plan, threads: int) -> list[_Block]:
    """Read all blocks; in this process if it is the only one."""
    if threads == 1:
        return [_read_block(plan, number) for number in range(BLOCKS)]
    # Forked processes need not import anything again; elsewhere than on Linux that is not safe.
    context = get_context("fork" if sys.platform == "linux" else None)
    with ProcessPoolExecutor(min(threads, BLOCKS), context, end_with_parent) as pool:
        return list(pool.map(partial(_read_block, plan), range(BLOCKS)))


def _read_block(plan: _Plan, number: int) -> _Block:
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    layout = plan.layout
    start, stop = (-(-len(plan.offsets) * i // BLOCKS) for i in (number, number + 1))
    block = _Block(
        times_ps=np.empty(stop - start),
        edges_a=np.empty((stop - start, 3)),
        counted=[],
        paths_a={name: np.empty((len(layout.molecules_of[name]), stop - start, 3)) for name in plan.species},
        sums_a={name: np.empty((stop - start, 3)) for name in layout.molecules_of},
        followed=True,
    )
    tallies = [Tally(around, plan.bins, plan.every, plan.far_every) for around in plan.around]
    with XTCFile(str(plan.path)) as file:
        file.set_offsets(plan.offsets)
        # The first is the frame before, or the first itself.
        read_nm = np.empty((FRAMES_AT_ONCE + 1, len(layout.masses_amu), 3), dtype=np.float32)
        room_a = np.empty_like(read_nm)
        file.seek(max(start - 1, 0))
        file.read_direct_x(read_nm[0])
        file.seek(start)
        for first in range(start, stop, FRAMES_AT_ONCE):
            count = min(FRAMES_AT_ONCE, stop - first)
            here = slice(first - start, first - start + count)
            frames = [file.read_direct_x(read_nm[i + 1]) for i in range(count)]
            block.times_ps[here] = [frame.time for frame in frames]
            block.edges_a[here] = edges_a = _edges(np.array([frame.box for frame in frames]))
            positions_a = np.multiply(read_nm[1 : count + 1], _ANGSTROM_PER_NM, out=room_a[:count])
            for tally in tallies:
                tally.add(positions_a, edges_a, first)
            _follow(block, plan, read_nm[1 : count + 1], here)
            block.followed &= _followed(read_nm[: count + 1], edges_a / _ANGSTROM_PER_NM)
            read_nm[0] = read_nm[count]
    block.counted = [Counted.of(tally) for tally in tallies]
    return block


def _follow(block: _Block, plan: _Plan, positions_nm: np.ndarray, here: slice) -> None:
    """Note the centres of mass of some frames."""
    sums, centre = plan.layout.sums_of_centres(positions_nm)
    for (name, numbers), of in zip(plan.layout.molecules_of.items(), sums, strict=True):
        block.sums_a[name][here] = _ANGSTROM_PER_NM * (of - len(numbers) * centre)
    for name, path in block.paths_a.items():
        centres = plan.layout.centres_of_mass(positions_nm, name) - centre[:, None]
        path[:, here] = _ANGSTROM_PER_NM * centres.swapaxes(0, 1)


def _followed(positions: np.ndarray, edges: np.ndarray) -> bool:
    """Whether no atom jumps by more than half an edge from one frame to the next."""
    steps = positions[1:] - positions[:-1]
    np.abs(steps, out=steps)
    return bool(steps.max() <= edges.min() / 2 or (steps <= edges[:, None] / 2).all())


def _opposite(pair: Pair, molecules: Sequence[Mapping[str, Any]]) -> bool:
    """Whether some of the sites are of a cation and of an anion."""
    charges = [{entry["charge_e"] for entry in molecules if atoms_of(site, [entry])} for site in pair]
    return any(first * second < 0 for first in charges[0] for second in charges[1])


def _bins(edges_a: np.ndarray) -> int:
    """Number of bins up to half the shortest edge."""
    return int(edges_a.min() / 2 / BIN_A + 1e-9)


def _edges(boxes_nm: np.ndarray) -> np.ndarray:
    """Edges in Å, shape (frames, 3), of boxes as they stand in the file, shape (frames, 3, 3)."""
    boxes_a = _ANGSTROM_PER_NM * boxes_nm.astype(float)
    edges = np.diagonal(boxes_a, axis1=1, axis2=2)
    if np.abs(boxes_a[:, ~np.eye(3, dtype=bool)]).max() > 1e-3 or edges.min() <= 0:
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
