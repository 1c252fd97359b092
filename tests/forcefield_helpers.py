"""Molecules with geometries and charges for the force-field tests, and energies by plain numpy."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from electroscreen.species import Species, molecule, parse_xyz

SMILES = {
    "DOL": "C1COCO1",
    "FEC": "O=C1OCC(F)O1",
    "DME": "COCCOC",
    "TFSI": "O=S(=O)([N-]S(=O)(=O)C(F)(F)F)C(F)(F)F",
    "Na": "[Na+]",
    "BF4": "F[B-](F)(F)F",
    "DFOB": "O=C1O[B-](F)(F)OC1=O",
    "water": "O",
}

# Optimised with GFN2-xTB (tblite 0.8.0) to 0.005 eV/Å, in Å.
GFN2_XYZ = {
    "DOL": """
C -1.4616 1.4310 -1.1653
C -1.9013 0.0516 -0.6191
O -1.3898 -0.8727 -1.5590
C -1.1912 -0.1438 -2.7344
O -0.7507 1.1247 -2.3485
H -0.7866 1.9652 -0.4956
H -2.3307 2.0618 -1.3910
H -2.9949 -0.0214 -0.5634
H -1.4697 -0.1847 0.3543
H -0.4236 -0.6292 -3.3402
H -2.1380 -0.0678 -3.3083""",
    "FEC": """
O 0.3127 -1.0816 -1.5904
C -0.4805 -0.2122 -1.5300
O -1.7192 -0.3193 -1.0305
C -2.4109 0.9055 -1.1408
C -1.3331 1.8731 -1.6669
F -0.9540 2.7344 -0.6724
O -0.2721 1.0551 -1.9988
H -3.2485 0.7904 -1.8334
H -2.7706 1.2149 -0.1565
H -1.6258 2.4960 -2.5194""",
    "DME": """
C -1.0770 -0.9707 0.8665
O -0.0570 -0.6740 -0.0602
C -0.4531 -0.7789 -1.4026
C -1.3476 0.3708 -1.8815
O -2.6904 0.1077 -1.5395
C -3.5785 1.0873 -2.0084
H -1.9299 -0.2955 0.7598
H -1.4295 -2.0016 0.7408
H -0.6344 -0.8545 1.8541
H 0.4756 -0.7673 -1.9782
H -0.9813 -1.7264 -1.5791
H -1.2563 0.4691 -2.9746
H -1.0102 1.3117 -1.4209
H -3.5429 1.1636 -3.1026
H -3.3498 2.0722 -1.5817
H -4.5748 0.7794 -1.6980""",
    "TFSI": """
O -0.0872 0.0776 -0.6060
S -0.6221 -0.8158 -1.5887
O 0.2870 -1.7350 -2.2030
N -1.5323 -0.1031 -2.6631
S -2.4295 1.0096 -1.9943
O -2.9484 0.6349 -0.7135
O -3.3500 1.5720 -2.9351
C -1.2285 2.4508 -1.6455
F -1.7636 3.6003 -2.1016
F -0.9756 2.6535 -0.3569
F -0.0666 2.3078 -2.2886
C -1.8113 -1.9577 -0.6295
F -1.2762 -3.1917 -0.5477
F -2.9836 -2.1072 -1.2518
F -2.0434 -1.5778 0.6225""",
    "Na": "Na 0 0 0",
    "BF4": """
F 0.811 0.811 0.811
B 0 0 0
F -0.811 -0.811 0.811
F -0.811 0.811 -0.811
F 0.811 -0.811 -0.811""",
    "water": """
