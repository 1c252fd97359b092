"""Stage binding: how the parts of a complex lie together, and how strongly they hold each other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.complexes import Cluster, Complex, cluster_of
from electroscreen.inputs import InputError
from electroscreen.quantum.bonds import contacts, crowded_hydrogen, fault
from electroscreen.quantum.descent import descent_of
from electroscreen.quantum.energies import Ledger, Method, SharedPoints
from electroscreen.quantum.geometry import choose_start, optimised, xyz_text
from electroscreen.quantum.integrals import LastIntegrals
from electroscreen.quantum.interaction import (
    Parts,
    binding_energy,
    binding_in_solvent,
    gfn1_parts,
    gfn2_binding_ev,
    parts_at,
    read_parts,
)
from electroscreen.quantum.minimum import Progress, find_minimum
from electroscreen.quantum.optimise import Surface
from electroscreen.quantum.placement import NoPlacementError, lowest_placements
from electroscreen.quantum.scf import SCFNotConvergedError
from electroscreen.quantum.stability import NOT_ASKED_FOR, REPAIRED, STABLE
from electroscreen.quantum.structures import GFN1, Structure, relaxed
from electroscreen.record import OK, locked, provenance, write_json, write_text
from electroscreen.scratch import own_scratch
from electroscreen.settings import Binding, Quantum
from electroscreen.species import Species

PACKAGES = ("pyscf", "geometric", "tblite", "rdkit", "ase", "numpy", "dftd3")

# What follows the name of a level where the geometry is not its own minimum.
GEOMETRIES = {"dft": "", "dft-rough": " // rough", "gfn1": f" // {GFN1}"}

NOTHING = {
    "interaction_ev": None,
    "counterpoise_ev": None,
    "deformation_ev": None,
    "binding_ev": None,
    "binding_kj_per_mol": None,
    "binding_uncorrected_ev": None,
    "gfn2_binding_ev": None,
    "solvents": [],
    "fragments": [],
    "contacts": [],
    "candidates": [],
}


def find_binding(
    wanted: Complex,
    every: Mapping[str, Species],
    method: Method,
    search: Binding,
    recipe: dict[str, Any],
    species_folders: Mapping[str, Path],
    folder: Path,
    threads: int,
    shared_folder: Path | None = None,
) -> None:
    """Write `geometry.xyz` and `binding.json` of a complex.

    Placements of the parts are relaxed with GFN2-xTB; the lowest few are compared by their DFT energy; the best is
    optimised, or kept where the settings ask for geometries of GFN1-xTB. A killed job goes on at its last optimisation
    step or energy. What does not converge, reacts or falls apart is recorded with a verdict that says so.

    Parameters
    ----------
    species_folders
        Of each part's species: where `geometry.xyz` and `geometry.json` stand; not read for geometries of GFN1-xTB.
    shared_folder
        Where complexes leave the energies of single parts for each other.

    Raises
    ------
    BlockingIOError
        If another process works on this complex.
    """
    from pyscf import lib

    lib.num_threads(threads)
    with locked(folder), own_scratch(folder):
        started = time.time()
        cluster = cluster_of(wanted, every)
        record: dict[str, Any] = {
            "complex": wanted.name,
            "title": wanted.title,
            "parts": wanted.parts,
            "charge_e": cluster.charge,
            "multiplicity": cluster.multiplicity,
            "level": method.label + GEOMETRIES[search.geometry],
            "symbols": cluster.symbols,
            "warnings": [],
            **NOTHING,
        }
        restart, positions = folder / "binding.restart.json", np.zeros((0, 3))
        if search.geometry == "gfn1":
            progress = Progress(restart, recipe)
            parts = _kept_gfn1_parts(every, method.quantum, progress)
        else:
            parts = read_parts(every, species_folders)
            bare = {name: x.tolist() for name, x in parts.positions.items()}
            progress = Progress(restart, {"recipe": recipe, "parts": bare})
        try:
            positions, found = _bind(wanted, cluster, parts, method, search, progress, SharedPoints(shared_folder))
            record |= found
        except InputError:
            raise
        except NoPlacementError as failure:
            record |= {"verdict": str(failure)}
        except (SCFNotConvergedError, ValueError) as failure:
            record |= {"verdict": f"not converged: {failure}"}
        record["provenance"] = provenance(recipe, PACKAGES, started, threads)
        write_text(folder / "geometry.xyz", xyz_text(cluster, positions, record["verdict"]))
        write_json(folder / "binding.json", record)
        progress.forget()


def _kept_gfn1_parts(every: Mapping[str, Species], quantum: Quantum, progress: Progress) -> Parts:
    """The parts at GFN1-xTB's geometries: found once, for on other threads the last digits would be others."""
    if kept := progress.state.get("parts"):
        positions = {name: np.array(x).reshape(-1, 3) for name, x in kept["positions_angstrom"].items()}
        return parts_at(every, positions, kept["faults"])
    parts = gfn1_parts(every, quantum)
    progress.save(parts={"positions_angstrom": parts.positions, "faults": parts.faults})
    return parts


