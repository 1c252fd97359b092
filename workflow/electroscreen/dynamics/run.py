"""Stage dynamics: from packed molecules to a production trajectory; killed at any moment, it goes on.

A production that is asked to be longer than it was goes on where it ended.
"""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.dynamics.chains import Chains
from electroscreen.dynamics.equilibration import BLOCKS, judge, read_states, settled_phase
from electroscreen.dynamics.explosion import Moment, explain
from electroscreen.dynamics.platform import choose_platform
from electroscreen.dynamics.pressure import (
    NoPressureError,
    Sampling,
    pressure_context,
    sample_pressure,
    write_pressure,
)
from electroscreen.dynamics.protocol import Phase, build_integrator, phases, with_ensemble
from electroscreen.dynamics.restart import Progress, Restart, frame_ends
from electroscreen.dynamics.states import COLUMNS, StateTable, words
from electroscreen.dynamics.structure import describe_structure
from electroscreen.recipe import digest
from electroscreen.record import OK, locked, provenance, read_json, write_json, write_text
from electroscreen.settings import Dynamics
from electroscreen.stopping import checkpoint_reached, stop_is_asked

# Settings that say how far to go; a run that has gone less far goes on.
EXTENDABLE = ("production_ps", "equilibrate_limit", "viscosity_ps", "pressure_every_fs")


@dataclass(frozen=True)
class Conditions:
    """Thermodynamic state and randomness of one replica."""

    temperature_k: float
    pressure_bar: float
    seed: int


@dataclass(frozen=True)
class DynamicsFiles:
    """What the stage writes, all in the folder of one replica."""

    folder: Path

    @property
    def trajectory(self) -> Path:
        """Production frames, unwrapped."""
        return self.folder / "trajectory.xtc"

    @property
    def state_table(self) -> Path:
        """Temperature, energies and density over the whole run."""
        return self.folder / "state.csv"

    @property
    def record(self) -> Path:
        """Verdict on the equilibration, with means and intervals."""
        return self.folder / "equilibration.json"

    @property
    def pressure(self) -> Path:
        """Shear stress after production, where it is asked for."""
        return self.folder / "pressure.npz"

    @property
    def restart(self) -> Path:
        """Restart data; no declared output, so that it outlives a kill, and a longer production goes on from it."""
        return self.folder / "restart"


class NotRunError(RuntimeError):
    """The box was not built, or energies and coordinates are no longer finite; the message says which."""


class ExplodedError(NotRunError):
    """Forces or coordinates have become infinite."""

    def __init__(self, message: str, good: Moment):
        super().__init__(message)
        self.good = good


def run_dynamics(
    packing_record: Path, composition_record: Path, dynamics: Dynamics, recipe: dict, threads: int
) -> None:
    """Run, or go on with, the dynamics of one replica and write trajectory, state table and verdict.

    Raises
    ------
    BlockingIOError
        If another process works on this replica.
    """
    files = DynamicsFiles(packing_record.parent)
    packing, composition = read_json(packing_record), read_json(composition_record)
    record: dict[str, Any] = {"box": packing["box"], "replica": packing["replica"], "warnings": []}
    started = time.time()
    with locked(files.folder):
        try:
            if packing["verdict"] != OK:
                raise NotRunError(packing["verdict"])
            conditions = Conditions(composition["temperature_k"], composition["pressure_bar"], packing["seed"])
            label = f"{packing['box']} replica {packing['replica']}"
            molecules = composition.get("molecules", [])
            run = Run(files, dynamics, conditions, recipe, label, threads, molecules)
            record |= run.to_the_end()
        except NotRunError as failure:
            record["verdict"] = f"not run: {failure}"
            write_text(files.trajectory, "")
            if dynamics.viscosity_ps:
                write_pressure(files.pressure)
            write_text(files.state_table, COLUMNS + "\n")
        record["provenance"] = provenance(
            recipe, ("openmm",), started, threads, seed=packing.get("seed"), platform=record.get("platform")
        )
        write_json(files.record, record)


