"""Stage esp: the electrostatic potential on the surface where a molecule's neighbours meet it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.inputs import InputError
from electroscreen.quantum.extrema import climb, peaks
from electroscreen.quantum.geometry import read_xyz
from electroscreen.quantum.mapped import MappedSurface, empty_surface, write_mapped
from electroscreen.quantum.picture import draw_surface, write_ply
from electroscreen.quantum.potential import Density, electrostatic_potential, natural_density, total_density
from electroscreen.quantum.scf import HARTREE_EV, build_molecule
from electroscreen.quantum.surface import Isosurface, SurfaceError, brought_onto, isosurface
from electroscreen.record import OK, provenance, read_json, write_json
from electroscreen.settings import Quantum, SurfacePotential
from electroscreen.species import Species

EV_KCAL_PER_MOL = 23.060547830619
BOHR_ANGSTROM = 0.52917721092  # PySCF's, so that coordinates come back as they went in
PACKAGES = ("pyscf", "scikit-image", "scipy", "numpy", "matplotlib")

NOTHING = {
    **dict.fromkeys(("v_max_ev", "v_max_kcal_per_mol", "v_max_atom", "v_min_ev", "v_min_kcal_per_mol", "v_min_atom")),
    "maxima": [],
    "minima": [],
    **dict.fromkeys(("area_angstrom2", "area_positive_angstrom2", "area_negative_angstrom2", "volume_angstrom3")),
    **dict.fromkeys(("mean_ev", "mean_positive_ev", "mean_negative_ev", "mean_deviation_ev")),
    **dict.fromkeys(("variance_ev2", "variance_positive_ev2", "variance_negative_ev2", "balance")),
}


def map_potential(species: Species, quantum: Quantum, recipe: dict[str, Any], folder: Path, threads: int) -> None:
    """Write esp.json, esp.npz, esp.ply and esp.png of a species into its folder.

    The density is the one that the stage orbitals converged, so nothing is converged twice. Where there is none, or no
    surface, the verdict says why and the other files are empty.

    Raises
    ------
    InputError
        If the density does not belong to the geometry.
    """
    from pyscf import lib

    lib.num_threads(threads)
    started = time.time()
    orbitals = read_json(folder / "orbitals.json")
    positions = read_xyz(folder / "geometry.xyz")
    record: dict[str, Any] = {
        "species": species.name,
        "title": species.title,
        "formula": species.formula,
        "charge_e": species.charge,
        "level": orbitals["level"],
        "isodensity_e_per_bohr3": quantum.esp.isodensity_e_per_bohr3,
        "spacing_bohr": quantum.esp.spacing_bohr,
        "verdict": orbitals["verdict"],
        "warnings": [],
        **NOTHING,
    }
    matrix = np.load(folder / "density_final.npy", allow_pickle=False)
    mapped = empty_surface(species.symbols, positions)
    if matrix.size:
        try:
            mapped, found = _map(species, quantum, positions, total_density(matrix))
            record |= found
        except SurfaceError as failure:
            record["verdict"] = f"not converged: {failure}"
    elif record["verdict"] == OK:
        raise InputError(f"{folder / 'density_final.npy'}: is empty: run the stage orbitals again")
    record["provenance"] = provenance(recipe, PACKAGES, started, threads)
    write_mapped(mapped, folder / "esp.npz")
    write_ply(mapped, folder / "esp.ply", quantum.esp.colour_range_ev)
    draw_surface(mapped, record, folder / "esp.png", quantum.esp.colour_range_ev)
    write_json(folder / "esp.json", record)


def surface_statistics(potential: np.ndarray, faces: np.ndarray, areas: np.ndarray) -> dict[str, float | None]:
    """Return means and variances of a potential over a surface, as Politzer and Murray define them.

    The middles of a triangle's edges stand for a third of its area each, which is exact for a potential that is linear
    in it; the mean of the corners, which Lu and Chen take (J. Mol. Graph. Model. 38, 314 (2012),
    doi 10.1016/j.jmgm.2012.07.004), loses the variance within triangles. The variance is the sum of those of the
    positive and the negative part, each about its own mean; `balance` is ν = σ₊² σ₋² / (σ²)², 0.25 at most;
    `mean_deviation` Π is the mean distance from the mean (Politzer, Murray and Peralta-Inga, Int. J. Quantum Chem. 85,
    676 (2001), doi 10.1002/qua.1706).

    Parameters
    ----------
    potential, faces, areas
        (v,), (f, 3), (f,); results carry the units of potential and area.
    """
    values = (potential[faces] + potential[np.roll(faces, 1, axis=1)]).ravel() / 2
    areas = np.repeat(areas, 3) / 3
    mean = float(np.average(values, weights=areas))
    positive, negative = (_part(values, areas, side) for side in (values > 0, values <= 0))
    variance = positive[2] + negative[2]
    return {
        "area": float(areas.sum()),
        "area_positive": positive[0],
        "area_negative": negative[0],
        "mean": mean,
        "mean_positive": positive[1],
        "mean_negative": negative[1],
        "variance": variance,
        "variance_positive": positive[2],
        "variance_negative": negative[2],
        "balance": positive[2] * negative[2] / variance**2 if variance else None,
        "mean_deviation": float(np.average(np.abs(values - mean), weights=areas)),
    }


def _part(values: np.ndarray, areas: np.ndarray, chosen: np.ndarray) -> tuple[float, float | None, float]:
    """Area, mean and variance of one part; there may be none."""
    if not chosen.any():
        return 0.0, None, 0.0
    mean = np.average(values[chosen], weights=areas[chosen])
    variance = np.average((values[chosen] - mean) ** 2, weights=areas[chosen])
    return float(areas[chosen].sum()), float(mean), float(variance)


def _map(
    species: Species, quantum: Quantum, positions: np.ndarray, matrix: np.ndarray
) -> tuple[MappedSurface, dict[str, Any]]:
    molecule = build_molecule(species.symbols, positions, species.charge, species.multiplicity, quantum.level)
    try:
        density = natural_density(molecule, matrix)
    except ValueError as fault:
        raise InputError(f"{species.name}: {fault}: run the stage orbitals again") from None
    surface = isosurface(density, quantum.esp.isodensity_e_per_bohr3, quantum.esp.spacing_bohr)
    potential = electrostatic_potential(molecule, matrix, surface.vertices_bohr)
    maxima, minima = (_extrema(density, matrix, surface, potential, quantum.esp, sign) for sign in (1, -1))
    mapped = MappedSurface(
        surface.vertices_bohr * BOHR_ANGSTROM,
        surface.faces.astype(np.int32),
        surface.normals,
        potential * HARTREE_EV,
        np.array(species.symbols),
        positions,
    )
    areas = surface.face_areas_bohr2 * BOHR_ANGSTROM**2
    return mapped, {
        **_global("v_max", maxima[0]),
        **_global("v_min", minima[0]),
        "maxima": maxima,
        "minima": minima,
        **_with_units(surface_statistics(mapped.potential_ev, mapped.faces, areas)),
        "volume_angstrom3": surface.volume_bohr3 * BOHR_ANGSTROM**3,
        "vertices": len(surface.vertices_bohr),
        "pieces": surface.pieces,
        "cavities": surface.cavities,
        "warnings": _warnings(surface),
    }


def _extrema(
    density: Density,
    matrix: np.ndarray,
    surface: Isosurface,
    potential: np.ndarray,
    settings: SurfacePotential,
    sign: int,
) -> list[dict[str, Any]]:
    """Maxima (sign 1) or minima (sign -1), the outermost first."""
    chosen = peaks(sign * potential, surface.faces, settings.smallest_rise_ev / HARTREE_EV)
    points, values = climb(
        surface.vertices_bohr[chosen],
        surface.normals[chosen],
        settings.spacing_bohr,
        lambda x: sign * electrostatic_potential(density.molecule, matrix, x),
        lambda x: brought_onto(density, x, settings.isodensity_e_per_bohr3, settings.spacing_bohr),
    )
    order = np.argsort(-values, kind="stable")
    return [_extremum(density.molecule, points[i], sign * values[i]) for i in order]


def _extremum(molecule, point_bohr: np.ndarray, potential: float) -> dict[str, Any]:
    apart = np.linalg.norm(molecule.atom_coords() - point_bohr, axis=1)
    nearest = int(apart.argmin())
    return {
        "potential_ev": float(potential * HARTREE_EV),
        "potential_kcal_per_mol": float(potential * HARTREE_EV * EV_KCAL_PER_MOL),
        "position_angstrom": point_bohr * BOHR_ANGSTROM,
        "nearest_atom": f"{molecule.atom_pure_symbol(nearest)}{nearest + 1}",
        "nearest_atom_angstrom": float(apart[nearest] * BOHR_ANGSTROM),
    }


def _global(name: str, extremum: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{name}_ev": extremum["potential_ev"],
        f"{name}_kcal_per_mol": extremum["potential_kcal_per_mol"],
        f"{name}_atom": extremum["nearest_atom"],
    }


def _with_units(statistics: dict[str, float | None]) -> dict[str, float | None]:
    units = {"area": "_angstrom2", "mean": "_ev", "variance": "_ev2", "balance": ""}
    return {f"{name}{units[name.split('_')[0]]}": value for name, value in statistics.items()}


def _warnings(surface: Isosurface) -> list[str]:
    warnings = []
    if surface.pieces > 1:
        warnings.append(f"the surface has {surface.pieces} pieces that do not touch: areas and volume are their sums")
    if surface.cavities:
        warnings.append(f"{surface.cavities} cavities inside are left out of the surface and counted into the volume")
    return warnings
