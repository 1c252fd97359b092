"""Systems whose structure and motion are known exactly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.analysis.contacts import NEAR_A
from electroscreen.analysis.counting import Counted, Tally, pair_counts
from electroscreen.analysis.rdf import BIN_A, PairCounts
from electroscreen.analysis.surroundings import Surroundings


def fcc(constant_a: float, cells: int) -> np.ndarray:
    """Positions of a face-centred cubic crystal, shape (4 cells³, 3)."""
    corners = np.stack(np.meshgrid(*3 * [np.arange(cells)], indexing="ij"), axis=-1).reshape(-1, 1, 3)
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    return constant_a * (corners + basis).reshape(-1, 3)


def count(
    frames: Sequence[np.ndarray],
    edges: Sequence[np.ndarray] | np.ndarray,
    centers: Sequence[int],
    partners: Sequence[int],
    molecule: np.ndarray | None = None,
    blocks: int = 1,
) -> PairCounts:
    """Count the pairs of some frames; `edges` is one box for all, or one for each."""
    boxes = np.broadcast_to(edges, (len(frames), 3))
    molecule = np.arange(len(frames[0])) if molecule is None else molecule
    around = Surroundings.of(centers, [partners], [NEAR_A], molecule)
    bins = int(boxes.min() / 2 / BIN_A + 1e-9)
    tallies = [Tally(around, bins) for _ in range(blocks)]
    for i, (positions, box) in enumerate(zip(frames, boxes, strict=True)):
        tallies[i * blocks // len(frames)].add(positions[None], box[None], i)
    return pair_counts(around, 0, [Counted.of(tally) for tally in tallies], bins)


def random_walk(
    generator: np.random.Generator, molecules: int, frames: int, d_a2_per_ns: float, frame_ps: float
) -> np.ndarray:
    """Paths with a known diffusion coefficient, shape (molecules, frames, 3)."""
    step = np.sqrt(2 * d_a2_per_ns / 1000 * frame_ps)
    return np.cumsum(generator.normal(scale=step, size=(molecules, frames, 3)), axis=1)


def write_xtc(path: Path, frames: np.ndarray, edge_a: float, times_ps: np.ndarray) -> None:
    """Write positions in Å, shape (frames, atoms, 3), with MDAnalysis' own writer."""
    import MDAnalysis

    universe = MDAnalysis.Universe.empty(frames.shape[1], trajectory=True)
    with MDAnalysis.Writer(str(path), frames.shape[1]) as writer:
        for positions, time in zip(frames, times_ps, strict=True):
            universe.atoms.positions = positions
            universe.dimensions = [edge_a, edge_a, edge_a, 90, 90, 90]
            universe.trajectory.ts.time = time
            writer.write(universe.atoms)


def write_json(path: Path, content: dict[str, Any]) -> Path:
    """Write plain JSON, and return where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
