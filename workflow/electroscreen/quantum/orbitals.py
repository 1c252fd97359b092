"""Stage orbitals: HOMO, LUMO, dipole and charges of the atoms at a geometry that is already there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.inputs import InputError
from electroscreen.quantum.geometry import at_geometry_of, read_xyz
from electroscreen.quantum.optimise import Surface
from electroscreen.quantum.populations import iao_charges, mulliken_charges
from electroscreen.quantum.scf import HARTREE_EV, SCFNotConvergedError
from electroscreen.quantum.stability import NOT_ASKED_FOR, STILL_UNSTABLE, stability_warnings
from electroscreen.record import OK, provenance, read_json, whole, write_json
from electroscreen.settings import Quantum
from electroscreen.species import Species

SAME_ENERGY_EV = 0.01

NOTHING = {
    **dict.fromkeys(("homo_ev", "lumo_ev", "gap_ev", "dipole_debye")),
    "mulliken_charges": [],
    "iao_charges": [],
}


@dataclass(frozen=True)
class Arrays:
    """What later stages go on from: density matrix, coefficients and degeneracies of HOMO and LUMO."""

    density: np.ndarray
    frontier: dict[str, np.ndarray]


NO_ARRAYS = Arrays(
    np.zeros((0, 0)),
    {"homo": np.zeros(0), "lumo": np.zeros(0), "homo_degeneracy": np.array(0), "lumo_degeneracy": np.array(0)},
)


def find_orbitals(
    species: Species,
    quantum: Quantum,
    recipe: dict[str, Any],
    geometry_record: Path,
    output: Path,
    threads: int,
) -> None:
    """Write `orbitals.json` for the geometry beside `geometry_record`, and `density_final.npy` and
    `frontier.npz` (coefficients of HOMO and LUMO) for later stages.

    Energies are Kohn-Sham eigenvalues. A geometry or an SCF that did not converge ends in a verdict, not in a number.
    """
    from pyscf import lib

    lib.num_threads(threads)
    started = time.time()
    geometry = read_json(geometry_record)
    record: dict[str, Any] = {
        "species": species.name,
        "title": species.title,
        "formula": species.formula,
        "charge_e": species.charge,
        "level": quantum.level.label + at_geometry_of(quantum, geometry),
        "warnings": [],
        **NOTHING,
    }
    positions, arrays = read_xyz(geometry_record.with_name("geometry.xyz")), NO_ARRAYS
    if geometry["verdict"] != OK and not len(positions):
        record["verdict"] = f"not computed: geometry {geometry['verdict']}"
    else:
        guess = _guess(geometry_record.with_name("density.npy"))
        known = geometry.get("scf_stability", NOT_ASKED_FOR) if guess is not None else NOT_ASKED_FOR
        found, arrays = solve_orbitals(species, quantum, positions, guess, known)
        record |= found
        if geometry["verdict"] != OK:
            record["verdict"] = f"geometry {geometry['verdict']}"
    record["provenance"] = provenance(recipe, ("pyscf", "numpy"), started, threads)
    with whole(output.with_name("density_final.npy")) as partial, partial.open("wb") as stream:
        np.save(stream, arrays.density)
    with whole(output.with_name("frontier.npz")) as partial, partial.open("wb") as stream:
        np.savez(stream, **arrays.frontier)
    write_json(output, record)


def frontier_orbitals(energies_hartree: np.ndarray, occupations: np.ndarray) -> tuple[float, float]:
    """Return HOMO and LUMO energies in eV, over both spins where there are two.

    Raises
    ------
    ValueError
        If there is no occupied or no empty orbital.
    """
    energies, occupied = np.ravel(energies_hartree), np.ravel(occupations) > 0
    if occupied.all() or not occupied.any():
        raise ValueError("HOMO or LUMO is not defined: no occupied or no empty orbital in this basis")
    return float(energies[occupied].max() * HARTREE_EV), float(energies[~occupied].min() * HARTREE_EV)


def frontier_coefficients(mean_field) -> dict[str, np.ndarray]:
    """Return 'homo' and 'lumo', (nao,) each, and how many orbitals have their energies to within 0.01 eV.

    Of an open shell the orbital of either spin; the degeneracy counts both.
    """
    energies, occupied = np.ravel(mean_field.mo_energy), np.ravel(mean_field.mo_occ) > 0
    orbitals = np.hstack(np.reshape(mean_field.mo_coeff, (-1, *np.shape(mean_field.mo_coeff)[-2:])))
    found = {}
    for name, side, best in (("homo", occupied, np.argmax), ("lumo", ~occupied, np.argmin)):
        chosen = np.flatnonzero(side)[best(energies[side])]
        near = side & (np.abs(energies - energies[chosen]) * HARTREE_EV < SAME_ENERGY_EV)
        found |= {name: orbitals[:, chosen], f"{name}_degeneracy": near.sum()}
    return found


def solve_orbitals(
    species: Species,
    quantum: Quantum,
    positions: np.ndarray,
    guess: np.ndarray | None,
    known_stability: str = NOT_ASKED_FOR,
) -> tuple[dict[str, Any], Arrays]:
    """Return HOMO, LUMO, dipole and charges at a geometry, with density and orbitals; else a verdict alone.

    Where the settings ask for stability at the start only, that of the state which the guess goes on from stands.
    """
    surface = Surface(species, quantum, quantum.grid_final)
    surface.density, surface.stability = guess, known_stability
    if quantum.stability == "start" and known_stability != NOT_ASKED_FOR:
        surface.stability_due = False
    try:
        solved = surface.solve(positions)
        homo_ev, lumo_ev = frontier_orbitals(solved.mean_field.mo_energy, solved.mean_field.mo_occ)
    except InputError:
        raise
    except (SCFNotConvergedError, ValueError) as failure:
        return {"verdict": f"not converged: {failure}"}, NO_ARRAYS
    warnings = stability_warnings(surface.stability)
    if lumo_ev > 0:
        warnings.append("LUMO lies above zero: not bound, and a property of the basis set")
    try:
        intrinsic = iao_charges(solved.mean_field)
    except ValueError as failure:
        intrinsic = []
        warnings.append(f"no charges of intrinsic atomic orbitals: {failure}")
    found = {
        "verdict": f"{STILL_UNSTABLE}: SCF not in its lowest state" if surface.stability == STILL_UNSTABLE else OK,
        "warnings": warnings,
        "scf_stability": surface.stability,
        "homo_ev": homo_ev,
        "lumo_ev": lumo_ev,
        "gap_ev": lumo_ev - homo_ev,
        "dipole_debye": _dipole_debye(solved.mean_field),
        "dipole_origin": "centre of nuclear charge",
        "mulliken_charges": _by_atom(species, mulliken_charges(solved.mean_field)),
        "iao_charges": _by_atom(species, intrinsic),
        "energy_hartree": float(solved.mean_field.e_tot),
        "scf_rung": solved.rung,
        "basis_functions": int(solved.mean_field.mol.nao),
    }
    return found, Arrays(solved.density, frontier_coefficients(solved.mean_field))


def _by_atom(species: Species, charges: Sequence[float]) -> list[dict[str, Any]]:
    return [{"symbol": s, "charge_e": float(q)} for s, q in zip(species.symbols, charges, strict=False)]


def _dipole_debye(mean_field) -> float:
    """Length of the dipole moment; of an ion it depends on the origin, so that is fixed and told."""
    molecule = mean_field.mol
    charges = molecule.atom_charges()
    origin = charges @ molecule.atom_coords() / charges.sum()
    dipole = np.linalg.norm(mean_field.dip_moment(unit="Debye", origin=origin, verbose=0))
    return round(float(dipole), 6)  # below lies the noise of the integrals: an atom has no dipole of 2e-15 D


def _guess(density_file: Path) -> np.ndarray | None:
    """Density of the optimisation's last step; any doubt means to start afresh."""
    try:
        density = np.load(density_file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return density if density.size else None
