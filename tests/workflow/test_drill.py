"""Failure drill: whatever dies, fills up or breaks, one line says so and the next call ends in the same tables."""

from __future__ import annotations

import os
import random
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
from test_workflow import EC, edit

RESULTS = "results/quick"


def tables(workflow) -> dict[str, str]:
    """All tables, as text."""
    return {path.name: path.read_text() for path in sorted((workflow.folder / RESULTS / "tables").iterdir())}


def results(workflow) -> dict[str, bytes]:
    """Every file of results by its path; logs, and what the survey remembers of files, left out."""
    root = workflow.folder / RESULTS
    found = (path for path in sorted(root.rglob("*")) if path.is_file() and path.parent.name != "logs")
    found = (path for path in found if not path.name.startswith(".survey"))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def spoil(path: Path) -> None:
    """Leave the first half of a file, as a full disk or a broken copy does."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@dataclass
class Undisturbed:
    """What a run to which nothing happened ends in, and how long it takes."""

    tables: dict[str, str]
    seconds: float


@pytest.fixture(scope="session")
def undisturbed(finished, tmp_path_factory) -> Undisturbed:
    """One species more, a complex and a box that changed."""
    from conftest import Workflow

    folder = tmp_path_factory.mktemp("undisturbed") / "electroscreen"
    shutil.copytree(finished, folder, symlinks=True, copy_function=shutil.copy2)
    workflow = Workflow(folder)
    busy(workflow)
    begin = time.monotonic()
    workflow.run()
    return Undisturbed(tables(workflow), time.monotonic() - begin)


def busy(workflow) -> None:
    """Give it a species, a complex and a box to do."""
    (workflow.folder / "molecules/species/EC.yaml").write_text(EC)
    edit(workflow.folder / "molecules/complexes/Na_DOL.yaml", "solvent: 7.1", "solvent: 7.2")
    edit(workflow.folder / "config/quick.yaml", "production_ps: 150", "production_ps: 180")


def children_of(process: int) -> list[int]:
    """All processes below one, the deepest last."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # which has just ended
        parents.setdefault(int(words[1]), []).append(int(path.parent.name))
    below = parents.get(process, [])
    return [*below, *(deeper for child in below for deeper in children_of(child))]


def kill_something(process: subprocess.Popen, dice: random.Random) -> str:
    """Kill a worker, Snakemake alone, or all of them at once, as by kill -9."""
    victim = dice.choice(["a worker", "snakemake", "everything"])
    workers = children_of(process.pid)
    if victim == "a worker" and workers:
        targets = [workers[-1]]
    elif victim == "snakemake":
        targets = [process.pid]
    else:
        targets = [*workers, process.pid]
    for target in targets:
        try:
            os.kill(target, signal.SIGKILL)
        except ProcessLookupError:
            continue  # ended by itself a moment ago
    return victim


