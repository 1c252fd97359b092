"""Electrostatic potential: Gauss over the whole surface, PySCF's own code, analytic spheres, known molecules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from quantum_helpers import changed, species
from scipy.optimize import brentq
from scipy.spatial import ConvexHull

from electroscreen.inputs import InputError
from electroscreen.quantum.esp import map_potential, surface_statistics
from electroscreen.quantum.extrema import climb, peaks
from electroscreen.quantum.mapped import read_mapped
from electroscreen.quantum.optimise import Surface
from electroscreen.quantum.orbitals import find_orbitals
from electroscreen.quantum.picture import colour_scale
from electroscreen.quantum.potential import electrostatic_potential, natural_density, total_density
from electroscreen.quantum.surface import SurfaceError, isosurface
from electroscreen.record import read_json, write_json
from electroscreen.settings import Quantum, SurfacePotential
from electroscreen.species import Species, parse_xyz, read_species

BOHR_ANGSTROM = 0.52917721092
HARTREE_EV = 27.211386245988
RECIPE = {"stage": "esp", "protocol": 1}
WATER = np.array([[0.0, 0.0, 0.1173], [0.0, 0.7572, -0.4692], [0.0, -0.7572, -0.4692]])


def write_geometry(x, one: Species, quantum: Quantum, folder: Path, verdict: str = "ok") -> None:
    x = np.array(x, dtype=float).reshape(-1, 3)
    rows = [f"{s} {a:.8f} {b:.8f} {c:.8f}" for s, (a, b, c) in zip(one.symbols, x, strict=False)]
    (folder / "geometry.xyz").write_text("\n".join([str(len(x)), one.name, *rows]) + "\n", encoding="utf-8")
    write_json(folder / "geometry.json", {"verdict": verdict, "level": quantum.level.label, "warnings": []})
    np.save(folder / "density.npy", np.zeros((0, 0)))


def potential_at(x, one: Species, quantum: Quantum, folder: Path, verdict: str = "ok") -> dict:
    """Run the stages orbitals and esp at a given geometry; return the record of the latter."""
    write_geometry(x, one, quantum, folder, verdict)
    find_orbitals(one, quantum, RECIPE, folder / "geometry.json", folder / "orbitals.json", threads=1)
    map_potential(one, quantum, RECIPE, folder, threads=1)
    return read_json(folder / "esp.json")


def solved(x, one: Species, quantum: Quantum):
    """Molecule and density matrix."""
    mean_field = Surface(one, quantum, 3).solve(np.array(x, dtype=float).reshape(-1, 3)).mean_field
    return mean_field.mol, total_density(np.asarray(mean_field.make_rdm1()))


@pytest.fixture(scope="module")
def water(quick):
    return solved(WATER, species("water", "O"), quick)


@pytest.fixture(scope="module")
def water_surface(water):
    return isosurface(natural_density(*water), 0.001, 0.35)


@pytest.fixture(scope="module")
def sodium(quick):
    """Molecule, matrix, and the radius at which the ion's density is 0.001, by PySCF's own density."""
    from pyscf.dft import numint

    molecule, matrix = solved([[0, 0, 0]], species("Na", "[Na+]", charge=1), quick)

    def density(r: float) -> float:
        orbitals = numint.eval_ao(molecule, np.array([[0.0, 0.0, r]]))
        return numint.eval_rho(molecule, orbitals, matrix)[0]

    return molecule, matrix, brentq(lambda r: density(r) - 0.001, 1.0, 5.0), density


@pytest.fixture(scope="module")
def sphere():
    """A unit sphere of 2000 nearly even points, and its triangles."""
    k = np.arange(2000) + 0.5
    z, turn = 1 - k / 1000, np.pi * (1 + 5**0.5) * k
    points = np.column_stack([np.sqrt(1 - z**2) * np.cos(turn), np.sqrt(1 - z**2) * np.sin(turn), z])
    faces = ConvexHull(points).simplices
    a, b, c = points[faces].swapaxes(0, 1)
    return points, faces, np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


# The surface.


@pytest.mark.parametrize("spacing", [0.5, 0.35])
def test_area_and_volume_of_an_ion_are_those_of_its_sphere(sodium, spacing):
    molecule, matrix, radius, _ = sodium
    surface = isosurface(natural_density(molecule, matrix), 0.001, spacing)
    assert surface.face_areas_bohr2.sum() == pytest.approx(4 * np.pi * radius**2, rel=1e-4)
    assert surface.volume_bohr3 == pytest.approx(4 / 3 * np.pi * radius**3, rel=2e-4)
    np.testing.assert_allclose(np.linalg.norm(surface.vertices_bohr, axis=1), radius, rtol=1e-6)
    np.testing.assert_allclose(surface.normals, surface.vertices_bohr / radius, atol=1e-6)
    assert (surface.pieces, surface.cavities) == (1, 0)


def test_vertices_lie_on_the_surface_by_pyscfs_own_density(water, water_surface):
    from pyscf.dft import numint

    molecule, matrix = water
    density = numint.eval_rho(molecule, numint.eval_ao(molecule, water_surface.vertices_bohr), matrix)
    np.testing.assert_allclose(density, 0.001, rtol=1e-5)


def test_triangles_are_closed_and_look_outwards(water_surface):
    faces, vertices = water_surface.faces, water_surface.vertices_bohr
    edges = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    assert {tuple(e) for e in edges.tolist()} == {tuple(e) for e in edges[:, ::-1].tolist()}
    assert len(vertices) - len(edges) // 2 + len(faces) == 2  # Euler, for a sphere
    a, b, c = vertices[faces].swapaxes(0, 1)
    across = np.einsum("fi,fi->f", np.cross(b - a, c - a), water_surface.normals[faces[:, 0]])
    assert (across > 0).all()


def test_two_molecules_far_apart_are_two_pieces(quick):
    molecule, matrix = solved([[0, 0, 0], [0, 0, 12]], species("He2", "[He].[He]"), quick)
    surface = isosurface(natural_density(molecule, matrix), 0.001, 0.4)
    alone = isosurface(natural_density(*solved([[0, 0, 0]], species("He", "[He]"), quick)), 0.001, 0.4)
    assert surface.pieces == 2
    assert surface.volume_bohr3 == pytest.approx(2 * alone.volume_bohr3, rel=1e-3)


def test_a_hollow_is_no_place_that_a_neighbour_reaches(quick):
    """Eight atoms at the corners of a cube: their density joins into a shell around an empty middle."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    molecule, matrix = solved(0.95 * corners, species("He8", ".".join(["[He]"] * 8)), quick)
    density = natural_density(molecule, matrix)
    middle, wall = density.at(np.array([[0, 0, 0], [0, 0, 0.95 / BOHR_ANGSTROM]], dtype=float))
    assert middle < wall
    surface = isosurface(density, (middle + wall) / 2, 0.3)
    assert (surface.pieces, surface.cavities) == (1, 1)
    assert np.linalg.norm(surface.vertices_bohr, axis=1).min() > 0.95 / BOHR_ANGSTROM


