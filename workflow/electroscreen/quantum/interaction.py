"""The terms of a binding energy at one geometry, and what of it the basis set pretends.

For parts p in a cluster C, with E(p) the energy of the relaxed part, E(p in C) that of the part as it is bent in the
cluster, and a star for the basis functions of the whole cluster (Boys and Bernardi, Mol. Phys. 1970, 19, 553):

    interaction  = E(C) - sum E(p in C)
    counterpoise = sum [E(p in C) - E*(p in C)]          the basis set superposition error, never negative
    deformation  = sum [E(p in C) - E(p)]
    binding      = interaction + counterpoise + deformation

A negative binding energy binds. Electronic energies: no zero-point energy, no temperature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.complexes import EV_KJ_PER_MOL, Cluster
from electroscreen.quantum.bonds import Bonds, bonds_of
from electroscreen.quantum.energies import Among, Ledger, Method, Point, density_of_part, single_point
from electroscreen.quantum.geometry import read_xyz
from electroscreen.quantum.scf import HARTREE_EV
from electroscreen.quantum.structures import GFN1, Structure, System, relax, starting_structures
from electroscreen.record import OK, read_json
from electroscreen.settings import Quantum
from electroscreen.species import Species, solvent_label


@dataclass(frozen=True)
class Parts:
    """The parts of a complex as their own stage left them: what they are, where their atoms are, their bonds."""

    every: Mapping[str, Species]
    positions: dict[str, np.ndarray]
    bonds: dict[str, Bonds]
    faults: list[str]


def parts_at(every: Mapping[str, Species], positions: dict[str, np.ndarray], faults: list[str]) -> Parts:
    """Return the parts at these positions, (N, 3) each, angstrom, or (0, 3), and the bonds that they have there."""
    bonds = {name: bonds_of(every[name], x) if len(x) else frozenset() for name, x in positions.items()}
    return Parts(every, positions, bonds, faults)


def read_parts(every: Mapping[str, Species], folders: Mapping[str, Path]) -> Parts:
    """Return the parts at their optimised geometries; one without geometry has no positions, and a fault says why."""
    positions, faults = {}, []
    for name in every:
        positions[name] = read_xyz(folders[name] / "geometry.xyz")
        verdict = read_json(folders[name] / "geometry.json")["verdict"]
        if verdict != OK:
            faults.append(f"the geometry of {name}: {verdict}")
    return parts_at(every, positions, faults)


def gfn1_parts(every: Mapping[str, Species], quantum: Quantum) -> Parts:
    """Return the parts at GFN1-xTB minima below their lowest structures, to go with a complex at its own."""
    positions, faults = {}, []
    for name, species in every.items():
        positions[name] = np.zeros((0, 3))
        try:
            lowest = starting_structures(species, quantum.conformers, quantum.ion_sites)[0]
            found = lowest if len(species.symbols) == 1 else relax(species, lowest, GFN1)
            if len(species.symbols) > 1 and found.energy_gfn2_ev is None:
                raise ValueError("GFN1-xTB finds no minimum")
            positions[name] = found.positions_angstrom
        except ValueError as fault:
            faults.append(f"the geometry of {name}: {fault}")
    return parts_at(every, positions, faults)


def binding_energy(
    cluster: Cluster,
    parts: Parts,
    positions_angstrom: np.ndarray,
    method: Method,
    ledger: Ledger,
    guess: np.ndarray | None = None,
    known_stable: bool = True,
) -> dict[str, Any]:
    """Return the terms of the binding energy of a cluster at a geometry, eV; formulas at the head of this module.

    Each SCF starts from the density of the state most like it: a bent part from its share of the cluster's, a part
    among ghosts from the bent one, the cluster from `guess`, a density that may be `known_stable`.

    Raises
    ------
    SCFNotConvergedError
        Saying of which piece.
    """
    integrals = ledger.integrals
    whole = ledger.energy(
        "the complex",
        lambda: single_point(
            cluster, positions_angstrom, method, guess=guess, known_stable=known_stable, integrals=integrals
        ),
    )
    whole_density = ledger.densities.get("the complex", guess)
    fragments = []
    for number, (name, atoms) in enumerate(cluster.copies, start=1):
        part, own = parts.every[name], positions_angstrom[atoms]
        among = Among(cluster.symbols, positions_angstrom, atoms)
        relaxed = ledger.energy(f"{name} alone", lambda p=part: ledger.shared.point(p, parts.positions[p.name], method))
        # An atom has no shape to lose.
        bent = relaxed
        if len(atoms) > 1:
            share = _share(cluster, whole_density, part, atoms, method)
            bent = ledger.energy(
                f"part {number} ({name})", lambda p=part, x=own, g=share: single_point(p, x, method, guess=g)
            )
        own_density = ledger.densities.get(f"part {number} ({name})", ledger.densities.get(f"{name} alone"))
        in_basis = ledger.energy(
            f"part {number} ({name}) in the basis of all",
            lambda p=part, x=own, a=among, g=own_density: single_point(
                p, x, method, among=a, guess=g, integrals=integrals
            ),
        )
        fragments.append(
            {
                "species": name,
                "atoms": list(atoms),
                "bent_hartree": bent,
                "relaxed_hartree": relaxed,
                "deformation_ev": (bent - relaxed) * HARTREE_EV,
                "counterpoise_ev": (bent - in_basis) * HARTREE_EV,
            }
        )
    interaction_ev = (whole - sum(f["bent_hartree"] for f in fragments)) * HARTREE_EV
    counterpoise_ev = sum(f["counterpoise_ev"] for f in fragments)
    deformation_ev = sum(f["deformation_ev"] for f in fragments)
    binding_ev = interaction_ev + counterpoise_ev + deformation_ev
    return {
        "energy_hartree": whole,
        "interaction_ev": interaction_ev,
        "counterpoise_ev": counterpoise_ev,
        "deformation_ev": deformation_ev,
        "binding_ev": binding_ev,
        "binding_kj_per_mol": binding_ev * EV_KJ_PER_MOL,
        "binding_uncorrected_ev": binding_ev - counterpoise_ev,
        "fragments": fragments,
    }


def _share(cluster: Cluster, density: np.ndarray | None, part: Species, atoms, method: Method) -> np.ndarray | None:
    closed = cluster.multiplicity == part.multiplicity == 1
    return density_of_part(cluster, density, atoms, method) if closed and density is not None else None


def binding_in_solvent(
    solvent: float | str,
    cluster: Cluster,
    parts: Parts,
    positions: np.ndarray,
    method: Method,
    ledger: Ledger,
    counterpoise_ev: float,
) -> dict[str, Any]:
    """Return the binding energy in a continuum, with the geometries and the counterpoise correction of the vacuum.

    Raises
    ------
    SCFNotConvergedError
    """
    label = solvent_label(solvent)

    def around(name: str, compute: Callable[..., Point], system: System, x: np.ndarray) -> float:
        guess = ledger.densities.get(name)
        return ledger.energy(f"{name} in {label}", lambda: compute(system, x, method, solvent, guess=guess))

    whole = around("the complex", partial(single_point, integrals=ledger.integrals), cluster, positions)
    alone = {
        name: around(f"{name} alone", ledger.shared.point, part, parts.positions[name])
        for name, part in parts.every.items()
    }
    uncorrected_ev = (whole - sum(alone[name] for name, _ in cluster.copies)) * HARTREE_EV
    binding_ev = uncorrected_ev + counterpoise_ev
    return {
        "solvent": label,
        "binding_ev": binding_ev,
        "binding_kj_per_mol": binding_ev * EV_KJ_PER_MOL,
        "binding_uncorrected_ev": uncorrected_ev,
        "counterpoise_ev": counterpoise_ev,
    }


def gfn2_binding_ev(cluster: Cluster, parts: Parts, positions: np.ndarray) -> float | None:
    """Return GFN2-xTB's own binding energy, between its own minima: a second opinion that costs little.

    None where one of them is not found.
    """
    whole = relax(cluster, Structure("complex", positions)).energy_gfn2_ev
    alone = {
        name: relax(part, Structure(name, parts.positions[name])).energy_gfn2_ev for name, part in parts.every.items()
    }
    if whole is None or None in alone.values():
        return None
    return whole - sum(alone[name] for name, _ in cluster.copies)