def _bind(
    wanted: Complex,
    cluster: Cluster,
    parts: Parts,
    method: Method,
    search: Binding,
    progress: Progress,
    shared: SharedPoints,
) -> tuple[np.ndarray, dict[str, Any]]:
    if not all(len(x) for x in parts.positions.values()):
        raise ValueError("; ".join(parts.faults))
    integrals = LastIntegrals()
    if "ending" not in progress.state:
        _optimise(wanted, cluster, parts, method.quantum, search, progress, integrals)
    state = progress.state
    positions = np.array(state["positions_angstrom"])
    guess, stability = progress.density.near(cluster, positions) or (None, NOT_ASKED_FOR)
    ledger = Ledger(state.get("energies", {}), lambda energies: progress.save(energies=energies), shared, integrals)
    # Only an optimisation has asked whether its state is stable.
    known_stable = stability in (STABLE, REPAIRED)
    found = binding_energy(cluster, parts, positions, method, ledger, guess, known_stable)
    if wanted.solvent:
        found["solvents"] = [
            binding_in_solvent(wanted.solvent, cluster, parts, positions, method, ledger, found["counterpoise_ev"])
        ]
    ligands = [count for count in wanted.parts.values() if count > 1]
    if len(ligands) == 1:
        found["binding_per_ligand_ev"] = found["binding_ev"] / ligands[0]
    verdict = _verdict(cluster, parts, positions, state["ending"]["verdict"])
    near = crowded_hydrogen(cluster, positions) if search.geometry == "gfn1" else None
    return positions, found | {
        "verdict": f"{OK} ({near}: too near, by {GFN1})" if near and verdict == OK else verdict,
        "optimisation_steps": state["ending"]["optimisation_steps"],
        "gfn2_binding_ev": gfn2_binding_ev(cluster, parts, positions),
        "contacts": contacts(cluster, positions),
        "candidates": state["candidates"],
    }


def _optimise(
    wanted: Complex,
    cluster: Cluster,
    parts: Parts,
    quantum: Quantum,
    search: Binding,
    progress: Progress,
    integrals: LastIntegrals,
) -> None:
    """Find the lowest placement and optimise it, keeping every step and its density in `progress`."""
    surface = Surface(cluster, quantum, quantum.grid_while_moving, integrals=integrals, kept=progress.density)
    if "positions_angstrom" not in progress.state:
        # Among contenders the energies of plain SCFs decide.
        surface.stability_due = False
        structures = _placements(wanted, cluster, parts, search, progress)
        if search.geometry == "gfn1":
            structures = _by_gfn1(cluster, structures[: search.candidates])
        choose_start(structures, search.candidates, surface, progress)
    if search.geometry == "gfn1":
        progress.save(ending={"verdict": OK, "optimisation_steps": 0})
        return
    surface.stability_due = quantum.stability != "none"
    found = find_minimum(surface, progress, rough=search.geometry == "dft-rough").optimised
    progress.save(positions_angstrom=found.positions_angstrom, ending=optimised(found))


def _placements(
    wanted: Complex, cluster: Cluster, parts: Parts, search: Binding, progress: Progress
) -> list[Structure]:
    """The GFN2-xTB minima below random placements, lowest first: with fifty atoms a quarter of an hour, so kept."""
    if "placements" not in progress.state:
        found = lowest_placements(wanted, cluster, parts.every, parts.positions, parts.bonds, search.placements)
        progress.save(placements=[asdict(one) for one in found])
    return [Structure(**_with_arrays(one)) for one in progress.state["placements"]]


def _with_arrays(kept: dict[str, Any]) -> dict[str, Any]:
    """Lists back to arrays."""
    arrays = {key: np.array(value) for key, value in kept.items() if key.endswith("_angstrom") and value is not None}
    return kept | arrays


def _by_gfn1(cluster: Cluster, structures: list[Structure]) -> list[Structure]:
    """The GFN1-xTB minima below the lowest structures of GFN2-xTB.

    Raises
    ------
    ValueError
        If there is none below any of them.
    """
    descend = descent_of(len(cluster.symbols))
    kept = [
        replace(a, positions_angstrom=b.positions_angstrom, minimum_angstrom=None)
        for a, b in zip(structures, relaxed(cluster, structures, GFN1, descend), strict=True)
        if b.energy_gfn2_ev is not None
    ]
    if not kept:
        raise ValueError("GFN1-xTB finds no minimum")
    return kept


def _verdict(cluster: Cluster, parts: Parts, positions: np.ndarray, ending: str) -> str:
    if happened := fault(cluster, parts.bonds, positions):
        return happened
    return ending if ending != OK else "; ".join(parts.faults) or OK