def test_a_box_too_small_for_a_diffuse_ion_grows(quick):
    diffuse = changed(quick, {"basis": "6-31++g(d,p)", "functional": "hf"})
    molecule, matrix = solved([[0, 0, 0]], species("H", "[H-]", charge=-1), diffuse)
    surface = isosurface(natural_density(molecule, matrix), 1e-5, 0.5)
    assert surface.vertices_bohr.max() > 6.5
    assert surface.face_areas_bohr2.sum() == pytest.approx(4 * np.pi * surface.vertices_bohr.max() ** 2, rel=0.05)


def test_no_density_no_surface(sodium):
    molecule, matrix, *_ = sodium
    with pytest.raises(SurfaceError, match="below 1e\\+06 e/bohr³ everywhere"):
        isosurface(natural_density(molecule, matrix), 1e6, 0.5)


# The potential.


def test_potential_around_an_ion_is_gausss(sodium):
    """V(r) = (Z - N(r))/r - ∫ 4πr'ρ dr' beyond r; nearly q/r, since few electrons are outside."""
    molecule, matrix, radius, density = sodium
    surface = isosurface(natural_density(molecule, matrix), 0.001, 0.5)
    potential = electrostatic_potential(molecule, matrix, surface.vertices_bohr)
    shells = np.linspace(radius, radius + 12, 1201)
    outside = 4 * np.pi * np.array([density(r) for r in shells])
    beyond = np.trapezoid(shells**2 * outside, shells)
    exact = (1 + beyond) / radius - np.trapezoid(shells * outside, shells)
    np.testing.assert_allclose(potential, exact, rtol=1e-4)
    np.testing.assert_allclose(potential, 1 / radius, rtol=0.005)


