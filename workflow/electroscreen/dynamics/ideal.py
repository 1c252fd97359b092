"""Do the chains of a run coil as ideal chains do? End-to-end distance, radius of gyration, and what they remember."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.boxes.conformers import backbone
from electroscreen.record import OK

# A correlation that has fallen less has not been seen to decay.
MEMORY_ALLOWED = float(np.exp(-1))


@dataclass(frozen=True)
class Coil:
    """Mean squares over an ideal chain: of its end-to-end distance, and of its radius of gyration (Å²)."""

    end_to_end: float
    gyration: float

    @property
    def ratio(self) -> float:
        """6 for a long chain, 12 for a rod."""
        return self.end_to_end / self.gyration


def freely_rotating(lengths: np.ndarray, cosines: np.ndarray) -> Coil:
    """Return the mean squares of a chain with these bonds and angles whose torsions are all equally likely.

    The mean product of two bonds is that of their lengths and of all cosines between them (Flory, Statistical Mechanics
    of Chain Molecules, 1969, chapter 1); <r²> between two atoms is the sum over the bonds between them, and <Rg²> the
    sum of that over all pairs, by the square of the number of atoms.

    Parameters
    ----------
    lengths
        Of the n bonds, angstrom.
    cosines
        Of the n - 1 angles between the directions of successive bonds (1 where the chain goes straight on).
    """
    n = len(lengths)
    turned = np.eye(n)
    for first in range(n - 1):
        turned[first, first + 1 :] = np.cumprod(cosines[first:])
    products = np.triu(turned, 1)
    products = (turned + products.T) * np.outer(lengths, lengths)
    sums = np.zeros((n + 1, n + 1))
    sums[1:, 1:] = products.cumsum(axis=0).cumsum(axis=1)
    diagonal = np.diag(sums)
    apart = diagonal[:, None] + diagonal[None] - 2 * sums
    return Coil(float(apart[0, n]), float(apart.sum() / 2 / (n + 1) ** 2))


def as_stiff(lengths: np.ndarray, cosines: np.ndarray, end_to_end: float) -> Coil:
    """Return the ideal chain that is freely rotating but for being as stiff as <R²> says: angles narrowed alike.

    A chain that coils more than a freely rotating one is compared with that.
    """
    from scipy.optimize import brentq

    cosines = np.clip(cosines, 1e-6, 1)
    free, rod = freely_rotating(lengths, cosines), freely_rotating(lengths, np.ones_like(cosines))
    if not free.end_to_end < end_to_end < rod.end_to_end:
        return free if end_to_end <= free.end_to_end else rod
    narrowed = brentq(lambda s: freely_rotating(lengths, cosines**s).end_to_end - end_to_end, 0, 1)
    return freely_rotating(lengths, cosines**narrowed)


def chain_rows(trajectory: Path, bonds: np.ndarray, molecules: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row for each species of chains, with a verdict of its own.

    Parameters
    ----------
    trajectory
        XTC with whole molecules.
    bonds
        Of the whole box, shape (bonds, 2).
    molecules
        Those of composition.json, which stand in the box in this order.
    """
    ways, first = {}, 0
    for entry in molecules:
        size, count = len(entry["symbols"]), entry["count"]
        if entry.get("role") == "polymer":
            own = bonds[(bonds >= first).all(axis=1) & (bonds < first + size).all(axis=1)] - first
            way = backbone(entry["symbols"], own)
            if len(way) > 3:
                ways[entry["species"]] = first + way + size * np.arange(count)[:, None]
        first += size * count
    if not ways:
        return []
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    with XTCFile(str(trajectory)) as file:
        frames = [[10 * frame.x[way] for way in ways.values()] for frame in file]
    kept = (np.array(of_one, dtype=float) for of_one in zip(*frames, strict=True))
    return [{"species": name, **coiling(positions)} for name, positions in zip(ways, kept, strict=True)]


def coiling(positions_angstrom: np.ndarray) -> dict[str, Any]:
    """Return how far chains coil beside ideal ones, from backbones of shape (frames, chains, atoms, 3).

    Intervals are 95 %, from the scatter of chains (jackknife, Student's t); chains that still remember how they were
    packed are no independent samples, which the verdict says.
    """
    ways = np.diff(positions_angstrom, axis=2)
    squares = (ways**2).sum(axis=3)
    products = (ways[:, :, 1:] * ways[:, :, :-1]).sum(axis=3) / np.sqrt(squares[:, :, 1:] * squares[:, :, :-1])
    lengths, cosines = np.sqrt(squares.mean(axis=(0, 1))), products.mean(axis=(0, 1))
    ends = positions_angstrom[:, :, -1] - positions_angstrom[:, :, 0]
    away = positions_angstrom - positions_angstrom.mean(axis=2, keepdims=True)
    of_chain = (ends**2).sum(axis=2).mean(axis=0), (away**2).sum(axis=3).mean(axis=(0, 2))
    distance, radius = (np.sqrt(of_one.mean()) for of_one in of_chain)
    ratio, half = _ratio(*of_chain)
    free = freely_rotating(lengths, cosines)
    ideal = as_stiff(lengths, cosines, distance**2)
    memory = _memory(ends)
    row = {
        "chains": len(of_chain[0]),
        "backbone_bonds": len(lengths),
        "end_to_end_angstrom": distance,
        "backbone_gyration_angstrom": radius,
        "freely_rotating_end_to_end_angstrom": np.sqrt(free.end_to_end),
        "freely_rotating_gyration_angstrom": np.sqrt(free.gyration),
        "characteristic_ratio": distance**2 / (lengths**2).sum(),
        "ratio": ratio,
        "ratio_low": None if half is None else ratio - half,
        "ratio_high": None if half is None else ratio + half,
        "ideal_ratio": ideal.ratio,
        "memory": memory,
    }
    row = {key: float(value) if isinstance(value, np.floating) else value for key, value in row.items()}
    return row | {"verdict": _verdict(row)}


def _verdict(row: Mapping[str, Any]) -> str:
    said = []
    if not row["memory"] < MEMORY_ALLOWED:
        said.append(f"not relaxed: ends keep {100 * row['memory']:.0f} % of their direction over half of the run")
    if row["ratio_low"] is None:
        said.append("one chain only: no interval")
    elif not row["ratio_low"] <= row["ideal_ratio"] <= row["ratio_high"]:
        kind = "coiled more tightly" if row["ratio"] < row["ideal_ratio"] else "stretched more"
        said.append(f"{kind} than an ideal chain: <R²>/<Rg²> is {row['ratio']:.1f} instead of {row['ideal_ratio']:.1f}")
    return "; ".join(said) or OK


def _ratio(end_to_end: np.ndarray, gyration: np.ndarray) -> tuple[float, float | None]:
    """Return the ratio of the means over chains, and half of its 95 % interval."""
    from scipy.stats import t

    n, ratio = len(gyration), end_to_end.mean() / gyration.mean()
    if n < 2:
        return float(ratio), None
    without = (end_to_end.sum() - end_to_end) / (gyration.sum() - gyration)
    error = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    return float(ratio), float(t.ppf(0.975, n - 1) * error)


def _memory(ends: np.ndarray) -> float:
    """Return <R(0) R(T/2)> / <R²> of end-to-end vectors, shape (frames, chains, 3), over all origins of a run T."""
    half = len(ends) // 2
    if not half:
        return 1.0
    return float((ends[half:] * ends[: len(ends) - half]).sum(axis=2).mean() / (ends**2).sum(axis=2).mean())
