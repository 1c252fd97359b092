"""Internal coordinates of a molecule: bonds, angles and torsions as numbers, and how they change with the atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LINEAR_DEGREE = 170.0
_STEP_ANGSTROM = 1e-4


@dataclass(frozen=True)
class Coordinate:
    """A bond, angle, torsion or improper (whose centre stands third) of certain atoms."""

    kind: str
    atoms: tuple[int, ...]

    def value(self, positions_angstrom: np.ndarray) -> float:
        """Return a length in angstrom, or an angle in radian."""
        points = positions_angstrom[list(self.atoms)]
        if self.kind == "bond":
            return float(np.linalg.norm(points[1] - points[0]))
        return _angle(*points) if self.kind == "angle" else _torsion(*points)


def wilson_vectors(coordinate: Coordinate, positions_angstrom: np.ndarray) -> list[np.ndarray]:
    """Return the derivatives of a coordinate by all positions, shape (3N,), in 1 or rad/angstrom.

    A straight angle bends in two directions and has two of them. (E. B. Wilson, J. C. Decius, P. C. Cross, Molecular
    Vibrations, 1955, ch. 4; here by central differences.)
    """
    if coordinate.kind == "angle" and np.degrees(coordinate.value(positions_angstrom)) > LINEAR_DEGREE:
        return _straight(coordinate.atoms, positions_angstrom)
    vector = np.zeros(positions_angstrom.shape)
    for atom in coordinate.atoms:
        for axis in range(3):
            ends = []
            for sign in (1, -1):
                moved = positions_angstrom.copy()
                moved[atom, axis] += sign * _STEP_ANGSTROM
                ends.append(coordinate.value(moved))
            change = ends[0] - ends[1]
            if coordinate.kind in ("torsion", "improper"):
                change = (change + np.pi) % (2 * np.pi) - np.pi
            vector[atom, axis] = change / (2 * _STEP_ANGSTROM)
    return [vector.ravel()]


def _angle(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    u, v = a - b, c - b
    return float(np.arctan2(np.linalg.norm(np.cross(u, v)), u @ v))


def _torsion(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> float:
    """IUPAC's sign: cis is 0."""
    first, axis, last = b - a, c - b, d - c
    left, right = np.cross(first, axis), np.cross(axis, last)
    return float(np.arctan2(np.linalg.norm(axis) * (first @ right), left @ right))


def _straight(atoms: Sequence[int], positions_angstrom: np.ndarray) -> list[np.ndarray]:
    i, j, k = atoms
    left, right = positions_angstrom[i] - positions_angstrom[j], positions_angstrom[k] - positions_angstrom[j]
    axis = left / np.linalg.norm(left)
    sideways = np.linalg.svd(axis[None])[2][1:]
    vectors = []
    for direction in sideways:
        vector = np.zeros(positions_angstrom.shape)
        vector[i] = direction / np.linalg.norm(left)
        vector[k] = direction / np.linalg.norm(right)
        vector[j] = -vector[i] - vector[k]
        vectors.append(vector.ravel())
    return vectors
