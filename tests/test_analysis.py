"""The whole stage on small trajectories that are really written and read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from analysis_helpers import random_walk, write_json, write_xtc

from electroscreen.analysis import verdicts
from electroscreen.analysis.run import analyse
from electroscreen.record import read_json
from electroscreen.sites import Site, atoms_of, check_site, check_species, parse_site

EDGE_A = 24.0
FRAME_PS = 0.5
FRAMES = 240
ION = {"species": "Na", "count": 30, "charge_e": 1, "symbols": ["Na"], "masses_amu": [22.99]}
SOLVENT = {"species": "CO", "count": 120, "charge_e": 0, "symbols": ["C", "O"], "masses_amu": [12.011, 15.999]}
KNOWN = {"Na": 4000.0, "CO": 1500.0}
RECIPE = {
    "protocol": 1,
    "temperature_k": 298.15,
    "coordination": [{"center": "Na", "partners": ["O(CO)", "Na"]}],
    "diffusion": ["Na", "CO"],
}


def walkers(seed: int = 1) -> dict[str, np.ndarray]:
    """Centres of mass that walk at known rates, shape (molecules, frames, 3) for each species."""
    generator = np.random.default_rng(seed)
    return {
        entry["species"]: generator.uniform(0, EDGE_A, size=(entry["count"], 1, 3))
        + random_walk(generator, entry["count"], FRAMES, KNOWN[entry["species"]], FRAME_PS)
        for entry in (ION, SOLVENT)
    }


def atoms(centres: dict[str, np.ndarray], order: tuple[str, ...] = ("Na", "CO")) -> np.ndarray:
    """Positions of all atoms: CO turns about its centre of mass; shape (frames, atoms, 3)."""
    bond = np.random.default_rng(9).normal(size=centres["CO"].shape)
    bond *= 1.13 / np.linalg.norm(bond, axis=2, keepdims=True)
    carbon = centres["CO"] - 15.999 / 28.01 * bond
    placed = {"Na": centres["Na"], "CO": np.stack([carbon, carbon + bond], axis=1).reshape(-1, FRAMES, 3)}
    return np.concatenate([placed[name] for name in order]).swapaxes(0, 1)


class Box:
    """Folder of a box, and what the analysis makes of it."""

    def __init__(self, folder: Path, molecules: tuple = (ION, SOLVENT), verdict: str = "ok") -> None:
        self.folder = folder
        self.replicas: list[Path] = []
        content = {"box": "demo", "verdict": verdict, "molecules": list(molecules)}
        self.composition = write_json(folder / "composition.json", content)

    def add(self, frames: np.ndarray | None, verdict: str = "ok", times_ps: np.ndarray | None = None) -> Box:
        self.replicas.append(self.folder / f"replica-{len(self.replicas) + 1}")
        write_json(self.replicas[-1] / "equilibration.json", {"verdict": verdict, "warnings": ["slow start"]})
        path = self.replicas[-1] / "trajectory.xtc"
        if frames is None:
            path.touch()
        else:
            write_xtc(path, frames, EDGE_A, FRAME_PS * np.arange(len(frames)) if times_ps is None else times_ps)
        return self

    def analysed(self, recipe: dict = RECIPE, threads: int = 1) -> tuple[dict, dict[str, np.ndarray]]:
        analyse(self.composition, self.replicas, recipe, self.folder / "a.json", self.folder / "c.npz", threads)
        with np.load(self.folder / "c.npz") as curves:
            return read_json(self.folder / "a.json"), dict(curves)


@pytest.fixture(scope="module")
def walk() -> np.ndarray:
    return atoms(walkers())


@pytest.fixture(scope="module")
def plain(walk, tmp_path_factory) -> tuple[dict, dict[str, np.ndarray]]:
    return Box(tmp_path_factory.mktemp("plain")).add(walk).analysed()


def row_of(record: dict, species: str) -> dict:
    return next(row for row in record["diffusion"] if row["species"] == species)


def test_what_walks_at_a_known_rate_is_found_to(plain):
    record, curves = plain
    assert record["box"] == "demo"
    assert record["verdict"] == "ok (one box)"
    assert (record["frames"], record["replicas"]) == (FRAMES, 1)
    assert record["duration_ps"] == pytest.approx((FRAMES - 1) * FRAME_PS)
    assert record["volume_a3"] == pytest.approx(EDGE_A**3, rel=1e-5)
    assert record["warnings"] == ["replica-1: slow start"]
    assert set(record["provenance"]["versions"]) >= {"MDAnalysis", "kinisi"}
    for species, known in KNOWN.items():
        row = row_of(record, species)
        assert row["verdict"] == "ok (one box)"
        assert row["low"] < known < row["high"]
        assert row["d_a2_per_ns"] == pytest.approx(known, rel=0.15)
        assert row["d_corrected_a2_per_ns"] is None
        lag, msd = curves[f"msd|{species}|lag_ps"], curves[f"msd|{species}|msd_a2"]
        assert msd[1:5] == pytest.approx(6 * known / 1000 * lag[1:5], rel=0.1)
        assert (curves[f"msd|{species}|low"] <= msd).all()


def test_what_has_no_structure_has_no_shell(plain):
    record, curves = plain
    assert [(row["center"], row["partner"]) for row in record["coordination"]] == [("Na", "O(CO)"), ("Na", "Na")]
    assert {row["verdict"] for row in record["coordination"]} == {"shell not defined; one box"}
    r, g, n = (curves[f"rdf|Na|O(CO)|{key}"] for key in ("r_angstrom", "g", "n"))
    assert r[-1] == pytest.approx(EDGE_A / 2, abs=0.02)
    assert g[r > 3].mean() == pytest.approx(1, abs=0.02)
    assert np.interp(10, r, n) == pytest.approx(120 / EDGE_A**3 * 4 / 3 * np.pi * 1000, rel=0.02)


def test_drift_of_the_whole_box_is_no_diffusion(plain, walk, tmp_path):
    drift = np.arange(FRAMES)[:, None, None] * np.array([0.4, -0.3, 0.2])
    record, _ = Box(tmp_path).add(walk + drift).analysed()
    for species in KNOWN:
        still, moving = (row_of(one, species)["d_a2_per_ns"] for one in (plain[0], record))
        assert moving == pytest.approx(still, rel=2e-3)


def test_charge_is_carried_by_ions_that_walk(tmp_path, walk):
    # The anions are the molecules of CO, each with a fourth of a charge: neutral, and exactly known.
    anion = SOLVENT | {"charge_e": -0.25}
    drift = np.arange(FRAMES)[:, None, None] * np.array([0.4, -0.3, 0.2])
    rows = [
        {
            (row["quantity"], row["subject"]): row
            for row in Box(tmp_path / name, (ION, anion)).add(frames).analysed()[0]["transport"]
        }
        for name, frames in (("still", walk), ("moving", walk + drift))
    ]
    # e² / (V k_B T) × (30 × 4000 + 120 / 16 × 1500) Å²/ns
    known = 10 * 1.602176634e-19**2 / (1.380649e-23 * 298.15 * EDGE_A**3 * 1e-30) * 131250 * 1e-11
    for still, moving in zip(rows[0].values(), rows[1].values(), strict=True):
        if "cluster" in still["quantity"]:
            assert still["verdict"].startswith("not computed: the box file asks for no pair of a cation and an anion")
        else:
            assert moving["value"] == pytest.approx(still["value"], rel=0.02, abs=0.02 * known)
    single = rows[0]["conductivity, Nernst-Einstein", "formal charges"]
    assert single["value"] == pytest.approx(known, rel=0.1)
    assert single["low"] < known < single["high"]
    assert single["verdict"] == "ok (one box)"
    assert not [quantity for quantity, _ in rows[0] if "solvent frame" in quantity]
    unstructured = read_json(tmp_path / "still" / "a.json")
    assert {row["verdict"] for row in unstructured["solvation"]} == {"no radius; one box"}
    assert {row["verdict"] for row in unstructured["residence"]} == {"no radius; one box"}


def test_several_processes_find_what_one_finds(walk, plain, tmp_path):
    record, curves = Box(tmp_path).add(walk).analysed(threads=3)
    for key in ("coordination", "diffusion", "residence", "solvation", "displacement", "volume_a3"):
        assert record[key] == plain[0][key]
    assert {key: of.tolist() for key, of in curves.items()} == {key: of.tolist() for key, of in plain[1].items()}


def test_a_fault_that_another_process_finds_is_told(walk, tmp_path):
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    box = Box(tmp_path).add(walk)
    path = box.replicas[0] / "trajectory.xtc"
    with XTCFile(str(path)) as file:
        frames = [(frame.x.copy(), frame.box.copy(), frame.step, frame.time, 1000) for frame in file]
    frames[150][1][1, 0] = 0.5
    with XTCFile(str(path), "w") as file:
        for frame in frames:
            file.write(*frame)
    record, _ = box.analysed(threads=2)
    assert record["verdict"] == "not computed: replica-1: the box of the trajectory is not rectangular"


def test_the_order_of_species_does_not_matter(plain, tmp_path):
    record, _ = Box(tmp_path, (SOLVENT, ION)).add(atoms(walkers(), ("CO", "Na"))).analysed()
    for species in KNOWN:
        ours, theirs = row_of(record, species), row_of(plain[0], species)
        assert ours["d_a2_per_ns"] == pytest.approx(theirs["d_a2_per_ns"], rel=1e-6)
        assert ours["particles"] == theirs["particles"]


def test_a_wrapped_trajectory_gives_structure_but_no_diffusion(plain, walk, tmp_path):
    record, curves = Box(tmp_path).add(np.mod(walk, EDGE_A)).analysed()
    assert {row["verdict"] for row in record["diffusion"]} == {f"{verdicts.WRAPPED}; one box"}
    assert {row["d_a2_per_ns"] for row in record["diffusion"]} == {None}
    assert verdicts.WRAPPED in record["verdict"]
    assert {row["verdict"] for row in record["transport"]} == {f"{verdicts.WRAPPED}; one box"}
    # Positions are rounded to 0.01 Å in the file, at other places for other images.
    assert curves["rdf|Na|O(CO)|n"] == pytest.approx(plain[1]["rdf|Na|O(CO)|n"], abs=0.02)


def test_three_boxes_need_no_caveat(tmp_path):
    box = Box(tmp_path)
    for seed in (1, 2, 3):
        box.add(atoms(walkers(seed)))
    record, _ = box.analysed()
    row = row_of(record, "Na")
    assert record["verdict"] == row["verdict"] == "ok"
    assert row["replicas"] == record["replicas"] == 3
    assert row["low"] < KNOWN["Na"] < row["high"]


def test_a_box_that_is_not_equilibrated_says_so_in_every_row(walk, tmp_path):
    record, _ = Box(tmp_path).add(walk, "not equilibrated: density still drifts").analysed()
    rows = record["coordination"] + record["diffusion"]
    assert all(row["verdict"].startswith("not equilibrated: density still drifts; ") for row in rows)
    assert record["verdict"].startswith("not equilibrated")
    assert row_of(record, "Na")["d_a2_per_ns"] is not None


def test_a_replica_that_failed_is_left_out_and_named(walk, tmp_path):
    record, _ = Box(tmp_path).add(walk).add(None, "not run: energy is not finite").analysed()
    assert record["replicas"] == 1
    assert "left out: replica-2: not run: energy is not finite" in record["warnings"]
    assert row_of(record, "Na")["verdict"] == "ok (one box)"


@pytest.mark.parametrize(
    ("verdict", "reason"), [("ok", "the trajectory is empty"), ("not run: clash of atoms", "not run: clash of atoms")]
)
def test_a_box_without_trajectory_has_rows_without_numbers(tmp_path, verdict, reason):
    check_rows_without_numbers(Box(tmp_path).add(None, verdict), f"not computed: replica-1: {reason}")


def test_a_box_that_was_not_built_has_rows_without_numbers(tmp_path):
    box = Box(tmp_path, (), "not built: no charges for DFOB").add(None, "not run: no box")
    check_rows_without_numbers(box, "not computed: not built: no charges for DFOB")


def check_rows_without_numbers(box: Box, verdict: str) -> None:
    record, curves = box.analysed()
    assert curves == {}
    assert record["verdict"] == verdict
    assert [row["partner"] for row in record["coordination"]] == ["O(CO)", "Na"]
    assert [row["species"] for row in record["diffusion"]] == ["Na", "CO"]
    for row in record["coordination"] + record["diffusion"]:
        assert row["verdict"] == verdict
        assert {row[key] for key in set(row) & {"coordination_number", "d_a2_per_ns", "low", "high"}} == {None}


@pytest.mark.parametrize("fault", ["gap", "duplicate"])
def test_frames_that_are_not_evenly_spaced_are_refused(walk, tmp_path, fault):
    times = FRAME_PS * np.arange(FRAMES)
    times[100:] += FRAME_PS if fault == "gap" else -FRAME_PS
    record, _ = Box(tmp_path).add(walk, times_ps=times).analysed()
    step = 1 if fault == "gap" else 0
    assert f"not evenly spaced: {step} ps between frames 100 and 101, 0.5 ps elsewhere" in record["verdict"]
    assert record["replicas"] == 0


def test_what_the_box_does_not_hold_is_not_computed(walk, tmp_path):
    none = SOLVENT | {"species": "FEC", "count": 0, "symbols": ["F"], "masses_amu": [19.0]}
    recipe = RECIPE | {"coordination": [{"center": "Na", "partners": ["F(FEC)"]}], "diffusion": ["FEC"]}
    record, _ = Box(tmp_path, (ION, SOLVENT, none)).add(walk).analysed(recipe)
    assert record["coordination"][0]["verdict"] == "not computed: the box holds no F(FEC)"
    assert record["diffusion"][0]["verdict"] == "not computed: the box holds no molecule of FEC"


def test_files_that_do_not_fit_are_errors(walk, tmp_path):
    with pytest.raises(ValueError, match="holds 270 atoms, the composition 30"):
        Box(tmp_path / "atoms", (ION,)).add(walk).analysed(RECIPE | {"coordination": [], "diffusion": ["Na"]})
    with pytest.raises(ValueError, match=r"\[0\.5, 1\.0\] ps apart"):
        Box(tmp_path / "times").add(walk).add(walk, times_ps=np.arange(FRAMES)).analysed()


def test_sites_are_read_as_chemists_write_them():
    assert parse_site("Na") == Site("Na")
    assert parse_site(" O(DOL) ") == Site("O", "DOL")
    assert str(parse_site("F(TFSI)")) == "F(TFSI)"
    twice = [SOLVENT | {"count": 2}, ION | {"count": 1}, SOLVENT | {"species": "DOL", "count": 1}]
    assert atoms_of(parse_site("O"), twice) == [1, 3, 6]
    assert atoms_of(parse_site("O(CO)"), twice) == [1, 3]
    assert atoms_of(parse_site("Na"), twice) == [4]


def test_labels_pick_atoms_within_a_molecule():
    assert parse_site("O(carbonyl of FEC)") == Site("O", "FEC", "carbonyl")
    assert str(parse_site("O( carbonyl  of FEC )")) == "O(carbonyl of FEC)"
    molecules = [ION | {"count": 1}, SOLVENT | {"species": "FEC", "count": 2, "symbols": ["O", "C", "O"]}]
    molecules[1]["sites"] = {"carbonyl": [2]}
    assert atoms_of(parse_site("O(carbonyl of FEC)"), molecules) == [3, 6]
    assert atoms_of(parse_site("O(FEC)"), molecules) == [1, 3, 4, 6]
    symbols, labels = {"FEC": ["O", "C", "O"], "DOL": ["O"]}, {"carbonyl": {"FEC": [2]}, "carbon": {"FEC": [1]}}
    for text, message in {
        "O(carbonyl of DOL)": "site 'O(carbonyl of DOL)': 'carbonyl' matches nothing in DOL",
        "O(carbon of FEC)": "site 'O(carbon of FEC)': 'carbon' is C in FEC",
        "O(carbonil of FEC)": "site 'O(carbonil of FEC)': analysis.sites has no 'carbonil', did you mean 'carbonyl'?",
    }.items():
        with pytest.raises(ValueError) as error:
            check_site(text, symbols, labels)
        assert str(error.value) == message


def test_labelled_atoms_have_their_own_numbers(walk, tmp_path):
    recipe = RECIPE | {
        "sites": {"end": {"CO": [1]}},
        "coordination": [{"center": "Na", "partners": ["O(end of CO)", "O(CO)"], "radius_angstrom": 5.0}],
    }
    record, _ = Box(tmp_path).add(walk).analysed(recipe)
    labelled, plain = ({key: v for key, v in row.items() if key != "partner"} for row in record["coordination"])
    assert labelled == plain
    assert labelled["number_at_radius"] == pytest.approx(120 / EDGE_A**3 * 4 / 3 * np.pi * 125, rel=0.05)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("O(DOLL)", "site 'O(DOLL)': the box holds no species 'DOLL', did you mean 'DOL'?"),
        ("N(DOL)", "site 'N(DOL)': DOL holds no N; its elements are C, H, O"),
        ("Sn", "site 'Sn': the box holds no Sn; its elements are C, H, Na, O"),
        ("DOL", "site 'DOL': must be an element, or an element of a species: 'Na', 'O(DOL)'"),
        ("O (DOL", "site 'O (DOL': must be an element, or an element of a species: 'Na', 'O(DOL)'"),
    ],
)
def test_wrong_sites_are_explained(text, message):
    with pytest.raises(ValueError) as error:
        check_site(text, {"Na": ["Na"], "DOL": ["C", "O", "H"]})
    assert str(error.value) == message


def test_unknown_species_are_explained():
    with pytest.raises(ValueError, match=r"diffusion: the box holds no species 'TFSl', did you mean 'TFSI'\?"):
        check_species("TFSl", {"Na": [], "TFSI": []})


def test_sites_can_be_checked_without_heavy_modules():
    code = "import sys, electroscreen.sites; print([m for m in ('numpy', 'MDAnalysis') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
