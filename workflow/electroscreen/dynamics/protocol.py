"""The protocol: which phases a run goes through, each in an ensemble of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from electroscreen.settings import Dynamics

THERMOSTAT_PER_PS = 1.0
BAROSTAT_EVERY_STEPS = 25
WARM_UP_PS = 3.0
WARM_UP_TIMESTEP_FS = 1.0


@dataclass(frozen=True)
class Phase:
    """One stretch of dynamics."""

    name: str
    ensemble: Literal["NVT", "NPT"]
    integrator: Literal["Langevin", "Nose-Hoover"]
    length_ps: float
    timestep_fs: float

    def steps(self, interval_ps: float) -> int:
        """Number of steps nearest to an interval."""
        return max(1, round(1000 * interval_ps / self.timestep_fs))


def phases(dynamics: Dynamics) -> list[Phase]:
    """Return the phases in order: warm-up, density, relaxation at the mean volume, production.

    Production runs under a Nosé-Hoover chain, which does not damp diffusion as Langevin friction does
    (Basconi and Shirts, J. Chem. Theory Comput. 9, 2887, 2013).
    """
    step = dynamics.timestep_fs
    every = [
        Phase("warm-up", "NVT", "Langevin", WARM_UP_PS, min(WARM_UP_TIMESTEP_FS, step)),
        Phase("density", "NPT", "Langevin", dynamics.equilibrate_npt_ps, step),
        Phase("relaxation", "NVT", "Langevin", dynamics.equilibrate_nvt_ps, step),
        Phase("production", "NVT", "Nose-Hoover", dynamics.production_ps, step),
    ]
    return [phase for phase in every if phase.length_ps > 0]


def build_integrator(phase: Phase, temperature_k: float, seed: int):
    """Return the OpenMM integrator of a phase."""
    import openmm

    step_ps = phase.timestep_fs / 1000
    if phase.integrator == "Nose-Hoover":
        return openmm.NoseHooverIntegrator(temperature_k, THERMOSTAT_PER_PS, step_ps)
    integrator = openmm.LangevinMiddleIntegrator(temperature_k, THERMOSTAT_PER_PS, step_ps)
    integrator.setRandomNumberSeed(seed)
    return integrator


def with_ensemble(system, phase: Phase, temperature_k: float, pressure_bar: float, seed: int):
    """Return a copy of a system, with a barostat if the phase is NPT."""
    import copy

    import openmm

    system = copy.deepcopy(system)
    if phase.ensemble == "NPT":
        barostat = openmm.MonteCarloBarostat(pressure_bar, temperature_k, BAROSTAT_EVERY_STEPS)
        barostat.setRandomNumberSeed(seed)
        system.addForce(barostat)
    return system