O 0.0000 0.0000 0.1173
H 0.0000 0.7572 -0.4692
H 0.0000 -0.7572 -0.4692""",
}

# RESP, HF/6-31G*, of the geometries above.
RESP_E = {
    "DOL": [0.176717, 0.176717, -0.445676, 0.420408, -0.445676, *[0.023713] * 4, *[0.011329] * 2],
    "FEC": [-0.573466, 0.955122, -0.422065, 0.083933, 0.408181, -0.252816, -0.429407, 0.083607, 0.083607, 0.063304],
    "DME": [-0.00239, *[-0.365279, 0.088659, 0.088659, -0.365279], -0.00239, *[0.06228] * 3, *[0.046085] * 4]
    + 3 * [0.06228],
    "TFSI": [-0.570957, 1.092794, -0.570957, -0.68437, 1.092794, -0.570957, -0.570957]
    + [0.338164, *[-0.148953] * 3] * 2,
    "Na": [1.0],
    "BF4": [-0.431, 0.724, -0.431, -0.431, -0.431],
}

COULOMB_KJ_ANGSTROM = 1389.35456


@lru_cache
def species(name: str, smiles: str | None = None) -> Species:
    """A species by its name here, or under any name by its SMILES."""
    from rdkit import Chem

    smiles = smiles or SMILES[name]
    return Species(name=name, title=name, role="solvent", charge=Chem.GetFormalCharge(molecule(smiles)), smiles=smiles)


def positions(name: str) -> np.ndarray:
    """(n, 3) in Å."""
    return np.array([position for _, position in parse_xyz(GFN2_XYZ[name])])


def embedded(smiles: str, seed: int = 3) -> np.ndarray:
    """Any sound geometry of a SMILES, (n, 3) in Å."""
    from rdkit import Chem
    from rdkit.Chem import AllChem

    drawn = Chem.Mol(molecule(smiles))
    assert AllChem.EmbedMolecule(drawn, randomSeed=seed, useRandomCoords=True) == 0
    return drawn.GetConformer().GetPositions()


def shaken(x: np.ndarray) -> np.ndarray:
    """The same atoms, each coordinate moved by up to 0.05 Å."""
    return x + 0.05 * np.sin(1.0 + 7.3 * np.arange(x.size)).reshape(x.shape)


def write_geometry(folder: Path, one: Species, x: np.ndarray, comment: str = "ok") -> Path:
    """An xyz file as the geometry stage writes it."""
    lines = [f"{s} {a:.8f} {b:.8f} {c:.8f}" for s, (a, b, c) in zip(one.symbols, x, strict=False)]
    path = folder / f"{one.name}.xyz"
    path.write_text("\n".join([str(len(lines)), f"{one.name}: {comment}", *lines]) + "\n", encoding="utf-8")
    return path


def write_charges(folder: Path, one: Species, charges: list[float], verdict: str = "ok") -> Path:
    """A charges.json with given charges."""
    atoms = [{"index": i, "symbol": s, "resp_e": q} for i, (s, q) in enumerate(zip(one.symbols, charges, strict=False))]
    record = {"species": one.name, "method": "given", "atoms": atoms, "total_charge_e": sum(charges)}
    path = folder / f"{one.name}.charges.json"
    path.write_text(json.dumps(record | {"verdict": verdict, "warnings": []}), encoding="utf-8")
    return path


def force_field(
    folder: Path, one: Species, x: np.ndarray | None = None, charges: list[float] | None = None, **recipe
) -> tuple[Path, dict]:
    """Run the force-field stage; return the XML file and the record."""
    from electroscreen.forcefield.assemble import write_forcefield

    x = positions(one.name) if x is None else x
    charges = RESP_E[one.name] if charges is None else charges
    files = folder / f"{one.name}.xml", folder / f"{one.name}.json"
    write_forcefield(one, write_charges(folder, one, charges), write_geometry(folder, one, x), recipe, *files)
    return files[0], json.loads(files[1].read_text(encoding="utf-8"))


def in_vacuum(xml: Path, name: str):
    """Topology and System of one molecule without cutoff or constraints."""
    from openmm import app

    from electroscreen.forcefield.system import _template, _topology

    topology = _topology([(name, 1)], {name: _template(name, xml)}, edge_angstrom=100.0)
    field = app.ForceField(str(xml))
    return topology, field.createSystem(topology, nonbondedMethod=app.NoCutoff, removeCMMotion=False)


def context(system):
    """A Context on the reference platform, which works in double precision."""
    import openmm

    return openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))


def openmm_energies(system, x: np.ndarray) -> dict[str, float]:
    """Energy of every force in kJ/mol."""
    for group, force in enumerate(system.getForces()):
        force.setForceGroup(group)
    run = context(system)
    run.setPositions(0.1 * x)
    return {
        type(force).__name__: run.getState(getEnergy=True, groups={group}).getPotentialEnergy()._value
        for group, force in enumerate(system.getForces())
    }


def minimised(system, x: np.ndarray) -> tuple[np.ndarray, float]:
    """Positions in Å and energy in kJ/mol at the nearest minimum."""
    import openmm

    run = context(system)
    run.setPositions(0.1 * x)
    openmm.LocalEnergyMinimizer.minimize(run, 1e-3, 0)
    state = run.getState(getPositions=True, getEnergy=True)
    return 10.0 * state.getPositions(asNumpy=True)._value, state.getPotentialEnergy()._value


def dihedral(x: np.ndarray, atoms) -> float:
    """In rad, by the definition of IUPAC."""
    a, b, c, d = x[list(atoms)]
    first, axis, last = b - a, c - b, d - c
    normal = np.cross(axis, last)
    return float(np.arctan2(np.linalg.norm(axis) * first @ normal, np.cross(first, axis) @ normal))


def bond_angle(x: np.ndarray, atoms) -> float:
    """In rad."""
    a, b, c = x[list(atoms)]
    return float(np.arccos((a - b) @ (c - b) / np.linalg.norm(a - b) / np.linalg.norm(c - b)))


def numpy_energies(record: dict, x: np.ndarray) -> dict[str, float]:
    """Energies in kJ/mol of all terms of a forcefield.json, written out here once more."""
    energy = dict.fromkeys(("bond", "angle", "torsion", "improper", "nonbonded"), 0.0)
    for term in record["parameters"]:
        atoms, v = term["atoms"], term["values"]
        if term["term"] == "bond":
            stretch = np.linalg.norm(x[atoms[0]] - x[atoms[1]]) - v["length_angstrom"]
            energy["bond"] += v["k_kj_per_mol_angstrom2"] / 2 * stretch**2
        elif term["term"] == "angle":
            bend = bond_angle(x, atoms) - np.radians(v["angle_degree"])
            energy["angle"] += v["k_kj_per_mol_rad2"] / 2 * bend**2
        elif term["term"] in ("torsion", "improper"):
            phi = dihedral(x, atoms)
            for n, phase, k in zip(v["periodicity"], v["phase_degree"], v["k_kj_per_mol"], strict=True):
                energy[term["term"]] += k * (1 + np.cos(n * phi - np.radians(phase)))
    energy["nonbonded"] = _nonbonded(record, x)
    return {kind: float(value) for kind, value in energy.items()}


def _nonbonded(record: dict, x: np.ndarray) -> float:
    by_kind = {kind: [t for t in record["parameters"] if t["term"] == kind] for kind in ("charge", "lj", "bond")}
    charges = [t["values"]["charge_e"] for t in by_kind["charge"]]
    sizes = [(t["values"]["sigma_angstrom"], t["values"]["epsilon_kj_per_mol"]) for t in by_kind["lj"]]
    apart = _bonds_apart(len(charges), [t["atoms"] for t in by_kind["bond"]])
    energy = 0.0
    for i in range(len(charges)):
        for j in range(i):
            if apart[i, j] > 2:
                r = np.linalg.norm(x[i] - x[j])
                near = apart[i, j] == 3
                sigma, epsilon = (sizes[i][0] + sizes[j][0]) / 2, np.sqrt(sizes[i][1] * sizes[j][1])
                coulomb = COULOMB_KJ_ANGSTROM * charges[i] * charges[j] / r
                lj = 4 * epsilon * ((sigma / r) ** 12 - (sigma / r) ** 6)
                energy += coulomb * (record["scaling_14"]["coulomb"] if near else 1)
                energy += lj * (record["scaling_14"]["lj"] if near else 1)
    return energy


def _bonds_apart(n: int, bonds: list) -> np.ndarray:
    """Number of bonds between any two atoms."""
    apart = np.full((n, n), np.inf)
    np.fill_diagonal(apart, 0)
    for i, j in bonds:
        apart[i, j] = apart[j, i] = 1
    for k in range(n):
        apart = np.minimum(apart, apart[:, [k]] + apart[[k], :])
    return apart


def refusal(folder, smiles: str, x: np.ndarray | None = None) -> str:
    """The verdict on a species; its charges do not matter."""
    one = species("X", smiles)
    x = embedded(smiles) if x is None else x
    xml, record = force_field(folder, one, x, [0.0] * len(x))
    assert xml.read_text().count("<") == 3, "the XML file must hold nothing but a comment"
    return record["verdict"]


def series(term: dict) -> list[tuple]:
    """Periodic terms of a torsion of forcefield.json."""
    v = term["values"]
    return list(zip(v["periodicity"], v["phase_degree"], v["k_kj_per_mol"], strict=True))
