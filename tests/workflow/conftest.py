"""A project in a temporary folder whose stages are run by a fake engine, so that the whole DAG takes seconds."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FAKE_ENGINE = Path(__file__).parent / "fake_engine.py"

# One box's worth of species, so that the DAG stays small.
COMPLEXES = ("Na_DOL",)
BOXES = ("natfsi_dol_fec",)
SPECIES = ("LiF", "Na", "TFSI", "NaTFSI", "DOL", "FEC")

PAPER = """
name: one
title: a paper with one number
citation: nobody, nowhere
doi: 10.1000/none
level_of_theory: B3LYP/6-31G(d,p)
values:
  - table: "1"
    quantity: LUMO
    subject: LiF
    value: -1.34
    unit: eV
    where: table 1
    kind: computed
    tolerance: 0.01
    result:
      orbital: {species: LiF, key: lumo_ev}
"""


@dataclass
class Workflow:
    """A copy of the project that runs with the fake engine."""

    folder: Path

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen:
        """Call Snakemake as a user does, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
            cwd=self.folder,
            env=os.environ | {"XDG_CACHE_HOME": str(self.folder / "cache")} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self, *arguments: str, check: bool = True, timeout_s: float = 900, **environment: str
    ) -> subprocess.CompletedProcess:
        """Call Snakemake and wait for its end."""
        process = self.start(*arguments, **environment)
        try:
            stdout, stderr = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        if check:
            assert process.returncode == 0, stdout + stderr
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def calls(self) -> list[str]:
        """Return the stage calls since the last time this was asked, such as 'geometry EC'."""
        log = self.folder / "calls.log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return sorted(lines)


def build_project(folder: Path, **kept: tuple[str, ...]) -> Workflow:
    """Return a project that runs with the fake engine, with these of the shipped species, complexes and boxes."""
    folder.mkdir()
    for name in ("Snakefile", "config", "profiles", "molecules", "envs"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / name)
    for kind in ("species", "complexes", "boxes", "papers"):
        for path in (folder / "molecules" / kind).glob("*.yaml"):
            if path.stem not in kept.get(kind, ()):
                path.unlink()
    (folder / "molecules" / "papers" / "one.yaml").write_text(PAPER)
    shutil.copytree(ROOT / "workflow" / "rules", folder / "workflow" / "rules")
    # The rules call `electroscreen` from the folder of the Python that runs Snakemake; the test puts its own there.
    common = folder / "workflow" / "rules" / "common.smk"
    command = folder / "bin" / "electroscreen"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE_ENGINE} "$@"\n')
    command.chmod(0o755)
    prefix = f"""shell.prefix('export PATH={command.parent}:"$PATH"; exec ')"""
    lines = [prefix if line.startswith("shell.prefix") else line for line in common.read_text().splitlines()]
    assert prefix in lines
    common.write_text("\n".join(lines) + "\n")
    return Workflow(folder)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was run to its end once."""
    folder = tmp_path_factory.mktemp("project") / "electroscreen"
    build_project(folder, species=SPECIES, complexes=COMPLEXES, boxes=BOXES).run()
    return folder


@pytest.fixture
def workflow(finished: Path, tmp_path: Path) -> Workflow:
    """A copy of the finished project, modification times and Snakemake's memory included."""
    folder = tmp_path / "electroscreen"
    shutil.copytree(finished, folder, symlinks=True, copy_function=shutil.copy2)
    copy = Workflow(folder)
    copy.calls()
    return copy
