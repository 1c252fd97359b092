"""Relaxed torsion scans by the written force field, beside DFT: energies along one torsion, everything else relaxed.

Run by hand: `python tests/validation/torsions.py DME --folder scans --csv torsions.csv`. The geometries at each angle
are relaxed by GFN2-xTB, from the force field's, which has its own; the reference energy is DFT's there, of BPh4-
GFN2-xTB's.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from electroscreen.forcefield.assemble import write_forcefield
from electroscreen.forcefield.charges import derive_charges
from electroscreen.forcefield.resp import BOHR_ANGSTROM
from electroscreen.quantum.structures import starting_structures, xtb_atoms
from electroscreen.species import Species

HARTREE_KJ, EV_KJ = 2625.4996394799, 96.48533212331
LEVEL = {"functional": "b3lypg", "basis": "6-31g(d,p)", "cartesian": True, "heavy_basis": "def2-svp"}
HOLD_KJ_PER_RAD2 = 1e5
FORCE_EV_PER_ANGSTROM, STEPS = 0.01, 300
FAIR_KJ = 4.0


@dataclass(frozen=True)
class Scan:
    """A molecule, the four atoms of its SMILES that are turned, and the angles in degrees, in the order of the walk.

    `trans`: torsions that are turned to 180° before it begins.
    """

    smiles: str
    atoms: tuple[int, int, int, int]
    degrees: tuple[float, ...]
    charge: int = 0
    what: str = ""
    reference: str = "dft"
    resp_basis: str = "6-31g(d)"
    trans: tuple[tuple[int, int, int, int], ...] = ()


SCANS = {
    "DME": Scan(
        "COCCOC", (1, 2, 3, 4), tuple(np.arange(180, -1, -30.0)), what="O-C-C-O, as in PDOL",
        trans=((0, 1, 2, 3), (2, 3, 4, 5)),
    ),
    "DMM": Scan("COCOC", (0, 1, 2, 3), tuple(np.arange(180, -180, -30.0)), what="C-O-C-O, as in PDOL"),
    "TFSI": Scan(
        "FC(F)(F)S(=O)(=O)[N-]S(=O)(=O)C(F)(F)F", (1, 4, 7, 8), tuple(np.arange(180, -1, -45.0)), -1, "C-S-N-S"
    ),
    "PhBH3": Scan("[BH3-]c1ccccc1", (7, 0, 1, 2), tuple(np.arange(90, -1, -30.0)), -1, "phenyl about B-C"),
    "BPh4": Scan(
        "c1ccc(cc1)[B-](c1ccccc1)(c1ccccc1)c1ccccc1", (2, 3, 6, 7), tuple(np.arange(150, -1, -45.0)), -1,
        "phenyl about B-C", "gfn2", "sto-3g",
    ),
}  # fmt: skip


def held(one: Species, x: np.ndarray, atoms: tuple[int, ...], degree: float) -> tuple[np.ndarray, float]:
    """Relax by GFN2-xTB with the torsion held; return positions in Å and the energy in kJ/mol."""
    from ase.constraints import FixInternals
    from ase.optimize import BFGS

    cluster = xtb_atoms(one, x)
    cluster.set_constraint(FixInternals(dihedrals_deg=[[degree % 360, list(atoms)]]))
    BFGS(cluster, logfile=None).run(fmax=FORCE_EV_PER_ANGSTROM, steps=STEPS)
    return cluster.positions.copy(), float(cluster.get_potential_energy()) * EV_KJ


def turn(one: Species, x: np.ndarray, atoms: tuple[int, ...], degree: float) -> np.ndarray:
    """The same molecule with the torsion at another angle, by RDKit."""
    from rdkit import Chem
    from rdkit.Chem import rdMolTransforms

    from electroscreen.species import molecule

    drawn = Chem.Mol(molecule(one.smiles))
    conformer = Chem.Conformer(drawn.GetNumAtoms())
    conformer.SetPositions(np.asarray(x, dtype=float))
    drawn.RemoveAllConformers()
    drawn.AddConformer(conformer)
    rdMolTransforms.SetDihedralDeg(drawn.GetConformer(), *atoms, float(degree))
    return drawn.GetConformer().GetPositions()


def by_dft(one: Species, x: np.ndarray) -> float:
    """Energy in kJ/mol with D3(BJ)."""
    from ase.data import atomic_numbers
    from dftd3.interface import DispersionModel, RationalDampingParam

    from electroscreen.quantum.scf import build_mean_field, build_molecule, converge
    from electroscreen.settings import Level

    level = Level(**LEVEL)
    drawn = build_molecule(one.symbols, x, one.charge, 1, level)
    solved = converge(build_mean_field(drawn, level, grid=2, memory_mb=2000), 100, stability=False)
    model = DispersionModel(np.array([atomic_numbers[symbol] for symbol in one.symbols]), x / BOHR_ANGSTROM)
    attraction = model.get_dispersion(RationalDampingParam(method="b3lyp"), grad=False)["energy"]
    return HARTREE_KJ * (solved.mean_field.e_tot + float(attraction))


def by_force_field(
    xml: Path, name: str, x: np.ndarray, atoms: tuple[int, ...], degree: float
) -> tuple[np.ndarray, float]:
    """Positions in Å and energy in kJ/mol at the minimum where the torsion has this angle."""
    import openmm
    from openmm import app

    from electroscreen.forcefield.system import _template, _topology

    topology = _topology([(name, 1)], {name: _template(name, xml)}, 1000.0)
    topology.setPeriodicBoxVectors(None)
    templates = {residue: residue.name for residue in topology.residues()}
    system = app.ForceField(str(xml)).createSystem(
        topology, nonbondedMethod=app.NoCutoff, removeCMMotion=False, residueTemplates=templates
    )
    hold = openmm.CustomTorsionForce("k/2*away^2; away = min(d, 6.283185307179586 - d); d = abs(theta - wanted)")
    hold.addGlobalParameter("k", HOLD_KJ_PER_RAD2)
    hold.addGlobalParameter("wanted", float(np.radians((degree + 180) % 360 - 180)))
    hold.addTorsion(*atoms, [])
    hold.setForceGroup(31)
    system.addForce(hold)
    integrator = openmm.VerletIntegrator(0.001)
    run = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))
    run.setPositions(0.1 * x)
    openmm.LocalEnergyMinimizer.minimize(run, 0.1, 0)
    state = run.getState(getEnergy=True, getPositions=True, groups=set(range(31)))
    return 10 * state.getPositions(asNumpy=True)._value, state.getPotentialEnergy()._value


def written(name: str, scan: Scan, folder: Path) -> tuple[Species, np.ndarray, Path]:
    """Species, its lowest GFN2-xTB geometry and its force field."""
    role = "anion" if scan.charge else "solvent"
    one = Species(name=name, title=name, role=role, charge=scan.charge, smiles=scan.smiles)
    folder.mkdir(parents=True, exist_ok=True)
    geometry, charges = folder / "geometry.xyz", folder / "charges.json"
    if not geometry.exists():
        x = starting_structures(one, 8, 1)[0].positions_angstrom
        rows = [f"{s} {a:.8f} {b:.8f} {c:.8f}" for s, (a, b, c) in zip(one.symbols, x, strict=True)]
        geometry.write_text("\n".join([str(len(rows)), name, *rows]) + "\n", encoding="utf-8")
    x = np.loadtxt(geometry, skiprows=2, usecols=(1, 2, 3))
    if not charges.exists():
        derive_charges(one, geometry, {"resp_basis": scan.resp_basis, "resp_conformers": 1}, charges)
    xml = folder / "forcefield.xml"
    write_forcefield(one, charges, geometry, {}, xml, folder / "forcefield.json")
    return one, x, xml


def scanned(name: str, folder: Path) -> list[dict]:
    """One row an angle, with energies against the reference's lowest in kJ/mol."""
    scan = SCANS[name]
    one, x, xml = written(name, scan, folder)
    kept = folder / "reference.json"
    done = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for other in scan.trans:
        x = turn(one, x, other, 180.0)
    rows = []
    for degree in scan.degrees:
        if str(degree) not in done:
            turned, _ = by_force_field(xml, name, turn(one, x, scan.atoms, degree), scan.atoms, degree)
            x, by_xtb = held(one, turn(one, turned, scan.atoms, degree), scan.atoms, degree)
            energy = by_dft(one, x) if scan.reference == "dft" else by_xtb
            done[str(degree)] = {"x": x.tolist(), "gfn2_kj": by_xtb, "kj": energy}
            kept.write_text(json.dumps(done), encoding="utf-8")
        x = np.array(done[str(degree)]["x"])
        _, ours = by_force_field(xml, name, x, scan.atoms, degree)
        rows.append({"degree": degree, "reference": done[str(degree)]["kj"], "gfn2": done[str(degree)]["gfn2_kj"]})
        rows[-1]["force_field"] = ours
    lowest = min(range(len(rows)), key=lambda k: rows[k]["reference"])
    for key in ("reference", "gfn2", "force_field"):
        zero = rows[lowest][key]
        for row in rows:
            row[key] -= zero
    return rows


