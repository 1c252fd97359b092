"""Stage dynamics: from packed molecules to a production trajectory; killed at any moment, it goes on."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.dynamics.equilibration import block_mean, drift
from electroscreen.dynamics.platform import choose_platform
from electroscreen.dynamics.protocol import Phase, build_integrator, phases, with_ensemble
from electroscreen.dynamics.restart import Progress, Restart
from electroscreen.recipe import digest
from electroscreen.record import OK, locked, provenance, read_json, write_json, write_text
from electroscreen.settings import Dynamics

COLUMNS = "phase,time_ps,temperature_k,potential_energy_kj_per_mol,kinetic_energy_kj_per_mol,volume_a3,density_g_per_ml"
AMU_PER_A3_IN_G_PER_ML = 1.66053906660  # CODATA 2018

# The mean temperature of a production run of a thousand atoms scatters by far less than this.
TEMPERATURE_WITHIN_K = 3.0
DRIFT_ALLOWED = 0.01


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
    def restart(self) -> Path:
        """Restart data; no declared output, so that it outlives a kill."""
        return self.folder / "restart"


class NotRunError(RuntimeError):
    """The box was not built, or energies and coordinates are no longer finite; the message says which."""


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
            run = Run(files, dynamics, conditions, recipe, f"{packing['box']} replica {packing['replica']}", threads)
            record |= run.to_the_end()
        except NotRunError as failure:
            record["verdict"] = f"not run: {failure}"
            write_text(files.trajectory, "")
            write_text(files.state_table, COLUMNS + "\n")
        record["provenance"] = provenance(
            recipe, ("openmm",), started, threads, seed=packing.get("seed"), platform=record.get("platform")
        )
        write_json(files.record, record)
        if not record["verdict"].startswith("not run"):
            shutil.rmtree(files.restart, ignore_errors=True)


class Run:
    """One replica on its way through the phases."""

    def __init__(
        self, files: DynamicsFiles, dynamics: Dynamics, conditions: Conditions, recipe: dict, label: str, threads: int
    ):
        import openmm
        from openmm import app, unit

        self.files, self.dynamics, self.conditions, self.label = files, dynamics, conditions, label
        self.system = openmm.XmlSerializer.deserialize((files.folder / "system.xml").read_text(encoding="utf-8"))
        packed = app.PDBFile(str(files.folder / "packed.pdb"))
        self.topology, self.packed_positions = packed.topology, packed.positions
        self.mass_amu = sum(
            self.system.getParticleMass(i).value_in_unit(unit.dalton) for i in range(self.system.getNumParticles())
        )
        constraints = self.system.getNumConstraints()
        # Three for the total momentum, which the motion remover holds at zero.
        self.degrees_of_freedom = 3 * self.system.getNumParticles() - constraints - 3
        self.platform, self.properties = choose_platform(dynamics.platform, self.system, threads)
        self.restart = Restart(files.restart, _run_hash(files, conditions, recipe))

    def to_the_end(self) -> dict[str, Any]:
        """Run all phases that are left; return what the record says of the run.

        Raises
        ------
        NotRunError
        """
        progress = self.restart.load()
        plan = phases(self.dynamics)
        for index in range(progress.phase, len(plan)):
            self._run_phase(plan[index], index, progress)
        rows = self.restart.join_rows(progress.segments)
        write_text(self.files.state_table, "\n".join([COLUMNS, *rows]) + "\n")
        self.restart.join_frames(progress.segments, self.files.trajectory)
        production = plan[-1]
        return {
            "platform": self.platform.getName(),
            "ns_per_day": 86.4 * self.dynamics.production_ps / max(progress.production_wall_seconds, 1e-9),
            "wall_seconds": progress.wall_seconds,
            "production_ps": self.dynamics.production_ps,
            "frame_ps": production.steps(self.dynamics.frame_ps) * production.timestep_fs / 1000,
            **judge(read_states(self.files.state_table), self.conditions.temperature_k),
        }

    def _run_phase(self, phase: Phase, index: int, progress: Progress) -> None:
        context = self._context(phase, progress)
        total = phase.steps(phase.length_ps)
        segment = phase.steps(self.dynamics.checkpoint_ps)
        while progress.phase_steps < total:
            before = time.time()
            rows = self._segment(context, phase, min(segment, total - progress.phase_steps), progress)
            progress.wall_seconds += time.time() - before
            if phase.name == "production":
                progress.production_wall_seconds += time.time() - before
            done = progress.phase_steps >= total
            progress.phase, phase_steps = (index + 1, 0) if done else (index, progress.phase_steps)
            progress.phase_steps = phase_steps
            state = self._closing_state(context, phase, progress, rows if done else None)
            self.restart.save(progress, state, rows)
            self._tell(phase, total if done else phase_steps, total, rows, time.time() - before)
            if done:
                return

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
        """Step through one segment; return its rows, and write its frames if it is production."""
        every = phase.steps(self.dynamics.frame_ps)
        frames = self._frames(phase, every, progress) if phase.name == "production" else None
        rows, left = [], steps
        while left > 0:
            # The first frame of a segment completes the interval that the last segment began.
            chunk = min(left, every - progress.phase_steps % every)
            self._step(context, phase, chunk)
            progress.phase_steps += chunk
            left -= chunk
            if progress.phase_steps % every:
                continue
            state = context.getState(energy=True, positions=frames is not None)
            rows.append(self._row(phase, progress.phase_steps, state))
            if frames is not None:
                frames.writeModel(state.getPositions(), periodicBoxVectors=state.getPeriodicBoxVectors())
        return rows

    def _frames(self, phase: Phase, every: int, progress: Progress):
        """Return a writer for the frames of the next segment, whose times go on where the last one ended."""
        from openmm import app

        path = self.restart.frames(progress.segments + 1)
        path.unlink(missing_ok=True)
        next_frame = (progress.phase_steps // every + 1) * every
        return app.XTCFile(str(path), self.topology, phase.timestep_fs / 1000, firstStep=next_frame, interval=every)

    def _step(self, context, phase: Phase, steps: int) -> None:
        import openmm

        try:
            context.getIntegrator().step(steps)
        except openmm.OpenMMException as error:
            raise NotRunError(f"exploded in phase '{phase.name}': {error}") from None

    def _row(self, phase: Phase, steps: int, state) -> str:
        from openmm import unit

        kinetic = state.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)
        potential = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        if not np.isfinite(potential + kinetic):
            raise NotRunError(f"energy no longer finite in phase '{phase.name}' at step {steps}")
        gas_constant = 8.31446261815324e-3  # kJ/mol/K, CODATA 2018
        temperature = 2 * kinetic / (self.degrees_of_freedom * gas_constant)
        volume = state.getPeriodicBoxVolume().value_in_unit(unit.angstrom**3)
        density = AMU_PER_A3_IN_G_PER_ML * self.mass_amu / volume
        time_ps = steps * phase.timestep_fs / 1000
        return (
            f"{phase.name},{time_ps:.4f},{temperature:.3f},{potential:.4f},{kinetic:.4f},{volume:.3f},{density:.6f}\n"
        )

    def _closing_state(self, context, phase: Phase, progress: Progress, rows: list[str] | None) -> str:
        """State to go on from; at the end of the density phase, scaled to the mean volume of its second half."""
        import openmm

        if rows is not None and phase.ensemble == "NPT":
            _scale_to_volume(context, self._mean_volume(progress, rows))
        state = context.getState(positions=True, velocities=True, parameters=True, integratorParameters=True)
        return openmm.XmlSerializer.serialize(state)

    def _mean_volume(self, progress: Progress, rows: list[str]) -> float:
        earlier = self.restart.join_rows(progress.segments)
        volumes = [float(row.split(",")[5]) for row in [*earlier, *rows] if row.startswith("density,")]
        return float(np.mean(volumes[len(volumes) // 2 :]))

    def _tell(self, phase: Phase, steps: int, total: int, rows: list[str], seconds: float) -> None:
        if not rows:
            return
        last = rows[-1].split(",")
        speed = 86.4 * len(rows) * self.dynamics.frame_ps / seconds
        print(
            f"{self.label}: {phase.name} {steps * phase.timestep_fs / 1000:.0f} of {phase.length_ps:g} ps, "
            f"{float(last[2]):.0f} K, {float(last[6]):.3f} g/mL, {speed:.0f} ns/day",
            file=sys.stderr,
            flush=True,
        )


def read_states(path: Path):
    """Return the state table as a pandas DataFrame."""
    import pandas as pd

    return pd.read_csv(path)


def judge(states, temperature_k: float) -> dict[str, Any]:
    """Say whether a run is in equilibrium: density of the second half of NPT, temperature and energy of production.

    A drift counts when it is statistically real and above 1 % of the density, or of the kinetic energy for the
    potential energy (whose own zero is arbitrary).
    """
    density = states.density_g_per_ml[states.phase == "density"].to_numpy()
    density = density[len(density) // 2 :]
    production = states[states.phase == "production"]
    mean = block_mean(density)
    change, real = drift(density)
    faults = []
    if real and abs(change) > DRIFT_ALLOWED * mean.mean:
        faults.append(f"density still drifts by {100 * change / mean.mean:+.1f} % over the second half of NPT")
    energy_change, energy_real = drift(production.potential_energy_kj_per_mol.to_numpy())
    if energy_real and abs(energy_change) > DRIFT_ALLOWED * production.kinetic_energy_kj_per_mol.mean():
        faults.append(f"potential energy drifts by {energy_change:+.0f} kJ/mol over production")
    temperature = float(production.temperature_k.mean())
    if abs(temperature - temperature_k) > TEMPERATURE_WITHIN_K:
        faults.append(f"temperature is {temperature:.1f} K instead of {temperature_k:g} K")
    return {
        "verdict": OK if not faults else f"not equilibrated: {'; '.join(faults)}",
        "density_g_per_ml": mean.mean,
        "density_low": mean.low,
        "density_high": mean.high,
        "density_drift_percent": 100 * change / mean.mean,
        "temperature_k": temperature,
    }


def _run_hash(files: DynamicsFiles, conditions: Conditions, recipe: dict[str, Any]) -> str:
    """Hash of all that a run starts from: another temperature or packing must not go on with this restart data."""
    starts = {name: sha256((files.folder / name).read_bytes()).hexdigest() for name in ("system.xml", "packed.pdb")}
    return digest({"recipe": recipe, "conditions": asdict(conditions), **starts})


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
