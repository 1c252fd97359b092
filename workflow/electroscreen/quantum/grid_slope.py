"""Slope of an integrated exchange-correlation energy, where points of the grid and their weights go with the atoms.

After Johnson, Gill and Pople, J. Chem. Phys. 1993, 98, 5612. The energy is a sum over points g, each on an atom A:

    E = sum_g w_g f_g,   w_g = v_g P_A / sum_i P_i,   P_i = product over j of s(mu_ij),   mu_ij = (r_i - r_j) / R_ij

with Becke's smooth step s (J. Chem. Phys. 1988, 88, 2547). PySCF keeps the slope of every P_i with every atom at every
point; here what a weight is worth, f_g, goes back through the formula to the atoms, so that nothing is larger than the
table of mu. Functions are those that reach a patch of points, as in `integration`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pyscf.dft import gen_grid

from electroscreen.quantum.integration import NEGLIGIBLE, POINTS_OF_PATCH

# Where the second derivatives of a function stand among PySCF's values: xx, xy, xz; yx, yy, yz; zx, zy, zz.
SECOND = [[4, 5, 6], [5, 7, 8], [6, 8, 9]]
NUMBERS_AT_ONCE = 500_000  # of the table of mu; some caches hold as many
LEAST_STEP = 1e-30  # points where the step is smaller have no weight there


def integrated_slope(mean_field) -> np.ndarray | None:
    """Return the slope of a mean field's exchange-correlation energy at its density, fixed, hartree/bohr, (N, 3).

    None for functionals and grids that this module does not know.
    """
    grids, numint = mean_field.grids, mean_field._numint
    kind = numint._xc_type(mean_field.xc)
    if kind not in ("LDA", "GGA") or grids.becke_scheme is not gen_grid.original_becke or not grids.radii_adjust:
        return None
    mol, atoms = mean_field.mol, np.asarray(grids.atm_idx)
    matrices = np.asarray(mean_field.make_rdm1()).reshape(-1, mol.nao, mol.nao)
    of_functions, of_points = np.zeros((mol.nao, 3)), np.zeros((len(grids.coords), 3))
    worth = np.zeros(len(grids.coords))
    for points, functions, values in _patches(numint, mol, grids):
        near = matrices[np.ix_(range(len(matrices)), functions, functions)]
        worth[points], found = _on_patch(numint, mean_field.xc, kind, near, values, grids.weights[points])
        of_functions[functions] -= found.sum(axis=2).T
        of_points[points] += found.sum(axis=1).T
    slope = np.array([of_functions[first:last].sum(axis=0) for first, last in mol.aoslice_by_atom()[:, 2:]])
    counted = atoms >= 0  # others only fill the last patch
    np.add.at(slope, atoms[counted], of_points[counted])
    if mol.natm > 1:
        worth *= grids.quadrature_weights
        slope += weight_slope(mol.atom_coords(), grids.coords[counted], atoms[counted], worth[counted], _skew(grids))
    return slope


def weight_slope(
    centres: np.ndarray, points: np.ndarray, atoms: np.ndarray, worth: np.ndarray, skew: np.ndarray
) -> np.ndarray:
    """Return the slope of sum_g worth_g P_A / sum_i P_i with the places of the atoms, (N, 3), bohr throughout.

    Parameters
    ----------
    centres, points
        Places of atoms, (N, 3), and of points, (points, 3).
    atoms
        The atom of each point, with which it moves.
    worth
        What each point's share is multiplied with.
    skew
        Becke's a_ij for atoms of unlike size, (N, N), antisymmetric.
    """
    count = len(centres)
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    np.fill_diagonal(apart, 1.0)
    along = (centres[:, None] - centres[None]) / apart[..., None]
    slope, step = np.zeros((count, 3)), max(1, NUMBERS_AT_ONCE // count**2)
    for first in range(0, len(points), step):
        here = slice(first, first + step)
        slope += _weight_slope(centres, points[here], atoms[here], worth[here], skew, apart, along)
    return slope


def _weight_slope(centres, points, atoms, worth, skew, apart, along) -> np.ndarray:
    to_atoms = centres[:, None] - points[None]
    distances = np.linalg.norm(to_atoms, axis=2)
    directions = to_atoms / np.maximum(distances, LEAST_STEP)[..., None]
    mu = (distances[:, None] - distances[None]) / apart[..., None]
    steps, rises = _steps(mu, skew[..., None])
    here = np.arange(len(points))
    cells = steps.prod(axis=1)
    whole, own = cells.sum(axis=0), cells[atoms, here]
    # What each atom's cell is worth, times the cell.
    shares = -worth * own * cells / whole**2
    shares[atoms, here] += worth * own / whole
    per_mu = shares[:, None] * rises / np.maximum(steps, LEAST_STEP)
    turned = np.einsum("ijg,ijg->ij", per_mu, mu) / apart
    per_mu /= apart[..., None]
    per_distance = per_mu.sum(axis=1) - per_mu.sum(axis=0)
    pulls = per_distance[..., None] * directions
    slope = pulls.sum(axis=1) - np.einsum("ij,ijx->ix", turned, along) + np.einsum("ij,ijx->jx", turned, along)
    np.add.at(slope, atoms, -pulls.sum(axis=0))
    return slope


def _steps(mu: np.ndarray, skew: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Becke's step s of mu_ij, from 1 to 0, and its slope; 1 and 0 between an atom and itself."""
    first = mu + skew * (1 - mu**2)
    second = (1.5 - 0.5 * first**2) * first
    third = (1.5 - 0.5 * second**2) * second
    steps = 0.5 - 0.5 * (1.5 - 0.5 * third**2) * third
    rises = -27 / 16 * (1 - third**2) * (1 - second**2) * (1 - first**2) * (1 - 2 * skew * mu)
    same = np.arange(len(mu))
    steps[same, same], rises[same, same] = 1, 0
    return steps, rises