def wait_for_orphans(workflow) -> None:
    """Jobs outlive a Snakemake that is killed; a user sees them, and so does this."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        mine = [path for path in Path("/proc").glob("[0-9]*/cwd") if _leads_to(path, workflow.folder)]
        if not mine:
            return
        time.sleep(0.2)
    pytest.fail("jobs of a killed run never ended")


def _leads_to(link: Path, folder: Path) -> bool:
    try:
        return link.readlink() == folder
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc to find the workers")
@pytest.mark.parametrize("moments", [2, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_any_moment_the_next_call_completes_the_same_tables(workflow, undisturbed, finished, moments):
    dice = random.Random(f"{moments} kills")
    killed = []
    for _ in range(moments):
        shutil.rmtree(workflow.folder)
        shutil.copytree(finished, workflow.folder, symlinks=True, copy_function=shutil.copy2)
        busy(workflow)
        process = workflow.start()
        time.sleep(dice.uniform(0.1, 1.0) * undisturbed.seconds)
        killed.append(kill_something(process, dice) if process.poll() is None else "nothing")
        process.communicate(timeout=1200)
        wait_for_orphans(workflow)
        for path in (workflow.folder / RESULTS).rglob("*.json"):
            assert path.name.startswith(".") or path.read_text().endswith("}\n"), path
        again = workflow.run(check=False)
        assert again.returncode == 0, (killed, again.stdout + again.stderr)
        assert tables(workflow) == undisturbed.tables, killed
        leftovers = [path.name for path in (workflow.folder / RESULTS).rglob(".*.partial*")]
        assert not leftovers, (killed, leftovers)
    print(f"{moments} moments of {undisturbed.seconds:.0f} s: killed {killed}")
    assert set(killed) - {"nothing"}


def test_two_who_start_at_once_get_one_run_and_one_line(workflow, undisturbed):
    busy(workflow)
    both = [workflow.start(), workflow.start()]
    ended = [(*process.communicate(timeout=1200), process.returncode) for process in both]
    assert sorted(code == 0 for _, _, code in ended) == [False, True]
    (stderr,) = (stderr for _, stderr, code in ended if code)
    assert stderr.splitlines()[-1] == "electroscreen: another snakemake runs in this folder: wait for it, or stop it"
    assert tables(workflow) == undisturbed.tables


DAMAGED = {
    "geometry.json": "species/FEC/geometry.json",
    "geometry.xyz": "species/FEC/geometry.xyz",
    "density.npy": "species/FEC/density.npy",
    "frontier.npz": "species/FEC/frontier.npz",
    "charges.json": "species/FEC/charges.json",
    "forcefield.xml": "species/FEC/forcefield.xml",
    "composition.json": "boxes/natfsi_dol_fec/composition.json",
    "packed.pdb": "boxes/natfsi_dol_fec/replica-1/packed.pdb",
    "system.xml": "boxes/natfsi_dol_fec/replica-1/system.xml",
    "trajectory.xtc": "boxes/natfsi_dol_fec/replica-1/trajectory.xtc",
    "curves.npz": "boxes/natfsi_dol_fec/curves.npz",
    "binding.json": "complexes/Na_DOL/binding.json",
    "diffusion.csv": "tables/diffusion.csv",
    "orbital_levels.svg": "figures/orbital_levels.svg",
    "esp.png": "species/FEC/esp.png",
}


QUICK = "charges.json"
# Read by nothing but the report, which has them in it already.
READ_BY_THE_REPORT = ("esp.png",)


@pytest.mark.parametrize(
    "kind", [QUICK, *(pytest.param(kind, marks=pytest.mark.slow) for kind in DAMAGED if kind != QUICK)]
)
def test_half_a_file_is_told_once_and_the_next_call_makes_it_anew(workflow, kind):
    before, good = results(workflow), tables(workflow)
    path = workflow.folder / RESULTS / DAMAGED[kind]
    spoil(path)
    told = workflow.run(*(("-R", "report") if kind in READ_BY_THE_REPORT else ()), check=False)
    assert told.returncode != 0
    said = {line for line in (told.stdout + told.stderr).splitlines() if line.lstrip().startswith("electroscreen: ")}
    assert len(said) == 1, said
    assert f"{RESULTS}/{DAMAGED[kind]} " in said.pop()
    assert "Traceback" not in told.stdout + told.stderr
    assert not path.exists()
    # Only what is made from the damaged file is gone, because Snakemake removes what a failed job should write.
    left = results(workflow)
    left.pop("inventory.csv", None)  # says by now which record is damaged
    assert not [name for name, content in left.items() if before.get(name, content) != content]
    assert not [name for name in before if name.startswith("species/DOL/") and name not in left]
    workflow.run()
    assert tables(workflow) == good
    # What no job needed is made when it is asked for, as the message says.
    if not path.exists():
        workflow.run(f"{RESULTS}/{DAMAGED[kind]}")
    after = {name for name in results(workflow) if not name.endswith(".damaged")}
    assert after == set(before)


def limit_files(size: int):
    """Files grow to so many bytes and no further, as on a disk that is nearly full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def test_a_full_disk_is_one_line_and_the_same_call_goes_on(workflow, undisturbed):
    """Records are small and the report is not, so the disk is full when the report is written."""
    busy(workflow)
    before = results(workflow)
    largest = max(path.stat().st_size for path in (workflow.folder / RESULTS / "tables").iterdir())
    words = [sys.executable, "-m", "snakemake", "--cores", "2"]
    done = subprocess.run(
        words,
        cwd=workflow.folder,
        env=os.environ | {"XDG_CACHE_HOME": str(workflow.folder / "cache")},
        preexec_fn=limit_files(max(100_000, 3 * largest)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    said = {line for line in (done.stdout + done.stderr).splitlines() if line.lstrip().startswith("electroscreen: ")}
    assert said
    assert all(line.lstrip().startswith("electroscreen: the disk is full") for line in said), said
    assert "Traceback" not in done.stdout + done.stderr
    left = results(workflow)
    assert all(left[name] == before[name] for name in before if name.startswith(("species/DOL/", "species/LiF/")))
    workflow.run()
    assert tables(workflow) == undisturbed.tables


def test_read_only_inputs_and_a_broken_memory_are_no_obstacle(workflow, undisturbed):
    """Nothing is written beside the inputs; as root, to whom nothing is read-only, what is there must stay the same.

    A power cut may leave half of what Snakemake remembers of a job.
    """
    memory = [path for path in (workflow.folder / ".snakemake/metadata").rglob("*") if path.is_file()]
    assert memory
    for path in random.Random(1).sample(memory, 3):
        spoil(path)
    busy(workflow)
    inputs = [path for name in ("molecules", "config") for path in (workflow.folder / name).rglob("*")]
    inputs += [workflow.folder / "molecules", workflow.folder / "config"]
    for path in inputs:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_mode) for path in inputs}
    workflow.run()
    assert {path: (path.stat().st_mtime_ns, path.stat().st_mode) for path in inputs} == before
    assert sorted(p for name in ("molecules", "config") for p in (workflow.folder / name).rglob("*")) == sorted(
        inputs[:-2]
    )
    assert tables(workflow) == undisturbed.tables
    for path in inputs:
        path.chmod(path.stat().st_mode | 0o200)


