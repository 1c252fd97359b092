"""The dynamics stage against a bare OpenMM loop of the same system: what rows, frames and checkpoints cost.

On a box that has been run: `python tests/benchmarks/bench_dynamics.py results/quick/boxes/BOX [PS] [THREADS]`.
Both go on from the last state of replica 1, by turns from frame to frame, so that a busy machine slows both alike; told
are seconds of processor time and of the clock, and the ratios of ns/day, stage by bare loop.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from electroscreen.dynamics.protocol import build_integrator, phases
from electroscreen.dynamics.restart import Progress
from electroscreen.dynamics.run import Conditions, DynamicsFiles, Run, _carry_over
from electroscreen.record import read_json
from electroscreen.settings import read_settings


class Beside(Run):
    """A run whose every stretch between frames is followed by as many bare steps, timed apart."""

    bare = None
    spent = (0.0, 0.0)

    def _step(self, context, phase, steps, good):
        super()._step(context, phase, steps, good)
        began = clocks()
        self.bare.getIntegrator().step(steps)
        # On a GPU the work is done when its result is there.
        self.bare.getState(positions=True)
        self.spent = tuple(before + passed for before, passed in zip(self.spent, since(began), strict=True))


def clocks() -> tuple[float, float]:
    """Seconds of all threads of this process, and of the clock."""
    return time.process_time(), time.perf_counter()


def since(began: tuple[float, float]) -> tuple[float, float]:
    """Seconds passed on both."""
    return tuple(now - then for now, then in zip(clocks(), began, strict=True))


def main(box: str, length_ps: float = 15.0, threads: int = 1) -> None:
    """Run both and print the times."""
    import openmm

    box = Path(box)
    dynamics = read_settings(Path("config") / f"{box.parents[1].name}.yaml").dynamics
    composition = read_json(box / "composition.json")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("system.xml", "packed.pdb"):
            shutil.copy(box / "replica-1" / name, folder)
        conditions = Conditions(composition["temperature_k"], composition["pressure_bar"], dynamics.seed)
        files = DynamicsFiles(Path(folder))
        run = Beside(files, dynamics, conditions, {}, "benchmark", threads, composition["molecules"])
        run.restart.start_afresh()
        phase = phases(dynamics)[-1]
        last = max((box / "replica-1" / "restart").glob("state-*.xml"))
        state = openmm.XmlSerializer.deserialize(last.read_text(encoding="utf-8"))
        contexts = []
        for _ in range(2):
            integrator = build_integrator(phase, conditions.temperature_k, conditions.seed)
            contexts.append(openmm.Context(run.system, integrator, run.platform, run.properties))
            _carry_over(state, contexts[-1])
            integrator.step(50)
        context, run.bare = contexts
        steps, progress, began = phase.steps(length_ps), Progress(), clocks()
        while progress.phase_steps < steps:
            left = min(phase.steps(dynamics.checkpoint_ps), steps - progress.phase_steps)
            rows = run._segment(context, phase, left, progress)
            run.restart.save(progress, run._closing_state(context, phase, progress, None), rows)
        both = since(began)
    stage = tuple(total - bare for total, bare in zip(both, run.spent, strict=True))
    where = f"{run.platform.getName()}, {threads} thread(s)"
    print(f"{composition['atoms']} atoms, {steps} steps of {phase.timestep_fs:g} fs, {where}")
    for name, ours, bare in zip(("processor", "clock"), stage, run.spent, strict=True):
        speed = 86400 * steps * phase.timestep_fs * 1e-6 / ours
        print(f"{name}: stage {ours:.1f} s ({speed:.2f} ns/day), bare loop {bare:.1f} s, ratio {bare / ours:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(float, sys.argv[2:3]), *map(int, sys.argv[3:4]))
