"""Stiffness of bonds, angles and ring torsions from a Hessian, by non-negative linear least squares.

The lengths and angles at rest are those of the geometry, so the energy is linear in the stiffnesses:
H = H_fixed + Σ k_c Σ_(i in c) b_i b_iᵀ, with the Wilson vectors b. Coordinates that symmetry makes the same share one
k_c. Mass weighting lets soft and stiff motions count as their frequencies do. (The idea is Q-Force's: S. Sami et al.,
J. Chem. Theory Comput. 17, 4946, 2021. In a cage, where each angle is many, projections such as Seminario's count the
same stiffness several times or find negative ones; a fit does not.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from electroscreen.forcefield.internal import LINEAR_DEGREE, Coordinate, wilson_vectors

HARTREE_KJ_PER_MOL = 2625.4996394799  # CODATA 2018
BOHR_ANGSTROM = 0.529177210903  # CODATA 2018
# Coordinates of the same atoms' classes that differ by more are told apart: a cage has angles of 60° and of 108°.
SAME_LENGTH_ANGSTROM = 0.05
SAME_ANGLE_RADIAN = np.radians(8.0)
# About an atom that is no cage's, neighbours that are the same make one kind of angle, however crowding has bent them:
# told apart, one kind would take all the stiffness (102° and 113° in tetraphenylborate), and the molecule would fold.
SAME_BEND_RADIAN = np.radians(25.0)

WEAKEST_PULL = 0.05  # of the strongest
CANCELLED = 0.1  # what pulls that cancel leave of their size
# What a bond and an angle may be off by; if all were off by ten times as much, a molecule would count as badly given
# back as if all of its Hessian were missing.
OFF, FAR_OFF = {"bond": 0.02, "angle": np.radians(2.0)}, 10.0
RELUCTANCE = 0.3  # a length at rest shifted by three times as much counts as one bond off by so much
SOFTEST_PER_CM = 100.0  # what is softer (a methyl that turns) does not tell where it rests
SHORTEST_ANGSTROM, SHARPEST_RADIAN = 0.5, np.radians(20.0)


@dataclass(frozen=True)
class Stiffness:
    """Coordinates that are the same by symmetry, with their value at rest and their common stiffness."""

    members: list[Coordinate]
    rest: float
    k_kj_per_mol: float


def hessian_in_kj_per_mol(hessian_hartree_per_bohr2: np.ndarray) -> np.ndarray:
    """Return a Hessian in kJ/mol/angstrom^2."""
    return np.asarray(hessian_hartree_per_bohr2) * HARTREE_KJ_PER_MOL / BOHR_ANGSTROM**2


def fit(
    coordinates: Sequence[Coordinate],
    classes: Sequence[int],
    positions_angstrom: np.ndarray,
    masses_amu: Sequence[float],
    hessian: np.ndarray,
    same_bend_radian: float = SAME_ANGLE_RADIAN,
    bends: tuple[np.ndarray, np.ndarray] | None = None,
    softest_angle: float = 0.0,
) -> list[Stiffness]:
    """Return the stiffnesses that reproduce a Hessian best, and hold the geometry.

    Springs that share one length or angle at rest without being equal are strained at the geometry: what crowding has
    bent, they bend back. So the other terms' forces, too, say how stiff they are. (The four phenyls of
    tetraphenylborate press its C-B-C to 102° and 113°; springs from the Hessian alone give way to 97°.)

    Parameters
    ----------
    coordinates
        Which may bend or stretch.
    classes
        Symmetry class of each atom.
    hessian
        What they have to explain, kJ/mol/angstrom^2, shape (3N, 3N): the molecule's without that of all fixed terms.
    same_bend_radian
        Angles between atoms of the same classes are told apart if their sizes leave a gap of more than this.
    bends
        What forces do to bonds and angles, see `compliance`, and the forces of all fixed terms on the atoms at the
        geometry, kJ/mol/angstrom, shape (N, 3).
    softest_angle
        No angle is softer, kJ/mol/rad^2.

    Returns
    -------
    list of Stiffness
        k in kJ/mol/angstrom^2 for bonds and kJ/mol/rad^2 for angles, as in E = k/2 (x - x0)^2.
    """
    from scipy.optimize import nnls

    groups = symmetry_groups(coordinates, classes, positions_angstrom, same_bend_radian)
    weight = 1 / np.sqrt(np.repeat(masses_amu, 3))
    columns = []
    for members in groups:
        vectors = np.array([b for member in members for b in wilson_vectors(member, positions_angstrom)]) * weight
        columns.append((vectors.T @ vectors).ravel())
    target = (hessian * weight[:, None] * weight).ravel()
    if bends is not None:
        bent, to_bend = _bent(groups, positions_angstrom, *bends)
        share = np.linalg.norm(target) / (FAR_OFF * np.sqrt(len(to_bend)))
        columns = [np.concatenate([column, share * row]) for column, row in zip(columns, bent, strict=True)]
        target = np.concatenate([target, share * to_bend])
    # Columns of lengths and of angles differ by orders of magnitude.
    scale, columns = np.linalg.norm(columns, axis=1), np.array(columns).T
    least = np.array([softest_angle if members[0].kind == "angle" else 0.0 for members in groups])
    solution, _ = nnls(columns / scale, target - columns @ least)
    return [
        Stiffness(members, _mean_rest(members, positions_angstrom), float(k))
        for members, k in zip(groups, least + solution / scale, strict=True)
    ]


def compliance(
    coordinates: Sequence[Coordinate], hessian: np.ndarray, positions_angstrom: np.ndarray, masses_amu: Sequence[float]
) -> np.ndarray:
    """Return what turns forces, kJ/mol/angstrom, into changes of bonds and angles, as multiples of 0.02 Å and of 2°.

    Modes below 100 cm-1, imaginary ones among them, give way as one of 100 cm-1 does.
    """
    root = np.sqrt(np.repeat(masses_amu, 3))
    rigid = _rigid_motions(positions_angstrom, np.asarray(masses_amu))
    outside = np.eye(len(root)) - rigid @ rigid.T
    values, modes = np.linalg.eigh(outside @ (hessian / root[:, None] / root) @ outside)
    softest = (SOFTEST_PER_CM * 2 * np.pi * 2.99792458e10 / 1e13) ** 2
    moved = outside @ (modes / np.maximum(values, softest)) @ modes.T @ outside / root / root[:, None]
    rows = [v / OFF[c.kind] for c in coordinates if c.kind in OFF for v in wilson_vectors(c, positions_angstrom)]
    return np.array(rows) @ moved


def balance(
    stiff: Sequence[Stiffness], positions_angstrom: np.ndarray, give: np.ndarray, forces: np.ndarray
) -> list[Stiffness]:
    """Return the same springs with bonds and angles at rest so that the molecule rests at its geometry.

    Charges within a molecule push its atoms apart; springs that rest at the geometry itself would give way by some
    hundredths of an angstrom. What bends back least is sought, without going far: bonds that share a length without
    being equal (B-F along and across a puckered ring) press in ways that no such shift can balance.

    Parameters
    ----------
    give
        See `compliance`.
    forces
        On the atoms at `positions_angstrom` with the springs as they are, kJ/mol/angstrom, shape (N, 3).
    """
    movable = [i for i, g in enumerate(stiff) if g.k_kj_per_mol and _pulls_as_one(g.members, positions_angstrom)]
    units = np.array([OFF[stiff[i].members[0].kind] for i in movable])
    pulls = [stiff[i].k_kj_per_mol * _pull(stiff[i].members, positions_angstrom) for i in movable]
    bends = give @ np.reshape(pulls, (len(movable), positions_angstrom.size)).T * units
    reluctant = np.vstack([bends, np.diag(np.full(len(movable), RELUCTANCE))])
    wanted = np.concatenate([give @ forces.ravel(), np.zeros(len(movable))])
    shifted = list(stiff)
    for i, d in zip(movable, units * np.linalg.lstsq(reluctant, wanted, rcond=None)[0], strict=True):
        rest = stiff[i].rest - float(d)
        if stiff[i].members[0].kind == "angle":
            rest = min(max(rest, SHARPEST_RADIAN), np.pi)
            # Bent by a few degrees only, an angle would have nothing to hold the direction in which it is bent.
            rest = np.pi if np.degrees(stiff[i].rest) > LINEAR_DEGREE else rest
        shifted[i] = replace(stiff[i], rest=max(rest, SHORTEST_ANGSTROM))
    return shifted


def spring_hessian(stiff: Sequence[Stiffness], positions_angstrom: np.ndarray) -> np.ndarray:
    """Return the Hessian of springs at rest, kJ/mol/angstrom^2."""
    total = np.zeros((positions_angstrom.size, positions_angstrom.size))
    for group in stiff:
        vectors = np.array([b for member in group.members for b in wilson_vectors(member, positions_angstrom)])
        total += group.k_kj_per_mol * vectors.T @ vectors
    return total


def symmetry_groups(
    coordinates: Sequence[Coordinate],
    classes: Sequence[int],
    positions_angstrom: np.ndarray,
    same_bend_radian: float = SAME_ANGLE_RADIAN,
) -> list[list[Coordinate]]:
    """Return the coordinates grouped by the classes of their atoms and by their size."""
    by_class: dict[tuple, list[Coordinate]] = {}
    for coordinate in coordinates:
        names = tuple(classes[i] for i in coordinate.atoms)
        key = names if coordinate.kind == "improper" else min(names, names[::-1])
        by_class.setdefault((coordinate.kind, key), []).append(coordinate)
    groups = []
    for (kind, _), members in by_class.items():
        gap = {"bond": SAME_LENGTH_ANGSTROM, "angle": same_bend_radian}.get(kind, SAME_ANGLE_RADIAN)
        ordered = sorted(members, key=lambda c: abs(c.value(positions_angstrom)))
        sizes = [abs(c.value(positions_angstrom)) for c in ordered]
        cuts = [0, *(i for i in range(1, len(sizes)) if sizes[i] - sizes[i - 1] > gap), len(sizes)]
        groups += [ordered[start:end] for start, end in pairwise(cuts)]
    return groups


def frequencies_per_cm(hessian: np.ndarray, positions_angstrom: np.ndarray, masses_amu: Sequence[float]) -> np.ndarray:
    """Return the vibrations of a Hessian (kJ/mol/angstrom^2), lowest first; imaginary ones are negative.

    Translations and rotations are projected out.
    """
    root = np.sqrt(np.repeat(masses_amu, 3))
    rigid = _rigid_motions(positions_angstrom, np.asarray(masses_amu))
    outside = np.eye(len(root)) - rigid @ rigid.T
    values = np.linalg.eigvalsh(outside @ (hessian / root[:, None] / root) @ outside)
    # Of all eigenvalues those of the projected motions are the ones nearest to zero.
    values = np.sort(values[np.argsort(np.abs(values))[rigid.shape[1] :]])
    # sqrt(kJ/mol / (amu Å²)) is 1e13 per second.
    return np.sign(values) * np.sqrt(np.abs(values)) * 1e13 / (2 * np.pi * 2.99792458e10)


def _bent(
    groups: Sequence[Sequence[Coordinate]], positions_angstrom: np.ndarray, give: np.ndarray, forces: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """How far each group of stiffness 1 bends the molecule, and how far the forces do in the other direction.

    Only in directions in which no group pulls as a whole: for those there is `balance`.
    """
    pulls = [_pull(members, positions_angstrom) for members in groups if _pulls_as_one(members, positions_angstrom)]
    pulled, sizes, _ = np.linalg.svd(np.reshape(pulls, (len(pulls), positions_angstrom.size)).T, full_matrices=False)
    directions = np.linalg.qr(give @ pulled[:, sizes > WEAKEST_PULL * sizes.max(initial=0.0)])[0]
    bends = [
        give @ vector for vector in (*(_strain(members, positions_angstrom) for members in groups), forces.ravel())
    ]
    *strained, forced = (bend - directions @ (directions.T @ bend) for bend in bends)
    return strained, forced


def _strain(members: Sequence[Coordinate], positions_angstrom: np.ndarray) -> np.ndarray:
    """Gradient of the springs' energy at stiffness 1, with the mean length or angle at rest."""
    total = np.zeros(positions_angstrom.size)
    if members[0].kind in ("bond", "angle"):
        rest = _mean_rest(members, positions_angstrom)
        for member in members:
            vectors = wilson_vectors(member, positions_angstrom)
            if len(vectors) == 1:
                total += (member.value(positions_angstrom) - rest) * vectors[0]
    return total


