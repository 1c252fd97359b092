"""The electrostatic potential of a molecule where charges are fitted: on shells around its atoms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from electroscreen.quantum.scf import build_mean_field, build_molecule, converge
from electroscreen.settings import Level
from electroscreen.species import Species

SHELLS = (1.4, 1.6, 1.8, 2.0)
POINTS_PER_ANGSTROM2 = 6.0

# Merz-Kollman radii (Besler, Merz and Kollman, J. Comput. Chem. 11, 431 (1990), doi 10.1002/jcc.540110404);
# Si, Br, I: Bondi, J. Phys. Chem. 68, 441 (1964), doi 10.1021/j100785a001. Boron has no agreed value: 1.80 Å
# is ours, and hardly matters, since in anions and cages its neighbours cover it.
RADII_ANGSTROM = {
    "H": 1.20,
    "B": 1.80,
    "C": 1.50,
    "N": 1.50,
    "O": 1.40,
    "F": 1.35,
    "Si": 2.10,
    "P": 1.80,
    "S": 1.75,
    "Cl": 1.70,
    "Br": 1.85,
    "I": 1.98,
}

HEAVY_BASIS = "def2-svp"
CYCLES_LIMIT = 100
MEMORY_MB = 4000
_GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))


def shell_points(
    symbols: Sequence[str], positions_angstrom: np.ndarray, points_per_angstrom2: float = POINTS_PER_ANGSTROM2
) -> np.ndarray:
    """Return points on the Merz-Kollman shells of a molecule.

    Around each atom stand spheres of 1.4, 1.6, 1.8 and 2.0 times its radius, evenly covered by a
    Fibonacci spiral; points inside any other atom's sphere of the same shell are left out.

    Returns
    -------
    numpy.ndarray
        (m, 3) in angstrom, the same for the same input.

    Raises
    ------
    KeyError
        If an element has no radius in `RADII_ANGSTROM`.
    """
    positions = np.asarray(positions_angstrom, dtype=float)
    radii = np.array([RADII_ANGSTROM[symbol] for symbol in symbols])
    kept = []
    for scale in SHELLS:
        for i, radius in enumerate(scale * radii):
            sphere = positions[i] + radius * _fibonacci(round(4 * np.pi * radius**2 * points_per_angstrom2))
            apart = np.linalg.norm(sphere[:, None] - np.delete(positions, i, axis=0)[None], axis=2)
            kept.append(sphere[(apart > scale * np.delete(radii, i)).all(axis=1)])
    return np.concatenate(kept)


def _fibonacci(count: int) -> np.ndarray:
    """`count` points spread evenly over the unit sphere."""
    step = np.arange(count) + 0.5
    z = 1.0 - 2.0 * step / count
    ring = np.sqrt(1.0 - z**2)
    return np.column_stack([ring * np.cos(_GOLDEN_ANGLE * step), ring * np.sin(_GOLDEN_ANGLE * step), z])


def hartree_fock(species: Species, positions_angstrom: np.ndarray, basis: str, threads: int = 1):
    """Return the converged Hartree-Fock mean field of a species, with density-fitted integrals.

    d functions are Cartesian, as the 6-31G family means them; elements that the basis lacks get def2-SVP,
    with its core potential where it has one.

    Raises
    ------
    electroscreen.quantum.scf.SCFNotConvergedError
        If it does not converge.
    """
    from pyscf import lib

    lib.num_threads(threads)
    level = Level(functional="hf", basis=basis, cartesian=True, heavy_basis=HEAVY_BASIS, density_fitting=True)
    molecule = build_molecule(species.symbols, positions_angstrom, species.charge, species.multiplicity, level)
    mean_field = build_mean_field(molecule, level, grid=0, memory_mb=MEMORY_MB)
    return converge(mean_field, CYCLES_LIMIT, stability=False).mean_field
