"""Which jobs the settings ask for, by stage, as the workflow's rules derive them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from electroscreen.boxes.composition import Composition, compose
from electroscreen.complexes import Complex
from electroscreen.project import Project
from electroscreen.recipes import BoxRecipe, molecules_of
from electroscreen.settings import Level
from electroscreen.species import Species

RECORDS = {"packing": "replica-{r}/packing.json", "dynamics": "replica-{r}/equilibration.json"}


@dataclass(frozen=True)
class Job:
    """One call of a stage, and the record that it leaves."""

    stage: str
    subject: str
    record: Path

    @property
    def is_done(self) -> bool:
        """Whether there is a record; whether it is of today's recipe, `snakemake -n` tells."""
        return self.record.exists()


class Asked:
    """Species, complexes and boxes that these settings ask for, each read once."""

    def __init__(self, project: Project):
        self.project, self.settings = project, project.settings

    @cached_property
    def every(self) -> dict[str, Species]:
        """All species of the project."""
        return {name: self.project.species(name) for name in self.project.species_names}

    @cached_property
    def boxes(self) -> dict[str, BoxRecipe]:
        """The boxes."""
        return {name: self.project.box(name) for name in self.project.asked_boxes}

    @cached_property
    def compositions(self) -> dict[str, Composition]:
        """Whole molecules of each box; InputError if one cannot be."""
        return {name: compose(box, self.every, self.settings.box.atoms) for name, box in self.boxes.items()}

    @cached_property
    def complexes(self) -> dict[str, Complex]:
        """The complexes."""
        return {name: self.project.complex(name) for name in self.project.asked_complexes}

    @cached_property
    def in_boxes(self) -> list[str]:
        """Species that stand in boxes as molecules."""
        return sorted({name for box in self.boxes.values() for name in molecules_of(box, self.every)})

    @cached_property
    def with_geometry(self) -> list[str]:
        """Species of which a geometry is needed."""
        parts = {part for wanted in self.complexes.values() for part in wanted.parts}
        if self.settings.binding.geometry == "gfn1":
            parts = set()
        return sorted({*self.project.screened_species, *parts, *self.in_boxes})

    @cached_property
    def levels(self) -> list[Level]:
        """Every level of theory that is asked for."""
        quantum = self.settings.quantum
        further = [level for name in self.project.screened_species for level in quantum.further_levels(name)]
        return list({level.model_dump_json(): level for level in (quantum.level, *further)}.values())

    def jobs(self) -> list[Job]:
        """Return all jobs that leave records, in the order of the pipeline."""
        quantum, screened = self.settings.quantum, self.project.screened_species
        of_species = {
            "geometry": self.with_geometry,
            "orbitals": screened,
            "levels": [name for name in screened if quantum.further_levels(name)],
            "redox": screened if quantum.redox != "none" else [],
            "esp": screened if quantum.esp else [],
            "cubes": screened if quantum.cubes else [],
            "charges": sorted({*screened, *self.in_boxes}),
            "forcefield": self.in_boxes,
        }
        jobs = [
            Job(stage, name, self.project.species_folder(name) / f"{stage}.json")
            for stage, names in of_species.items()
            for name in names
        ]
        jobs += [Job("binding", name, self.project.complex_folder(name) / "binding.json") for name in self.complexes]
        replicas = range(1, self.settings.dynamics.replicas + 1)
        for stage, record in RECORDS.items():
            jobs += [
                Job(stage, name, self.project.box_folder(name) / record.format(r=r))
                for name in self.boxes
                for r in replicas
            ]
        return jobs + [Job("analysis", name, self.project.box_folder(name) / "analysis.json") for name in self.boxes]
