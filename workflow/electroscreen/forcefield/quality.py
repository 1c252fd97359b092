"""How well a derived force field gives back what it was derived from: vibrations, and the minimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from electroscreen.forcefield import graph
from electroscreen.forcefield.hessian_fit import frequencies_per_cm
from electroscreen.forcefield.internal import Coordinate
from electroscreen.forcefield.mechanics import Mechanics

FREQUENCIES_APART = 0.25
BONDS_APART_ANGSTROM = 0.02
ANGLES_APART_DEGREE = 2.0
IMAGINARY_PER_CM = 50.0


@dataclass(frozen=True)
class Reference:
    """A Hessian to fit to, kJ/mol/angstrom^2, and what it was computed with."""

    hessian: np.ndarray
    level: str


def compared(
    whole: Mechanics, reference: Reference, positions: np.ndarray, masses: Sequence[float], plain
) -> dict[str, Any]:
    """Return how vibrations and minimum of the force field differ from the reference's."""
    minimum = whole.minimised(positions)
    wanted = frequencies_per_cm(reference.hessian, positions, masses)
    ours = frequencies_per_cm(whole.hessian(minimum), minimum, masses)
    apart = np.abs(ours - wanted)
    bonds = [Coordinate("bond", atoms) for atoms in graph.bonds(plain)]
    angles = [Coordinate("angle", atoms) for atoms in graph.angles(plain)]
    return {
        "level": reference.level,
        "frequencies_per_cm": ours,
        "reference_frequencies_per_cm": wanted,
        "mean_frequency_error_per_cm": float(apart.mean()),
        "largest_frequency_error_per_cm": float(apart.max()),
        "relative_frequency_error": float((apart / np.maximum(np.abs(wanted), 50)).mean()),
        "largest_bond_error_angstrom": max(abs(c.value(minimum) - c.value(positions)) for c in bonds),
        "largest_angle_error_degree": float(
            np.degrees(max((abs(c.value(minimum) - c.value(positions)) for c in angles), default=0.0))
        ),
    }


def doubts(quality: dict[str, Any]) -> list[str]:
    found = []
    lowest = min(quality["reference_frequencies_per_cm"])
    if lowest < -IMAGINARY_PER_CM:
        found.append(f"the geometry is no minimum of {quality['level']}: its Hessian has a mode of {-lowest:.0f}i cm-1")
    if quality["relative_frequency_error"] > FREQUENCIES_APART:
        percent = 100 * quality["relative_frequency_error"]
        found.append(f"vibrations differ from the reference's by {percent:.0f} % on average")
    if quality["largest_bond_error_angstrom"] > BONDS_APART_ANGSTROM:
        found.append(f"a bond at rest is {quality['largest_bond_error_angstrom']:.3f} Å off its DFT length")
    if quality["largest_angle_error_degree"] > ANGLES_APART_DEGREE:
        found.append(f"an angle at rest is {quality['largest_angle_error_degree']:.1f}° off its DFT size")
    return found
