"""What a box will cost, told before anything runs: from runs that this project has already made, else from a model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from electroscreen.record import read_json
from electroscreen.settings import Dynamics

# 1439 atoms of electrolyte, particle-mesh Ewald, cut-off 10 Å, steps of 3 fs: 45 ns a day on two cores of 2019 without
# AVX-512 (results/published/quick). Time grows with the atoms, so atoms times steps a second is what a machine has.
ATOM_STEPS_PER_SECOND_AND_THREAD = 1.25e5
THREADS_LIMIT = 8  # as the workflow gives to one run


@dataclass(frozen=True)
class Speed:
    """Atoms times steps a second, and where that is known from."""

    atom_steps_per_second: float
    source: str
    threads: int = 1


def expected_cost(atoms: int, dynamics: Dynamics, results: Path) -> str:
    """Say in words how long all replicas of a box of so many atoms will take, and how that is known."""
    speed = speed_here(results)
    ns_per_day = 86400 * speed.atom_steps_per_second / atoms * dynamics.timestep_fs * 1e-6
    count = f"{dynamics.replicas} replicas" if dynamics.replicas > 1 else "one replica"
    length = sum(ps for ps, _ in _stretches(dynamics))
    duration = _readable(expected_seconds(atoms, dynamics, speed))
    return f"{count} of {length:g} ps at {ns_per_day:.2g} ns/day: about {duration} ({speed.source})"


def expected_seconds(atoms: int, dynamics: Dynamics, speed: Speed) -> float:
    """Return how long all replicas of a box take, one after the other."""
    from electroscreen.dynamics.protocol import pressure_steps

    steps = sum(1000 * ps / fs for ps, fs in _stretches(dynamics)) + pressure_steps(dynamics)
    return dynamics.replicas * steps * atoms / speed.atom_steps_per_second


def speed_here(results: Path) -> Speed:
    """Return the speed of the runs that stand in a results folder (their median), else that of the model."""
    found, threads = {}, []
    for path in sorted(Path(results).glob("boxes/*/replica-*/equilibration.json")):
        try:
            run, box = read_json(path), read_json(path.parents[1] / "composition.json")
            speed = run["ns_per_day"] * 1e6 / 86400 / run["timestep_fs"] * box["atoms"]
            threads.append(run.get("provenance", {}).get("threads", 1))
        except (OSError, ValueError, KeyError, TypeError):
            # Not run, or written before steps were recorded: that tells nothing about speed.
            continue
        found[f"{path.parents[1].name}/{path.parent.name}"] = speed
    if found:
        source = f"as {len(found)} finished run(s) here, {', '.join(list(found)[:3])}"
        return Speed(median(found.values()), source, round(median(threads)))
    count = min(THREADS_LIMIT, os.cpu_count() or 1)
    rate = ATOM_STEPS_PER_SECOND_AND_THREAD
    source = f"no run has finished here yet: {rate:g} atoms x steps/s on each of {count} threads"
    return Speed(count * rate, source, count)


def _stretches(dynamics: Dynamics) -> list[tuple[float, float]]:
    from electroscreen.dynamics.protocol import phases

    return [(phase.length_ps, phase.timestep_fs) for phase in phases(dynamics)]


def _readable(seconds: float) -> str:
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size * (2 if unit == "days" else 1):
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
