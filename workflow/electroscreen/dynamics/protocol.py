"""The protocol: which phases a run goes through, each in an ensemble of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from electroscreen.settings import AnnealStep, Dynamics

THERMOSTAT_PER_PS = 1.0
BAROSTAT_EVERY_STEPS = 25
WARM_UP_PS = 3.0
WARM_UP_TIMESTEP_FS = 1.0
STRESS_STEPS = 13  # how many steps' time one stress takes, measured

# Compression and decompression in 21 steps (Larsen, Lin, Hart and Colina, Macromolecules 44, 6944, 2011): ps at the
# highest temperature, ps at the box's own, ps at its own under a share of the highest pressure; None is its own.
COMPRESSION_K = 600.0
COMPRESSION_BAR = 50663.0  # 5e4 atm
COMPRESSION_CYCLES = (
    (50, 50, 50, 0.02),
    (50, 100, 50, 0.60),
    (50, 100, 50, 1.00),
    (50, 100, 5, 0.50),
    (5, 10, 5, 0.10),
    (5, 10, 5, 0.01),
    (5, 10, 800, None),
)


@dataclass(frozen=True)
class Phase:
    """One stretch of dynamics; temperature and pressure are the box's own unless given."""

    name: str
    ensemble: Literal["NVT", "NPT"]
    integrator: Literal["Langevin", "Nose-Hoover"]
    length_ps: float
    timestep_fs: float
    temperature_k: float | None = None
    pressure_bar: float | None = None
    limit_ps: float | None = None

    def steps(self, interval_ps: float) -> int:
        """Number of steps nearest to an interval."""
        return max(1, round(1000 * interval_ps / self.timestep_fs))


def phases(dynamics: Dynamics, anneal: bool = False) -> list[Phase]:
    """Return the phases in order: warm-up, annealing of what holds chains, density, relaxation, production.

    Production runs at the mean volume under a Nosé-Hoover chain, which does not damp diffusion as Langevin friction
    does (Basconi and Shirts, J. Chem. Theory Comput. 9, 2887, 2013).
    """
    step = dynamics.timestep_fs
    npt, nvt, limit = dynamics.equilibrate_npt_ps, dynamics.equilibrate_nvt_ps, dynamics.equilibrate_limit
    every = [
        Phase("warm-up", "NVT", "Langevin", WARM_UP_PS, min(WARM_UP_TIMESTEP_FS, step)),
        *(_annealing(dynamics) if anneal else []),
        Phase("density", "NPT", "Langevin", npt, step, limit_ps=limit * npt),
        Phase("relaxation", "NVT", "Langevin", nvt, step, limit_ps=limit * nvt),
        Phase("production", "NVT", "Nose-Hoover", dynamics.production_ps, step),
    ]
    return [phase for phase in every if phase.length_ps > 0]


def pressure_steps(dynamics: Dynamics) -> float:
    """Return how many steps' time the sampling of the pressure takes, its own steps included."""
    steps = 1000 * dynamics.viscosity_ps / dynamics.timestep_fs
    every = max(1, round(dynamics.pressure_every_fs / dynamics.timestep_fs))
    return steps * (1 + STRESS_STEPS / every)


def compression_21() -> list[AnnealStep]:
    """Return the 21 steps: hot, cold and compressed seven times over."""
    steps = []
    for hot_ps, cold_ps, pressed_ps, share in COMPRESSION_CYCLES:
        pressure = None if share is None else share * COMPRESSION_BAR
        steps += [
            AnnealStep(ensemble="NVT", temperature_k=COMPRESSION_K, length_ps=hot_ps),
            AnnealStep(ensemble="NVT", length_ps=cold_ps),
            AnnealStep(ensemble="NPT", pressure_bar=pressure, length_ps=pressed_ps),
        ]
    return steps


def _annealing(dynamics: Dynamics) -> list[Phase]:
    named = {"none": [], "21-step": compression_21()}
    steps = named[dynamics.anneal] if isinstance(dynamics.anneal, str) else dynamics.anneal
    return [
        Phase(
            f"anneal {k}",
            step.ensemble,
            "Langevin",
            step.length_ps,
            min(step.timestep_fs, dynamics.timestep_fs),
            step.temperature_k,
            step.pressure_bar,
        )
        for k, step in enumerate(steps, start=1)
    ]


def build_integrator(phase: Phase, temperature_k: float, seed: int):
    """Return the OpenMM integrator of a phase."""
    import openmm

    step_ps = phase.timestep_fs / 1000
    temperature_k = phase.temperature_k or temperature_k
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
        pressure = pressure_bar if phase.pressure_bar is None else phase.pressure_bar
        barostat = openmm.MonteCarloBarostat(pressure, phase.temperature_k or temperature_k, BAROSTAT_EVERY_STEPS)
        barostat.setRandomNumberSeed(seed)
        system.addForce(barostat)
    return system
