"""The same small trajectory through other programs: MDAnalysis, freud and solvation_analysis.

freud and solvation_analysis are no dependencies; where they are not installed, their tests are skipped.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from analysis_helpers import write_json, write_xtc

from electroscreen.analysis.residence import LEAVES_BEYOND_A
from electroscreen.analysis.run import analyse
from electroscreen.record import read_json

EDGE_A, FRAMES, FRAME_PS = 36.0, 250, 2.0
STAY_FRAMES = 15.0
IONS, SLOTS = 8, 4
COUNTS = {"Na": IONS, "CO": 64, "Cl": 12}
MOLECULES = [
    {"species": "Na", "count": IONS, "charge_e": 1, "symbols": ["Na"], "masses_amu": [22.99]},
    {"species": "CO", "count": 64, "charge_e": 0, "symbols": ["O", "C"], "masses_amu": [15.999, 12.011]},
    {"species": "Cl", "count": 12, "charge_e": -1, "symbols": ["Cl"], "masses_amu": [35.45]},
]
PARTNERS = {"CO": "O(CO)", "Cl": "Cl"}


def exchanging(generator: np.random.Generator) -> np.ndarray:
    """Ions with four places, whose occupant leaves with the same chance in every frame for another one to come.

    Returns positions of shape (frames, atoms, 3): all Na, then O and C of each CO, then all Cl.
    """
    cations = EDGE_A / 2 * np.stack(np.meshgrid(*3 * [np.arange(2)], indexing="ij"), axis=-1).reshape(-1, 3)
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    others = COUNTS["CO"] + COUNTS["Cl"]
    home, side = generator.integers(IONS, size=others), generator.integers(SLOTS, size=others)
    order = generator.permutation(others)
    bound, free = order[: IONS * SLOTS], list(order[IONS * SLOTS :])
    frames = []
    for _ in range(FRAMES):
        for slot in np.flatnonzero(generator.random(IONS * SLOTS) < 1 / STAY_FRAMES):
            comes = free.pop(generator.integers(len(free)))
            free.append(bound[slot])
            bound[slot] = comes
        places = cations[home] - 5.5 * corners[side]
        places[bound] = np.repeat(cations, SLOTS, axis=0) + 2.4 * np.tile(corners, (IONS, 1))
        places += generator.normal(scale=0.1, size=places.shape)
        carbon = places[: COUNTS["CO"]] + np.array([0.0, 0.0, 1.2])
        pairs = np.stack([places[: COUNTS["CO"]], carbon], axis=1).reshape(-1, 3)
        frames.append(np.concatenate([cations, pairs, places[COUNTS["CO"] :]]))
    return np.array(frames)


@pytest.fixture(scope="module")
def box(tmp_path_factory) -> tuple[Path, dict, dict[str, np.ndarray]]:
    """A trajectory, and what our analysis makes of it."""
    folder = tmp_path_factory.mktemp("box")
    write_json(folder / "composition.json", {"box": "demo", "verdict": "ok", "molecules": MOLECULES})
    write_json(folder / "replica-1" / "equilibration.json", {"verdict": "ok"})
    path = folder / "replica-1" / "trajectory.xtc"
    write_xtc(path, exchanging(np.random.default_rng(7)), EDGE_A, FRAME_PS * np.arange(FRAMES))
    recipe = {
        "temperature_k": 300.0,
        "coordination": [{"center": "Na", "partners": list(PARTNERS.values())}],
        "diffusion": [],
    }
    analyse(folder / "composition.json", [path.parent], recipe, folder / "a.json", folder / "c.npz")
    with np.load(folder / "c.npz") as curves:
        return path, read_json(folder / "a.json"), dict(curves)


@pytest.fixture
def universe(box):
    import MDAnalysis

    species = np.repeat(list(COUNTS), list(COUNTS.values()))
    atoms = np.repeat(np.arange(len(species)), [2 if name == "CO" else 1 for name in species])
    universe = MDAnalysis.Universe.empty(
        len(atoms), n_residues=len(species), atom_resindex=atoms, residue_segindex=[0] * len(species), trajectory=True
    )
    names = [symbol for entry in MOLECULES for _ in range(entry["count"]) for symbol in entry["symbols"]]
    universe.add_TopologyAttr("names", names)
    universe.add_TopologyAttr("types", names)
    universe.add_TopologyAttr("resnames", species)
    universe.add_TopologyAttr("masses", [{"Na": 22.99, "O": 15.999, "C": 12.011, "Cl": 35.45}[name] for name in names])
    universe.load_new(str(box[0]))
    return universe


def ours(box, partner: str) -> dict:
    return next(row for row in box[1]["coordination"] if row["partner"] == partner)


@pytest.mark.parametrize("partner", ["O", "Cl"])
def test_g_and_n_are_those_of_mdanalysis(box, universe, partner):
    from MDAnalysis.analysis.rdf import InterRDF

    curve = {key: box[2][f"rdf|Na|{PARTNERS.get(partner, 'O(CO)')}|{key}"] for key in ("r_angstrom", "g", "n")}
    bins = len(curve["g"])
    theirs = InterRDF(universe.select_atoms("name Na"), universe.select_atoms(f"name {partner}"), bins, (0, bins / 50))
    theirs.run()
    assert curve["r_angstrom"] == pytest.approx(theirs.results.bins)
    # A distance on the edge of two bins may fall into either: few of some hundreds in a bin.
    numbers = np.cumsum(theirs.results.count) / FRAMES / IONS
    assert curve["n"][1:] == pytest.approx((numbers[1:] + numbers[:-1]) / 2, abs=2e-3)
    smooth = np.convolve(theirs.results.rdf, np.ones(5) / 5, "same")
    assert np.convolve(curve["g"], np.ones(5) / 5, "same") == pytest.approx(smooth, rel=0.01, abs=0.02 * smooth.max())


def test_g_is_that_of_freud(box, universe):
    freud = pytest.importorskip("freud")
    freud.parallel.set_num_threads(1)
    curve = {key: box[2][f"rdf|Na|O(CO)|{key}"] for key in ("r_angstrom", "g")}
    # freud wants less than half the box.
    bins = len(curve["g"]) - 50
    theirs = freud.density.RDF(bins, bins / 50)
    cations, oxygens = universe.select_atoms("name Na"), universe.select_atoms("name O")
    cell = freud.box.Box.cube(EDGE_A)
    for _ in universe.trajectory:
        theirs.compute((cell, cell.wrap(oxygens.positions)), cell.wrap(cations.positions), reset=False)
    smooth = np.convolve(theirs.rdf, np.ones(5) / 5, "same")
    found = np.convolve(curve["g"][:bins], np.ones(5) / 5, "same")
    assert found == pytest.approx(smooth, rel=0.01, abs=0.02 * smooth.max())


@pytest.fixture
def solute(box, universe):
    package = pytest.importorskip("solvation_analysis.solute")
    solvents = {"CO": universe.select_atoms("name O"), "Cl": universe.select_atoms("name Cl")}
    radii = {name: ours(box, partner)["cutoff_angstrom"] for name, partner in PARTNERS.items()}
    classes = ["coordination", "pairing", "speciation", "residence"]
    solute = package.Solute.from_atoms(
        universe.select_atoms("name Na"), solvents, radii=radii, analysis_classes=classes
    )
    solute.run()
    return solute


def test_numbers_are_those_of_solvation_analysis(box, solute):
    for name, number in solute.coordination.coordination_numbers.items():
        row = ours(box, PARTNERS[name])
        assert row["coordination_number"] == pytest.approx(number, abs=1e-9)
        assert row["low"] < number < row["high"]


def test_shells_are_those_of_solvation_analysis(box, solute):
    fractions = solute.speciation.speciation_fraction
    share = fractions.columns[-1]  # its name has changed between versions
    theirs = {(int(row["CO"]), int(row["Cl"])): row[share] for _, row in fractions.iterrows()}
    found = {row["structure"]: row["value"] for row in box[1]["solvation"] if row["kind"] == "shell"}
    assert len(found) >= 3
    for (solvent, anion), share in theirs.items():
        label = " + ".join(f"{n} {name}" for n, name in ((solvent, "CO"), (anion, "Cl")) if n)
        if label in found:
            assert found.pop(label) == pytest.approx(share, abs=1e-9)
    assert found == {}


def test_pairs_are_those_of_solvation_analysis(box, solute):
    states = {row["structure"]: row["value"] for row in box[1]["solvation"] if row["center"] == "Na"}
    touching = states["contact pair"] + states["aggregate"]
    assert touching == pytest.approx(solute.pairing.solvent_pairing["Cl"], abs=1e-9)


def test_residence_times_agree_with_solvation_analysis(box, solute):
    """Theirs, in frames: where the autocovariance has fallen to 1/e, which for a large reservoir is the mean stay."""
    row = next(row for row in box[1]["residence"] if row["partner"] == "O(CO)")
    assert row["residence_ps"] == pytest.approx(STAY_FRAMES * FRAME_PS, rel=0.15)
    assert row["leave_angstrom"] == row["enter_angstrom"] + LEAVES_BEYOND_A
    theirs_ps = solute.residence.residence_times_cutoff["CO"] * FRAME_PS
    # Their pairs come back: of 44 free molecules one in 44 does when a place is free.
    assert theirs_ps == pytest.approx(row["residence_ps"], rel=0.2)


def test_displacements_are_those_of_freud():
    freud = pytest.importorskip("freud")
    from electroscreen.analysis.walk import mean_squared_displacement

    paths = np.cumsum(np.random.default_rng(3).normal(size=(5, 200, 3)), axis=1)
    theirs = freud.msd.MSD(mode="window").compute(paths.swapaxes(0, 1)).particle_msd
    assert mean_squared_displacement(paths) == pytest.approx(theirs.T[:, :101], rel=1e-4, abs=1e-3)
