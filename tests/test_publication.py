"""Published tables follow from the files beside them: made again they are the same; what is not is told."""

from __future__ import annotations

import json
import shutil

import pytest

from electroscreen.publication.compare import compare_table
from electroscreen.publication.contents import sha256
from electroscreen.report.formats import write_table
from electroscreen.report.headings import HEADINGS, WORDS

BOX = "natfsi_dol_fec"
NAMES = ["boxes", "complexes", "levels", "quick", "redox", "tin"]


@pytest.fixture
def published(shipped, project):
    """Published results of one box that a test may spoil."""
    folder = project / "results" / "published" / "quick"
    shutil.copytree(
        shipped / "results" / "published" / "quick", folder, ignore=shutil.ignore_patterns("*.png", "*.svg")
    )
    return folder


@pytest.fixture
def verified(project, electroscreen):
    """Verify a project; return the exit code and the lines that were printed."""

    def call(*words):
        code, out, err = electroscreen("verify", "--project", project, *words)
        assert not any("Traceback" in line for line in err)
        return code, out

    return call


def republished(folder, name):
    """Take a changed file for the one that was published."""
    content = json.loads((folder / "publication.json").read_text(encoding="utf-8"))
    content["files"][name] = sha256(folder / name)
    (folder / "publication.json").write_text(json.dumps(content), encoding="utf-8")