def test_flux_through_the_surface_is_the_charge_inside(water, water_surface):
    """Gauss: -∮ ∂V/∂n dA = 4πQ; the electrons inside are counted on PySCF's grid for functionals."""
    from pyscf import dft

    molecule, matrix = water
    x, normals, faces = water_surface.vertices_bohr, water_surface.normals, water_surface.faces
    step = 0.01
    outer, inner = (electrostatic_potential(molecule, matrix, x + sign * step * normals) for sign in (1, -1))
    field = (inner - outer)[faces].mean(axis=1) / (2 * step)
    grid = dft.gen_grid.Grids(molecule)
    grid.level = 5
    grid.build()
    density = natural_density(molecule, matrix).at(grid.coords)
    inside = grid.weights[density > 0.001] @ density[density > 0.001]
    assert 0.02 < molecule.nelectron - inside < 0.5
    flux = field @ water_surface.face_areas_bohr2 / (4 * np.pi)
    assert flux == pytest.approx(molecule.nelectron - inside, abs=0.004)


def test_potential_is_that_of_pyscfs_cube_files(quick, tmp_path):
    from pyscf.tools import cubegen

    spherical = changed(quick, {"cartesian": False})  # the only kind that cubegen takes
    molecule, matrix = solved(WATER, species("water", "O"), spherical)
    cubegen.mep(molecule, str(tmp_path / "mep.cube"), matrix, nx=4, ny=5, nz=6)
    cube = cubegen.Cube(molecule, nx=4, ny=5, nz=6)
    points = cube.get_coords()
    theirs = cube.read(str(tmp_path / "mep.cube"))
    ours = electrostatic_potential(molecule, matrix, points).reshape(theirs.shape)
    # The file has six digits.
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-9)


def test_a_density_of_another_molecule_is_refused(water):
    molecule, matrix = water
    with pytest.raises(ValueError, match=r"holds 9\.0000 electrons, the molecule 10"):
        natural_density(molecule, 0.9 * matrix)


# What is made of it.


def test_statistics_of_a_dipole_on_a_sphere(sphere):
    """V = z: halves, means ±1/2, variances 1/12 each, ν = 1/4, Π = 1/2."""
    points, faces, areas = sphere
    found = surface_statistics(points[:, 2], faces, areas)
    assert found["area"] == pytest.approx(4 * np.pi, rel=3e-3)
    assert found["area_positive"] == pytest.approx(2 * np.pi, rel=5e-3)
    assert found["mean"] == pytest.approx(0, abs=1e-3)
    assert found["mean_positive"] == pytest.approx(0.5, rel=5e-3)
    assert found["mean_negative"] == pytest.approx(-0.5, rel=5e-3)
    assert found["variance_positive"] == pytest.approx(1 / 12, rel=0.01)
    assert found["variance"] == pytest.approx(1 / 6, rel=0.01)
    assert found["balance"] == pytest.approx(0.25, abs=1e-4)
    assert found["mean_deviation"] == pytest.approx(0.5, rel=5e-3)


def test_statistics_of_one_sign_only(sphere):
    points, faces, areas = sphere
    found = surface_statistics(points[:, 2] + 3, faces, areas)
    assert (found["area_negative"], found["mean_negative"], found["balance"]) == (0, None, 0)
    assert found["variance"] == pytest.approx(1 / 3, rel=0.01)
    assert surface_statistics(np.full(len(points), 2.0), faces, areas)["balance"] is None


def bumps(points: np.ndarray, tops: np.ndarray, heights: list[float]) -> np.ndarray:
    return sum(h * np.exp(-8 * ((points - top) ** 2).sum(axis=1)) for top, h in zip(tops, heights, strict=True))