WITHOUT_RIGHTS = """
import os, sys
import electroscreen.schemas
from electroscreen.cli import main
if os.geteuid() == 0:
    os.setuid(65534)  # to root nothing is forbidden
sys.exit(main(["schemas", "--project", sys.argv[1]]))
"""


def test_a_folder_that_may_not_be_written_ends_in_one_line(shipped):
    """As where a project belongs to a colleague."""
    with tempfile.TemporaryDirectory(prefix="electroscreen-") as name:
        shutil.copytree(shipped / "config", Path(name) / "config")
        Path(name).chmod(0o555)
        words = [sys.executable, "-c", WITHOUT_RIGHTS, name]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        Path(name).chmod(0o755)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"electroscreen: no right to use {name}/")
    assert done.stderr.count("\n") == 1


def test_the_look_ahead_runs_first_and_reruns_nothing(workflow):
    done = workflow.run(REAL_CHECK="1")
    assert "core-hours" not in done.stdout + done.stderr  # nothing to do, nothing to foresee
    (workflow.folder / "molecules/species/EC.yaml").write_text(EC)
    done = workflow.run(REAL_CHECK="1")
    text = done.stdout + done.stderr
    assert text.index("core-hours left") < text.index("electroscreen geometry EC")
    assert not [call for call in workflow.calls() if call.endswith(" FEC")]


