"""Stage geometry: the lowest structure of a species at the level of theory of the settings."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.inputs import InputError
from electroscreen.quantum.minimum import Minimum, Progress, find_minimum, say
from electroscreen.quantum.optimise import Optimised, Surface
from electroscreen.quantum.scf import HARTREE_EV, SCFNotConvergedError
from electroscreen.quantum.stability import NOT_ASKED_FOR, stability_warnings
from electroscreen.quantum.structures import Structure, System, embedded_conformers, search_method, starting_structures
from electroscreen.record import OK, locked, provenance, whole, write_json
from electroscreen.scratch import own_scratch
from electroscreen.settings import Quantum
from electroscreen.smiles import molecule
from electroscreen.species import Species

PACKAGES = ("pyscf", "geometric", "tblite", "rdkit", "ase", "numpy")


@dataclass(frozen=True)
class GeometryFiles:
    """What the stage writes: coordinates, their record, and the density that the next SCF starts from."""

    xyz: Path
    record: Path
    density: Path

    @property
    def restart(self) -> Path:
        """Last point of an unfinished optimisation; no declared output, so that it outlives a kill."""
        return self.record.with_name("geometry.restart.json")


def find_geometry(
    species: Species, quantum: Quantum, recipe: dict[str, Any], files: GeometryFiles, threads: int
) -> None:
    """Find and write the geometry of a species.

    Starts (conformers, ion sites, the species file's own geometry) are relaxed with GFN2-xTB; the lowest few are
    compared by their DFT energy; the best is optimised. Where the settings ask for a Hessian, an imaginary mode is
    followed downhill once. A species that cannot be converged is recorded with a verdict that says so, and with the
    last geometry there is; so is one that is still a saddle point.

    Raises
    ------
    BlockingIOError
        If another process works on this geometry.
    """
    with locked(files.record.parent), own_scratch(files.record.parent):
        _find_geometry(species, quantum, recipe, files, threads)


def _find_geometry(
    species: Species, quantum: Quantum, recipe: dict[str, Any], files: GeometryFiles, threads: int
) -> None:
    from pyscf import lib

    lib.num_threads(threads)
    started = time.time()
    record: dict[str, Any] = {
        "species": species.name,
        "formula": species.formula,
        "charge_e": species.charge,
        "multiplicity": species.multiplicity,
        "level": quantum.level.label,
        "symbols": species.symbols,
        "warnings": [],
    }
    positions, density = np.zeros((0, 3)), np.zeros((0, 0))
    progress = Progress(files.restart, recipe)
    try:
        if species.is_long_chain:
            positions, found = _chain(species)
        elif len(species.symbols) > quantum.dft_geometry_atoms:
            positions, found = _by_xtb(species, quantum)
        else:
            positions, density, found = _search(species, quantum, progress)
        record |= found
    except InputError:
        raise
    except (SCFNotConvergedError, ValueError) as failure:
        record |= {"verdict": f"not converged: {failure}", "energy_hartree": None, "candidates": []}
    record["provenance"] = provenance(recipe, PACKAGES, started, threads)
    with whole(files.xyz) as partial:
        partial.write_text(xyz_text(species, positions, record["verdict"]), encoding="utf-8")
    with whole(files.density) as partial, partial.open("wb") as stream:
        np.save(stream, density)
    write_json(files.record, record)
    progress.forget()


def xyz_text(species: System, positions_angstrom: np.ndarray, comment: str) -> str:
    """Return an xyz file; an empty geometry gives a file of no atoms."""
    lines = [
        f"{symbol:2s} {x:15.8f} {y:15.8f} {z:15.8f}"
        for symbol, (x, y, z) in zip(species.symbols, positions_angstrom, strict=False)
    ]
    return "\n".join([str(len(lines)), f"{species.name}: {comment}", *lines]) + "\n"


def read_xyz(path: Path) -> np.ndarray:
    """Return positions (N, 3), angstrom, of an xyz file written by this stage; (0, 3) if there is no geometry."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()[2:]
    return np.array([[float(word) for word in line.split()[1:4]] for line in lines]).reshape(-1, 3)


def _search(species: Species, quantum: Quantum, progress: Progress) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    surface = Surface(species, quantum, quantum.grid_while_moving, kept=progress.density)
    resumed = bool(progress.state)
    if "positions_angstrom" not in progress.state:
        # Among contenders the energies of plain SCFs decide; the one that is followed is then looked at.
        surface.stability_due = False
        structures = starting_structures(species, quantum.conformers, quantum.ion_sites)
        choose_start(structures, quantum.candidates, surface, progress)
    surface.stability_due = quantum.stability != "none"
    found = find_minimum(surface, progress)
    record = {"candidates": progress.state["candidates"], "resumed": resumed}
    record |= optimised(found.optimised) | {"scf_stability": surface.stability} | _curvature(surface, found)
    warnings = _warnings(surface, record)
    return found.optimised.positions_angstrom, found.optimised.density, record | {"warnings": warnings}


def _chain(species: Species) -> tuple[np.ndarray, dict[str, Any]]:
    """A conformer of a long chain as packing needs one; its force field comes from three units."""
    conformers = embedded_conformers(species, 1)
    if not conformers:
        raise ValueError("RDKit finds no structure in space for the chain")
    found = {"verdict": OK, "level": "RDKit and UFF", "energy_hartree": None, "candidates": []}
    minimum = "not verified: a chain of more than three units is no subject of DFT"
    unsaid = _unsaid_centres(species)
    hands = [f"{unsaid} stereocentres have no hand: write them with @ (polymer.tacticity)"] if unsaid else []
    return conformers[0], found | {"minimum": minimum, "warnings": [f"minimum {minimum}", *hands]}


def _by_xtb(species: Species, quantum: Quantum) -> tuple[np.ndarray, dict[str, Any]]:
    """The lowest structure of GFN2-xTB, for a species too large for the settings' DFT; a given start stays as it is."""
    structures = starting_structures(species, quantum.conformers, quantum.ion_sites)
    lowest = structures[0]
    candidates = [_candidate(one, structures, {}, one is lowest) for one in structures]
    given = species.start is not None and lowest.origin.startswith("species file")
    minimum = f"not verified: no DFT geometry was asked for above {quantum.dft_geometry_atoms} atoms"
    level = lowest.origin if given else search_method(species)
    found = {"verdict": OK, "level": level, "energy_hartree": None, "candidates": candidates}
    return lowest.positions_angstrom, found | {"minimum": minimum, "warnings": [f"minimum {minimum}"]}


def at_geometry_of(quantum: Quantum, geometry: dict[str, Any]) -> str:
    """Return what follows the name of a level of theory: ' // ' and the geometry's level, where that is another one."""
    return "" if geometry["level"] == quantum.level.label else f" // {geometry['level']}"


def _unsaid_centres(species: Species) -> int:
    from rdkit import Chem

    centres = Chem.FindMolChiralCenters(molecule(species.smiles), includeUnassigned=True, useLegacyImplementation=False)
    return sum(hand == "?" for _, hand in centres)


def choose_start(structures: list[Structure], count: int, surface: Surface, progress: Progress) -> None:
    """Rank the `count` lowest xTB structures by DFT; leave the winner's density on the surface as the next guess.

    `progress` keeps each energy while this goes on, then what the record says of each structure (`candidates`) and the
    winner's positions, (N, 3), angstrom (`positions_angstrom`).

    Raises
    ------
    SCFNotConvergedError
        If the SCF of none of them converges.
    """
    contenders = _contenders(structures, count)
    energies, densities = _dft_energies(contenders, surface, progress) if len(contenders) > 1 else ({}, {})
    best = min(contenders, key=lambda s: energies.get(s.origin, np.inf))
    surface.density = densities.get(best.origin)
    if surface.density is not None and surface.kept is not None:
        surface.kept.save(surface.species, best.positions_angstrom, surface.density, NOT_ASKED_FOR)
    candidates = [_candidate(s, structures, energies, s is best) for s in structures]
    progress.save(candidates=candidates, positions_angstrom=best.positions_angstrom, contenders_hartree=None)


def _dft_energies(
    contenders: list[Structure], surface: Surface, progress: Progress
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Energies (hartree) and densities by origin; a structure whose SCF does not converge drops out of the ranking.

    All at xTB minima: a given geometry, of DFT as a rule, would be 0.1 to 0.7 eV ahead of what is still to be relaxed.
    What a killed job had computed has its energy, and no density.
    """
    energies, densities, failures = dict(progress.state.get("contenders_hartree", {})), {}, []
    for structure in contenders:
        if structure.origin in energies:
            continue
        surface.density = None
        try:
            given = structure.minimum_angstrom
            with surface.roughly():
                solved = surface.solve(structure.positions_angstrom if given is None else given)
        except SCFNotConvergedError as failure:
            failures.append(failure)
            continue
        energies[structure.origin] = float(solved.mean_field.e_tot)
        densities[structure.origin] = solved.density
        say(surface, f"{structure.origin}, {energies[structure.origin]:.6f} hartree")
        progress.save(contenders_hartree=energies)
    if not energies:
        raise failures[0]
    return energies, densities


def _contenders(structures: list[Structure], count: int) -> list[Structure]:
    """The `count` lowest by xTB; the species file's geometry is in any case one of them."""
    given = [s for s in structures if s.origin.startswith("species file")]
    others = [s for s in structures if s not in given]
    return [*given, *others[: max(1, count - len(given))]] if others else given


def _candidate(
    structure: Structure, structures: list[Structure], energies: dict[str, float], chosen: bool
) -> dict[str, Any]:
    lowest_gfn2 = min((s.energy_gfn2_ev for s in structures if s.energy_gfn2_ev is not None), default=None)
    lowest_dft = min(energies.values(), default=None)
    gfn2, dft = structure.energy_gfn2_ev, energies.get(structure.origin)
    return {
        "origin": structure.origin,
        "gfn2_relative_ev": None if gfn2 is None or lowest_gfn2 is None else gfn2 - lowest_gfn2,
        "dft_relative_ev": None if dft is None else (dft - lowest_dft) * HARTREE_EV,
        "chosen": chosen,
        "positions_angstrom": structure.positions_angstrom,
    }


def optimised(result: Optimised) -> dict[str, Any]:
    """Return what a record says of where an optimisation ended."""
    if result.converged:
        verdict = OK
    elif result.failure:
        verdict = f"not converged: in step {result.steps + 1} of the geometry, {result.failure}"
    else:
        verdict = f"not converged: geometry still moves after {result.steps} steps"
    return {
        "verdict": verdict,
        "energy_hartree": result.energy_hartree,
        "optimisation_steps": result.steps,
        "scf_rung": result.rung,
        "largest_gradient_hartree_per_bohr": result.largest_gradient_hartree_per_bohr,
    }


def _curvature(surface: Surface, found: Minimum) -> dict[str, Any]:
    """What the Hessian says; where there is none, why."""
    if found.vibrations is None:
        return {"minimum": f"not verified: {_why_no_hessian(surface, found)}"}
    imaginary = found.vibrations.imaginary_per_cm
    curvature = {
        "minimum": "not a minimum" if imaginary else "verified",
        "imaginary_mode_followed_per_cm": found.followed_per_cm,
        "frequencies_per_cm": found.vibrations.frequencies_per_cm,
        "zero_point_energy_ev": found.vibrations.zero_point_energy_ev,
        "gibbs_correction_ev": found.vibrations.gibbs_correction_ev,
        "symmetry_number": found.vibrations.symmetry_number,
    }
    if not imaginary:
        return curvature
    modes = ", ".join(f"{size:.0f}i" for size in imaginary)
    return curvature | {"verdict": f"saddle point: imaginary modes of {modes} cm-1 after one was followed downhill"}


def _why_no_hessian(surface: Surface, found: Minimum) -> str:
    if not found.optimised.converged:
        return "the geometry did not converge"
    if found.failure:
        return f"for the Hessian, {found.failure}"
    if surface.quantum.hessian == "none":
        return "no Hessian was asked for"
    return f"no Hessian was asked for above {surface.quantum.hessian_atoms_limit} atoms"


def _warnings(surface: Surface, record: dict[str, Any]) -> list[str]:
    unverified = record["minimum"].startswith("not verified") and len(surface.species.symbols) > 1
    warnings = [f"minimum {record['minimum']}"] if unverified else []
    return warnings + stability_warnings(surface.stability)
