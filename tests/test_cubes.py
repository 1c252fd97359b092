"""Orbitals in space: hydrogen's analytic one, norms, another program's reading, reasons where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from quantum_helpers import changed, species

from electroscreen.quantum.cubes import draw_frontier, orbitals_on_grid
from electroscreen.quantum.optimise import Surface
from electroscreen.quantum.orbitals import find_orbitals, frontier_coefficients
from electroscreen.record import read_json, write_json
from electroscreen.settings import OrbitalCubes, Quantum
from electroscreen.species import Species

RECIPE = {"stage": "cubes", "protocol": 1}
WATER = [[0.0, 0.0, 0.1173], [0.0, 0.7572, -0.4692], [0.0, -0.7572, -0.4692]]


@pytest.fixture
def drawing(quick) -> Quantum:
    return changed(quick, cubes=OrbitalCubes(spacing_bohr=0.3))


def cubes_of(x, one: Species, quantum: Quantum, folder: Path, verdict: str = "ok") -> dict:
    """Run the stages orbitals and cubes at a given geometry; return the record of the latter."""
    rows = [f"{s} {a:.8f} {b:.8f} {c:.8f}" for s, (a, b, c) in zip(one.symbols, x, strict=False)]
    (folder / "geometry.xyz").write_text("\n".join([str(len(x)), one.name, *rows]) + "\n", encoding="utf-8")
    write_json(folder / "geometry.json", {"verdict": verdict, "level": quantum.level.label, "warnings": []})
    np.save(folder / "density.npy", np.zeros((0, 0)))
    find_orbitals(one, quantum, RECIPE, folder / "geometry.json", folder / "orbitals.json", threads=1)
    draw_frontier(one, quantum, RECIPE, folder, threads=1)
    return read_json(folder / "cubes.json")


def test_hydrogens_orbital_is_the_analytic_one(quick):
    """1s: exp(-r)/sqrt(pi)."""
    atom = changed(quick, {"functional": "hf", "basis": "def2-qzvp", "cartesian": False, "density_fitting": False})
    mean_field = Surface(species("H", "[H]", multiplicity=2), atom, 3).solve(np.zeros((1, 3))).mean_field
    found = frontier_coefficients(mean_field)
    cube, values = orbitals_on_grid(mean_field.mol, found["homo"][:, None], OrbitalCubes(spacing_bohr=0.4))
    r = np.linalg.norm(cube.get_coords(), axis=1)
    shell = (r > 0.4) & (r < 3)
    assert np.abs(values.ravel()[shell]) == pytest.approx(np.exp(-r[shell]) / np.sqrt(np.pi), abs=0.004)


@pytest.fixture(scope="module")
def water(quick, tmp_path_factory):
    folder = tmp_path_factory.mktemp("water")
    quantum = changed(quick, cubes=OrbitalCubes(spacing_bohr=0.3))
    return folder, cubes_of(WATER, species("water", "O"), quantum, folder)


def read_cube(path: Path):
    from ase.io.cube import read_cube

    with path.open() as stream:
        return read_cube(stream)


def test_another_program_reads_molecule_and_orbitals(water):
    folder, record = water
    read = {name: read_cube(folder / f"{name}.cube") for name in ("homo", "lumo")}
    for cube in read.values():
        assert cube["atoms"].get_chemical_symbols() == ["O", "H", "H"]
        assert cube["atoms"].positions == pytest.approx(np.array(WATER), abs=1e-4)
    volume = np.linalg.det(read["homo"]["spacing"]) / 0.529177210903**3
    homo, lumo = (read[name]["data"] for name in ("homo", "lumo"))
    assert (homo**2).sum() * volume == pytest.approx(1, abs=0.02)
    assert (homo**2).sum() * volume == pytest.approx(record["homo_share_in_box"], rel=1e-4)
    assert (homo * lumo).sum() * volume == pytest.approx(0, abs=0.01)


def test_waters_highest_orbital_is_oxygens_lone_pair(water):
    """b1: its node is the plane of the molecule, and its lobes lie at oxygen."""
    cube = read_cube(water[0] / "homo.cube")
    corner, steps, values = cube["origin"], np.diag(cube["spacing"]), cube["data"]
    x, z = (corner[k] + steps[k] * np.arange(values.shape[k]) for k in (0, 2))
    assert values[np.abs(x).argmin()] == pytest.approx(0, abs=0.02 * np.abs(values).max())
    assert values == pytest.approx(-values[::-1], abs=1e-3)
    centre = np.einsum("xyz,z->", values**2, z) / (values**2).sum()
    assert centre == pytest.approx(WATER[0][2], abs=0.1)


def test_the_picture_is_one(water):
    from matplotlib.image import imread

    assert len(np.unique(imread(water[0] / "orbitals.png").reshape(-1, 4), axis=0)) > 500


def test_orbitals_of_one_energy_are_counted(drawing, tmp_path):
    """Fluoride's pi pair is the HOMO of LiF."""
    record = cubes_of([[0, 0, 0], [0, 0, 1.56]], species("LiF", "[Li+].[F-]"), drawing, tmp_path)
    assert (record["homo_degeneracy"], record["lumo_degeneracy"]) == (2, 1)
    assert record["homo_ev"] == read_json(tmp_path / "orbitals.json")["homo_ev"]


def test_a_diffuse_orbital_gets_a_wider_box(quick):
    anion = changed(quick, {"functional": "hf", "basis": "aug-cc-pvdz", "cartesian": False})
    mean_field = (
        Surface(species("OH", "[OH-]", charge=-1), anion, 1).solve(np.array([[0, 0, 0], [0, 0, 0.97]])).mean_field
    )
    found = frontier_coefficients(mean_field)["lumo"][:, None]
    cube, values = orbitals_on_grid(mean_field.mol, found, OrbitalCubes(spacing_bohr=0.6, isovalue=0.01))
    assert np.ptp(cube.get_coords(), axis=0).max() > 13
    assert (values**2).sum() * np.linalg.det(cube.box) * cube.get_volume_element() > 0.85


def test_without_orbitals_there_is_a_reason_and_every_file(drawing, tmp_path):
    record = cubes_of([], species("water", "O"), drawing, tmp_path, verdict="not converged: as asked")
    assert record["verdict"] == "not computed: geometry not converged: as asked"
    assert record["homo_share_in_box"] is None
    assert (tmp_path / "homo.cube").read_text() == ""
    assert (tmp_path / "orbitals.png").stat().st_size > 1000
