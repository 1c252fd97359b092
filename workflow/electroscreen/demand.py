"""What a job asks a scheduler for: cores, memory and time, from the size of its species or box.

Estimates, and generous ones: too little costs another try with more, too much costs waiting. No number depends on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from electroscreen.boxes.cost import ATOM_STEPS_PER_SECOND_AND_THREAD, THREADS_LIMIT
from electroscreen.settings import Dynamics, Quantum, Settings

# Cartesian 6-31G(d,p) functions: hydrogen, first row, second row; heavier atoms about, with their core potential.
FUNCTIONS_BY_ROW = ((2, 5), (10, 15), (18, 19), (118, 30))
LARGER_BASIS = 1.8  # functions of triple zeta or with diffuse shells over those of 6-31G(d,p)

# An SCF of 250 functions at quick's final grid, on one core of 2019 (results/published/quick); from 30 to 280 functions
# the time grows with their number to the power of 2.4.
SCF_SECONDS, SCF_FUNCTIONS, SCF_POWER = 39.0, 250, 2.4
STEP_SCFS = 1.5  # an optimisation step: an SCF from a good guess, and a gradient
MARGIN = 3.0
START_MINUTES = 5  # imports, file systems, the slowest node

# A species whose geometry takes no more than this is small: queueing for each of its stages would take longer than they
# do. Of larger ones, stages of no more than QUICK_MINUTES go together.
SMALL_MINUTES = 12
QUICK_MINUTES = 60


@dataclass(frozen=True)
class Demand:
    """Cores, megabytes and minutes of one job."""

    threads: int
    memory_mb: int
    minutes: int


def basis_functions(symbols: Sequence[str]) -> int:
    """Return about how many basis functions a molecule has in 6-31G(d,p)."""
    from electroscreen.smiles import atomic_number

    return sum(next(count for last, count in FUNCTIONS_BY_ROW if atomic_number(s) <= last) for s in symbols)


def of_molecule(stage: str, symbols: Sequence[str], settings: Settings) -> Demand:
    """Return what a stage of a species or a complex needs, by its atoms."""
    functions = basis_functions(symbols)
    threads = 1 if functions < 100 else 2 if functions < 200 else 4
    if stage == "forcefield" and settings.forcefield.hessian == "gfn2":
        threads = 1
    seconds = scf_seconds(functions) * scfs(stage, len(symbols), settings)
    return Demand(threads, _memory_mb(functions, settings.quantum), _minutes(seconds, threads))


def scf_seconds(functions: int) -> float:
    """Return about how long one SCF takes on one core."""
    return SCF_SECONDS * (functions / SCF_FUNCTIONS) ** SCF_POWER


def scfs(stage: str, atoms: int, settings: Settings) -> float:
    """Return how many SCFs a stage is worth at most."""
    quantum = settings.quantum
    proven = quantum.hessian == "dft" and atoms <= quantum.hessian_atoms_limit
    # A Hessian costs about three gradients an atom; an imaginary mode is followed once, then there is another.
    descent = STEP_SCFS * (quantum.steps_limit + (2 * 3 * atoms if proven else 0))
    if stage == "geometry" and atoms > quantum.dft_geometry_atoms:
        return 1
    if stage == "geometry":
        return descent + 3 * quantum.candidates
    if stage == "binding":
        return descent + 3 * settings.binding.candidates + 20
    if stage == "levels":
        levels = len(quantum.scan_levels) + (quantum.second_level is not None)
        return 2 * max(1, levels) * LARGER_BASIS**SCF_POWER
    if stage == "redox":
        return 20 + (2 * STEP_SCFS * quantum.steps_limit if quantum.redox == "adiabatic" else 0)
    if stage == "forcefield" and settings.forcefield.hessian == "dft":
        return 3 * STEP_SCFS * min(atoms, settings.forcefield.dft_hessian_atoms)
    return 2


def of_box(stage: str, settings: Settings, atoms_at_least: int | None = None) -> Demand:
    """Return what a stage of a box needs, by its atoms and the length of its runs."""
    atoms, dynamics = max(settings.box.atoms, atoms_at_least or 0), settings.dynamics
    if stage == "dynamics":
        rate = THREADS_LIMIT * ATOM_STEPS_PER_SECOND_AND_THREAD
        seconds = atoms * _steps(dynamics) / rate
        return Demand(THREADS_LIMIT, 1500 + atoms // 10, START_MINUTES + ceil(MARGIN * seconds / 60))
    if stage == "analysis":
        frames = dynamics.replicas * dynamics.production_ps / dynamics.frame_ps
        # All positions in double precision, once; measured: 500 frames of 1439 atoms take 1.3 s.
        held_mb = ceil(frames * atoms * 3 * 8 / 1e6)
        return Demand(2, 1500 + held_mb, START_MINUTES + ceil(MARGIN * frames * atoms / 5e5 / 60))
    return Demand(1, 1500 + atoms // 10, START_MINUTES + ceil(atoms / 200))


def of_reporting(subjects: int) -> Demand:
    """Return what tables, figures and the report need, by the number of species, complexes and boxes in them."""
    return Demand(1, 1000 + subjects, 10 + subjects // 200)


def _steps(dynamics: Dynamics) -> float:
    from electroscreen.dynamics.protocol import phases, pressure_steps

    plan = phases(dynamics, anneal=dynamics.anneal != "none")
    steps = sum(1000 * (phase.limit_ps or phase.length_ps) / phase.timestep_fs for phase in plan)
    return steps + pressure_steps(dynamics)


def _memory_mb(functions: int, quantum: Quantum) -> int:
    # The three-index integrals of density fitting (about four auxiliary functions to each), which PySCF keeps on disk
    # where they would exceed its own limit; copies of them; grids and libraries.
    integrals_mb = 8 * 4 * functions * functions**2 / 2 / 1e6
    return 1500 + ceil(min(4 * integrals_mb, 1.25 * quantum.memory_mb))


def _minutes(seconds: float, threads: int) -> int:
    # Threads help less than in proportion.
    return START_MINUTES + ceil(MARGIN * seconds / threads**0.8 / 60)
