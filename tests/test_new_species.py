"""Species that no file knows: from a drawing or coordinates to XML, and dynamics at 400 K that keeps them whole."""

from __future__ import annotations

import numpy as np
import openmm
import pytest
from forcefield_helpers import bond_angle, in_vacuum, write_geometry
from openmm import app, unit

from electroscreen.forcefield.assemble import write_forcefield
from electroscreen.forcefield.charges import derive_charges
from electroscreen.forcefield.system import _template, _topology
from electroscreen.record import read_json
from electroscreen.species import Species, molecule, read_species

NEW = {
    "succinonitrile": "N#CCCC#N",
    "dimethyl-sulfone": "CS(=O)(=O)C",
    "trimethyl-phosphate": "COP(=O)(OC)OC",
    "BOB": "O=C1O[B-]2(OC1=O)OC(=O)C(=O)O2",
    "EMIM": "CCn1cc[n+](C)c1",
    "B-OCH2CF3-4": "FC(F)(F)CO[B-](OCC(F)(F)F)(OCC(F)(F)F)OCC(F)(F)F",
    "m-carborane-9-thiol": None,
}
STRETCH, STEP_FS, TEMPERATURE_K = 0.2, 2.0, 400.0


def drawn(name: str, smiles: str | None, shipped) -> Species:
    from rdkit import Chem

    if smiles is None:
        return read_species(shipped / "molecules" / "species" / f"{name}.yaml")
    charge = Chem.GetFormalCharge(molecule(smiles))
    return Species(name=name, title=name, role="additive", charge=charge, smiles=smiles)


def built(one: Species, folder, basis: str) -> tuple[np.ndarray, dict]:
    """Geometry, charges and force field by the package's own stages; geometry and record."""
    from electroscreen.quantum.structures import starting_structures

    x = starting_structures(one, 4, 1)[0].positions_angstrom
    geometry = write_geometry(folder, one, x)
    derive_charges(one, geometry, {"resp_basis": basis, "resp_conformers": 1}, folder / "charges.json")
    write_forcefield(one, folder / "charges.json", geometry, {}, folder / "ff.xml", folder / "ff.json")
    return x, read_json(folder / "ff.json")


def worst_stretch(one: Species, xml, x: np.ndarray, bonds: list, ps: float) -> tuple[float, float]:
    """Dynamics of one molecule, bonds to hydrogen rigid: the largest relative stretch, the mean temperature."""
    topology = _topology([(one.name, 1)], {one.name: _template(one.name, xml)}, 1000.0)
    topology.setPeriodicBoxVectors(None)
    system = app.ForceField(str(xml)).createSystem(
        topology,
        constraints=app.HBonds,
        hydrogenMass=3.0 * unit.amu,
        removeCMMotion=False,
        residueTemplates={residue: residue.name for residue in topology.residues()},
    )
    integrator = openmm.LangevinMiddleIntegrator(TEMPERATURE_K, 1.0, 0.001 * STEP_FS)
    integrator.setRandomNumberSeed(1)
    run = app.Simulation(topology, system, integrator, openmm.Platform.getPlatformByName("Reference"))
    run.context.setPositions(0.1 * x)
    run.minimizeEnergy()
    run.context.setVelocitiesToTemperature(TEMPERATURE_K, 1)
    free = 3 * len(x) - system.getNumConstraints()
    rest = np.array([np.linalg.norm(x[i] - x[j]) for i, j in bonds])
    worst, temperatures = 0.0, []
    for _ in range(round(1000 * ps / STEP_FS / 50)):
        run.step(50)
        state = run.context.getState(getPositions=True, getEnergy=True)
        y = 10 * state.getPositions(asNumpy=True)._value
        now = np.array([np.linalg.norm(y[i] - y[j]) for i, j in bonds])
        worst = max(worst, float(np.abs(now / rest - 1).max()))
        temperatures.append(2 * state.getKineticEnergy()._value / (free * 0.00831446))
    return worst, float(np.mean(temperatures))


def stays_whole(name: str, folder, shipped, basis: str, ps: float) -> dict:
    one = drawn(name, NEW[name], shipped)
    x, record = built(one, folder, basis)
    assert record["verdict"] == "ok", record["verdict"]
    assert sum(t["values"]["charge_e"] for t in record["parameters"] if t["term"] == "charge") == pytest.approx(
        one.charge, abs=1e-9
    )
    bonds = [tuple(t["atoms"]) for t in record["parameters"] if t["term"] == "bond"]
    worst, temperature = worst_stretch(one, folder / "ff.xml", x, bonds, ps)
    print(
        f"{name}: {len(x)} atoms, bonded terms {record['layers']['bonded']}, {ps:g} ps at {TEMPERATURE_K:g} K: bonds "
        f"stretched by {worst:.0%} at most, {temperature:.0f} K; {'; '.join(record['warnings']) or 'no warnings'}"
    )
    assert worst < STRETCH
    assert temperature == pytest.approx(TEMPERATURE_K, abs=6 * TEMPERATURE_K / np.sqrt(3 * len(x) * ps))
    return record


def test_a_sulfone_goes_from_smiles_to_dynamics(tmp_path, shipped):
    record = stays_whole("dimethyl-sulfone", tmp_path, shipped, "sto-3g", 10.0)
    assert record["layers"]["bonded"] == "automatic"
    x = np.array(
        [
            [float(v) for v in line.split()[1:]]
            for line in (tmp_path / "dimethyl-sulfone.xyz").read_text().splitlines()[2:]
        ]
    )
    _, system = in_vacuum(tmp_path / "ff.xml", "dimethyl-sulfone")
    assert system.getNumParticles() == 11
    assert 95 < np.degrees(bond_angle(x, (0, 1, 4))) < 115


@pytest.mark.slow
@pytest.mark.parametrize("name", NEW)
def test_new_species_stay_whole_at_400_k(tmp_path, shipped, name):
    stays_whole(name, tmp_path, shipped, "6-31g(d)", 100.0)
