"""Settings: how hard to work. One YAML file a level of effort, `config/quick.yaml` and `config/paper.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from electroscreen.complexes import Complex, Dispersion
from electroscreen.inputs import InputError, Model, check_name, parse_model, read_yaml


class Level(Model):
    """A level of theory for PySCF."""

    functional: str = Field(description="as PySCF names it; b3lypg is B3LYP with VWN-III, which Gaussian calls B3LYP")
    # PySCF would take a path for a file of its own, whose changes no recipe sees.
    basis: str = Field(pattern=r"^[^/\\]+$")
    cartesian: bool = Field(description="Cartesian d functions, which Gaussian uses with the 6-31G family")
    heavy_basis: str = Field(
        pattern=r"^[^/\\]+$", description="for elements that `basis` lacks, with its own effective core potential"
    )
    density_fitting: bool = True

    @property
    def label(self) -> str:
        """Short name for tables, such as 'b3lypg/6-31g(d,p) cartesian'."""
        return f"{self.functional}/{self.basis}{' cartesian' if self.cartesian else ''}"


class SurfacePotential(Model):
    """The electrostatic potential on a surface of constant electron density."""

    isodensity_e_per_bohr3: float = Field(default=0.001, gt=0, le=0.1, description="Bader's molecular surface: 0.001")
    spacing_bohr: float = Field(default=0.35, ge=0.1, le=0.7, description="edge of the cubes that make the triangles")
    smallest_rise_ev: float = Field(
        default=0.01, gt=0, description="a local extremum counts if the way to a higher one dips by this much"
    )
    colour_range_ev: list[float] | None = Field(
        default=None,
        min_length=2,
        max_length=2,
        description="potential of the deepest red and the deepest blue of every picture; else each has its own",
    )

    @model_validator(mode="after")
    def _range_rises(self) -> SurfacePotential:
        if self.colour_range_ev and self.colour_range_ev[0] >= self.colour_range_ev[1]:
            raise ValueError("colour_range_ev must be two numbers, the lower one first")
        return self


class OrbitalCubes(Model):
    """HOMO and LUMO in space."""

    spacing_bohr: float = Field(default=0.4, ge=0.1, le=1.0, description="between the points of the cube files")
    isovalue: float = Field(default=0.03, gt=0, le=0.5, description="of the surfaces in the picture, bohr^-3/2")


class Quantum(Model):
    """Geometry optimisation, orbitals, redox."""

    level: Level
    second_level: Level | None = Field(
        default=None,
        description="HOMO and LUMO once more at this level, same geometry: how much depends on it",
    )
    scan_levels: list[Level] = Field(
        default_factory=list, description="further levels for the species in scan_species, beside a paper's unknown one"
    )
    scan_species: list[str] = Field(default_factory=list)
    stability: Literal["none", "start", "always"] = Field(
        default="always",
        description="where to ask whether the SCF's state is stable, and to follow an instability downhill once: "
        "where an optimisation starts, whose later steps go on from that state, or also at the final SCF",
    )
    hessian: Literal["none", "dft"] = Field(
        default="none", description="dft: prove the minimum, follow an imaginary mode downhill once, keep frequencies"
    )
    hessian_atoms_limit: int = Field(default=1000, ge=1, description="no Hessian for species of more atoms")
    dft_geometry_atoms: int = Field(
        default=1000, ge=2, description="species of more atoms keep the geometry of GFN2-xTB; DFT only computes at it"
    )
    redox: Literal["none", "vertical", "adiabatic"] = Field(
        default="none", description="ionisation energy and electron affinity as differences of SCF energies"
    )
    conformers: int = Field(ge=1, description="RDKit conformers tried with GFN2-xTB")
    ion_sites: int = Field(ge=1, description="placements of a salt's ions tried with GFN2-xTB")
    candidates: int = Field(ge=1, description="lowest GFN2-xTB structures whose DFT energies are compared")
    grid_while_moving: int = Field(ge=0, le=9, description="PySCF grid level during the optimisation")
    grid_final: int = Field(ge=0, le=9, description="PySCF grid level of the reported numbers")
    steps_limit: int = Field(ge=1, description="optimisation steps before 'not converged'")
    scf_limit: int = Field(default=100, ge=1, description="SCF cycles of each rung of the convergence ladder")
    memory_mb: int = Field(default=4000, ge=500)
    esp: SurfacePotential | None = Field(default=None, description="without it there is no stage esp")
    cubes: OrbitalCubes | None = Field(default=None, description="without it there is no stage cubes")

    def further_levels(self, species: str) -> list[Level]:
        """Return the levels besides `level` at which orbitals of a species are wanted, each once."""
        wanted = [self.second_level] if self.second_level else []
        wanted += self.scan_levels if species in self.scan_species else []
        return [level for k, level in enumerate(wanted) if level not in wanted[:k] and level != self.level]


class Binding(Model):
    """Complexes and their binding energies."""

    complexes: Literal["all"] | list[str] = Field(
        default="all", description="which of molecules/complexes/ to compute; what these are compared with is added"
    )
    geometry: Literal["dft", "dft-rough", "gfn1"] = Field(
        default="dft",
        description="dft-rough: optimised until a step gains below 5 meV; gfn1: DFT energies at GFN1-xTB geometries "
        "of complex and parts alike, without an optimisation (GFN2-xTB draws Na+ 0.26 angstrom too near to oxygen, "
        "GFN1-xTB 0.14)",
    )
    dft_geometry_atoms: int = Field(
        default=1000, ge=2, description="complexes of more atoms keep the geometries of GFN1-xTB"
    )
    gfn1_complexes: list[str] = Field(
        default_factory=list,
        description="complexes that keep them at any size, for larger ones to be compared with them",
    )
    placements: int = Field(default=20, ge=1, description="random placements of the parts tried with GFN2-xTB")
    candidates: int = Field(default=2, ge=1, description="lowest GFN2-xTB placements whose DFT energies are compared")
    dispersion: Dispersion = Field(default="none", description="D3(BJ), where a complex does not say")

    def of(self, wanted: Complex, atoms: int) -> Binding:
        """Return how hard to work on one complex of so many atoms: its own file and its size may change something."""
        by_dft = atoms <= self.dft_geometry_atoms and wanted.name not in self.gfn1_complexes
        geometry = self.geometry if by_dft else "gfn1"
        return self.model_copy(update={"geometry": geometry, "dispersion": wanted.dispersion or self.dispersion})


def _charge_scale(given: object) -> object:
    number = isinstance(given, int | float) and not isinstance(given, bool) and 0 < given <= 1
    if given != "ecc" and not number:
        raise ValueError("should be a number above 0 and up to 1, or 'ecc'")
    return float(given) if number else given


ChargeScale = Annotated[
    Annotated[float, Field(gt=0, le=1)] | Literal["ecc"],
    # Told by us, so that a fault is told once and not once for each kind.
    BeforeValidator(_charge_scale),
]


class ForceField(Model):
    """Charges and parameters of the classical model."""

    resp_method: str = Field(default="hf", description="hf, or a functional as PySCF names it")
    resp_basis: str = Field(default="6-31g(d)", pattern=r"^[^/\\]+$")
    resp_solvent_share: float = Field(
        default=0.0, ge=0, le=1, description="weight of the potential in a continuum beside the one in vacuum (RESP2)"
    )
    resp_dielectric: float | None = Field(
        default=None,
        gt=1,
        lt=1000,
        description="of that continuum; else the species' `dielectric_constant`, that of its `solvent`, or 10",
    )
    resp_conformers: int = Field(default=1, ge=1)
    library_charges: Literal["resp", "published"] = Field(
        default="resp", description="charges of ions whose parameters are in the library: RESP, or as published"
    )
    ion_set: str = Field(default="li-merz-iod", description="set of monatomic ions in forcefield/library/ions.yaml")
    hessian: Literal["gfn2", "dft"] = Field(
        default="gfn2",
        description="what bonds and angles that GAFF2 lacks are fitted to: by GFN2-xTB or by quantum.level",
    )
    dft_hessian_atoms: int = Field(default=30, ge=1, description="above this many atoms the Hessian is GFN2-xTB's")
    ion_charge_scale: ChargeScale = Field(
        description="factor on the charges of all ions; ecc: one over the refractive index of the box's solvents"
    )


class Box(Model):
    """Which boxes to simulate, and their size."""

    boxes: Literal["all"] | list[str] = Field(default="all", description="which of molecules/boxes/ to simulate")
    atoms: int = Field(ge=100, description="the recipe is scaled to about this many atoms")
    packing_density_fraction: float = Field(
        default=0.8, gt=0.1, le=1.0, description="density at packing, as a fraction of the ideal mixture's"
    )


class AnnealStep(Model):
    """One step of annealing; temperature and pressure are the box's own unless given."""

    ensemble: Literal["NVT", "NPT"]
    length_ps: float = Field(gt=0)
    temperature_k: float | None = Field(default=None, gt=0, le=2000)
    pressure_bar: float | None = Field(default=None, ge=0, le=1e5, description="in NPT only")
    timestep_fs: float = Field(default=1.0, gt=0, le=5)

    @model_validator(mode="after")
    def _pressure_needs_a_barostat(self) -> AnnealStep:
        if self.ensemble == "NVT" and self.pressure_bar is not None:
            raise ValueError("pressure_bar has no meaning in NVT: write ensemble: NPT, or leave it out")
        return self