def test_peaks_are_found_and_noise_is_not(sphere):
    points, faces, _ = sphere
    tops = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, -0.6, -0.8]])
    noise = np.random.default_rng(1).uniform(-0.02, 0.02, len(points))
    values = bumps(points, tops, [1.0, 0.8, 0.5, 0.3]) + noise
    found = peaks(values, faces, 0.1)
    assert len(found) == 4
    np.testing.assert_allclose(points[found], tops, atol=0.15)
    assert len(peaks(values, faces, 0.4)) == 3
    assert len(peaks(values, faces, 1e-6)) > 50


def test_a_ring_of_equal_height_is_one_peak(sphere):
    points, faces, _ = sphere
    assert len(peaks(-(points[:, 2] ** 2), faces, 0.01)) == 1
    assert len(peaks(points[:, 2] ** 2, faces, 0.01)) == 2


def test_climbing_ends_between_the_vertices():
    top = np.array([0.3, -0.5, 0.9]) / np.linalg.norm([0.3, -0.5, 0.9])

    def onto_sphere(x):
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        return x, x

    start, _ = onto_sphere(top + np.array([[0.1, 0.05, 0.0], [-0.1, 0.0, 0.1]]))
    points, values = climb(start, start, 0.2, lambda x: 5 * x @ top, onto_sphere)
    np.testing.assert_allclose(values, 5.0, atol=1e-4)
    np.testing.assert_allclose(points, [top, top], atol=5e-3)


def test_water(quick, tmp_path):
    """Hydrogens positive, oxygen negative, no more extrema than a chemist would name."""
    record = potential_at(WATER, species("water", "O"), quick, tmp_path)
    assert record["verdict"] == "ok"
    assert [one["nearest_atom"] for one in record["maxima"]] in (["H2", "H3"], ["H3", "H2"])
    assert {one["nearest_atom"] for one in record["minima"]} == {"O1"}
    assert record["maxima"][0]["potential_ev"] == pytest.approx(record["maxima"][1]["potential_ev"], abs=1e-4)
    # Symmetry: the hydrogens' maxima lie in the molecular plane.
    assert abs(record["maxima"][0]["position_angstrom"][0]) < 0.02
    assert record["v_max_kcal_per_mol"] == pytest.approx(record["v_max_ev"] * 23.0605, rel=1e-5)
    parts = record["area_positive_angstrom2"], record["area_negative_angstrom2"]
    assert sum(parts) == pytest.approx(record["area_angstrom2"])
    surface = read_mapped(tmp_path / "esp.npz")
    assert surface.potential_ev.max() <= record["v_max_ev"] < surface.potential_ev.max() + 0.02
    np.testing.assert_allclose(surface.positions_angstrom, WATER, atol=1e-6)


def test_turning_and_spacing_change_nothing(quick, tmp_path):
    from scipy.spatial.transform import Rotation

    one = species("water", "O")
    turned = Rotation.from_euler("xyz", [20, 50, 70], degrees=True).apply(WATER) + 2
    finer = quick.model_copy(update={"esp": SurfacePotential(spacing_bohr=0.28)})
    a, b = potential_at(WATER, one, quick, tmp_path), potential_at(turned, one, finer, tmp_path)
    for key in ("v_max_ev", "v_min_ev", "mean_ev"):
        assert a[key] == pytest.approx(b[key], abs=2e-3)
    for key in ("area_angstrom2", "volume_angstrom3", "variance_ev2"):
        assert a[key] == pytest.approx(b[key], rel=2e-3)
    assert len(a["minima"]) == len(b["minima"])


def test_an_open_shell_and_a_core_potential(quick, tmp_path):
    radical = potential_at([[0, 0, 0], [0, 0, 0.98]], species("OH", "[OH]", multiplicity=2), quick, tmp_path)
    assert (radical["verdict"], radical["v_max_atom"], radical["v_min_atom"]) == ("ok", "H2", "O1")
    tin = potential_at([[0, 0, 0]], species("Sn", "[Sn+2]", charge=2), quick, tmp_path)
    radius = np.sqrt(tin["area_angstrom2"] / 4 / np.pi) / BOHR_ANGSTROM
    assert tin["v_max_ev"] == pytest.approx(2 * HARTREE_EV / radius, rel=0.01)
    assert tin["v_min_ev"] == pytest.approx(tin["v_max_ev"], rel=1e-3)


# Failures are verdicts.


