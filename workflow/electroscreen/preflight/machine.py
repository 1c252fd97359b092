"""This machine: processors, memory, disk, and the programs that the stages call."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from electroscreen.preflight.asked import Asked
from electroscreen.preflight.coverage import GAFF2
from electroscreen.preflight.findings import Findings

CGROUP = Path("/sys/fs/cgroup")
GB = 1e9


def look_at_machine(asked: Asked, memory_mb: float, largest: str, disk_bytes: float) -> Findings:
    """Say what there is of processors, memory and disk beside what is needed."""
    found = Findings()
    memory, free = memory_bytes(), _free_bytes(asked.project.results)
    found.facts.append(
        f"machine: {processors()} threads, {memory / GB:.1f} GB of memory, {free / GB:.1f} GB of disk free; "
        f"needed: {memory_mb / 1000:.1f} GB of memory for the largest SCF ({largest}), "
        f"about {disk_bytes / GB:.2g} GB of disk"
    )
    if memory < 1e6 * memory_mb:
        found.warnings.append(
            f"{largest} needs {memory_mb / 1000:.1f} GB of memory and there are {memory / GB:.1f}: "
            "lower quantum.memory_mb in the settings, or run it on another machine"
        )
    there = sum(f.stat().st_size for f in asked.project.results.glob("boxes/*/replica-*/*") if f.is_file())
    if free < disk_bytes - there:
        found.faults.append(
            f"the results need about {disk_bytes / GB:.2g} GB and {free / GB:.2g} GB of disk are free: make room"
        )
    return found


def look_at_programs(asked: Asked, layers_told: list[str]) -> Findings:
    """Say which programs and OpenMM platforms are found; only what the run needs can be missing."""
    found = Findings()
    if not asked.boxes:
        return found
    said = []
    for look in (_packmol, _ambertools):
        name, fault = look()
        said.append(f"{name} {'found' if fault is None else 'not found'}")
        if fault and (name == "packmol" or any(GAFF2 in text for text in layers_told)):
            found.faults.append(fault)
    platforms, fault = _platforms(asked.settings.dynamics.platform)
    found.facts.append(f"programs: {', '.join(said)}; OpenMM's platforms: {', '.join(platforms)}")
    found.faults += [fault] if fault else []
    return found


def processors() -> int:
    """Return how many threads may run at once, a container's limit included."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _read(CGROUP / "cpu.max").split()
    if len(quota) == 2 and quota[0].isdigit():
        count = min(count, max(1, int(quota[0]) // int(quota[1])))
    return count


def memory_bytes() -> float:
    """Return the memory there is, a container's limit included."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _read(CGROUP / "memory.max").strip()
    return float(min(there, int(limit)) if limit.isdigit() else there)


def _free_bytes(folder: Path) -> int:
    folder = folder.resolve()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _packmol() -> tuple[str, str | None]:
    from electroscreen.boxes.packing import PackingError, find_packmol

    try:
        find_packmol()
    except PackingError as error:
        return "packmol", str(error)
    return "packmol", None


def _ambertools() -> tuple[str, str | None]:
    """Whether antechamber starts: files that are there may still be for another machine."""
    from electroscreen.forcefield.amber import CANNOT_START, ProgramError, amber_home

    name = "antechamber and parmchk2"
    try:
        for program in ("antechamber", "parmchk2"):
            home = amber_home()
            words = [str(home / "bin" / program), "-h"]
            done = subprocess.run(
                words,
                env={**os.environ, "AMBERHOME": str(home)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=20,
                check=False,
            )
            if done.returncode < 0 or done.returncode >= CANNOT_START:
                return name, f"{program} does not start (exit code {done.returncode})"
    except (ProgramError, OSError, subprocess.TimeoutExpired) as error:
        return name, f"antechamber and parmchk2 do not run: {error}"
    return name, None


def _platforms(wanted: str) -> tuple[list[str], str | None]:
    try:
        import openmm
    except ImportError as error:
        return ["none"], f"OpenMM cannot be loaded: {error}"
    installed = [openmm.Platform.getPlatform(i) for i in range(openmm.Platform.getNumPlatforms())]
    names = [platform.getName() for platform in sorted(installed, key=lambda platform: -platform.getSpeed())]
    if wanted != "fastest" and wanted not in names:
        return names, f"settings: dynamics.platform: {wanted} is not installed; there are {', '.join(names)}"
    return names, None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
