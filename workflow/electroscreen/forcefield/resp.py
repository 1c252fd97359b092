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
    charges, converged = _stage(
        matrix, vector, charge, restraints[0] * heavy, free_in_groups, np.ones_like(refitted), start
    )
    if refitted.any():
        charges, settled = _stage(matrix, vector, charge, restraints[1] * heavy, classes, refitted, charges)
        converged = converged and settled
    charges = _rounded(charges, charge, classes, symbols)
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
    charge: int,
    weights: np.ndarray,
    classes: np.ndarray,
    fitted: np.ndarray,
    charges: np.ndarray,
) -> tuple[np.ndarray, bool]:
    """Fit the atoms marked `fitted`, tied by class, around the others, which keep their charges.

    The restraint makes the equations nonlinear; they are solved again with the restraint's slope
    at the last charges until these stand still. The total charge enters as a Lagrange multiplier.
    """
    tie = (classes[fitted][:, None] == np.unique(classes[fitted])[None, :]).astype(float)
    inner = matrix[np.ix_(fitted, fitted)]
    held = charges[~fitted]
    target = tie.T @ (vector[fitted] - matrix[np.ix_(fitted, ~fitted)] @ held)
    members = tie.sum(axis=0)
    charges = charges.copy()
    for _ in range(ROUNDS_LIMIT):
        slope = weights[fitted] / np.sqrt(charges[fitted] ** 2 + TIGHTNESS_E**2)
        bordered = np.block([[tie.T @ (inner + np.diag(slope)) @ tie, members[:, None]], [members, np.zeros(1)]])
        solved = tie @ np.linalg.solve(bordered, np.append(target, charge - held.sum()))[:-1]
        moved = np.abs(solved - charges[fitted]).max()
        charges[fitted] = solved
        if moved < SETTLED_E:
            return charges, True
    return charges, False


def _rounded(charges: np.ndarray, total: int, classes: np.ndarray, symbols: Sequence[str]) -> np.ndarray:
    """Round to 1e-6 e; what is missing in the sum goes, in equal parts, to the class of the heaviest atoms."""
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    heaviest = max(
        range(len(symbols)), key=lambda i: (table.GetAtomicNumber(symbols[i]), (classes == classes[i]).sum())
    )
    rounded = np.round(charges, 6)
    members = classes == classes[heaviest]
    rounded[members] += (total - rounded.sum()) / members.sum()
    return rounded


def _relative_error(conformers: Sequence, charges: np.ndarray) -> float:
    missed = sum(np.sum((v - _inverse_distances(x, p) @ charges) ** 2) for x, p, v in conformers)
    whole = sum(np.sum(np.square(v)) for _, _, v in conformers)
    return float(np.sqrt(missed / whole))