Annealing = Annotated[
    Annotated[Literal["none", "21-step"], Tag("name")] | Annotated[list[AnnealStep], Tag("steps")],
    # Told apart beforehand, so that a fault is one of the kind that was meant.
    Discriminator(lambda given: "steps" if isinstance(given, list) else "name"),
]


class Dynamics(Model):
    """Protocol of a molecular-dynamics run; all lengths in picoseconds."""

    timestep_fs: float = Field(gt=0, le=5)
    hydrogen_mass_amu: float = Field(default=3.0, ge=1.0, le=4.0)
    cutoff_angstrom: float = Field(ge=8, le=16)
    pme_tolerance: float = Field(default=5e-4, ge=1e-6, le=1e-2, description="relative error of Ewald's forces")
    anneal: Annealing = Field(
        default="none", description="steps before the density is sought, in boxes that hold chains"
    )
    equilibrate_npt_ps: float = Field(gt=0)
    equilibrate_nvt_ps: float = Field(ge=0)
    equilibrate_limit: float = Field(
        default=4.0, ge=1, description="an equilibration that has not settled goes on up to so many times its length"
    )
    production_ps: float = Field(gt=0, description="raised later, a run that has ended goes on from there")
    frame_ps: float = Field(gt=0, description="time between stored frames")
    checkpoint_ps: float = Field(gt=0)
    checkpoint_minutes: float = Field(default=15.0, gt=0, description="a checkpoint at least this often, by the clock")
    viscosity_ps: float = Field(
        default=0.0,
        ge=0,
        description="after production the pressure is sampled for so long, for the box's own viscosity; 0: it is not",
    )
    pressure_every_fs: float = Field(default=30.0, gt=0, le=1000, description="between two samples of the pressure")
    replicas: int = Field(ge=1)
    seed: int = Field(
        ge=0,
        # OpenMM and packmol take 32 bits, and replicas and restarts count upwards from here.
        le=1_000_000_000,
        description="replica r of a box derives its own seeds from this",
    )
    platform: Literal["fastest", "CPU", "CUDA", "HIP", "OpenCL", "Reference"] = "fastest"

    @model_validator(mode="after")
    def _lengths_fit(self) -> Dynamics:
        steps = 1000 * self.frame_ps / self.timestep_fs
        if steps < 0.5 or abs(steps - round(steps)) > 1e-6 * steps:
            near = max(1, round(steps)) * self.timestep_fs / 1000
            raise ValueError(
                f"frame_ps is {self.frame_ps:g}, which is no whole number of steps of {self.timestep_fs:g} fs: "
                f"the nearest is {near:g}"
            )
        if self.frame_ps > self.production_ps / 10:
            raise ValueError(
                f"frame_ps is {self.frame_ps:g}, but a production of {self.production_ps:g} ps needs at least 10 frames"
            )
        if self.frame_ps > self.equilibrate_npt_ps / 20:
            raise ValueError(
                f"equilibrate_npt_ps is {self.equilibrate_npt_ps:g}, but the mean density needs 20 times frame_ps"
            )
        return self


