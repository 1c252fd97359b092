"""Rings with a bond through them: no force gets it out again, so a box that holds one is wrong for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# A chain may lie through a larger ring without strain.
LARGEST_RING = 8


@dataclass(frozen=True)
class Bonded:
    """Bonds of a box, shape (bonds, 2), and its rings of up to eight atoms in the order of their bonds."""

    bonds: np.ndarray
    rings: list[tuple[int, ...]]

    @classmethod
    def of(cls, system) -> Bonded:
        """Find them in an OpenMM system, where bonds are harmonic or constrained."""
        import openmm

        pairs = {tuple(sorted(system.getConstraintParameters(i)[:2])) for i in range(system.getNumConstraints())}
        for force in system.getForces():
            if isinstance(force, openmm.HarmonicBondForce):
                pairs |= {tuple(sorted(force.getBondParameters(i)[:2])) for i in range(force.getNumBonds())}
        bonds = np.array(sorted(pairs), dtype=int).reshape(-1, 2)
        return cls(bonds, small_rings(bonds, system.getNumParticles()))


def small_rings(bonds: np.ndarray, atoms: int) -> list[tuple[int, ...]]:
    """Return the smallest rings of a graph that have at most eight atoms, each in the order of its bonds."""
    from rdkit import Chem

    graph = Chem.RWMol()
    for _ in range(atoms):
        graph.AddAtom(Chem.Atom(0))
    for first, second in bonds:
        graph.AddBond(int(first), int(second), Chem.BondType.SINGLE)
    return [tuple(ring) for ring in Chem.GetSymmSSSR(graph) if len(ring) <= LARGEST_RING]


def pierced_rings(positions_angstrom: np.ndarray, edge_angstrom: float, bonded: Bonded) -> list[tuple[int, int]]:
    """Return each ring, by its number, with the bond through it, by its number, in a periodic cube.

    A ring is spanned by triangles from its centre to its bonds. A bond that crosses them once is through it; one that
    crosses them there and back (a puckered ring has more than one surface) is not. Bonds to an atom of the ring do not
    count. Crossings of triangles by Möller and Trumbore, J. Graphics Tools 2, 21 (1997).

    Parameters
    ----------
    positions_angstrom
        Shape (atoms, 3); molecules whole or wrapped.
    """
    from scipy.spatial import cKDTree

    if not bonded.rings:
        return []
    x, bonds, edge = np.asarray(positions_angstrom, dtype=float), bonded.bonds, float(edge_angstrom)
    along = _nearest(x[bonds[:, 1]] - x[bonds[:, 0]], edge)
    middles = x[bonds[:, 0]] + along / 2
    tree = cKDTree(_wrapped(middles, edge), boxsize=edge)
    reach = np.linalg.norm(along, axis=1).max() / 2
    found = []
    for number, ring in enumerate(bonded.rings):
        corners = _nearest(x[list(ring)] - x[ring[0]], edge)
        centre = corners.mean(axis=0)
        corners -= centre
        centre += x[ring[0]]
        radius = np.linalg.norm(corners, axis=1).max() + reach
        near = np.array(tree.query_ball_point(_wrapped(centre, edge), radius), dtype=int)
        near = near[~np.isin(bonds[near], ring).any(axis=1)]
        starts = _nearest(middles[near] - centre, edge) - along[near] / 2
        crossings = sum(
            _crossing(starts, along[near], one, other)
            for one, other in zip(corners, np.roll(corners, -1, axis=0), strict=True)
        )
        found += [(number, int(bond)) for bond in near[crossings != 0]]
    return found


def piercing_fault(
    positions_angstrom: np.ndarray, edge_angstrom: float, bonded: Bonded, molecules: Sequence[Mapping[str, Any]]
) -> str | None:
    """Say which ring of which molecule is pierced by which other one, or None if none is.

    Parameters
    ----------
    molecules
        Those of composition.json, which stand in the box in this order.
    """
    found = pierced_rings(positions_angstrom, edge_angstrom, bonded)
    if not found:
        return None
    ring, bond = found[0]
    ends, through = (_molecule(int(atom), molecules) for atom in (bonded.rings[ring][0], bonded.bonds[bond][0]))
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return f"ring of {ends} pierced by a bond of {'itself' if through == ends else through}{more}"


def _crossing(starts: np.ndarray, along: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return for segments whether they cross the triangle (0, one, other): 1 upwards, -1 downwards, else 0."""
    turned = np.cross(along, other)
    determinant = turned @ one
    with np.errstate(divide="ignore", invalid="ignore"):
        u = (starts * turned).sum(axis=1) / determinant
        across = np.cross(starts, one)
        v = (along * across).sum(axis=1) / determinant
        t = across @ other / determinant
        inside = (u >= 0) & (v >= 0) & (u + v <= 1) & (t >= 0) & (t <= 1)
    return np.where(inside, np.sign(determinant), 0)


def _molecule(atom: int, molecules: Sequence[Mapping[str, Any]]) -> str:
    first = 0
    for entry in molecules:
        size, count = len(entry["symbols"]), entry["count"]
        if atom < first + size * count:
            return f"{entry['species']} {(atom - first) // size + 1}"
        first += size * count
    return f"atom {atom + 1}"


def _nearest(vectors: np.ndarray, edge: float) -> np.ndarray:
    return vectors - edge * np.round(vectors / edge)


def _wrapped(points: np.ndarray, edge: float) -> np.ndarray:
    # What is just below zero is rounded up to the edge itself, which the tree refuses.
    inside = np.mod(points, edge)
    return np.where(inside >= edge, 0.0, inside)
