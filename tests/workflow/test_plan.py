"""Snakemake's plan without what is settled is the plan of everything, less the jobs that would not run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from scale_helpers import add_species, finish, grow

from electroscreen.memory import Memory
from electroscreen.project import Project
from electroscreen.recipe import as_text, digest
from electroscreen.status import write_inventory
from electroscreen.survey import survey

ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    grow(folder, 6, 2)
    finish(folder)
    write_inventory(survey(Project(folder, "quick")), folder / "results" / "quick" / "inventory.csv")
    return folder


@pytest.fixture
def finished(original, tmp_path) -> Path:
    shutil.copytree(original, tmp_path / "project", copy_function=shutil.copy2)
    return tmp_path / "project"


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=600)


def planned(folder: Path, *arguments: str) -> dict[str, int]:
    """Return how many jobs of each rule a dry run plans."""
    done = snakemake(folder, "-n", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    table = re.search(r"Job stats:\n.*\n[- ]+\n((?:\S+ +\d+\n)+)", done.stdout + done.stderr)
    return {rule: int(count) for rule, count in (line.split() for line in table[1].splitlines())} if table else {}


def spoil(folder: Path) -> None:
    """Change one thing of every kind."""
    results, molecules = folder / "results" / "quick", folder / "molecules"
    add_species(folder, "New", "CCOCC")
    changed = molecules / "species" / "M00000.yaml"
    changed.write_text(changed.read_text(encoding="utf-8").replace("smiles: C", "smiles: CC"), encoding="utf-8")
    remarked = molecules / "species" / "M00001.yaml"
    remarked.write_text("# a remark\n" + remarked.read_text(encoding="utf-8"), encoding="utf-8")
    (results / "species" / "M00002" / "geometry.xyz").write_text("another\n", encoding="utf-8")
    (results / "species" / "M00003" / "esp.json").unlink()
    (results / "species" / "M00004" / "density.npy").unlink()
    box = molecules / "boxes" / "box0001.yaml"
    box.write_text(box.read_text(encoding="utf-8").replace("- O(TFSI)", "- O(TFSI)\n    - F(TFSI)"), encoding="utf-8")


def test_the_small_plan_is_the_whole_one_less_what_would_not_run(finished):
    spoil(finished)
    small, whole = planned(finished), planned(finished, "--config", "whole=true")
    assert small == whole
    assert small["geometry"] == 2 and small["electrostatic_potential"] == 4


def test_an_upgrade_asks_before_it_computes(finished):
    project, path = Project(finished, "quick"), finished / "results" / "quick" / "species" / "M00002" / "orbitals.json"
    recipe = project.recipe("orbitals", "M00002")
    older = recipe | {"protocol": recipe["protocol"] - 1}
    record = json.loads(path.read_text(encoding="utf-8"))
    record["provenance"]["recipe_hash"] = digest(older)
    before = path.stat()
    path.write_text(json.dumps(record), encoding="utf-8")
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    remembered = Memory(finished).path("metadata", "results/quick/species/M00002/orbitals.json")
    text = json.loads(remembered.read_text(encoding="utf-8"))
    text["params"] = sorted(["'quick'", repr(as_text(older))])
    remembered.write_text(json.dumps(text), encoding="utf-8")
    refused = snakemake(finished)
    assert refused.returncode != 0 and "1 of stage orbitals (protocol" in refused.stderr
    assert "Traceback" not in refused.stderr and "rule orbital_energies" not in refused.stdout + refused.stderr
    shown = snakemake(finished, "-n")
    assert shown.returncode == 0 and "1 of stage orbitals (protocol" in shown.stderr
    assert "rule orbital_energies" in shown.stdout + shown.stderr
    kept = snakemake(finished, "--touch", "orbitals")
    assert kept.returncode == 0, kept.stderr
    assert "orbital_energies" not in planned(finished)


def test_what_is_not_in_the_plan_is_not_silently_left_unforced(finished):
    refused = snakemake(finished, "-n", "--forcerun", "charges")
    assert refused.returncode != 0 and "--config whole=true" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert planned(finished, "--forcerun", "charges", "--config", "whole=true")["charges"] == 6 + 3


def test_a_viscosity_asked_for_later_needs_the_dynamics_and_the_analysis_again_and_no_packing(finished):
    config = finished / "config" / "quick.yaml"
    text = config.read_text(encoding="utf-8")
    assert "\ndynamics:\n" in text
    config.write_text(text.replace("\ndynamics:\n", "\ndynamics:\n  viscosity_ps: 50\n"), encoding="utf-8")
    small = planned(finished)
    assert (small["dynamics"], small["analysis"]) == (2, 2)
    assert "packing" not in small
    assert small == planned(finished, "--config", "whole=true")


def resources_of_dynamics(folder: Path, *arguments: str) -> list[tuple[int, int]]:
    """Return threads and percent of a GPU of each planned run of a box."""
    done = snakemake(folder, "-n", *arguments)
    jobs = (done.stdout + done.stderr).split("rule dynamics:")[1:]
    found = [(re.search(r"gpu_percent=(\d+)", job), re.search(r"dynamics .* --threads (\d+)", job)) for job in jobs]
    return [(int(threads[1]), int(share[1])) for share, threads in found]


def test_boxes_that_wait_share_the_cores_and_where_it_is_asked_a_gpu(finished):
    def warm(name: str) -> None:
        box = finished / "molecules" / "boxes" / f"{name}.yaml"
        box.write_text(box.read_text(encoding="utf-8").replace("298.15", "310"), encoding="utf-8")

    warm("box0000")
    assert resources_of_dynamics(finished, "--cores", "4") == [(4, 100)]
    warm("box0001")
    assert resources_of_dynamics(finished, "--cores", "4") == [(2, 100)] * 2
    assert resources_of_dynamics(finished, "--cores", "1") == [(1, 100)] * 2
    shared = ("--set-resources", "dynamics:gpu_percent=25", "--set-threads", "dynamics=3")
    assert resources_of_dynamics(finished, "--cores", "4", *shared) == [(3, 25)] * 2