def summary(name: str, rows: list[dict]) -> dict:
    """Root mean square of the difference (its mean taken out), the largest barriers, and a verdict."""
    reference, ours = (np.array([row[key] for row in rows]) for key in ("reference", "force_field"))
    apart = ours - reference
    rms = float(np.sqrt(np.mean((apart - apart.mean()) ** 2)))
    barriers = float(np.ptp(reference)), float(np.ptp(ours))
    fair = max(rms, abs(barriers[1] - barriers[0])) <= FAIR_KJ
    return {
        "molecule": name,
        "torsion": SCANS[name].what,
        "reference": "B3LYP-D3(BJ)/6-31G(d,p) at GFN2-xTB geometries" if SCANS[name].reference == "dft" else "GFN2-xTB",
        "points": len(rows),
        "rms_kj_per_mol": round(rms, 2),
        "barrier_kj_per_mol": round(barriers[0], 2),
        "barrier_by_force_field": round(barriers[1], 2),
        "verdict": "ok" if fair else f"off by more than {FAIR_KJ:g} kJ/mol",
    }


def correction(rows: list[dict]) -> tuple[list[float], float]:
    """What V1, V2, V3 (kJ/mol, OPLS' series) of the turned bond would have to gain, and the rms that would be left."""
    phi = np.radians([row["degree"] for row in rows])
    apart = np.array([row["reference"] - row["force_field"] for row in rows])
    columns = [np.ones_like(phi), (1 + np.cos(phi)) / 2, (1 - np.cos(2 * phi)) / 2, (1 + np.cos(3 * phi)) / 2]
    found, *_ = np.linalg.lstsq(np.array(columns).T, apart, rcond=None)
    left = apart - np.array(columns).T @ found
    return [round(float(v), 2) for v in found[1:]], float(np.sqrt(np.mean(left**2)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("molecules", nargs="+", choices=list(SCANS))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--csv", type=Path, required=True)
    asked = parser.parse_args()
    for name in asked.molecules:
        rows = scanned(name, asked.folder / name)
        for row in rows:
            print(name, *(f"{key} {value:.2f}" for key, value in row.items()))
        result = summary(name, rows)
        gain, left = correction(rows)
        print(result, f"V1, V2, V3 would gain {gain} kJ/mol, leaving {left:.2f}", flush=True)
        fresh = not asked.csv.exists()
        with asked.csv.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(result))
            if fresh:
                writer.writeheader()
            writer.writerow(result)


if __name__ == "__main__":
    main()
