"""Seconds and memory of a large project: its plan, its status, its tables and its report.

    python tests/benchmarks/bench_scale.py FOLDER [--species 10000] [--boxes 1000]

FOLDER is made where it is missing: input files, finished results that nobody computed, and what Snakemake would
remember of them (57 000 jobs for the numbers above; a tmpfs makes that quick). Each step is a process of its own; told
are its processor seconds, its wall seconds and its largest memory, its children's included.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from scale_helpers import add_species, finish, grow

SNAKEMAKE = [sys.executable, "-m", "snakemake", "--cores", "2"]
ELECTROSCREEN = [sys.executable, "-m", "electroscreen.cli"]


def measure(what: str, folder: Path, *command: str) -> None:
    """Run a command in a child that reports what it and its children used."""
    begin = time.perf_counter()
    done = os.fork()
    if done == 0:
        code = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall, memory = time.perf_counter() - begin, used.ru_maxrss / 1024
        failed = f" (exit {code})" if code else ""
        print(f"{what:44s} {used.ru_utime + used.ru_stime:7.1f} {wall:7.1f} {memory:7.0f}{failed}", flush=True)
        os._exit(0)
    os.waitpid(done, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--species", type=int, default=10_000)
    parser.add_argument("--boxes", type=int, default=1_000)
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    if not folder.exists():
        folder.mkdir(parents=True)
        grow(folder, asked.species, asked.boxes)
        print(f"{finish(folder)} jobs finished")
    print(f"{'':44s} {'CPU s':>7s} {'wall s':>7s} {'MiB':>7s}")
    (folder / "results" / "quick" / ".survey.json").unlink(missing_ok=True)
    measure("status, nothing kept from before", folder, *ELECTROSCREEN, "status")
    measure("status", folder, *ELECTROSCREEN, "status")
    for stage in ("inventory", "tables", "figures", "report"):
        measure(stage, folder, *ELECTROSCREEN, stage, *(["--overall"] if stage == "figures" else []))
    measure("dry run, everything finished", folder, *SNAKEMAKE, "-n")
    add_species(folder, "Added", "CCOCCOCC")
    measure("dry run, one species added", folder, *SNAKEMAKE, "-n")
    (folder / "molecules" / "species" / "Added.yaml").unlink()
    measure("dry run, the whole plan (whole=true)", folder, *SNAKEMAKE, "-n", "--config", "whole=true")
    hidden = folder / "results" / "hidden"
    (folder / "results" / "quick").rename(hidden)
    (folder / ".snakemake").rename(folder / ".hidden")
    measure("dry run, nothing computed yet", folder, *SNAKEMAKE, "-n")
    shutil.rmtree(folder / "results" / "quick", ignore_errors=True)
    shutil.rmtree(folder / ".snakemake", ignore_errors=True)
    hidden.rename(folder / "results" / "quick")
    (folder / ".hidden").rename(folder / ".snakemake")


if __name__ == "__main__":
    main()
