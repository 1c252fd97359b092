"""How far everything is: of each job whether it is done, running, failed, stale or missing, and why.

Nothing is planned and nothing is run; what is there is compared with what the input files ask for now. Snakemake is
given only the jobs that are not settled here, so that its plan stays small however much is finished. A job counts as
settled only where Snakemake would leave it alone: its files are there, their recipe and their inputs are the present
ones, and no input is newer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from electroscreen.facts import Facts, Stamp, stamps
from electroscreen.memory import Memory
from electroscreen.plan import Job, box_jobs, complex_job, species_jobs
from electroscreen.project import Project
from electroscreen.recipe import PROTOCOL, as_text, digest
from electroscreen.record import locked_files, read_json, usable

DONE, FAILED, RUNNING, STALE, MISSING = STATES = ("done", "failed", "running", "stale", "missing")

# Stages that hold the lock of their folder while they run.
LOCKING = ("geometry", "levels", "redox", "binding", "dynamics")


@dataclass(frozen=True, slots=True)
class State:
    """How far one job is."""

    job: Job
    name: str
    """One of `STATES`."""
    reason: str = ""
    recorded: bool = False
    """Whether there is a record by the present recipe, whatever its verdict."""
    settled: bool = False
    """Whether there is nothing for Snakemake to look at."""
    older_protocol: int | None = None
    """Of a stale record: the number in `recipe.PROTOCOL` by which alone its recipe differs from the present one."""


@dataclass
class Survey:
    """The state of every job that the settings ask for, by its record."""

    project: Project
    states: dict[str, State] = field(default_factory=dict)
    screened: list[str] = field(default_factory=list)

    @cached_property
    def unsettled(self) -> list[State]:
        """What Snakemake has to look at, in the order of the pipeline."""
        return [state for state in self.states.values() if not state.settled]

    def lacks(self, path: str) -> bool:
        """Whether a file of the results is not there."""
        return not (self.project.results / path).exists()

    def outdated(self) -> Counter[tuple[str, int]]:
        """How many records of which stage were made by which older protocol, and by nothing else are out of date."""
        found = (state for state in self.states.values() if state.older_protocol is not None)
        return Counter((state.job.stage, state.older_protocol) for state in found)


def survey(project: Project) -> Survey:
    """Check all inputs and tell the state of every job.

    Raises
    ------
    InputError
        For the first fault in any file that a user wrote.
    """
    facts = Facts(project)
    looker = _Looker(project, facts)
    screened = [name for name in project.species_names if facts.is_screened(name)]
    if project.settings.species != "all":
        screened = project.screened_species
    found = Survey(project, screened=screened)
    for job in asked_jobs(project, facts, found.screened):
        found.states[job.record] = looker.look_at(job, found.states)
    facts.keep(looker.seen)
    return found


def asked_jobs(project: Project, facts: Facts, screened: list[str]) -> Iterator[Job]:
    """Give every job that the settings ask for, each after those whose files it reads."""
    quantum = project.settings.quantum
    boxes = {name: facts.molecules(name) for name in project.asked_boxes}
    complexes = {name: _relaxed_parts(project, name) for name in project.asked_complexes}
    asked = set(screened)
    typed = {species for molecules in boxes.values() for species in molecules}
    relaxed_first = asked | typed | {part for of in complexes.values() for part in of}
    always = {"orbitals": True, "esp": quantum.esp, "cubes": quantum.cubes, "redox": quantum.redox != "none"}
    wanted = [stage for stage, on in always.items() if on]
    for name in project.species_names:
        stages = ["geometry"] if name in relaxed_first else []
        if name in asked:
            stages += wanted + (["levels"] if quantum.further_levels(name) else [])
        stages += ["charges"] if name in asked or name in typed else []
        stages += ["forcefield"] if name in typed else []
        yield from species_jobs(name, stages)
    for name, of in complexes.items():
        yield complex_job(name, of)
    for name, molecules in boxes.items():
        dynamics = project.settings.dynamics
        yield from box_jobs(name, molecules, dynamics.replicas, pressure=dynamics.viscosity_ps > 0)


def _relaxed_parts(project: Project, name: str) -> list[str]:
    """The parts whose DFT geometry a complex starts from."""
    wanted = project.complex(name)
    return [] if project.binding_settings(wanted).geometry == "gfn1" else list(wanted.parts)


class _Looker:
    """Looks at the files of one job after the other."""

    def __init__(self, project: Project, facts: Facts):
        self.project, self.facts = project, facts
        self.prefix, self.top = f"results/{project.settings_name}/", str(project.results)
        self.memory = Memory(project.root)
        unfinished = self.memory.unfinished()
        self.unfinished = {key.removeprefix(self.prefix) for key in unfinished if key.startswith(self.prefix)}
        self.locks = locked_files()
        self.running = self._is_locked(project.root / ".snakemake" / "electroscreen.lock")
        self.folders: dict[str, dict[str, Stamp]] = {}
        self.inventory = self.stamp("inventory.csv")
        self.seen: dict[str, list] = {}

    def look_at(self, job: Job, before: dict[str, State]) -> State:
        """Return the state of a job; `before` holds those of the jobs whose files it reads."""
        stamp = self.stamp(job.record) if job.stage != "figures" else self._drawn(job.record)
        if stamp is None:
            return self._absent(job, before)
        recipe_hash, verdict = self._record(job, stamp)
        if any(path in self.unfinished for path in (job.record, *job.others)):
            return State(job, RUNNING) if self.running else State(job, STALE, "was interrupted")
        expected = self.facts.recipe_hash(job.recipe_stage, job.subject) if job.recipe_stage else None
        if job.recipe_stage and recipe_hash is None:
            return State(job, STALE, verdict)
        if recipe_hash != expected and (other := self._other_recipe(job, recipe_hash)):
            return other
        waiting = [record for record in job.needs if not before[record].recorded]
        if waiting:
            return State(job, STALE, f"{waiting[0]} is {before[waiting[0]].name}")
        changed = self._changed_input(job, stamp)
        if changed:
            return State(job, STALE, changed)
        name, reason = (DONE, "") if usable(verdict) else (FAILED, verdict)
        settled = all(before[record].settled for record in job.needs) and self._has_all(job, stamp)
        return State(job, name, reason, True, settled)

    def stamp(self, path: str) -> Stamp | None:
        """Return the time and size of a file in the results."""
        folder, _, file = path.rpartition("/")
        if folder not in self.folders:
            self.folders[folder] = stamps(f"{self.top}/{folder}")
        return self.folders[folder].get(file)

    def _drawn(self, folder: str) -> Stamp | None:
        """Return the stamp of a folder of figures: Snakemake's own mark in it, else its newest figure."""
        mark = self.stamp(f"{folder}/.snakemake_timestamp")
        return mark or max(self.folders[folder].values(), default=None)

    def _record(self, job: Job, stamp: Stamp) -> tuple[str | None, str]:
        """Return the recipe's hash and the verdict in a record, read anew only where it has changed."""
        if job.recipe_stage is None:
            return None, "ok"
        known = self.facts.records.get(job.record)
        if not known or known[:2] != stamp:
            known = [*stamp, *_hash_and_verdict(self.project.results / job.record)]
        self.seen[job.record] = known
        return known[2], known[3]

    def _absent(self, job: Job, before: dict[str, State]) -> State:
        ready = all(before[record].recorded for record in job.needs)
        began = any(path in self.unfinished for path in (job.record, *job.others))
        folder = self.project.results / job.record
        locked = ready and job.stage in LOCKING and self._is_locked(folder.parent / ".lock")
        if locked or (began and self.running):
            return State(job, RUNNING)
        last = _last_line(self.project.results / job.log) if self.stamp(job.log) else ""
        if last:
            return State(job, FAILED, last)
        return State(job, MISSING, "was interrupted" if began else "")

    def _is_locked(self, file: Path) -> bool:
        return bool(self.locks) and file.exists() and file.stat().st_ino in self.locks

    def _other_recipe(self, job: Job, recipe_hash: str | None) -> State | None:
        """Return in what way a record's recipe is not the present one; None where Snakemake was told to keep it."""
        recipe = self.project.recipe(job.recipe_stage, job.subject)
        remembered = (self.memory.of(self.prefix + job.record) or {}).get("params") or []
        if repr(as_text(recipe)) in remembered:
            return None
        for older in range(PROTOCOL[job.recipe_stage] - 1, 0, -1):
            if digest(recipe | {"protocol": older}) == recipe_hash:
                return State(job, STALE, f"protocol {older}, now {PROTOCOL[job.recipe_stage]}", older_protocol=older)
        return State(job, STALE, "its input or settings changed")

    def _changed_input(self, job: Job, stamp: Stamp) -> str:
        """Return which input is another than when the job ran; nothing where none is."""
        oldest = min([stamp[0], *(found[0] for path in job.others if (found := self.stamp(path)))])
        for path in job.inputs:
            found = self.stamp(path)
            if found and found[0] > oldest and not self._same_content(job, path):
                return f"{path} is newer"
        if not job.fixed:
            then = (self.memory.of(self.prefix + job.record) or {}).get("input")
            if then is not None and then != self._names(job):
                return "it now reads other files"
        return ""

    def _same_content(self, job: Job, path: str) -> bool:
        keys = [self.prefix + output for output in (job.record, *job.others)]
        return self.memory.same_content(self.prefix + path, self.project.results / path, keys)

    def _names(self, job: Job) -> list[str]:
        return sorted([self.prefix + path for path in job.inputs] + ([job.yaml] if job.yaml else []))

    def _has_all(self, job: Job, stamp: Stamp) -> bool:
        """Whether the workflow needs to know nothing of a job whose numbers are right."""
        if any(self.stamp(path) is None for path in job.others):
            return False
        if not job.fixed and (self.memory.of(self.prefix + job.record) or {}).get("input") is None:
            return False
        return job.stage == "figures" or (self.inventory is not None and stamp[0] <= self.inventory[0])


def _hash_and_verdict(path: Path) -> tuple[str | None, str]:
    try:
        record: Any = read_json(path)
        return record["provenance"]["recipe_hash"], str(record["verdict"])
    except KeyError as error:
        return None, f"bears no {error.args[0]}"
    except (OSError, ValueError, TypeError) as error:
        return None, f"cannot be read: {' '.join(str(error).split())}"


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else ""
