"""Restrained electrostatic-potential (RESP) charges: the fit itself, in numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BOHR_ANGSTROM = 0.529177210903
TIGHTNESS_E = 0.1
RESTRAINTS = (0.0005, 0.001)
ROUNDS_LIMIT = 200
SETTLED_E = 1e-9


@dataclass(frozen=True)
class RespFit:
    """Charges, and how well they speak for the potential."""

    charges_e: np.ndarray
    rrms: float
    converged: bool


def fit_resp(
    symbols: Sequence[str],
    conformers: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    charge: int,
    classes: Sequence[int],
    refitted: Sequence[bool],
    restraints: tuple[float, float] = RESTRAINTS,
    points_per_angstrom2: float = 1.0,
    groups: Sequence[tuple[Sequence[int], float]] = (),
) -> RespFit:
    """Fit atomic charges to the electrostatic potential around a molecule, in the two stages of RESP.

    Stage one fits all atoms; atoms of one class share a charge, but for the methyl and methylene
    groups, whose atoms stay free. Stage two holds all other atoms and fits those groups again,
    now with their classes tied and a stronger restraint (Bayly, Cieplak, Cornell and Kollman,
    J. Phys. Chem. 97, 10269 (1993), doi 10.1021/j100142a004). The penalty of a heavy atom is
    a (sqrt(q² + b²) - b) with b = 0.1 e; hydrogens are free of it.

    Parameters
    ----------
    symbols
        Chemical symbols of the n atoms.
    conformers
        For each conformer the positions (n, 3) and the points (m, 3) in angstrom, and the potential
        at the points (m,) in hartree/e. All conformers weigh the same.
    charge
        Total charge in e, held exactly.
    classes
        For each atom the number of its class; atoms of one class get one charge.
    refitted
        For each atom, whether it belongs to a methyl or methylene group.
    restraints
        Weights a of the two stages, in hartree²/e² against one point per square angstrom.
    points_per_angstrom2
        Density of the points: sums over points are divided by it, so that a finer
        grid does not weaken the restraint.
    groups
        Atoms whose charges add up to a given sum too, as in a polymer's repeat unit; no atom is in two groups, and
        no class both within a group and outside of it.

    Returns
    -------
    RespFit
        Charges rounded to 1e-6 e with an exact sum, and the relative root-mean-square error
        sqrt(Σ(V - V_fit)² / ΣV²) over all conformers.
    """
    classes = np.unique(np.asarray(classes), return_inverse=True)[1]
    refitted = np.asarray(refitted, dtype=bool)
    heavy = np.array([symbol != "H" for symbol in symbols])
    matrix, vector = _normal_equations(conformers, points_per_angstrom2)

    free_in_groups = np.where(refitted, classes.max() + 1 + np.arange(len(classes)), classes)
    start = np.zeros(len(classes))
    sums = _sums(len(classes), charge, groups)
    charges, converged = _stage(
        matrix, vector, sums, restraints[0] * heavy, free_in_groups, np.ones_like(refitted), start
    )
    if refitted.any():
        charges, settled = _stage(matrix, vector, sums, restraints[1] * heavy, classes, refitted, charges)
        converged = converged and settled
    charges = _rounded(charges, sums, classes, symbols)
    return RespFit(charges, _relative_error(conformers, charges), converged)


def _normal_equations(conformers: Sequence, density: float) -> tuple[np.ndarray, np.ndarray]:
    matrix, vector = 0.0, 0.0
    for positions, points, potential in conformers:
        inverse = _inverse_distances(positions, points)
        weight = 1.0 / (density * len(conformers))
        matrix = matrix + weight * inverse.T @ inverse
        vector = vector + weight * inverse.T @ potential
    return matrix, vector


def _inverse_distances(positions: np.ndarray, points: np.ndarray) -> np.ndarray:
    """1/r of every point from every atom, in 1/bohr."""
    apart = np.linalg.norm(np.asarray(points)[:, None] - np.asarray(positions)[None], axis=2)
    return BOHR_ANGSTROM / apart


def _stage(
    matrix: np.ndarray,
    vector: np.ndarray,
    sums: list[tuple[np.ndarray, float]],
    weights: np.ndarray,
    classes: np.ndarray,
    fitted: np.ndarray,
    charges: np.ndarray,
) -> tuple[np.ndarray, bool]:
    """Fit the atoms marked `fitted`, tied by class, around the others, which keep their charges.

    The restraint makes the equations nonlinear; they are solved again with the restraint's slope
    at the last charges until these stand still. Sums of charges enter as Lagrange multipliers.
    """
    tie = (classes[fitted][:, None] == np.unique(classes[fitted])[None, :]).astype(float)
    inner = matrix[np.ix_(fitted, fitted)]
    held = charges[~fitted]
    target = tie.T @ (vector[fitted] - matrix[np.ix_(fitted, ~fitted)] @ held)
    free = [(members, wanted) for members, wanted in sums if (members & fitted).any()]
    members = np.array([tie.T @ members[fitted] for members, _ in free])
    wanted = [total - charges[members & ~fitted].sum() for members, total in free]
    none = np.zeros((len(free), len(free)))
    charges = charges.copy()
    for _ in range(ROUNDS_LIMIT):
        slope = weights[fitted] / np.sqrt(charges[fitted] ** 2 + TIGHTNESS_E**2)
        bordered = np.block([[tie.T @ (inner + np.diag(slope)) @ tie, members.T], [members, none]])
        solved = tie @ np.linalg.solve(bordered, np.append(target, wanted))[: -len(free)]
        moved = np.abs(solved - charges[fitted]).max()
        charges[fitted] = solved
        if moved < SETTLED_E:
            return charges, True
    return charges, False


def _sums(count: int, charge: int, groups: Sequence[tuple[Sequence[int], float]]) -> list[tuple[np.ndarray, float]]:
    """Return which atoms add up to what, each atom once: the groups, and all other atoms."""
    sums = [(np.isin(np.arange(count), members), float(total)) for members, total in groups]
    others = ~np.any([members for members, _ in sums], axis=0) if sums else np.ones(count, dtype=bool)
    return [*sums, (others, charge - sum(total for _, total in sums))]


def _rounded(
    charges: np.ndarray, sums: list[tuple[np.ndarray, float]], classes: np.ndarray, symbols: Sequence[str]
) -> np.ndarray:
    """Round to 1e-6 e; what a sum lacks then goes, in equal parts, to the class of its heaviest atoms."""
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    rounded = np.round(charges, 6)
    for members, total in sums:
        heaviest = max(
            np.flatnonzero(members), key=lambda i: (table.GetAtomicNumber(symbols[i]), (classes == classes[i]).sum())
        )
        alike = members & (classes == classes[heaviest])
        rounded[alike] += (total - rounded[members].sum()) / alike.sum()
    return rounded


def _relative_error(conformers: Sequence, charges: np.ndarray) -> float:
    missed = sum(np.sum((v - _inverse_distances(x, p) @ charges) ** 2) for x, p, v in conformers)
    whole = sum(np.sum(np.square(v)) for _, _, v in conformers)
    return float(np.sqrt(missed / whole))