def test_without_orbitals_there_is_a_reason_and_every_file(quick, tmp_path):
    record = potential_at([], species("LiF", "[Li+].[F-]"), quick, tmp_path, verdict="not converged: SCF")
    assert record["verdict"] == "not computed: geometry not converged: SCF"
    assert record["v_max_ev"] is None and record["maxima"] == []
    assert len(read_mapped(tmp_path / "esp.npz").faces) == 0
    assert (tmp_path / "esp.png").read_bytes().startswith(b"\x89PNG")
    assert b"element vertex 0\n" in (tmp_path / "esp.ply").read_bytes()


def test_an_scf_that_fails_is_a_verdict(quick, tmp_path):
    one = species("LiF", "[Li+].[F-]")
    record = potential_at([[0, 0, 0], [0, 0, 1.6]], one, changed(quick, scf_limit=1), tmp_path)
    assert record["verdict"].startswith("not converged: SCF not converged")
    assert record["v_min_ev"] is None


def test_an_unfinished_geometry_gives_numbers_under_its_verdict(quick, tmp_path):
    verdict = "not converged: geometry still moves after 1 steps"
    record = potential_at([[0, 0, 0], [0, 0, 1.6]], species("LiF", "[Li+].[F-]"), quick, tmp_path, verdict=verdict)
    assert record["verdict"] == f"geometry {verdict}"
    assert record["v_max_atom"] == "Li1"


def test_a_density_of_another_geometry_is_one_line(quick, tmp_path):
    one = species("LiF", "[Li+].[F-]")
    potential_at([[0, 0, 0], [0, 0, 1.6]], one, quick, tmp_path)
    write_geometry([[0, 0, 0], [0, 0, 1.7]], one, quick, tmp_path)
    with pytest.raises(InputError, match=r"LiF: the density holds .* electrons, .*: run the stage orbitals again"):
        map_potential(one, quick, RECIPE, tmp_path, threads=1)


# Pictures and files.


def test_colours_reach_as_far_to_both_sides_of_zero():
    both = colour_scale(np.array([-1.0, 3.0]), None)
    assert (both.low_ev, both.high_ev) == (-3.0, 3.0)
    assert both.places(np.array([-3.0, 0.0, 1.5, 9.0])) == pytest.approx([0, 0.5, 0.75, 1])
    asked = colour_scale(np.array([-1.0, 3.0]), [-2.0, 5.0])
    assert (asked.low_ev, asked.high_ev) == (-2.0, 5.0)


def test_an_ion_of_one_sign_has_all_shades_of_its_colour():
    anion, cation = colour_scale(np.array([-5.0, -3.0]), None), colour_scale(np.array([3.0, 5.0]), None)
    assert anion.places(np.array([-5.0, -3.0])) == pytest.approx([0, 0.42])
    assert cation.places(np.array([3.0, 5.0])) == pytest.approx([0.58, 1])
    alike = colour_scale(np.array([10.82, 10.8200001]), None)
    assert (alike.low_ev, alike.high_ev) == pytest.approx((-10.82, 10.82), abs=1e-3)
    with pytest.raises(ValueError, match="the lower one first"):
        SurfacePotential(colour_range_ev=[1.0, -1.0])


def test_the_file_for_viewers_holds_the_surface(quick, tmp_path):
    potential_at([[0, 0, 0], [0, 0, 0.74]], species("H2", "[H][H]"), quick, tmp_path)
    surface = read_mapped(tmp_path / "esp.npz")
    head, _, body = (tmp_path / "esp.ply").read_bytes().partition(b"end_header\n")
    assert f"element vertex {len(surface.vertices_angstrom)}\n".encode() in head
    assert f"element face {len(surface.faces)}\n".encode() in head
    kinds = [line.split()[1:] for line in head.decode().splitlines() if line.startswith("property")]
    codes = {"float": "<f4", "uchar": "u1"}
    row = np.dtype([(name, codes[kind]) for kind, name in (k for k in kinds if k[0] != "list")])
    read = np.frombuffer(body, row, count=len(surface.vertices_angstrom))
    np.testing.assert_allclose(read["potential_ev"], surface.potential_ev, rtol=1e-6)
    np.testing.assert_allclose(np.column_stack([read[k] for k in "xyz"]), surface.vertices_angstrom, atol=1e-5)
    most, least = read["potential_ev"].argmax(), read["potential_ev"].argmin()
    assert read["blue"][most] > read["red"][most] and read["red"][least] >= read["blue"][least]
    assert len(body) == read.nbytes + 13 * len(surface.faces)


