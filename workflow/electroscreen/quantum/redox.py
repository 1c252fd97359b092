"""Stage redox: what it costs to take an electron, and what is gained by adding one, as differences of SCF energies."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.inputs import InputError
from electroscreen.quantum.geometry import at_geometry_of, read_xyz
from electroscreen.quantum.integrals import LastIntegrals
from electroscreen.quantum.minimum import Progress
from electroscreen.quantum.optimise import Surface, optimise
from electroscreen.quantum.scf import HARTREE_EV, SCFNotConvergedError
from electroscreen.quantum.solvent import CONVERSION, LITHIUM_V, SODIUM_V, potential_v
from electroscreen.quantum.stability import STILL_UNSTABLE
from electroscreen.quantum.structures import hessian_guess
from electroscreen.record import OK, locked, provenance, read_json, write_json
from electroscreen.scratch import own_scratch
from electroscreen.settings import Quantum
from electroscreen.species import Species, solvent_label

# A bond longer than this times the sum of covalent radii is none; one that was below before has broken.
BOND_FACTOR = 1.3
NOT_BOUND = "not bound: the added electron costs energy, so the number is a property of the basis set"


@dataclass(frozen=True)
class Process:
    """Oxidation takes an electron (`charge_change` +1), reduction adds one (-1)."""

    name: str
    quantity: str
    charge_change: int


PROCESSES = (Process("oxidation", "ionisation energy", +1), Process("reduction", "electron affinity", -1))


def find_redox(
    species: Species, quantum: Quantum, recipe: dict[str, Any], geometry_record: Path, output: Path, threads: int
) -> None:
    """Write `redox.json`: a row for each process, medium and kind (vertical, adiabatic).

    Vertical: at the geometry of the species. Adiabatic: at the geometry that the charged species relaxes to in
    vacuum; energies in the solvent are single points there. Zero-point energies are not part of it. In the solvent
    all polarisation is in equilibrium with the charged species, also for vertical numbers.

    Raises
    ------
    BlockingIOError
        If another process works on this species.
    InputError
        If SMD does not know the species' solvent.
    """
    from pyscf import lib

    lib.num_threads(threads)
    started = time.time()
    geometry = read_json(geometry_record)
    positions = read_xyz(geometry_record.with_name("geometry.xyz"))
    record: dict[str, Any] = {
        "species": species.name,
        "charge_e": species.charge,
        "multiplicity": species.multiplicity,
        "level": quantum.level.label + at_geometry_of(quantum, geometry),
        "solvent": solvent_label(species.solvent),
        "conversion": CONVERSION,
    }
    with locked(output.parent), own_scratch(output.parent):
        progress = Progress(output.with_name("redox.restart.json"), recipe)
        if geometry["verdict"] != OK:
            rows, states = [], {}
            record |= {"verdict": f"not computed: geometry {geometry['verdict']}", "warnings": []}
        else:
            states = _States(species, quantum, positions, progress).all()
            rows = [row for process in PROCESSES for row in _rows(process, states, species.solvent)]
            failed = [row["verdict"] for row in rows if row["verdict"].startswith("not converged")]
            record |= {"verdict": failed[0] if failed else OK, "warnings": _warnings(species, states)}
        record |= {"rows": rows, "states": states, "provenance": provenance(recipe, ("pyscf",), started, threads)}
        write_json(output, record)
        progress.forget()


def charged(species: Species, charge_change: int) -> list[Species]:
    """Return a species after an electron has gone or come, in each multiplicity that one electron can make."""
    spins = [species.multiplicity + change for change in (-1, 1)]
    electrons = species.electrons - charge_change
    return [
        species.model_copy(update={"charge": species.charge + charge_change, "multiplicity": multiplicity})
        for multiplicity in spins
        if multiplicity >= 1 and electrons >= max(1, multiplicity - 1)
    ]


class _States:
    """Energies of the species and of its charged forms; each one done is kept for a run that goes on."""

    def __init__(self, species: Species, quantum: Quantum, positions: np.ndarray, progress: Progress):
        self.species, self.quantum, self.positions, self.progress = species, quantum, positions, progress
        self.solvents = [] if species.solvent is None else [species.solvent]
        self.integrals = LastIntegrals()

    def all(self) -> dict[str, Any]:
        """States by name: 'species', 'oxidation vertical', ..., each with energies by medium, or a failure."""
        states = {"species": self._kept("species", lambda: self._points([self.species], self.positions))}
        for process in PROCESSES if "failure" not in states["species"] else ():
            forms = charged(self.species, process.charge_change)
            name = f"{process.name} vertical"
            vertical = states[name] = self._kept(name, lambda forms=forms: self._vertical(forms))
            if self.quantum.redox == "adiabatic" and "failure" not in vertical and len(self.positions) > 1:
                name = f"{process.name} adiabatic"
                form = next(f for f in forms if f.multiplicity == vertical["multiplicity"])
                states[name] = self._kept(name, lambda form=form, name=name: self._adiabatic(form, name))
        return states

    def _kept(self, name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return a state that an interrupted run left, or compute and keep it."""
        done = self.progress.state.get("states", {})
        if name not in done:
            print(f"{self.species.name}: {name}", file=sys.stderr, flush=True)
            try:
                done = done | {name: compute()}
            except InputError:
                raise
            except (SCFNotConvergedError, ValueError) as failure:
                done = done | {name: {"failure": f"not converged: {failure}"}}
            self.progress.save(states=done, moving=None)
        return done[name]

    def _vertical(self, forms: list[Species]) -> dict[str, Any]:
        if not forms:
            return {"failure": "not computed: no electron would be left"}
        return self._points(forms, self.positions)

    def _points(self, forms: list[Species], positions: np.ndarray) -> dict[str, Any]:
        """Energies in all media at a geometry, of the multiplicity that is lowest in vacuum."""
        surfaces = [Surface(form, self.quantum, self.quantum.grid_final, integrals=self.integrals) for form in forms]
        energies = [float(surface.solve(positions).mean_field.e_tot) for surface in surfaces]
        lowest = int(np.argmin(energies))
        form, surface = forms[lowest], surfaces[lowest]
        media = {"vacuum": energies[lowest]}
        for solvent in self.solvents:
            # From the state in vacuum, whose stability is known.
            around = Surface(form, self.quantum, self.quantum.grid_final, solvent, self.integrals)
            around.density, around.stability_due = surface.density, False
            media[solvent_label(solvent)] = float(around.solve(positions).mean_field.e_tot)
        return {
            "charge_e": form.charge,
            "multiplicity": form.multiplicity,
            "energies_hartree": media,
            "scf_stability": surface.stability,
        }

    def _adiabatic(self, form: Species, name: str) -> dict[str, Any]:
        """Relax in vacuum, then take the energies there."""
        surface = Surface(form, self.quantum, self.quantum.grid_while_moving, kept=self.progress.density)
        start = np.array(self.progress.state.get("moving", self.positions))

        def after_step(step: int, energy: float, gradient: float, positions: np.ndarray) -> None:
            message = f"{name}, step {step}, {energy:.6f} hartree, largest gradient {gradient:.5f} hartree/bohr"
            print(f"{self.species.name}: {message}", file=sys.stderr, flush=True)
            self.progress.save(moving=positions)

        relaxed = optimise(surface, start, hessian_guess(form, start), after_step)
        if not relaxed.converged:
            raise SCFNotConvergedError(relaxed.failure or f"geometry still moves after {relaxed.steps} steps")
        broken = _broken_bonds(form.symbols, self.positions, relaxed.positions_angstrom)
        points = self._points([form], relaxed.positions_angstrom)
        return points | {"positions_angstrom": relaxed.positions_angstrom.tolist(), "broken_bonds": broken}