def test_what_the_look_ahead_finds_stops_the_run_before_any_job(workflow):
    edit(workflow.folder / "config/quick.yaml", "functional: b3lypg", "functional: b3lypx")
    done = workflow.run(check=False, REAL_CHECK="1")
    assert done.returncode != 0
    assert "electroscreen: settings: quantum.level.functional: 'b3lypx' is not known to PySCF" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert workflow.calls() == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["setings=quick"], "config: setings: unknown key, did you mean 'settings'?"),
        (["settings=quick", "levle=b3lyp"], "config: levle: unknown key"),
        (["settings=quick; touch OWNED"], "must start with a letter"),
        (["settings=[quick]"], "config: settings: should be a valid string"),
    ],
)
def test_config_words_that_mean_nothing_are_refused(workflow, words, line):
    done = workflow.run("-n", "--config", *words, check=False)
    assert done.returncode != 0
    assert line in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(workflow.folder.rglob("OWNED"))


def test_rules_put_nothing_but_names_into_a_shell(shipped):
    """Wildcards are constrained to letters, digits, '_' and '-', and so is the name of the settings."""
    allowed = {"wildcards.species", "wildcards.complex", "wildcards.box", "wildcards.replica"}
    allowed |= {"params.settings", "threads", "log", "SETTINGS"}
    for path in [shipped / "Snakefile", *sorted((shipped / "workflow/rules").glob("*.smk"))]:
        for body in re.findall(r'"(electroscreen [^"]*(?:"\s+"[^"]*)*)"', path.read_text()):
            assert set(re.findall(r"\{([^}]*)\}", body)) <= allowed, (path.name, body)


class Loud(HTMLParser):
    """Elements and attributes that would do something."""

    def __init__(self, html: str):
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found += [(tag, f"{name}={value}") for name, value in attributes if name.startswith("on")]
        self.found += [(tag, str(value)) for _, value in attributes if "OWNED" in str(value)]


EVIL = (
    "</script><script>alert('OWNED')</script><img src=x onerror=alert(1)>$(touch OWNED)`touch OWNED`{{7*7}}\\\\input{x}"
)


def test_no_text_of_an_input_reaches_a_shell_or_a_page_unescaped(workflow):
    folder = workflow.folder
    quoted = '"' + EVIL.replace('"', "'") + '"'
    for path in sorted((folder / "molecules").rglob("*.yaml")):
        text = path.read_text()
        for keys in (r"title|citation|level_of_theory", r"\s+(?:- )?(?:table|subject|where)"):
            text = re.sub(rf"(?m)^({keys}): (?![|>]).*$", lambda found: f"{found[1]}: {quoted}", text)
        path.write_text(text)
    done = workflow.run("--forcerun", "composition", "tables", "--printshellcmds", "--config", "whole=true")
    assert not list(folder.rglob("OWNED"))
    for line in (done.stdout + done.stderr).splitlines():
        if line.strip().startswith("electroscreen "):
            assert "OWNED" not in line
    page = (folder / RESULTS / "report.html").read_text()
    assert "&lt;script&gt;alert(" in page
    assert "<script>alert" not in page
    assert Loud(page).found == []
    for path in (folder / RESULTS / "tables").glob("*.tex"):
        assert "\\input" not in path.read_text()
    for path in (folder / RESULTS / "tables").glob("*.md"):
        assert not re.search(r"(?<!\\)<script", path.read_text())


def test_a_job_that_failed_is_not_forgotten(workflow):
    """Snakemake deletes the outputs of a failed job; that those made from them are still there must not hide it."""
    edit(workflow.folder / "config/quick.yaml", "production_ps: 150", "production_ps: 180")
    failed = workflow.run(check=False, FAKE_KILL="dynamics natfsi_dol_fec")
    assert failed.returncode != 0
    workflow.calls()
    workflow.run()
    assert {"dynamics natfsi_dol_fec", "analysis natfsi_dol_fec", "tables", "report"} <= set(workflow.calls())
    assert (workflow.folder / RESULTS / "boxes/natfsi_dol_fec/replica-1/equilibration.json").exists()
