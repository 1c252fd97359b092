"""The screen on a real scheduler: submitted, drained, cancelled, stopped before a time limit, killed, submitted again.

Everything but the engine is real: Slurm, Snakemake's plugin for it, the profile. One test runs the engine, too.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, Workflow, build_project
from one_node_slurm import OneNodeSlurm, missing_programs

if missing_programs():
    lacking = ", ".join(missing_programs())
    pytest.skip(f"no Slurm here ({lacking}); Debian, Ubuntu: apt install slurm-wlm munge", allow_module_level=True)
if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
    pytest.skip("no plugin for Slurm here: make cluster", allow_module_level=True)

# The plugin looks first after 40 s, which on a real cluster is soon.
SLURM = ("--profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "6")
BOX = "dol"


@pytest.fixture(scope="module")
def slurm():
    with OneNodeSlurm() as running:
        yield running


def small_project(folder: Path) -> Workflow:
    """Three species and a box, nothing run yet."""
    workflow = build_project(folder, species=("LiF", "Na", "DOL"), boxes=(BOX,))
    quick = folder / "config" / "quick.yaml"
    settings = yaml.safe_load(quick.read_text())
    settings["box"]["boxes"], settings["binding"]["complexes"] = [BOX], []
    settings["quantum"]["esp"] = settings["quantum"]["cubes"] = None
    quick.write_text(yaml.safe_dump(settings))
    return workflow


@pytest.fixture(scope="module")
def at_home(tmp_path_factory) -> Workflow:
    """The same, run to its end without a scheduler."""
    workflow = small_project(tmp_path_factory.mktemp("at_home") / "electroscreen")
    workflow.run(timeout_s=3000)
    return workflow


def results(workflow: Workflow) -> dict[str, object]:
    """Return all that was computed, by file; records without who made them when.

    What the survey remembers of files is left out: it holds their times.
    """
    folder = workflow.folder / "results" / "quick"
    found: dict[str, object] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if name.startswith(".survey"):
            continue
        if path.suffix == ".json":
            record = json.loads(path.read_text())
            record.pop("provenance", None)
            found[name] = record
        elif path.suffix in (".csv", ".md", ".tex", ".xyz", ".xml"):
            found[name] = path.read_text()
        elif "logs" not in path.parts and ".lock" not in path.name:
            found[name] = path.suffix
    return found


def wait_until(happened, process: subprocess.Popen | None = None, seconds: float = 1500) -> None:
    deadline = time.time() + seconds
    while not happened():
        assert process is None or process.poll() is None, process.communicate()
        assert time.time() < deadline, "nothing happened"
        time.sleep(0.3)


@contextmanager
def killed_at_the_end(process: subprocess.Popen) -> Iterator[subprocess.Popen]:
    """As a login node that goes down: Snakemake gets no chance to say goodbye."""
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def written(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_drained_cancelled_stopped_killed_and_submitted_again(slurm, tmp_path, request):
    small = small_project(tmp_path / "electroscreen")
    folder, calls = small.folder, small.folder / "calls.log"
    asked = slurm.environment | {"FAKE_HANG": "geometry DOL", "FAKE_SLOW": f"dynamics {BOX}", "FAKE_STEP_S": "0.3"}
    # As the profile says: a GPU for each box.
    options = (*SLURM, "--set-resources", "dynamics:gres='gpu:1'")
    slurm.set_node("drain")
    with killed_at_the_end(small.start(*options, **asked)) as process:
        # A drained node starts nothing; resumed, it does.
        wait_until(lambda: len(slurm.jobs("PENDING")) == 2, process)
        # Sodium and lithium fluoride are one job, all stages of both; DOL's geometry is one of its own.
        comments = sorted(comment for _, _, comment in slurm.jobs())
        assert comments == ["rule_geometry_wildcards_DOL", "rule_small_charges_geometry_orbital_energies"]
        assert written(calls) == ""
        slurm.set_node("resume")

        # Cancelled in the middle, it is tried again.
        wait_until(lambda: "geometry DOL" in written(calls), process)
        slurm.call("scancel", slurm.job_of("rule_geometry"))

        # The signal that comes before a time limit: dynamics stops at a checkpoint, and its next try goes on there.
        progress = folder / f"results/quick/boxes/{BOX}/replica-1/restart/progress"
        wait_until(lambda: int(written(progress) or 0) >= 20, process)
        number = slurm.job_of("rule_dynamics")
        assert "gpu:1" in slurm.call("squeue", f"--jobs={number}", "--noheader", "--format=%b")
        slurm.call("scancel", "--signal=TERM", number)
        wait_until(lambda: written(folder / "steps.log").count("\n") == 2, process)

    # Snakemake is dead, its job is not. Once that is cancelled, the next call submits what is left.
    for number, _, _ in slurm.jobs():
        slurm.call("scancel", number)
    wait_until(lambda: not slurm.jobs())
    small.run(*options, timeout_s=3000, **asked)

    ran = small.calls()
    assert ran.count("geometry DOL") == 2
    assert all(ran.count(call) == 1 for call in ("geometry LiF", "orbitals DOL", "forcefield DOL", f"analysis {BOX}"))
    first, second, third = (int(line.split()[-1]) for line in written(folder / "steps.log").splitlines())
    assert first == 0
    assert 20 <= second <= third
    assert results(small) == results(request.getfixturevalue("at_home"))
    assert "LiF" in written(folder / "results/quick/tables/frontier_orbitals.csv")


@pytest.mark.slow
def test_time_limit_ends_in_a_checkpoint_and_a_continuation(slurm, at_home, tmp_path):
    """Slurm's own limit, and its own signal before it."""
    small = small_project(tmp_path / "electroscreen")
    limits = ["dynamics:runtime=2", "dynamics:slurm_extra='--signal=TERM@40'"]
    asked = slurm.environment | {"FAKE_SLOW": f"dynamics {BOX}", "FAKE_STEP_S": "1.3"}
    options = (*SLURM, "--preemptible-retries", "30", "--set-resources", *limits)
    small.run(*options, timeout_s=3000, **asked)
    starts = [int(line.split()[-1]) for line in written(small.folder / "steps.log").splitlines()]
    # Two minutes of work in jobs that have less, and no step was done twice.
    assert starts[0] == 0
    assert len(starts) >= 2
    assert starts == sorted(set(starts))
    log = written(small.folder / f"results/quick/boxes/{BOX}/logs/dynamics-1.log")
    assert "Traceback" not in log
    assert results(small) == results(at_home)


@pytest.mark.slow
def test_dft_prints_the_same_digits(slurm, tmp_path):
    """Lithium fluoride by the real engine, here and by Slurm."""
    targets = [f"results/quick/species/LiF/{stage}.json" for stage in ("orbitals", "charges")]
    found = {}
    for where, options in {"here": (), "slurm": SLURM}.items():
        workflow = small_project(tmp_path / where)
        shutil.copytree(ROOT / "workflow" / "rules", workflow.folder / "workflow" / "rules", dirs_exist_ok=True)
        workflow.run(*options, *targets, timeout_s=3000, **slurm.environment)
        found[where] = results(workflow)
    assert found["here"] == found["slurm"]
    assert {name.split("/")[-1] for name in found["slurm"]} >= {"geometry.json", "geometry.xyz", "orbitals.json"}
    assert found["slurm"]["species/LiF/orbitals.json"]["lumo_ev"] == pytest.approx(-1.338, abs=0.002)
