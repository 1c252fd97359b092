"""Core-hours, memory and disk, stage by stage: from a stated model, scaled to the runs that this project has finished.

The models are those of results/published/quick: one core of 2019 without AVX-512, density fitting. A self-consistent
field of n basis functions takes 1.4e-4 s n^2.25 (n from 30 to 276, within a factor of two); all quantum stages are
multiples of that.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import median

from electroscreen.boxes.cost import expected_seconds, speed_here
from electroscreen.preflight.asked import Asked, Job
from electroscreen.preflight.theory import basis_functions
from electroscreen.record import read_json
from electroscreen.species import Species

# Multiples of one self-consistent field.
WITH_START, FROM_NOTHING = 6, 30
HESSIAN_PER_ATOM = 4
MULTIPLES = {"orbitals": 1.0, "esp": 0.35, "cubes": 0.1, "charges": 0.5}
REDOX = {"vertical": 4, "adiabatic": 64}
BINDING_PER_CANDIDATE = 11

SECONDS_PER_ATOM_PACKED = 1e-3
SECONDS_PER_ATOM_AND_FRAME = 3.6e-6
SECONDS_FORCE_FIELD = 0.5

BYTES_PER_ATOM_AND_FRAME = 4.1  # of an XTC file with 0.01 Å
BYTES_PER_ATOM = 1200  # system, packing and restart of a replica
BYTES_OF_SPECIES, BYTES_PER_FUNCTION = 2e6, 30e3  # pictures, surface and cubes

ENOUGH_FINISHED = 200


@dataclass(frozen=True)
class Effort:
    """What a stage has left to do."""

    stage: str
    jobs: int
    done: int
    core_hours_left: float
    source: str


class Estimate:
    """Model of the effort of every job."""

    def __init__(self, asked: Asked):
        self.asked, self.settings = asked, asked.settings
        self._functions: dict[str, int] = {}

    def functions(self, name: str) -> int:
        """Basis functions of a species; of a long chain, of the trimer that stands for it."""
        if name not in self._functions:
            species = self.asked.every[name]
            symbols = (species.trimer() if species.is_long_chain else species).symbols
            self._functions[name] = basis_functions(symbols, self.settings.quantum.level)
        return self._functions[name]

    def core_seconds(self, job: Job) -> float:
        """Return what a job takes by the model."""
        if job.stage in ("packing", "dynamics", "analysis"):
            return self._of_box(job)
        if job.stage == "binding":
            parts = self.asked.complexes[job.subject].parts
            n = sum(count * self.functions(part) for part, count in parts.items())
            return BINDING_PER_CANDIDATE * self.settings.binding.candidates * one_field_s(n)
        return self._of_species(job.stage, self.asked.every[job.subject])

    def _of_species(self, stage: str, species: Species) -> float:
        quantum, field_s = self.settings.quantum, one_field_s(self.functions(species.name))
        atoms = len(species.symbols)
        if stage == "geometry":
            if species.is_long_chain:
                return 1.0
            hessian = quantum.hessian == "dft" and 1 < atoms <= quantum.hessian_atoms_limit
            steps = WITH_START if species.start else FROM_NOTHING
            return (steps + (HESSIAN_PER_ATOM * atoms if hessian else 0)) * field_s
        if stage == "charges" and species.is_long_chain:
            return FROM_NOTHING * field_s
        if stage == "levels":
            return sum(
                one_field_s(basis_functions(species.symbols, level)) for level in quantum.further_levels(species.name)
            )
        if stage == "redox":
            media = 1 if species.solvent is None else 2
            return REDOX[quantum.redox] * media * field_s
        if stage == "forcefield":
            settings = self.settings.forcefield
            dft = settings.hessian == "dft" and atoms <= settings.dft_hessian_atoms
            return SECONDS_FORCE_FIELD + (HESSIAN_PER_ATOM * atoms * field_s if dft else 0)
        return MULTIPLES[stage] * field_s

    def _of_box(self, job: Job) -> float:
        dynamics, atoms = self.settings.dynamics, self.asked.compositions[job.subject].atoms
        if job.stage == "packing":
            return SECONDS_PER_ATOM_PACKED * atoms
        if job.stage == "analysis":
            return dynamics.replicas * SECONDS_PER_ATOM_AND_FRAME * atoms * dynamics.production_ps / dynamics.frame_ps
        speed = speed_here(self.asked.project.results)
        return speed.threads * expected_seconds(atoms, dynamics, speed) / dynamics.replicas

    def largest_memory_mb(self) -> tuple[float, str]:
        """Return the memory of the largest self-consistent field, and whose it is; PySCF keeps the rest on disk."""
        sizes = {name: self.functions(name) for name in self.asked.with_geometry}
        for name, wanted in self.asked.complexes.items():
            sizes[name] = sum(count * self.functions(part) for part, count in wanted.parts.items())
        name = max(sizes, key=sizes.get)
        integrals_mb = 12e-6 * sizes[name] ** 3  # three times as many functions to fit with, half by symmetry
        return 400 + min(integrals_mb, self.settings.quantum.memory_mb), f"{name}, {sizes[name]} functions"

    def disk_bytes(self) -> float:
        """Return what the results will take, those that are there included."""
        dynamics = self.settings.dynamics
        frames = dynamics.production_ps / dynamics.frame_ps
        # Segments and the file that they are merged into stand side by side for a while.
        per_atom = dynamics.replicas * (2 * BYTES_PER_ATOM_AND_FRAME * frames + BYTES_PER_ATOM)
        boxes = sum(per_atom * composition.atoms for composition in self.asked.compositions.values())
        functions = [self.functions(name) for name in self.asked.with_geometry]
        return boxes + len(functions) * BYTES_OF_SPECIES + sum(functions) * BYTES_PER_FUNCTION


def one_field_s(functions: int) -> float:
    """Return the core-seconds of one self-consistent field."""
    return 1.4e-4 * functions**2.25


def efforts(asked: Asked, estimate: Estimate) -> list[Effort]:
    """Return each stage's jobs, those done, and what is left by the model times what finished ones took of theirs."""
    by_stage: dict[str, list[Job]] = defaultdict(list)
    for job in asked.jobs():
        by_stage[job.stage].append(job)
    found = []
    for stage, jobs in by_stage.items():
        done = [job for job in jobs if job.is_done]
        left = sum(estimate.core_seconds(job) for job in jobs if not job.is_done)
        factor, source = 1.0, "model"
        if stage == "dynamics":
            source = speed_here(asked.project.results).source
        elif ratios := _ratios(done, estimate):
            factor, source = median(ratios), f"{len(ratios)} finished here, {median(ratios):.2g} times the model"
        found.append(Effort(stage, len(jobs), len(done), factor * left / 3600, source))
    return found


def _ratios(done: list[Job], estimate: Estimate) -> list[float]:
    """What finished jobs took, as multiples of the model; of one that went on from a restart only the end is known."""
    ratios = []
    for job in done[:ENOUGH_FINISHED]:
        try:
            record = read_json(job.record)
            seconds = record["provenance"]["wall_seconds"] * record["provenance"]["threads"]
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if seconds > 1 and not record.get("resumed"):
            ratios.append(seconds / estimate.core_seconds(job))
    return ratios
