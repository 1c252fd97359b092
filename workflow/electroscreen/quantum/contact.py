"""Bringing molecules and ions into touch."""

from __future__ import annotations

import numpy as np


def place(
    positions: np.ndarray,
    part: np.ndarray,
    placed: np.ndarray,
    radii: np.ndarray,
    random: np.random.Generator,
    aims: np.ndarray | None = None,
) -> None:
    """Turn a part at random and bring it from a random side into touch with what stands already; in place.

    Parameters
    ----------
    positions
        (N, 3), angstrom, of all atoms; those of `part` are read and written.
    part, placed
        Indices of the atoms that move, and of those that stand already.
    radii
        Van der Waals radii, angstrom.
    aims
        Indices of placed atoms near which to come; all of them by default.
    """
    from scipy.spatial.transform import Rotation

    own = positions[part] - positions[part].mean(axis=0)
    own = Rotation.random(rng=random).apply(own)
    if placed.size == 0:
        positions[part] = own
        return
    # Ions touch at about 0.7 of the sum of van der Waals radii (Na-O 2.4 of 3.8 Å).
    touch = 0.7 * (radii[part][:, None] + radii[placed][None, :])
    # Aim at a random atom of the cluster, so that every site of a long anion has its chance.
    target = positions[random.choice(placed if aims is None else aims)]
    direction = random.normal(size=3)
    direction /= np.linalg.norm(direction)
    for distance in np.arange(0.0, 30.0, 0.1):
        trial = own + target + distance * direction
        if (np.linalg.norm(trial[:, None] - positions[placed][None], axis=-1) >= touch).all():
            positions[part] = trial
            return


def van_der_waals_radii(symbols: list[str]) -> np.ndarray:
    """Return RDKit's van der Waals radii, angstrom."""
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    return np.array([table.GetRvdw(symbol) for symbol in symbols])
