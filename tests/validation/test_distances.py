"""Distances from a cation to the oxygens around it: force field against B3LYP/6-31G(d,p), cluster by cluster."""

from __future__ import annotations

import numpy as np
import openmm
import pytest
from forcefield_helpers import RESP_E, force_field, minimised, species
from openmm import app

from electroscreen.forcefield.system import _scale_charges, _template, _topology
from electroscreen.inputs import read_yaml
from electroscreen.species import Species, molecule, parse_xyz, read_species

CONTACT_ANGSTROM = 3.0
RESP = {
    "DOL": RESP_E["DOL"],
    "TFSI": {"N": -0.684, "S": 1.093, "O": -0.571, "C": 0.338, "F": -0.149},
    "DFOB": {"F": -0.353, "B": 0.574, "O1": -0.619, "O2": -0.479, "C": 0.664},
}
# Largest deviation of the mean Na-O distance (Å) with full charges and with ions scaled by 0.8, as measured, and some.
LIMITS = {"DOL": (0.03, 0.07), "TFSI": (0.06, 0.17), "DFOB": (0.03, 0.13)}


def cluster(shipped, name: str) -> tuple[Species, np.ndarray]:
    """The ligand as a species, and the DFT geometry of Na+ (first) with it."""
    if name == "DOL":
        content = read_yaml(shipped / "molecules" / "complexes" / "Na_DOL.yaml")
        atoms = parse_xyz(content["start"]["xyz"])
        return species("DOL"), np.array([x for _, x in atoms])
    salt = read_species(shipped / "molecules" / "species" / f"Na{name}.yaml")
    parts = salt.smiles.split(".")
    ligand = next(part for part in parts if part != "[Na+]")
    one = Species(name=name, title=name, role="anion", charge=-1, smiles=ligand)
    atoms = parse_xyz(salt.start.xyz)
    sodium = [x for symbol, x in atoms if symbol == "Na"]
    return one, np.array(sodium + [x for symbol, x in atoms if symbol != "Na"])


def charges_of(one: Species, name: str) -> list[float]:
    """RESP charges by kind of atom, with the exact sum."""
    known = RESP[name]
    if isinstance(known, list):
        return known
    keys = [
        f"O{a.GetDegree()}" if a.GetSymbol() == "O" and "O1" in known else a.GetSymbol()
        for a in molecule(one.smiles).GetAtoms()
    ]
    charges = np.array([known[key] for key in keys])
    return (charges + (one.charge - charges.sum()) / len(charges)).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("name", LIMITS)
def test_sodium_to_oxygen(tmp_path, shipped, name):
    one, x = cluster(shipped, name)
    xmls = {"Na": force_field(tmp_path, species("Na"))[0]}
    xmls[name], record = force_field(tmp_path, one, x[1:], charges_of(one, name))
    assert record["verdict"] == "ok"
    oxygens = [i for i, symbol in enumerate(one.symbols, start=1) if symbol == "O"]
    near = [i for i in oxygens if np.linalg.norm(x[i] - x[0]) < CONTACT_ANGSTROM]
    wanted = np.mean([np.linalg.norm(x[i] - x[0]) for i in near])
    found = {}
    for scale in (1.0, 0.8):
        topology = _topology([("Na", 1), (name, 1)], {n: _template(n, p) for n, p in xmls.items()}, 1000.0)
        templates = {residue: residue.name for residue in topology.residues()}
        field = app.ForceField(*(str(path) for path in xmls.values()))
        system = field.createSystem(
            topology,
            nonbondedMethod=app.CutoffNonPeriodic,
            nonbondedCutoff=5.0,
            removeCMMotion=False,
            residueTemplates=templates,
        )
        force = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
        force.setNonbondedMethod(openmm.NonbondedForce.NoCutoff)
        if one.charge:
            _scale_charges(topology, system, scale)
        elif scale != 1.0:
            q, sigma, epsilon = force.getParticleParameters(0)
            force.setParticleParameters(0, scale * q, sigma, epsilon)
        relaxed, _ = minimised(system, x)
        found[scale] = float(np.mean([np.linalg.norm(relaxed[i] - relaxed[0]) for i in near]))
    print(f"Na-O({name}), {len(near)} contacts: DFT {wanted:.3f}, q 1.0 {found[1.0]:.3f}, q 0.8 {found[0.8]:.3f} Å")
    assert abs(found[1.0] - wanted) < LIMITS[name][0]
    assert abs(found[0.8] - wanted) < LIMITS[name][1]