def _pulls_as_one(members: Sequence[Coordinate], positions_angstrom: np.ndarray) -> bool:
    """Whether another length or angle at rest, the same for all, would move the molecule; six about one atom do not."""
    if members[0].kind not in ("bond", "angle"):
        return False
    size = sum(float(v @ v) for member in members for v in wilson_vectors(member, positions_angstrom))
    return float(np.linalg.norm(_pull(members, positions_angstrom))) > CANCELLED * np.sqrt(size)


def _pull(members: Sequence[Coordinate], positions_angstrom: np.ndarray) -> np.ndarray:
    """Cartesian direction in which a group of springs pulls; a straight angle cannot pull."""
    vectors = [wilson_vectors(member, positions_angstrom) for member in members]
    return sum((v[0] for v in vectors if len(v) == 1), np.zeros(positions_angstrom.size))


def _mean_rest(members: Sequence[Coordinate], positions_angstrom: np.ndarray) -> float:
    return float(np.mean([abs(member.value(positions_angstrom)) for member in members]))


def _rigid_motions(positions_angstrom: np.ndarray, masses_amu: np.ndarray) -> np.ndarray:
    """Orthonormal mass-weighted columns (3N, 5 or 6): translations and rotations."""
    root = np.sqrt(masses_amu)[:, None]
    centred = positions_angstrom - masses_amu @ positions_angstrom / masses_amu.sum()
    motions = [root * axis for axis in np.eye(3)] + [root * np.cross(axis, centred) for axis in np.eye(3)]
    left, sizes, _ = np.linalg.svd(np.array([m.ravel() for m in motions]).T, full_matrices=False)
    return left[:, sizes > 1e-6 * sizes[0]]
