"""Stage levels: HOMO and LUMO once more at further levels of theory, at the geometry that is already there."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.quantum.geometry import at_geometry_of, read_xyz
from electroscreen.quantum.minimum import Progress
from electroscreen.quantum.orbitals import NOTHING, solve_orbitals
from electroscreen.quantum.scf import basis_and_core, build_molecule
from electroscreen.recipe import digest
from electroscreen.record import OK, locked, provenance, read_json, write_json
from electroscreen.scratch import own_scratch
from electroscreen.settings import Level, Quantum
from electroscreen.species import Species


def find_levels(
    species: Species, quantum: Quantum, recipe: dict[str, Any], geometry_record: Path, output: Path, threads: int
) -> None:
    """Write `levels.json`: one row for each of `quantum.further_levels`, in their order.

    Levels that give the species the same basis functions are solved once. A density of `quantum.level` beside the
    geometry (`density_final.npy`) is the guess.

    A level that does not converge has a verdict in its row. A run that was killed goes on after the last level done.

    Raises
    ------
    BlockingIOError
        If another process works on this species.
    """
    from pyscf import lib

    lib.num_threads(threads)
    started = time.time()
    geometry = read_json(geometry_record)
    positions = read_xyz(geometry_record.with_name("geometry.xyz"))
    with locked(output.parent), own_scratch(output.parent):
        progress = Progress(output.with_name("levels.restart.json"), recipe)
        known = _known(geometry_record.with_name("density_final.npy"))
        wanted = quantum.further_levels(species.name)
        rows = [_row(species, quantum, level, geometry, positions, known, progress) for level in wanted]
        record = {"species": species.name, "variant_of": species.variant_of, "verdict": _verdict(rows)}
        record |= {"warnings": [], "levels": rows}
        record["provenance"] = provenance(recipe, ("pyscf", "numpy"), started, threads)
        write_json(output, record)
        progress.forget()


def effective_label(symbols: list[str], level: Level) -> str:
    """Return the name of a level for these elements: the heavy basis only where one of them needs it."""
    basis, _ = basis_and_core(sorted(set(symbols)), level)
    heavy = [element for element, name in basis.items() if name != level.basis]
    return level.label + (f", {level.heavy_basis} on {' '.join(heavy)}" if heavy else "")


def _row(
    species: Species,
    quantum: Quantum,
    level: Level,
    geometry: dict[str, Any],
    positions: np.ndarray,
    known: np.ndarray | None,
    progress: Progress,
) -> dict[str, Any]:
    label = effective_label(species.symbols, level) + at_geometry_of(quantum, geometry)
    purpose = "second level" if level == quantum.second_level else "scan"
    named = {"level": label, "scan": f"{level.label}, heavy elements {level.heavy_basis}", "purpose": purpose}
    key = _same_numbers(species, level)
    done = progress.state.get(key)
    if done is None:
        done = _solve(species, quantum, level, geometry, positions, known)
        progress.save(**{key: done})
        print(f"{species.name}: {label}: {done['verdict']}", file=sys.stderr, flush=True)
    return named | done


def _same_numbers(species: Species, level: Level) -> str:
    """What two levels share that give this species the same numbers: 6-311+G and 6-311++G differ on hydrogen only."""
    from pyscf import gto

    basis, core = basis_and_core(sorted(set(species.symbols)), level)
    functions = {element: gto.basis.load(name, element) for element, name in basis.items()}
    rest = level.model_dump(include={"functional", "cartesian", "density_fitting"})
    return digest({"functions": functions, "core": core, **rest})


def _solve(
    species: Species,
    quantum: Quantum,
    level: Level,
    geometry: dict[str, Any],
    positions: np.ndarray,
    known: np.ndarray | None,
) -> dict[str, Any]:
    if geometry["verdict"] != OK and not len(positions):
        return NOTHING | {"verdict": f"not computed: geometry {geometry['verdict']}", "warnings": []}
    guess = None if known is None else _projected(species, quantum.level, level, positions, known)
    quantum = quantum.model_copy(update={"level": level, "stability": "none"})
    found = NOTHING | {"warnings": []} | solve_orbitals(species, quantum, positions, guess)[0]
    return found if geometry["verdict"] == OK else found | {"verdict": f"geometry {geometry['verdict']}"}


def _known(path: Path) -> np.ndarray | None:
    density = np.load(path) if path.exists() else np.zeros(0)
    return density if density.size else None


def _projected(
    species: Species, level: Level, other: Level, positions: np.ndarray, density: np.ndarray
) -> np.ndarray | None:
    """A density of `level` in the basis of `other`; None where the two differ in how many electrons they treat."""
    from pyscf.scf.addons import project_dm_nr2nr

    system = species.symbols, positions, species.charge, species.multiplicity
    one, two = build_molecule(*system, level), build_molecule(*system, other)
    if density.shape[-1] != one.nao or one.nelectron != two.nelectron:
        return None
    return np.asarray(project_dm_nr2nr(one, density, two))


def _verdict(rows: list[dict[str, Any]]) -> str:
    failed = [row for row in rows if row["verdict"] != OK]
    return f"{len(failed)} of {len(rows)} levels: {failed[0]['verdict']}" if failed else OK
