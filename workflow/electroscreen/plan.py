"""What the workflow consists of: every job with its record, the other files that it writes, and those that it reads.

The rules in workflow/rules/ say the same to Snakemake, which plans jobs by it; here it serves to tell what is done
without planning anything (`electroscreen.survey`). A test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# What a stage of a species writes besides its record, and what it reads, in the species' folder.
OF_SPECIES = {
    "geometry": (("geometry.xyz", "density.npy"), ()),
    "orbitals": (("density_final.npy", "frontier.npz"), ("geometry.json", "geometry.xyz", "density.npy")),
    "levels": ((), ("geometry.json", "geometry.xyz", "density_final.npy")),
    "redox": ((), ("geometry.json", "geometry.xyz")),
    "esp": (("esp.npz", "esp.png", "esp.ply"), ("orbitals.json", "geometry.xyz", "density_final.npy")),
    "cubes": (("homo.cube", "lumo.cube", "orbitals.png"), ("orbitals.json", "geometry.xyz", "frontier.npz")),
    "charges": ((), ("geometry.xyz",)),
    "forcefield": (("forcefield.xml",), ("charges.json", "geometry.xyz")),
}
SPECIES_NEEDS = {
    "geometry": (),
    "esp": ("orbitals",),
    "cubes": ("orbitals",),
    "levels": ("geometry", "orbitals"),
    "forcefield": ("charges",),
} | dict.fromkeys(("orbitals", "redox", "charges"), ("geometry",))

STAGES = (*OF_SPECIES, "binding", "composition", "packing", "dynamics", "analysis", "figures")


@dataclass(frozen=True, slots=True)
class Job:
    """One job; all paths are inside the results, but that of `yaml`."""

    stage: str
    subject: str
    """Name of the species, complex or box."""
    recipe_stage: str | None
    """Under which its recipe is found; none where nothing but input files decides it."""
    record: str
    """JSON with the verdict, written last; of figures the folder."""
    others: tuple[str, ...]
    inputs: tuple[str, ...]
    needs: tuple[str, ...]
    """Records of the jobs that write its inputs."""
    yaml: str | None = None
    """What the user wrote, where it is named among the inputs and others of these follow from it."""
    fixed: bool = True
    """Whether its inputs always bear the same names."""

    @property
    def log(self) -> str:
        """Its log."""
        folder = self.record.rpartition("/")[0]
        if "/replica-" in f"/{folder}":
            box, _, number = folder.rpartition("/replica-")
            return f"{box}/logs/{self.stage}-{number}.log"
        if self.stage == "figures":
            return f"boxes/{self.subject}/logs/figures.log"
        return f"{folder}/logs/{self.stage}.log"


def species_jobs(name: str, stages: Iterable[str]) -> Iterator[Job]:
    """Give the jobs of a species in the order of the pipeline."""
    home = f"species/{name}/"
    for stage in stages:
        others, inputs = OF_SPECIES[stage]
        yield Job(
            stage,
            name,
            stage,
            f"{home}{stage}.json",
            tuple(home + file for file in others),
            tuple(home + file for file in inputs),
            tuple(f"{home}{before}.json" for before in SPECIES_NEEDS[stage]),
        )


def complex_job(name: str, parts: Iterable[str]) -> Job:
    """Return the job of a complex; `parts` are those whose DFT geometry it starts from."""
    home, parts = f"complexes/{name}/", list(parts)
    needs = tuple(f"species/{part}/geometry.json" for part in parts)
    inputs = (*needs, *(f"species/{part}/geometry.xyz" for part in parts))
    yaml = f"molecules/complexes/{name}.yaml"
    return Job("binding", name, "binding", f"{home}binding.json", (f"{home}geometry.xyz",), inputs, needs, yaml, False)


def box_jobs(name: str, molecules: Iterable[str], replicas: int, pressure: bool = False) -> Iterator[Job]:
    """Give the jobs of a box in the order of the pipeline.

    `molecules` are the species that stand in it; `pressure` says whether that is sampled after production.
    """
    home, molecules = f"boxes/{name}/", list(molecules)
    composition, yaml = f"{home}composition.json", f"molecules/boxes/{name}.yaml"
    typed = tuple(f"species/{species}/forcefield.json" for species in molecules)
    yield Job("composition", name, "composition", composition, (), typed, typed, yaml, False)
    geometries = tuple(f"species/{species}/geometry.xyz" for species in molecules)
    placed = tuple(f"species/{species}/geometry.json" for species in molecules)
    forcefields = tuple(f"species/{species}/forcefield.xml" for species in molecules)
    ends, trajectories, pressures = [], [], []
    for number in range(1, replicas + 1):
        here = f"{home}replica-{number}/"
        packing = f"{here}packing.json"
        packed = (f"{here}packed.pdb", f"{here}system.xml")
        inputs, needs = (composition, *geometries, *forcefields), (composition, *typed, *placed)
        yield Job("packing", name, "packing", packing, packed, inputs, needs, None, False)
        ends.append(f"{here}equilibration.json")
        trajectories.append(f"{here}trajectory.xtc")
        sampled = [f"{here}pressure.npz"] if pressure else []
        pressures += sampled
        others = (f"{here}state.csv", trajectories[-1], *sampled)
        needs = (packing, composition)
        yield Job("dynamics", name, "dynamics", ends[-1], others, (packing, *packed, composition), needs)
    analysis, curves = f"{home}analysis.json", f"{home}curves.npz"
    inputs = (composition, *ends, *trajectories, *pressures)
    yield Job("analysis", name, "analysis", analysis, (curves,), inputs, (composition, *ends), None, False)
    drawn = (analysis, curves, f"{home}replica-1/packed.pdb", trajectories[0])
    needs = (analysis, f"{home}replica-1/packing.json", ends[0])
    yield Job("figures", name, None, f"figures/{name}", (), drawn, needs)