# Known molecules: minutes rather than seconds.


@pytest.mark.slow
def test_benzene_as_multiwfn_has_it(quick, tmp_path):
    """Negative above and below the ring, positive at the six hydrogens alike.

    The numbers are those of an output of Multiwfn for benzene that a public parser of such outputs quotes. It does not
    say the level: 6-31G(d) has -17.5 kcal/mol here, def2-SVP -15.4, so the tolerances are what such a choice moves.
    """
    angles = np.pi / 3 * np.arange(6)
    ring = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(6)])
    record = potential_at([*1.3966 * ring, *2.4826 * ring], species("benzene", "c1ccccc1"), quick, tmp_path)
    assert record["v_min_kcal_per_mol"] == pytest.approx(-17.26, abs=0.4)
    assert record["v_max_kcal_per_mol"] == pytest.approx(11.82, abs=0.2)
    assert record["area_angstrom2"] == pytest.approx(125.5, abs=0.5)
    kcal = record["v_max_kcal_per_mol"] / record["v_max_ev"]
    assert record["variance_ev2"] * kcal**2 == pytest.approx(37.83, rel=0.03)
    assert record["balance"] == pytest.approx(0.196, abs=0.003)
    assert record["mean_deviation_ev"] * kcal == pytest.approx(7.757, rel=0.03)
    assert len(record["maxima"]) == 6
    heights = [place["position_angstrom"][2] for place in record["minima"]]
    assert sorted(heights) == pytest.approx([-1.83, 1.83], abs=0.03)


@pytest.mark.slow
def test_the_most_positive_places_of_o_carborane_are_the_hydrogens_on_carbon(quick, shipped, tmp_path):
    """As the carborane paper says, doi 10.1021/acsnano.5c14816, figure 1a."""
    one = read_species(shipped / "molecules" / "species" / "o-carborane.yaml")
    x = [position for _, position in parse_xyz(one.start.xyz)]
    record = potential_at(x, one, quick, tmp_path)
    surface = read_mapped(tmp_path / "esp.npz")
    apart = np.linalg.norm(surface.vertices_angstrom[:, None] - surface.positions_angstrom, axis=2)
    nearest = apart.argmin(axis=1)
    highest = {atom: surface.potential_ev[nearest == atom].max() for atom in np.unique(nearest)}
    hydrogens = sorted((atom for atom in highest if one.symbols[atom] == "H"), key=highest.get, reverse=True)
    assert set(hydrogens[:2]) == {12, 13}  # the two on carbon, which are H13 and H14
    assert highest[hydrogens[1]] > 1.5 > highest[hydrogens[2]]
    # One positive summit, shared by the two; those on boron are all negative.
    assert record["v_max_atom"] in ("H13", "H14")
    assert all(place["potential_ev"] < 0 for place in record["maxima"][1:])


@pytest.mark.slow
def test_the_positive_potential_around_tin_falls_when_dfob_binds(quick, shipped, tmp_path):
    """As the Sn-FB paper says, doi 10.1007/s40820-026-02236-2, figure S1c."""
    salt = read_species(shipped / "molecules" / "species" / "NaDFOB.yaml")
    x = np.array([position for _, position in parse_xyz(salt.start.xyz)])
    bound = species("SnDFOB", "[Sn+2].F[B-]1(F)OC(=O)C(=O)O1", charge=1)
    together = potential_at(x, bound, quick, tmp_path)
    tin = potential_at(x[:1], species("Sn", "[Sn+2]", charge=2), quick, tmp_path)
    anion = potential_at(x[1:], species("DFOB", "F[B-]1(F)OC(=O)C(=O)O1", charge=-1), quick, tmp_path)
    assert together["v_max_atom"] == "Sn1"
    assert together["v_max_ev"] < 0.75 * tin["v_max_ev"]
    assert anion["v_max_ev"] < 0
    assert together["v_min_ev"] > anion["v_max_ev"]