class Settings(Model):
    """All of it."""

    based_on: str | None = Field(
        default=None, description="settings of which only what is written here differs; must not be based on others"
    )
    species: Literal["all"] | list[str] = Field(
        default="all",
        description="which of molecules/species/ to screen by themselves: 'all' leaves out those with `screen: false`",
    )
    quantum: Quantum
    binding: Binding = Field(default_factory=Binding)
    forcefield: ForceField
    box: Box
    dynamics: Dynamics


def _as_in_yaml(given: object) -> object:
    # Snakemake gives what stands behind --config as text.
    return {"true": True, "false": False}.get(given, given) if isinstance(given, str) else given


class Call(Model):
    """What `config/defaults.yaml` and `snakemake --config` say; what to compute is said in `config/SETTINGS.yaml`."""

    settings: str = Field(description="name of a file in config/")
    longest_job_minutes: int = Field(default=1440, ge=1, description="that a scheduler takes; what is longer goes on")
    whole: Annotated[bool, BeforeValidator(_as_in_yaml)] = Field(
        default=False, description="plan also what is settled, to force it"
    )
    upgrade: Literal["ask", "rerun"] = Field(
        default="ask", description="where a newer package would compute anew what is there"
    )


def read_call(config: Mapping[str, Any]) -> Call:
    """Return what Snakemake's config says.

    Raises
    ------
    InputError
        Also for an unknown key: `--config setings=paper` must not run the default in silence.
    """
    return parse_model(dict(config), Call, Path("config"))


@lru_cache(maxsize=8)
def read_settings(path: Path) -> Settings:
    """Return the settings in a YAML file, laid over those that it is based on.

    Raises
    ------
    InputError
        One line: which file, which field, what is wrong.
    """
    path = Path(path)
    check_name(path.stem, path)
    written = read_yaml(path)
    if isinstance(base := written.get("based_on"), str):
        check_name(base, path)
        below = read_yaml(path.with_name(f"{base}.yaml"))
        if "based_on" in below:
            raise InputError(f"{path}: based_on: '{base}' is itself based on '{below['based_on']}': name that one")
        written = _laid_over(below, written)
    return parse_model(written, Settings, path)


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Mappings are merged key by key, anything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        merged[key] = _laid_over(below[key], value) if both else value
    return merged
