"""Packing whole molecules into a cube with packmol, periodic from the start."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TOLERANCE_ANGSTROM = 2.0
TIME_LIMIT_S = 1800


@dataclass(frozen=True)
class Part:
    """A molecule to pack, and how often."""

    species: str
    symbols: list[str]
    positions_angstrom: np.ndarray
    count: int


class PackingError(RuntimeError):
    """Packmol found no packing; the message says what would help."""


def check_length(part: Part, edge_angstrom: float) -> None:
    """Refuse a molecule that would meet its own periodic image.

    Raises
    ------
    PackingError
    """
    x = part.positions_angstrom
    length = float(np.linalg.norm(x[:, None] - x[None], axis=-1).max()) + TOLERANCE_ANGSTROM
    if length > edge_angstrom:
        raise PackingError(
            f"{part.species} is {length:.0f} Å long and the box {edge_angstrom:.0f} Å: "
            "take shorter chains, or more atoms (settings: box.atoms)"
        )


def pack(parts: list[Part], edge_angstrom: float, seed: int, placed: np.ndarray | None = None) -> np.ndarray:
    """Return positions, shape (atoms, 3), angstrom, of all molecules in the order of `parts`.

    Atoms of different molecules, periodic images included, are at least 2.0 angstrom apart.

    Parameters
    ----------
    placed
        Positions of atoms, (n, 3), that stand in the cube already and stay where they are.

    Raises
    ------
    PackingError
        If packmol is not installed, or finds no packing.
    """
    program = find_packmol()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [
            f"tolerance {TOLERANCE_ANGSTROM}",
            "filetype xyz",
            "output packed.xyz",
            f"seed {seed}",
            f"pbc {edge_angstrom:.4f} {edge_angstrom:.4f} {edge_angstrom:.4f}",
        ]
        for index, part in enumerate(parts):
            (folder / f"part{index}.xyz").write_text(_xyz(part), encoding="utf-8")
            lines += [f"structure part{index}.xyz", f"  number {part.count}", "end structure"]
        if placed is not None and len(placed):
            (folder / "placed.xyz").write_text(_placed_xyz(placed, edge_angstrom), encoding="utf-8")
            lines += ["structure placed.xyz", "  number 1", "  fixed 0. 0. 0. 0. 0. 0.", "end structure"]
        control = folder / "packmol.inp"
        control.write_text("\n".join(lines) + "\n", encoding="utf-8")
        try:
            # Packmol reads its input twice, so that must be a file and no pipe.
            with control.open(encoding="utf-8") as stdin:
                run = subprocess.run(
                    [program],
                    stdin=stdin,
                    cwd=folder,
                    capture_output=True,
                    text=True,
                    timeout=TIME_LIMIT_S,
                    check=False,
                )
        except subprocess.TimeoutExpired:
            raise PackingError(f"packmol did not finish in {TIME_LIMIT_S} s: pack at a lower density") from None
        packed = folder / "packed.xyz"
        if "Success!" not in run.stdout or not packed.exists():
            raise PackingError(f"packmol found no packing: {_reason(run.stdout)}")
        positions = np.loadtxt(packed, skiprows=2, usecols=(1, 2, 3), ndmin=2)
    wanted = sum(part.count * len(part.symbols) for part in parts)
    expected = wanted + (0 if placed is None else len(placed))
    if len(positions) != expected:
        raise PackingError(f"packmol wrote {len(positions)} atoms instead of {expected}")
    return positions[:wanted]


def _reason(output: str) -> str:
    """Say in one line why packmol gave up, and what helps."""
    if "ENDED WITHOUT PERFECT PACKING" in output or "unable to put the molecules" in output:
        return "molecules do not fit without overlap: lower box.packing_density_fraction in the settings"
    lines = [line.strip(" -#") for line in output.splitlines()]
    errors = [line for line in lines if line.startswith("ERROR")]
    said = [line for line in lines if line and not line.startswith("Running time")]
    return (errors or said[-1:] or ["no output"])[0]


def find_packmol() -> str:
    """Return the packmol of this Python environment, else the one on the path.

    Raises
    ------
    PackingError
        If there is none.
    """
    own = Path(sysconfig.get_path("scripts")) / "packmol"
    found = str(own) if own.exists() else shutil.which("packmol")
    if found is None:
        raise PackingError("packmol is not installed: pip install packmol")
    return found


def _placed_xyz(positions: np.ndarray, edge: float) -> str:
    rows = [f"C {x:.6f} {y:.6f} {z:.6f}" for x, y, z in np.mod(positions, edge)]
    return "\n".join([str(len(rows)), "placed", *rows]) + "\n"


def _xyz(part: Part) -> str:
    rows = [
        f"{symbol} {x:.6f} {y:.6f} {z:.6f}"
        for symbol, (x, y, z) in zip(part.symbols, part.positions_angstrom, strict=True)
    ]
    return "\n".join([str(len(rows)), part.species, *rows]) + "\n"
