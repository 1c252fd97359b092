"""Fluctuations of the pressure, sampled after production: what the analysis has a box's viscosity from."""

from __future__ import annotations

import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.dynamics.protocol import Phase, build_integrator
from electroscreen.recipe import digest
from electroscreen.record import whole
from electroscreen.stopping import checkpoint_reached, stop_is_asked

COMPONENTS = 5


class NoPressureError(RuntimeError):
    """The pressure could not be sampled; the message says why."""


@dataclass(frozen=True)
class Sampling:
    """How long the pressure is sampled, and how often.

    Attributes
    ----------
    phase
        The production that it follows: same ensemble, integrator and time step.
    length_ps, every_steps
        How long, and after how many steps each time.
    checkpoint_ps
        What a killed run loses at most.
    """

    phase: Phase
    length_ps: float
    every_steps: int
    checkpoint_ps: float

    @property
    def every_ps(self) -> float:
        """Time between two samples."""
        return self.every_steps * self.phase.timestep_fs / 1000

    @property
    def samples(self) -> int:
        """How many there are to be."""
        return max(1, round(self.length_ps / self.every_ps))


def shear_components(stress: np.ndarray) -> np.ndarray:
    """Return the five independent shear components of a stress tensor.

    Parameters
    ----------
    stress
        xx, yy, zz, xy, xz, yz along the first axis.

    Returns
    -------
    np.ndarray
        xy, xz, yz, (xx - yy) / 2 and (2 zz - xx - yy) / √12 along the first axis: in an isotropic liquid all five
        fluctuate alike and independently (Daivis and Evans, J. Chem. Phys. 1994, 100, 541).
    """
    xx, yy, zz, xy, xz, yz = stress
    return np.array([xy, xz, yz, (xx - yy) / 2, (2 * zz - xx - yy) / np.sqrt(12)])


def pressure_context(system: Any, phase: Phase, temperature_k: float, seed: int, platform: Any, properties: Any):
    """Return a context, and the barostat that tells its stress but never moves."""
    import copy

    import openmm

    system = copy.deepcopy(system)
    barostat = openmm.MonteCarloFlexibleBarostat(1.0, temperature_k, 0)
    system.addForce(barostat)
    integrator = build_integrator(phase, temperature_k, seed)
    return openmm.Context(system, integrator, platform, properties), barostat


def stress_bar(context: Any, barostat: Any) -> np.ndarray:
    """Return xx, yy, zz, xy, xz and yz of the instantaneous stress in bar, shape (6,).

    OpenMM computes no virial, but the stress by finite strain of molecules as wholes: twelve energies. (Of
    `computeCurrentPressure` only the diagonal is a pressure: off it the box is sheared without what it holds.)
    The molecular stress has the same time integral of its correlation as the atomic one, without the noise of bonds
    and constraints (Marechal and Ryckaert, Chem. Phys. Lett. 1983, 101, 548). It is not symmetric; what makes it so is
    the rate at which molecules gain spin, which integrates to nothing. That OpenMM takes the mean of a molecule's atoms
    for its centre, not that of mass, adds some density × (distance between the two)² / (time of rotation): less than
    1e-3 mPa s. Measured on 1439 atoms by the CPU
    platform: 13 steps' time. Single precision shifts it by less than a hundredth of its fluctuation.

    Raises
    ------
    NoPressureError
        If OpenMM is too old, or the stress is not finite.
    """
    from openmm import unit

    if not hasattr(barostat, "computeStressTensor"):
        raise NoPressureError("OpenMM 8.6 or newer is needed for the stress")
    stress = np.array(barostat.computeStressTensor(context, True).value_in_unit(unit.bar))
    if not np.isfinite(stress).all():
        raise NoPressureError("the stress is no longer finite")
    return stress


def sample_pressure(
    context: Any, barostat: Any, sampling: Sampling, start: Any, saved: Path, run_hash: str, label: str
) -> np.ndarray:
    """Run, or go on with, the dynamics after production and return the shear stress in bar, (COMPONENTS, samples).

    Parameters
    ----------
    context, barostat
        As `pressure_context` makes them.
    start
        OpenMM state at the end of production.
    saved
        File that holds what was sampled so far, with the state to go on from.
    run_hash
        Hash of what the run started from; what was saved of another is forgotten.

    Raises
    ------
    NoPressureError
    StoppedError
        If a signal has come; all up to the last checkpoint is kept.
    """
    import openmm

    key = digest({"run": run_hash, "every_steps": sampling.every_steps})
    series, state_xml = _saved(saved, key)
    _set_state(context, start if state_xml is None else openmm.XmlSerializer.deserialize(state_xml))
    few = max(1, round(sampling.checkpoint_ps / sampling.every_ps))
    while series.shape[1] < sampling.samples:
        before = time.time()
        wanted = min(few, sampling.samples - series.shape[1])
        new = list(_samples(context, barostat, sampling.every_steps, wanted))
        series = np.concatenate([series, np.transpose(new).astype(np.float32)], axis=1)
        state = context.getState(positions=True, velocities=True)
        _save(saved, key, series, openmm.XmlSerializer.serialize(state))
        done_ps = series.shape[1] * sampling.every_ps
        speed = 86.4 * len(new) * sampling.every_ps / (time.time() - before)
        print(
            f"{label}: pressure {done_ps:.0f} of {sampling.length_ps:g} ps, {speed:.0f} ns/day",
            file=sys.stderr,
            flush=True,
        )
        checkpoint_reached()
    return series[:, : sampling.samples]


def write_pressure(path: Path, shear_bar: np.ndarray | None = None, every_ps: float = 0.0) -> None:
    """Write what was sampled, or that nothing was."""
    shear_bar = np.empty((COMPONENTS, 0), np.float32) if shear_bar is None else shear_bar
    with whole(path) as partial:
        np.savez(partial, shear_bar=shear_bar, every_ps=every_ps)


def _samples(context: Any, barostat: Any, every_steps: int, wanted: int) -> Iterator[np.ndarray]:
    """Give some samples; one at least, fewer than wanted if a signal has come."""
    import openmm

    for number in range(wanted):
        if number and stop_is_asked():
            return
        try:
            context.getIntegrator().step(every_steps)
        except openmm.OpenMMException as error:
            raise NoPressureError(f"exploded while the pressure was sampled ({error})") from None
        yield shear_components(stress_bar(context, barostat))


def _set_state(context: Any, state: Any) -> None:
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions())
    context.setVelocities(state.getVelocities())


def _saved(path: Path, key: str) -> tuple[np.ndarray, str | None]:
    """What was sampled before, and the state after it; nothing where there is none of this run."""
    nothing = np.empty((COMPONENTS, 0), np.float32), None
    try:
        with np.load(path) as file:
            if str(file["key"]) != key:
                return nothing
            return file["shear_bar"], str(file["state_xml"])
    except FileNotFoundError:
        return nothing
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        print(f"restart data are damaged ({path}): the pressure is sampled afresh", file=sys.stderr, flush=True)
        return nothing


def _save(path: Path, key: str, series: np.ndarray, state_xml: str) -> None:
    with whole(path) as partial:
        np.savez(partial, key=key, shear_bar=series, state_xml=state_xml)
