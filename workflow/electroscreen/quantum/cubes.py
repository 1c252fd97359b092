"""Stage cubes: HOMO and LUMO in space, as cube files for other programs and as a picture."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.quantum.geometry import read_xyz
from electroscreen.quantum.mapped import MappedSurface, empty_surface
from electroscreen.quantum.picture import draw_orbitals
from electroscreen.quantum.potential import blocks
from electroscreen.quantum.scf import build_molecule
from electroscreen.record import provenance, read_json, whole, write_json
from electroscreen.settings import OrbitalCubes, Quantum
from electroscreen.species import Species

BOHR_ANGSTROM = 0.52917721092  # PySCF's, so that coordinates come back as they went in
PACKAGES = ("pyscf", "scikit-image", "numpy", "matplotlib")
FRONTIER = ("homo", "lumo")
MARGIN_BOHR, WIDEST_MARGIN_BOHR = 5.0, 20.0
# Of the isovalue: what an orbital may still have on the walls of its box.
ON_THE_WALLS = 0.5


def draw_frontier(species: Species, quantum: Quantum, recipe: dict[str, Any], folder: Path, threads: int) -> None:
    """Write homo.cube, lumo.cube, orbitals.png and cubes.json of a species into its folder.

    The orbitals are those that the stage orbitals found. Where there are none the verdict says why, the cube files are
    empty and the picture is the verdict.
    """
    from pyscf import lib

    lib.num_threads(threads)
    started = time.time()
    orbitals = read_json(folder / "orbitals.json")
    positions = read_xyz(folder / "geometry.xyz")
    record: dict[str, Any] = {
        "species": species.name,
        "title": species.title,
        "level": orbitals["level"],
        "isovalue": quantum.cubes.isovalue,
        "spacing_bohr": quantum.cubes.spacing_bohr,
        "verdict": orbitals["verdict"],
        "warnings": [],
        **{f"{name}_ev": orbitals[f"{name}_ev"] for name in FRONTIER},
        **{f"{name}_share_in_box": None for name in FRONTIER},
    }
    with np.load(folder / "frontier.npz", allow_pickle=False) as stored:
        coefficients = np.column_stack([stored[name] for name in FRONTIER])
        record |= {f"{name}_degeneracy": int(stored[f"{name}_degeneracy"]) for name in FRONTIER}
    lobes = {name: empty_surface(species.symbols, positions) for name in FRONTIER}
    for name in FRONTIER:
        with whole(folder / f"{name}.cube") as partial:
            partial.write_text("", encoding="utf-8")
    if coefficients.size:
        molecule = build_molecule(species.symbols, positions, species.charge, species.multiplicity, quantum.level)
        cube, values = orbitals_on_grid(molecule, coefficients, quantum.cubes)
        volume_bohr3 = cube.get_volume_element() * np.linalg.det(cube.box)
        for k, name in enumerate(FRONTIER):
            with whole(folder / f"{name}.cube") as partial:
                cube.write(values[..., k], str(partial), comment=f"{species.name}: {name.upper()}, bohr^-3/2")
            record[f"{name}_share_in_box"] = share = float((values[..., k] ** 2).sum() * volume_bohr3)
            if share < 0.9:
                record["warnings"].append(f"{name.upper()} is so diffuse that its box holds {share:.0%} of it only")
            lobes[name] = _lobes(species, positions, cube, values[..., k], quantum.cubes)
    record["provenance"] = provenance(recipe, PACKAGES, started, threads)
    draw_orbitals(lobes, record, folder / "orbitals.png")
    write_json(folder / "cubes.json", record)


def orbitals_on_grid(molecule, coefficients: np.ndarray, settings: OrbitalCubes):
    """Return a PySCF cube around the molecule and the values of orbitals in it.

    The box grows until no orbital has more than half of the isovalue on its walls.

    Parameters
    ----------
    coefficients
        (nao, k), one orbital a column.

    Returns
    -------
    pyscf.tools.cubegen.Cube, ndarray
        Values (nx, ny, nz, k), bohr^-3/2.
    """
    from pyscf.tools.cubegen import Cube

    margin = MARGIN_BOHR
    kind = "GTOval_cart" if molecule.cart else "GTOval_sph"
    while True:
        extent = np.ptp(molecule.atom_coords(), axis=0) + 2 * margin
        counts = np.ceil(extent / settings.spacing_bohr).astype(int) + 1
        cube = Cube(molecule, *map(int, counts), margin=margin, extent=extent)
        points = cube.get_coords()
        values = np.empty((len(points), coefficients.shape[1]))
        for block in blocks(len(points), molecule.nao):
            values[block] = molecule.eval_gto(kind, points[block]) @ coefficients
        values = values.reshape(*counts, -1)
        walls = max(np.abs(values.take(side, axis)).max() for axis in range(3) for side in (0, -1))
        if walls < ON_THE_WALLS * settings.isovalue or margin >= WIDEST_MARGIN_BOHR:
            return cube, values
        margin *= 1.5


def _lobes(
    species: Species, positions_angstrom: np.ndarray, cube, values: np.ndarray, settings: OrbitalCubes
) -> MappedSurface:
    """The surfaces on which an orbital has plus or minus the isovalue; its sign in place of a potential."""
    from skimage.measure import marching_cubes

    vertices, faces, normals, signs = [np.zeros((0, 3))], [np.zeros((0, 3), dtype=int)], [np.zeros((0, 3))], []
    spacing = np.diag(cube.box) / (np.array(values.shape) - 1)
    count = 0
    for sign in (1, -1):
        if (sign * values).max() <= settings.isovalue:
            continue
        corners, triangles, _, _ = marching_cubes(
            sign * values, settings.isovalue, spacing=tuple(spacing), gradient_direction="ascent"
        )
        vertices.append((corners + cube.boxorig) * BOHR_ANGSTROM)
        faces.append(triangles + count)
        normals.append(_vertex_normals(corners, triangles))
        signs += [sign] * len(corners)
        count += len(corners)
    return MappedSurface(
        np.concatenate(vertices),
        np.concatenate(faces).astype(np.int32),
        np.concatenate(normals),
        np.array(signs, dtype=float),
        np.array(species.symbols),
        positions_angstrom,
    )


def _vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Outward normals (v, 3): the mean of those of the triangles around a vertex, weighted by their areas."""
    a, b, c = vertices[faces].swapaxes(0, 1)
    across = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for corner in faces.T:
        np.add.at(normals, corner, across)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