def _skew(grids) -> np.ndarray:
    """What the grid adds to mu_ij = 0 between atoms of unlike size, (N, N)."""
    adjusted, count = grids.radii_adjust(grids.mol, grids.atomic_radii), grids.mol.natm
    return np.array([[adjusted(i, j, 0) for j in range(count)] for i in range(count)], dtype=float)


def _patches(numint, mol, grids) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Neighbouring points, functions that reach them, their values and derivatives, (10, functions, points)."""
    for start in range(0, len(grids.coords), POINTS_OF_PATCH):
        points = slice(start, min(start + POINTS_OF_PATCH, len(grids.coords)))
        reaches = grids.non0tab[start // gen_grid.BLKSIZE :]
        values = numint.eval_ao(mol, grids.coords[points], deriv=2, non0tab=reaches, cutoff=grids.cutoff).swapaxes(1, 2)
        functions = np.flatnonzero((np.abs(values[:4]) > NEGLIGIBLE).any(axis=(0, 2)))
        yield points, functions, values[:, functions]


def _on_patch(numint, functional: str, kind: str, near, values, weights) -> tuple[np.ndarray, np.ndarray]:
    """Energy per volume at each point, and what each function adds as it moves there, (3, functions, points)."""
    spins = len(near)
    turned = near @ values[0]
    density = np.einsum("xfp,sfp->sxp", values[:4], turned)
    density[:, 1:] *= 2
    asked = density if kind == "GGA" else density[:, 0]
    energy, potential = numint.eval_xc_eff(
        functional, asked if spins == 2 else asked[0], deriv=1, xctype=kind, spin=spins - 1
    )[:2]
    weighted = np.zeros_like(density)
    weighted[:, : 4 if kind == "GGA" else 1] = (weights * potential).reshape(spins, -1, len(weights))
    found = np.zeros((3, *values.shape[1:]))
    for spin in range(spins):
        by_slope = near[spin] @ np.einsum("xfp,xp->fp", values[1:4], weighted[spin, 1:])
        for x in range(3):
            moved = values[1 + x] * weighted[spin, 0]
            for second, w in zip(SECOND[x], weighted[spin, 1:], strict=True):
                moved += values[second] * w
            found[x] += 2 * (moved * turned[spin] + values[1 + x] * by_slope)
    return np.ravel(energy) * density[:, 0].sum(axis=0), found
