"""How far a run is: each state and its reason, and that nothing is called settled which is not."""

from __future__ import annotations

import io
import json
import os
import shutil
import time

import pytest
import yaml
from scale_helpers import add_species, finish, grow

from electroscreen import facts, recipe
from electroscreen.project import Project
from electroscreen.record import locked
from electroscreen.settings import read_settings
from electroscreen.status import as_json, print_status, write_inventory
from electroscreen.survey import DONE, FAILED, MISSING, RUNNING, STALE, survey
from electroscreen.upgrade import notice


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original")
    grow(folder, 12, 2)
    finish(folder)
    write_inventory(look(folder), folder / "results" / "quick" / "inventory.csv")
    return folder


@pytest.fixture
def finished(original, tmp_path):
    """A finished project of twelve solvents and two boxes, to spoil."""
    shutil.copytree(original, tmp_path / "project", copy_function=shutil.copy2)
    return tmp_path / "project"


def look(folder):
    read_settings.cache_clear()
    return survey(Project(folder, "quick"))


def states(folder, **where):
    found = look(folder).states.values()
    return {s.job.record: s for s in found if all(getattr(s.job, key) == value for key, value in where.items())}


def edit(path, old, new):
    """Change a file as an editor would, its time included."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    later = time.time() + 5
    os.utime(path, (later, later))


def test_a_finished_project_is_done_and_settled(finished):
    found = look(finished)
    stages = ("geometry", "orbitals", "esp", "cubes", "charges")
    assert sum(state.job.stage in stages for state in found.states.values()) == len(stages) * (12 + 3)
    assert sum(state.job.stage not in (*stages, "forcefield") for state in found.states.values()) == 5 * 2
    assert {state.name for state in found.states.values()} == {DONE}
    assert found.unsettled == [] and found.outdated() == {}


def test_an_added_species_is_missing_and_alone_unsettled(finished):
    add_species(finished, "New", "CCOCC")
    found = look(finished)
    assert {state.job.subject for state in found.unsettled} == {"New"}
    assert {state.name for state in found.unsettled} == {MISSING}
    assert [s.job.stage for s in found.unsettled] == ["geometry", "orbitals", "esp", "cubes", "charges"]


def test_a_comment_and_a_touched_result_unsettle_nothing(finished):
    path = finished / "molecules" / "species" / "M00003.yaml"
    edit(path, "name:", "# a remark\nname:")
    os.utime(finished / "molecules" / "boxes" / "box0000.yaml")
    os.utime(finished / "config" / "quick.yaml")
    assert look(finished).unsettled == []


def test_a_changed_structure_makes_stale_what_depends_on_it_and_nothing_else(finished):
    box = yaml.safe_load((finished / "molecules" / "boxes" / "box0001.yaml").read_text(encoding="utf-8"))
    name = next(iter(box["recipe"]))
    others = {
        n: yaml.safe_load(p.read_text())["recipe"]
        for p in (finished / "molecules/boxes").glob("*.yaml")
        for n in [p.stem]
    }
    holding = {n for n, held in others.items() if name in held}
    edit(finished / "molecules" / "species" / f"{name}.yaml", "smiles: ", "smiles: C")
    stale = {s.job.subject for s in look(finished).unsettled}
    assert stale == {name} | holding
    told = states(finished, subject=name)
    assert told[f"species/{name}/geometry.json"].reason == "its input or settings changed"
    assert all(state.name == STALE for state in told.values())


def test_a_changed_setting_reaches_the_stages_that_use_it(finished):
    edit(finished / "config" / "quick.yaml", "grid_final: 3", "grid_final: 4")
    assert {s.job.stage for s in look(finished).unsettled} == {"orbitals", "esp", "cubes"}


def test_a_longer_production_reaches_dynamics_and_what_follows(finished):
    edit(finished / "config" / "quick.yaml", "production_ps: 150", "production_ps: 300")
    assert {s.job.stage for s in look(finished).unsettled} == {"dynamics", "analysis", "figures"}


def test_more_replicas_leave_the_first_alone(finished):
    edit(finished / "config" / "quick.yaml", "replicas: 1", "replicas: 2")
    unsettled = {(s.job.stage, s.job.record.count("replica-2"), s.name) for s in look(finished).unsettled}
    assert unsettled == {
        *(("packing", 1, MISSING), ("dynamics", 1, MISSING)),
        *(("analysis", 0, STALE), ("figures", 0, STALE)),
    }


def test_fewer_replicas_are_other_inputs_of_the_analysis(finished):
    edit(finished / "config" / "quick.yaml", "replicas: 1", "replicas: 2")
    read_settings.cache_clear()
    finish(finished)
    edit(finished / "config" / "quick.yaml", "replicas: 2", "replicas: 1")
    told = states(finished, stage="analysis").values()
    assert {(state.name, state.reason) for state in told} == {(STALE, "it now reads other files")}


@pytest.mark.parametrize("spoil", ["rewrite", "delete", "truncate", "unfinished"])
def test_nothing_spoilt_is_settled(finished, spoil):
    results = finished / "results" / "quick"
    geometry = results / "species" / "M00002" / "geometry.xyz"
    if spoil == "rewrite":
        geometry.write_text("another geometry\n", encoding="utf-8")
    if spoil == "delete":
        (results / "species" / "M00002" / "frontier.npz").unlink()
    if spoil == "truncate":
        record = results / "species" / "M00002" / "orbitals.json"
        record.write_text(record.read_text(encoding="utf-8")[:50], encoding="utf-8")
    if spoil == "unfinished":
        from electroscreen.memory import Memory

        mark = Memory(finished).path("incomplete", "results/quick/species/M00002/orbitals.json")
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text("{}", encoding="utf-8")
    assert "M00002" in {state.job.subject for state in look(finished).unsettled}


def test_failures_are_told_with_their_reason(finished):
    results = finished / "results" / "quick"
    record = results / "species" / "M00004" / "orbitals.json"
    text = record.read_text(encoding="utf-8")
    record.write_text(text.replace('"verdict": "ok"', '"verdict": "not converged: 200 cycles"'), encoding="utf-8")
    (results / "species" / "M00005" / "geometry.json").unlink()
    log = results / "species" / "M00005" / "logs" / "geometry.log"
    log.parent.mkdir()
    log.write_text("step 1\nMemoryError: no room for 9 GB\n\n", encoding="utf-8")
    found = look(finished).states
    assert (found["species/M00004/orbitals.json"].name, found["species/M00004/orbitals.json"].reason) == (
        FAILED,
        "not converged: 200 cycles",
    )
    assert found["species/M00005/geometry.json"].reason == "MemoryError: no room for 9 GB"
    assert found["species/M00005/orbitals.json"].name == STALE


def test_a_job_that_holds_its_lock_is_running(finished):
    add_species(finished, "New", "CCOCC")
    with locked(finished / "results" / "quick" / "species" / "New"):
        assert states(finished, subject="New")["species/New/geometry.json"].name == RUNNING
    assert states(finished, subject="New")["species/New/geometry.json"].name == MISSING


def test_an_upgrade_says_what_it_would_compute_anew(finished, monkeypatch):
    monkeypatch.setitem(recipe.PROTOCOL, "orbitals", recipe.PROTOCOL["orbitals"] + 1)
    # The kept facts are those of the package as it was.
    monkeypatch.setattr(facts, "_key", lambda project: "upgraded")
    found = look(finished)
    assert set(found.outdated()) == {("orbitals", recipe.PROTOCOL["orbitals"] - 1)}
    assert found.outdated().total() == len(found.screened)
    assert f"{len(found.screened)} of stage orbitals" in notice(found) and "upgrade=rerun" in notice(found)


def test_status_counts_every_job_once(finished):
    add_species(finished, "New", "CCOCC")
    found = look(finished)
    told = json.loads(as_json(found))
    assert sum(sum(of.values()) for of in told["counts"].values()) == len(told["jobs"]) == len(found.states)
    assert told["counts"]["geometry"] == {DONE: 15, FAILED: 0, RUNNING: 0, STALE: 0, MISSING: 1}


def test_status_shows_names_as_text_in_80_columns(finished):
    from rich.console import Console

    record = finished / "results" / "quick" / "species" / "M00004" / "orbitals.json"
    text = record.read_text(encoding="utf-8").replace('"verdict": "ok"', '"verdict": "[red]not converged"')
    record.write_text(text, encoding="utf-8")
    console = Console(width=80, file=io.StringIO(), force_terminal=False)
    print_status(look(finished), console)
    assert "orbitals M00004: failed: [red]not converged" in console.file.getvalue()


def test_the_command_tells_the_same(finished, electroscreen):
    code, out, err = electroscreen("status", "--project", finished, "--json")
    assert (code, err) == (0, []) and json.loads("\n".join(out))["counts"]["orbitals"]["done"] == 15


def test_kept_facts_never_outlive_what_they_came_from(finished):
    """The second call reads no file again, and still sees a fault in the one that was written since."""
    look(finished)
    path = finished / "molecules" / "species" / "M00001.yaml"
    edit(path, "role: solvent", "role: solvant")
    with pytest.raises(Exception, match=r"M00001.yaml: role"):
        look(finished)