def _rows(process: Process, states: dict[str, Any], solvent: float | str | None) -> list[dict[str, Any]]:
    kinds = ["vertical", *(["adiabatic"] if f"{process.name} adiabatic" in states else [])]
    media = ["vacuum"] if solvent is None else ["vacuum", solvent_label(solvent)]
    return [_row(process, kind, medium, states) for kind in kinds for medium in media]


def _row(process: Process, kind: str, medium: str, states: dict[str, Any]) -> dict[str, Any]:
    """One number: the ionisation energy, or the electron affinity (positive: energy is gained)."""
    row = {"process": process.name, "quantity": process.quantity, "kind": kind, "medium": medium, "energy_ev": None}
    row |= {"potential_v_li": None, "potential_v_na": None, "note": ""}
    species, other = states["species"], states.get(f"{process.name} {kind}", {})
    failure = species.get("failure") or other.get("failure")
    if failure:
        return row | {"verdict": failure}
    change = other["energies_hartree"][medium] - species["energies_hartree"][medium]
    energy_ev = process.charge_change * change * HARTREE_EV
    if medium != "vacuum":
        potentials = {"potential_v_li": LITHIUM_V, "potential_v_na": SODIUM_V}
        row |= {key: potential_v(energy_ev, electrode) for key, electrode in potentials.items()}
    broken = other.get("broken_bonds")
    note = f"breaks {', '.join(broken)}" if broken else ""
    return row | {"energy_ev": energy_ev, "note": note, "verdict": _verdict(process, energy_ev, species, other)}


def _verdict(process: Process, energy_ev: float, species: dict[str, Any], other: dict[str, Any]) -> str:
    if STILL_UNSTABLE in (species["scf_stability"], other["scf_stability"]):
        return f"{STILL_UNSTABLE}: SCF not in its lowest state"
    return NOT_BOUND if process.name == "reduction" and energy_ev < 0 else OK


def _warnings(species: Species, states: dict[str, Any]) -> list[str]:
    warnings = [] if species.solvent is not None else ["no solvent is given in the species file: no potentials"]
    broken = {name: state["broken_bonds"] for name, state in states.items() if state.get("broken_bonds")}
    return warnings + [f"{name.split()[0]} breaks {', '.join(bonds)}" for name, bonds in broken.items()]


def _broken_bonds(symbols: list[str], before: np.ndarray, after: np.ndarray) -> list[str]:
    """Bonds (below 1.3 of the sum of covalent radii) that were there before and are not after, such as 'C1-O2'."""
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    radii = np.array([table.GetRcovalent(symbol) for symbol in symbols])
    limits = BOND_FACTOR * (radii[:, None] + radii)
    bonded = [np.linalg.norm(x[:, None] - x, axis=-1) < limits for x in (before, after)]
    pairs = np.argwhere(np.triu(bonded[0] & ~bonded[1], k=1))
    return [f"{symbols[i]}{i + 1}-{symbols[j]}{j + 1}" for i, j in pairs]
