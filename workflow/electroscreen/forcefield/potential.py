"""The electrostatic potential of a molecule where charges are fitted: on shells around its atoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from electroscreen.forcefield.radii import radius_angstrom
from electroscreen.quantum.potential import total_density
from electroscreen.quantum.scf import build_mean_field, build_molecule, converge
from electroscreen.quantum.solvent import in_solvent
from electroscreen.settings import Level
from electroscreen.species import Species

SHELLS = (1.4, 1.6, 1.8, 2.0)
POINTS_PER_ANGSTROM2 = 6.0

HEAVY_BASIS = "def2-svp"
CYCLES_LIMIT = 100
DFT_GRID = 1  # of PySCF; the potential on the shells is not moved by 1e-4 of itself
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
    """
    positions = np.asarray(positions_angstrom, dtype=float)
    radii = np.array([radius_angstrom(symbol) for symbol in symbols])
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


def mean_field_of(species: Species, positions_angstrom: np.ndarray, recipe: Mapping[str, Any], threads: int = 1):
    """Return the converged mean field of a species in vacuum, with density-fitted integrals.

    d functions are Cartesian where the basis is of the 6-31G family, which means them so; elements that the basis lacks
    get def2-SVP, with its core potential where it has one.

    Parameters
    ----------
    recipe
        With "resp_basis"; "resp_method" is "hf" unless given.

    Raises
    ------
    electroscreen.quantum.scf.SCFNotConvergedError
        If it does not converge.
    """
    from pyscf import lib

    lib.num_threads(threads)
    level = resp_level(recipe)
    molecule = build_molecule(species.symbols, positions_angstrom, species.charge, species.multiplicity, level)
    mean_field = build_mean_field(molecule, level, grid=DFT_GRID, memory_mb=MEMORY_MB)
    return converge(mean_field, CYCLES_LIMIT, stability=False).mean_field


def resp_level(recipe: Mapping[str, Any]) -> Level:
    """Return the level of theory of the potential."""
    basis = recipe["resp_basis"]
    return Level(
        functional=recipe.get("resp_method", "hf"),
        basis=basis,
        cartesian=basis.lower().startswith("6-31") and not basis.lower().startswith("6-311"),
        heavy_basis=HEAVY_BASIS,
        density_fitting=True,
    )


def mixed_density(mean_field, recipe: Mapping[str, Any]) -> np.ndarray:
    """Return the density matrix whose potential the charges stand for, (n, n).

    In vacuum, unless "resp_solvent_share" is more than zero: then the mixture of that in vacuum and that in a continuum
    of "resp_dielectric", in the manner of RESP2 (Schauperl et al., Commun. Chem. 3, 44 (2020), doi
    10.1038/s42004-020-0291-4), which mixes the charges; but for the restraint, which is not linear, it is the same.

    Raises
    ------
    electroscreen.quantum.scf.SCFNotConvergedError
        If it does not converge in the continuum.
    """
    density = total_density(mean_field.make_rdm1())
    share = recipe.get("resp_solvent_share", 0.0)
    if share == 0:
        return density
    solvated = converge(
        in_solvent(mean_field.copy(), recipe["resp_dielectric"]),
        CYCLES_LIMIT,
        guess=mean_field.make_rdm1(),
        stability=False,
    ).mean_field
    return (1 - share) * density + share * total_density(solvated.make_rdm1())