def replace_in(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_published_is_the_same(shipped, electroscreen, name):
    """The promise of the project: its tables follow, by the present code, from the files that it ships."""
    code, out, _ = electroscreen("verify", name, "--project", shipped)
    assert code == 0, out
    assert "  the same: " in out[-1]


def test_all_are_found(shipped):
    from electroscreen.publication.verify import published_names

    assert published_names(shipped / "results" / "published") == NAMES


def test_a_changed_number_is_told(published, verified):
    table = published / "tables" / "frontier_orbitals.csv"
    line = next(line for line in table.read_text(encoding="utf-8").split("\n") if line.startswith("LiF,"))
    lumo = line.split(",")[-4]
    assert lumo.startswith("-1.33")
    replace_in(table, lumo, "-1.34")
    code, out = verified()
    assert code == 1
    told = [text for text in out if text.startswith("  frontier_orbitals: LiF, ")]
    assert len(told) == 1
    assert f"lumo_ev -1.34 published, {lumo} now" in told[0]
    assert out[-1] == "  NOT the same"


def test_a_changed_verdict_is_told(published, verified):
    table = published / "tables" / "diffusion.csv"
    replace_in(table, "not diffusive", "quite diffusive")
    code, out = verified()
    assert code == 1
    assert any(text.startswith("  diffusion: ") and "verdict '" in text and "quite diffusive" in text for text in out)


def test_a_longer_box_changes_what_is_measured_in_it(published, verified):
    """The trajectory is read: with all lengths stretched by 2 %, first peaks are farther out and D is 4 % larger."""
    import MDAnalysis

    path = published / "boxes" / BOX / "replica-1" / "trajectory.xtc"
    with MDAnalysis.coordinates.XTC.XTCReader(str(path)) as reader:
        atoms, frames = reader.n_atoms, [(ts.positions * 1.02, ts.dimensions.copy(), ts.time) for ts in reader]
    universe = MDAnalysis.Universe.empty(atoms, trajectory=True)
    with MDAnalysis.Writer(str(path), atoms) as writer:
        for positions, dimensions, time in frames:
            universe.atoms.positions = positions
            universe.dimensions = [*(dimensions[:3] * 1.02), *dimensions[3:]]
            universe.trajectory.ts.time = time
            writer.write(universe)
    republished(published, f"boxes/{BOX}/replica-1/trajectory.xtc")
    code, out = verified()
    assert code == 1
    peaks = [text.split() for text in out if text.startswith("  coordination: ") and " first_peak_angstrom " in text]
    moved = {float(words[-2]) / float(words[-4]) for words in peaks}
    assert moved
    assert all(1.01 < ratio < 1.03 for ratio in moved)
    assert not any(text.startswith("  frontier_orbitals") for text in out)


@pytest.mark.parametrize("spoil", ["cut", "gone"])
def test_a_file_that_is_not_the_published_one(published, verified, spoil):
    name = f"boxes/{BOX}/replica-1/trajectory.xtc"
    if spoil == "cut":
        (published / name).write_bytes((published / name).read_bytes()[:100_000])
    else:
        (published / name).unlink()
    code, out = verified()
    assert code == 1
    why = "is not the file that was published" if spoil == "cut" else "is missing"
    assert f"  {name} {why}" in out
    assert out[-1] == "  NOT verified"


def test_what_was_added_since_has_no_rows(published, project, verified):
    species = project / "molecules" / "species"
    shutil.copy(species / "LiF.yaml", species / "Mine.yaml")
    replace_in(species / "Mine.yaml", "name: LiF", "name: Mine")
    assert verified()[0] == 0


def test_a_changed_request_explains_the_difference(published, project, verified):
    replace_in(project / "molecules" / "boxes" / f"{BOX}.yaml", "temperature_k: 298.15", "temperature_k: 350.0")
    code, out = verified()
    assert code == 1
    assert any(f"{BOX}: since it was published, something else is asked" in text for text in out)
    assert any(text.startswith("  transport: ") for text in out)


def test_nothing_there(project, electroscreen):
    code, _, err = electroscreen("verify", "--project", project)
    assert code == 2
    assert "nothing is published there" in err[0]
    code, _, err = electroscreen("publish", "--project", project)
    assert code == 2
    assert "there are no results to publish: run the workflow first" in err[0]
    code, _, err = electroscreen("verify", "paper", "--project", project)
    assert code == 2
    assert "publication.json is missing" in err[0]


@pytest.mark.parametrize("key", ["files", "boxes"])
def test_a_list_that_leads_elsewhere_is_refused(published, project, electroscreen, key):
    path = published / "publication.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    if key == "files":
        content["files"]["../../../../etc/passwd"] = "0"
    else:
        content["boxes"].append("../other")
    path.write_text(json.dumps(content), encoding="utf-8")
    code, out, err = electroscreen("verify", "--project", project)
    assert (code, out, len(err)) == (2, [], 1)
    assert "publication.json" in err[0]


@pytest.fixture
def run(published, project, electroscreen):
    """The results that were published, as if they had been computed here."""
    results = project / "results" / "quick"
    for folder in ("species", "complexes", "boxes"):
        shutil.copytree(published / folder, results / folder)
    assert electroscreen("analysis", BOX, "--project", project)[0] == 0
    return results


def test_publishing_what_was_published(run, published, project, electroscreen, verified):
    before = json.loads((published / "publication.json").read_text(encoding="utf-8"))
    tables = {path.name: path.read_bytes() for path in (published / "tables").iterdir()}
    (published / "README.md").write_text("by hand\n", encoding="utf-8")
    (run / "boxes" / BOX / "binding.restart.json").write_text("{}\n", encoding="utf-8")
    code, out, _ = electroscreen("publish", "--project", project)
    assert code == 0
    assert f"{len(before['files'])} files" in out[0]
    after = json.loads((published / "publication.json").read_text(encoding="utf-8"))
    assert after["files"] == before["files"]
    assert {path.name: path.read_bytes() for path in (published / "tables").iterdir()} == tables
    assert (published / "README.md").read_text(encoding="utf-8") == "by hand\n"
    assert [path.name for path in published.parent.iterdir()] == ["quick"]
    assert verified()[0] == 0


def test_a_large_trajectory_is_left_out(run, published, project, electroscreen, verified):
    code, out, _ = electroscreen("publish", "--project", project, "--largest-mb", "1")
    assert code == 0
    assert out[0].startswith(f"{BOX}: its trajectory is larger than 1 MB")
    assert not (published / "boxes" / BOX / "replica-1" / "trajectory.xtc").exists()
    code, out = verified()
    assert code == 0
    assert f"  {BOX}: its trajectory is too large to be here, so its rows come from its record" in out


def test_what_fails_leaves_the_old_publication(run, published, project, electroscreen, verified, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device", "tables")

    monkeypatch.setattr("electroscreen.publication.publish.tabulate", fail)
    assert electroscreen("publish", "--project", project)[0] == 4
    monkeypatch.undo()
    assert [path.name for path in published.parent.iterdir()] == ["quick"]
    assert verified()[0] == 0


def edition(folder, **changes):
    row = {"species": "LiF", "level": "hf", "homo_ev": -6.98, "lumo_ev": -1.34, "gap_ev": 5.64, "verdict": "ok"}
    write_table([row | changes], HEADINGS["frontier_orbitals"], WORDS, folder / "frontier_orbitals", "")
    return folder


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, None),
        ({"homo_ev": -6.98001}, None),  # the sixth digit
        ({"homo_ev": -6.9802}, "homo_ev -6.98 published, -6.9802 now"),
        ({"homo_ev": None}, "homo_ev -6.98 published, nothing now"),
        ({"dipole_debye": 0.0}, "dipole_debye nothing published, 0 now"),
        ({"verdict": "not converged"}, "verdict 'ok' published, 'not converged' now"),
        ({"species": "LiCl"}, "LiF, hf: published, not made now"),
    ],
)
def test_cells(tmp_path, changes, told):
    found = compare_table("frontier_orbitals", edition(tmp_path / "old"), edition(tmp_path / "new", **changes))
    if told is None:
        assert found.differences == []
        assert (found.rows, found.numbers) == (1, 3)
        assert found.largest == pytest.approx(1e-5 / 6.98 if changes else 0.0, rel=0.01)
    else:
        assert any(told in line for line in found.differences)


def test_columns_and_texts(tmp_path):
    old, new = edition(tmp_path / "old"), edition(tmp_path / "new")
    replace_in(old / "frontier_orbitals.md", "-1.34", "-1.35")
    assert compare_table("frontier_orbitals", old, new).differences == [
        "frontier_orbitals.md is not the one that belongs to frontier_orbitals.csv"
    ]
    replace_in(old / "frontier_orbitals.csv", "gap_ev", "gap_hartree")
    assert compare_table("frontier_orbitals", old, new).differences == ["columns are not the same: gap_ev, gap_hartree"]
