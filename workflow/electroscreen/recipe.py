"""Recipes: all that decides a job's numbers, as plain data that can be compared and hashed.

Snakemake reruns a job when its recipe or one of its input files changed, and for no other reason: a comment in a YAML
file, a reformatted line of code or a touched file changes no recipe. Whoever changes what a stage computes raises its
number in `PROTOCOL`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from electroscreen.complexes import ATOMS_IN_CARTESIANS, atoms_of
from electroscreen.forcefield.radii import RADII_ANGSTROM
from electroscreen.recipes import labelled_atoms, molecules_of, species_of

PROTOCOL = {
    "geometry": 3,
    "orbitals": 4,
    "levels": 1,
    "redox": 1,
    "esp": 1,
    "cubes": 1,
    "binding": 3,
    "charges": 1,
    "forcefield": 4,
    "composition": 1,
    "packing": 1,
    "dynamics": 1,
    "analysis": 5,
}

# Settings of the stages after the geometry.
LATER_QUANTUM = {"second_level", "scan_levels", "scan_species", "redox", "esp", "cubes"}

# What a setting that few species meet would otherwise change in the recipes of all.
OF_LARGE_SPECIES = {"dft_geometry_atoms"}

# What GFN2-xTB draws too near to its neighbours (`quantum.repulsion`); searches keep it at its distance since.
DRAWN_TOO_NEAR = {"Na", "K"}

# Of a middling solvent: beyond it little of the polarisation is missing.
RESP_DIELECTRIC = 10.0

LIBRARY = Path(__file__).parent / "forcefield" / "library"


def digest(recipe: dict[str, Any]) -> str:
    """Return a short hash of a recipe, the same on every machine."""
    return hashlib.sha256(as_text(recipe).encode()).hexdigest()[:16]


def as_text(recipe: dict[str, Any]) -> str:
    """Return a recipe as one line of JSON with sorted keys."""
    return json.dumps(recipe, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def species_recipe(stage: str, species, settings) -> dict[str, Any]:
    """Return what decides a stage of one species: its structure and the settings that the stage uses."""
    identity = _identity(species)
    quantum = settings.quantum
    if stage == "geometry":
        by_dft = len(species.symbols) <= quantum.dft_geometry_atoms
        used = quantum.model_dump(exclude={"grid_final", "memory_mb", *LATER_QUANTUM, *OF_LARGE_SPECIES})
        if not by_dft:
            used = quantum.model_dump(include={"conformers", "ion_sites"}) | {"level": "GFN2-xTB"}
        return _recipe(stage, species=identity, quantum=used, **_search(species, by_dft))
    if stage == "orbitals":
        used = quantum.model_dump(include={"level", "grid_final", "scf_limit", "stability"})
        return _recipe(stage, species=identity, quantum=used)
    if stage == "levels":
        used = quantum.model_dump(include={"grid_final", "scf_limit"})
        levels = [level.model_dump() for level in quantum.further_levels(species.name)]
        return _recipe(stage, species=identity, quantum=used, levels=levels)
    if stage == "redox":
        include = {"level", "redox", "grid_final", "scf_limit", "stability"}
        # Only what moves needs to know how to move.
        moving = {"grid_while_moving", "steps_limit"} if quantum.redox == "adiabatic" else set()
        used = quantum.model_dump(include=include | moving)
        return _recipe(stage, species=identity, quantum=used, solvent=species.solvent)
    if stage == "esp":
        used = quantum.model_dump(include={"level", "grid_final", "scf_limit", "esp"})
        return _recipe(stage, species=identity, quantum=used)
    if stage == "cubes":
        return _recipe(stage, species=identity, quantum=quantum.model_dump(include={"level", "cubes"}))
    if stage == "charges":
        used = settings.forcefield.model_dump(include={"resp_method", "resp_basis", "resp_conformers"})
        used |= _changed(settings.forcefield, {"resp_solvent_share"})
        if settings.forcefield.resp_solvent_share:
            around = species.solvent if isinstance(species.solvent, float) else RESP_DIELECTRIC
            own = species.dielectric_constant or around
            used["resp_dielectric"] = settings.forcefield.resp_dielectric or own
        # Told of species with such elements only: before, they had no charges.
        if len(species.symbols) > 1 and set(species.symbols) - set(RADII_ANGSTROM):
            used["radii"] = "UFF where Merz and Kollman have none"
        return _recipe(stage, species=identity, **used)
    if stage == "forcefield":
        used = settings.forcefield.model_dump(include={"library_charges", "ion_set", "hessian"})
        if used["hessian"] == "dft":
            used["hessian"] = "dft" if len(species.symbols) <= settings.forcefield.dft_hessian_atoms else "gfn2"
        if used["hessian"] == "dft":
            used["quantum"] = quantum.model_dump(include={"level", "grid_final", "scf_limit"})
        own = species.forcefield.model_dump(exclude_defaults=True) if species.forcefield else None
        return _recipe(stage, species=identity, library=_library_digest(), own=own and digest(own), **used)
    raise KeyError(stage)


def complex_recipe(wanted, every: Mapping[str, Any], settings) -> dict[str, Any]:
    """Return what decides a binding energy; `every` maps the names of its parts to species."""
    atoms = atoms_of(wanted, every)
    search = settings.binding.of(wanted, atoms)
    # Told of large ones only, whose search it changed.
    descent = {"descent": "internals"} if atoms > ATOMS_IN_CARTESIANS else {}
    if search.geometry == "gfn1":
        include = {"level", "grid_while_moving", "grid_final", "scf_limit", "stability", "conformers", "ion_sites"}
        quantum = settings.quantum.model_dump(include=include)
    else:
        exclude = {"conformers", "ion_sites", "candidates", "memory_mb", *LATER_QUANTUM, *OF_LARGE_SPECIES}
        quantum = settings.quantum.model_dump(exclude=exclude)
    return _recipe(
        "binding",
        complex=wanted.model_dump(include={"parts", "multiplicity", "start", "solvent"}),
        dispersion=search.dispersion,
        species={name: _identity(every[name]) for name in wanted.parts},
        quantum=quantum,
        binding=search.model_dump(include={"geometry", "placements", "candidates"}) | descent | _given(wanted.start),
    )


def box_recipe(stage: str, box, every: Mapping[str, Any], settings) -> dict[str, Any]:
    """Return what decides a stage of one box; `every` maps names to species."""
    if stage == "composition":
        densities = {name: every[name].density_g_per_ml for name in species_of(box)}
        include = {"temperature_k", "pressure_bar", "recipe", "density_g_per_ml", "edge_angstrom"}
        # What few boxes have is left out where it is not, so that it changes no recipe of the others.
        include |= {"conversion"} if box.conversion else set()
        written = box.model_dump(include=include | {"atoms_at_least"}, exclude_none=True)
        scale = _charge_scale(box, every, settings)
        size = settings.box.model_dump(exclude={"boxes"})
        return _recipe(stage, **written, densities=densities, box=size, ion_charge_scale=scale)
    if stage == "packing":
        used = settings.dynamics.model_dump(include={"seed", "cutoff_angstrom", "hydrogen_mass_amu"})
        used |= _changed(settings.dynamics, {"pme_tolerance"})
        # Chains are grown one by one since; what holds none is packed as before.
        grown = {"chains": "grown"} if any(every[name].role == "polymer" for name in molecules_of(box, every)) else {}
        return _recipe(stage, dynamics=used, ion_charge_scale=_charge_scale(box, every, settings), **grown)
    if stage == "dynamics":
        # How often to save, where to run and how many replicas there are changes no trajectory's physics.
        machine = {"replicas", "platform", "checkpoint_ps", "checkpoint_minutes"}
        later = {"anneal", "equilibrate_limit", "pme_tolerance", "viscosity_ps", "pressure_every_fs"}
        used = settings.dynamics.model_dump(exclude=machine | later)
        chains = any(every[name].role == "polymer" for name in molecules_of(box, every))
        used |= _changed(settings.dynamics, {"equilibrate_limit"} | ({"anneal"} if chains else set()))
        if settings.dynamics.viscosity_ps:
            used |= settings.dynamics.model_dump(include={"viscosity_ps", "pressure_every_fs"})
        return _recipe(stage, dynamics=used)
    if stage == "analysis":
        scale = _charge_scale(box, every, settings)
        wanted = {"series": box.series} if box.series else {}
        wanted |= {"own_viscosity": True} if settings.dynamics.viscosity_ps else {}
        wanted |= box.analysis.model_dump(exclude_none=True) | {"sites": labelled_atoms(box, every)}
        return _recipe(stage, temperature_k=box.temperature_k, ion_charge_scale=scale, **wanted)
    raise KeyError(stage)


def _charge_scale(box, every: Mapping[str, Any], settings) -> float:
    asked = settings.forcefield.ion_charge_scale
    if isinstance(asked, float):
        return asked
    from electroscreen.boxes.screening import ion_charge_scale

    return ion_charge_scale(box, every, asked)


def _changed(settings, names: set[str]) -> dict[str, Any]:
    """Settings that came later and differ from what was done before: a recipe without them stays the one it was."""
    return settings.model_dump(include=names, exclude_defaults=True)


def _search(species, by_dft: bool) -> dict[str, str]:
    """What came later to the search for structures, told of those only whose search it changed."""
    if not species.search or len(species.symbols) == 1:
        return {}
    ions = {} if DRAWN_TOO_NEAR.isdisjoint(species.symbols) else {"ions": "kept at their distance"}
    return ions | (_given(species.start) if by_dft else {})


def _given(start) -> dict[str, str]:
    return {"start": "compared at its minimum"} if start else {}


def _recipe(stage: str, **content: Any) -> dict[str, Any]:
    return {"stage": stage, "protocol": PROTOCOL[stage], **content}


def _identity(species) -> dict[str, Any]:
    identity = species.model_dump(include={"smiles", "xyz", "charge", "multiplicity", "start", "search"})
    # A chain of up to three units is a molecule like any other; of a longer one it matters how it is written.
    return identity | ({"polymer": species.polymer.model_dump(exclude_none=True)} if species.is_long_chain else {})


@cache
def _library_digest() -> str:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(LIBRARY.glob("*.yaml")))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