class Run:
    """One replica on its way through the phases."""

    def __init__(
        self,
        files: DynamicsFiles,
        dynamics: Dynamics,
        conditions: Conditions,
        recipe: dict,
        label: str,
        threads: int,
        molecules: Sequence[Mapping[str, Any]] = (),
    ):
        import openmm
        from openmm import app

        self.files, self.dynamics, self.conditions, self.label = files, dynamics, conditions, label
        self.molecules, self.chains = molecules, Chains.of(molecules)
        self.system = openmm.XmlSerializer.deserialize((files.folder / "system.xml").read_text(encoding="utf-8"))
        packed = app.PDBFile(str(files.folder / "packed.pdb"))
        self.topology, self.packed_positions = packed.topology, packed.positions
        self.states, self.rows = StateTable(self.system, self.chains), []
        self.platform, self.properties = choose_platform(dynamics.platform, self.system, threads)
        self.restart = Restart(files.restart, _run_hash(files, conditions, recipe))

    def to_the_end(self) -> dict[str, Any]:
        """Run all phases that are left; return what the record says of the run.

        Raises
        ------
        NotRunError
        """
        progress = self.restart.load()
        plan = phases(self.dynamics, anneal=bool(self.chains))
        if any(phase.limit_ps and phase.limit_ps > progress.gave_up_ps.get(phase.name, np.inf) for phase in plan):
            # What came after a phase that had not settled is worth nothing once that phase may go on.
            progress = self.restart.start_afresh()
        faults = []
        try:
            for index in range(progress.phase, len(plan)):
                self._run_phase(plan[index], index, progress, last=index == len(plan) - 1)
        except ExplodedError as failure:
            faults = [self._close_exploded(plan, progress, failure)]
        self.restart.merge(progress)
        record = self._publish(plan, progress, faults)
        return record | self._sample_pressure(plan[-1], progress, faults)

    def _close_exploded(self, plan: list[Phase], progress: Progress, failure: ExplodedError) -> str:
        """Make the last good moment of a production the end of the run, and say so; raise where there is too little."""
        production = plan[-1]
        kept = failure.good.step // production.steps(self.dynamics.frame_ps)
        if progress.phase < len(plan) - 1 or kept < 2 * BLOCKS:
            raise failure
        import openmm

        progress.phase_steps = failure.good.step
        if self.rows:
            self._check_frames(progress, len(self.rows))
            self.restart.save(progress, openmm.XmlSerializer.serialize(failure.good.state), self.rows)
        reached_ps = failure.good.step * production.timestep_fs / 1000
        return f"{failure}, and production ends at {reached_ps:g} of {production.length_ps:g} ps"

    def _publish(self, plan: list[Phase], progress: Progress, faults: list[str]) -> dict[str, Any]:
        """Write state table and trajectory as long as asked for, and return what the record says of them."""
        production = plan[-1]
        every = production.steps(self.dynamics.frame_ps)
        steps = min(production.steps(production.length_ps), progress.phase_steps)
        frames = steps // every
        rows = self.restart.join_rows(progress)
        before = [row for row in rows if not row.startswith("production,")]
        wanted = rows[len(before) : len(before) + frames]
        write_text(self.files.state_table, "\n".join([self.states.columns, *before, *wanted]) + "\n")
        self.restart.publish_frames(progress, frames, self.files.trajectory)
        ran_ps = progress.phase_steps * production.timestep_fs / 1000
        state = self.restart.state(progress.segments)
        of_structure, structure = describe_structure(self.system, state, self.files.trajectory, self.molecules)
        return {
            "platform": self.platform.getName(),
            "ns_per_day": 86.4 * ran_ps / max(progress.production_wall_seconds, 1e-9),
            "wall_seconds": progress.wall_seconds,
            "timestep_fs": production.timestep_fs,
            "production_ps": self.dynamics.production_ps if not faults else steps * production.timestep_fs / 1000,
            "frame_ps": every * production.timestep_fs / 1000,
            "protocol": [words(phase, self.conditions.temperature_k, self.conditions.pressure_bar) for phase in plan],
            **judge(read_states(self.files.state_table), self.conditions.temperature_k, [*faults, *of_structure]),
            **structure,
        }

    def _sample_pressure(self, production: Phase, progress: Progress, faults: list[str]) -> dict[str, Any]:
        """Go on from the end of production and note the stress; a run that cannot is none the worse for it."""
        import openmm

        if not self.dynamics.viscosity_ps:
            return {}
        if faults:
            write_pressure(self.files.pressure)
            return {"pressure": {"verdict": f"not sampled: {faults[0]}"}}
        every = production.steps(self.dynamics.pressure_every_fs / 1000)
        sampling = Sampling(production, self.dynamics.viscosity_ps, every, self.dynamics.checkpoint_ps)
        conditions, saved = self.conditions, self.files.restart / "pressure.npz"
        start = openmm.XmlSerializer.deserialize(self.restart.state(progress.segments).read_text(encoding="utf-8"))
        try:
            context, barostat = pressure_context(
                self.system, production, conditions.temperature_k, conditions.seed, self.platform, self.properties
            )
            shear_bar = sample_pressure(context, barostat, sampling, start, saved, self.restart.recipe_hash, self.label)
        except NoPressureError as reason:
            write_pressure(self.files.pressure)
            return {"pressure": {"verdict": f"not sampled: {reason}"}}
        write_pressure(self.files.pressure, shear_bar, sampling.every_ps)
        sampled = {"samples": shear_bar.shape[1], "every_ps": sampling.every_ps, "verdict": OK}
        return {"pressure": sampled}

    def _run_phase(self, phase: Phase, index: int, progress: Progress, last: bool) -> None:
        total = phase.steps(phase.length_ps)
        if last and progress.phase_steps >= total:
            return
        context = self._context(phase, progress)
        segment = phase.steps(self.dynamics.checkpoint_ps)
        while True:
            before = time.time()
            # A phase that has not settled goes on, one length after the other, and asks again.
            goal = total if last else min(self._limit(phase), (progress.phase_steps // total + 1) * total)
            try:
                rows = self._segment(context, phase, min(segment, goal - progress.phase_steps), progress)
            finally:
                progress.wall_seconds += time.time() - before
                if phase.name == "production":
                    progress.production_wall_seconds += time.time() - before
            steps = progress.phase_steps
            done = steps >= goal and (last or self._may_end(phase, rows, progress))
            if done and not last:
                progress.phase, progress.phase_steps = index + 1, 0
            state = self._closing_state(context, phase, progress, rows if done else None)
            self.restart.save(progress, state, rows)
            self._tell(phase, steps, goal, rows, time.time() - before)
            if done and last:
                return
            checkpoint_reached()
            if done:
                return

    @staticmethod
    def _limit(phase: Phase) -> int:
        return phase.steps(phase.limit_ps or phase.length_ps)

    def _may_end(self, phase: Phase, rows: list[str], progress: Progress) -> bool:
        """Whether a phase that has reached its length has settled, or has no time left."""
        if phase.limit_ps is None:
            return True
        import io

        import pandas as pd

        every = [*self.restart.join_rows(progress), *map(str.strip, rows)]
        own = [row for row in every if row.startswith(f"{phase.name},")]
        table = pd.read_csv(io.StringIO("\n".join([self.states.columns, *own])))
        if len(table) >= 20 and settled_phase(table, phase.ensemble):
            return True
        if progress.phase_steps < self._limit(phase):
            print(f"{self.label}: {phase.name} has not settled, so it goes on", file=sys.stderr, flush=True)
            return False
        progress.gave_up_ps[phase.name] = phase.limit_ps
        return True

    def _context(self, phase: Phase, progress: Progress):
        """Return a context at the end of the last segment, or minimised at the start of the run."""
        import openmm

        conditions = self.conditions
        # A resumed or later phase must not repeat the random numbers of the one before.
        seed = conditions.seed + 1000 * progress.segments
        system = with_ensemble(self.system, phase, conditions.temperature_k, conditions.pressure_bar, seed)
        integrator = build_integrator(phase, conditions.temperature_k, seed)
        context = openmm.Context(system, integrator, self.platform, self.properties)
        if progress.segments == 0:
            context.setPositions(self.packed_positions)
            openmm.LocalEnergyMinimizer.minimize(context, 50.0)
            context.setVelocitiesToTemperature(conditions.temperature_k, seed)
            return context
        state = openmm.XmlSerializer.deserialize(self.restart.state(progress.segments).read_text(encoding="utf-8"))
        if progress.phase_steps:
            context.setState(state)
        else:
            _carry_over(state, context)
        return context

    def _segment(self, context, phase: Phase, steps: int, progress: Progress) -> list[str]:
        """Step through one segment; return its rows, and write its frames if it is production.

        It ends early when the clock says that it is time for a checkpoint, or a signal asks for one.
        """
        every = phase.steps(self.dynamics.frame_ps)
        frames = self._frames(phase, every, progress) if phase.name == "production" else None
        # Kept apart too, because an explosion ends this without a return.
        rows: list[str] = []
        self.rows = rows
        left = steps
        good = self._moment(context, progress.phase_steps)
        until = time.time() + 60 * self.dynamics.checkpoint_minutes
        while left > 0 and (not rows or (time.time() < until and not stop_is_asked())):
            # The first frame of a segment completes the interval that the last segment began.
            chunk = min(left, every - progress.phase_steps % every)
            self._step(context, phase, chunk, good)
            progress.phase_steps += chunk
            left -= chunk
            if progress.phase_steps % every:
                continue
            row = self.states.row(phase, progress.phase_steps, context)
            if row is None:
                raise self._exploded(phase, good, chunk)
            good = self._moment(context, progress.phase_steps)
            rows.append(row)
            if frames is not None:
                positions, vectors = good.state.getPositions(asNumpy=True), good.state.getPeriodicBoxVectors()
                frames.writeModel(positions, periodicBoxVectors=vectors)
        if frames is not None and rows:
            self._check_frames(progress, len(rows))
        return rows

    def _check_frames(self, progress: Progress, frames: int) -> None:
        """A full disk tears frames without a word."""
        path = self.restart.frames(progress.segments + 1)
        if not path.exists() or len(frame_ends(path)) != frames:
            raise OSError(errno.ENOSPC, "frames were not written whole", str(path))

    def _frames(self, phase: Phase, every: int, progress: Progress):
        """Return a writer for the frames of the next segment, whose times go on where the last one ended."""
        from openmm import app

        path = self.restart.frames(progress.segments + 1)
        path.unlink(missing_ok=True)
        next_frame = (progress.phase_steps // every + 1) * every
        return app.XTCFile(str(path), self.topology, phase.timestep_fs / 1000, firstStep=next_frame, interval=every)

    @staticmethod
    def _moment(context, step: int) -> Moment:
        state = context.getState(positions=True, velocities=True, parameters=True, integratorParameters=True)
        return Moment(state, step)

    def _step(self, context, phase: Phase, steps: int, good: Moment) -> None:
        import openmm

        try:
            context.getIntegrator().step(steps)
        except openmm.OpenMMException as error:
            if "nonbonded cutoff" in str(error):
                raise NotRunError(
                    f"the box shrank below two cut-offs in phase '{phase.name}': take more atoms (settings: box.atoms)"
                ) from None
            raise self._exploded(phase, good, steps) from None

    def _exploded(self, phase: Phase, good: Moment, steps: int) -> ExplodedError:
        """Keep the last good moment beside the last checkpoint, and say how the run exploded after it."""
        import openmm

        write_text(self.restart.folder / "last-good.xml", openmm.XmlSerializer.serialize(good.state))
        conditions = self.conditions
        system = with_ensemble(self.system, phase, conditions.temperature_k, conditions.pressure_bar, conditions.seed)
        integrator = build_integrator(phase, conditions.temperature_k, conditions.seed)
        why = explain(system, integrator, self.platform, self.properties, self.topology, good, 2 * steps)
        return ExplodedError(f"exploded in phase '{phase.name}' {why}; the last good state is kept in restart/", good)

    def _closing_state(self, context, phase: Phase, progress: Progress, rows: list[str] | None) -> str:
        """State to go on from; at the end of the density phase, scaled to the mean volume of its second half."""
        import openmm

        if rows is not None and phase.name == "density":
            _scale_to_volume(context, self._mean_volume(progress, rows))
        state = context.getState(positions=True, velocities=True, parameters=True, integratorParameters=True)
        return openmm.XmlSerializer.serialize(state)

    def _mean_volume(self, progress: Progress, rows: list[str]) -> float:
        earlier = self.restart.join_rows(progress)
        volumes = [float(row.split(",")[5]) for row in [*earlier, *rows] if row.startswith("density,")]
        return float(np.mean(volumes[len(volumes) // 2 :]))

    def _tell(self, phase: Phase, steps: int, total: int, rows: list[str], seconds: float) -> None:
        if not rows:
            return
        last = rows[-1].split(",")
        time_ps = steps * phase.timestep_fs / 1000
        speed = 86.4 * len(rows) * self.dynamics.frame_ps / seconds
        print(
            f"{self.label}: {phase.name} {time_ps:.0f} of {total * phase.timestep_fs / 1000:g} ps, "
            f"{float(last[2]):.0f} K, {float(last[6]):.3f} g/mL, {speed:.0f} ns/day",
            file=sys.stderr,
            flush=True,
        )


def _run_hash(files: DynamicsFiles, conditions: Conditions, recipe: dict[str, Any]) -> str:
    """Hash of all that a run starts from: another temperature or packing must not go on with this restart data."""
    starts = {name: sha256((files.folder / name).read_bytes()).hexdigest() for name in ("system.xml", "packed.pdb")}
    dynamics = {key: value for key, value in recipe.get("dynamics", {}).items() if key not in EXTENDABLE}
    return digest({"recipe": recipe | {"dynamics": dynamics}, "conditions": asdict(conditions), **starts})


def _carry_over(state, context) -> None:
    """Take positions, velocities and box from a state of another integrator."""
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions())
    context.setVelocities(state.getVelocities())


def _scale_to_volume(context, volume_a3: float) -> None:
    """Set the box to a volume; molecules are moved as wholes, so that no bond is stretched."""
    from openmm import unit

    state = context.getState(positions=True)
    factor = float((volume_a3 / state.getPeriodicBoxVolume().value_in_unit(unit.angstrom**3)) ** (1 / 3))
    positions = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
    for molecule in context.getMolecules():
        center = positions[list(molecule)].mean(axis=0)
        positions[list(molecule)] += (factor - 1) * center
    context.setPeriodicBoxVectors(*(factor * vector for vector in state.getPeriodicBoxVectors()))
    context.setPositions(positions)
