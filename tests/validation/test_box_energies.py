"""Energy and forces of a whole box, ions scaled, as the package writes it: OpenMM's PME against LAMMPS' Ewald sum."""

from __future__ import annotations

import lammps_engine
import numpy as np
import openmm
import pytest
from forcefield_helpers import context, force_field, positions, species

from electroscreen.boxes.packing import Part, pack
from electroscreen.forcefield.system import build_system

pytestmark = pytest.mark.usefixtures("engine")

COUNTS = {"Na": 2, "BF4": 2, "DOL": 12, "FEC": 4}
EDGE_ANGSTROM, CUTOFF_ANGSTROM, SCALE, TIGHT = 14.5, 6.5, 0.8, 1e-7
RELATIVE = 1e-5


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """XML files, the box's system, and positions in Å after a few steps downhill."""
    folder = tmp_path_factory.mktemp("box")
    xmls = {name: force_field(folder, species(name))[0] for name in COUNTS}
    _, system = build_system(list(COUNTS.items()), xmls, SCALE, CUTOFF_ANGSTROM, 1.008, EDGE_ANGSTROM, TIGHT)
    parts = [Part(name, species(name).symbols, positions(name), count) for name, count in COUNTS.items()]
    run = context(system)
    run.setPositions(0.1 * pack(parts, EDGE_ANGSTROM, 1))
    openmm.LocalEnergyMinimizer.minimize(run, 100.0, 10)
    return xmls, system, 10 * run.getState(getPositions=True).getPositions(asNumpy=True)._value


def by_openmm(system, x: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    """Energies of every force in kJ/mol, what the correction for the tail adds, and forces in kJ/mol/Å."""
    (nonbonded,) = [force for force in system.getForces() if isinstance(force, openmm.NonbondedForce)]
    energies = {}
    for beyond in (True, False):
        nonbonded.setUseDispersionCorrection(beyond)
        for group, force in enumerate(system.getForces()):
            force.setForceGroup(group)
        run = context(system)
        run.setPositions(0.1 * x)
        for group, force in enumerate(system.getForces()):
            state = run.getState(getEnergy=True, groups={group})
            energies[type(force).__name__, beyond] = state.getPotentialEnergy()._value
        forces = 0.1 * run.getState(getForces=True).getForces(asNumpy=True)._value
    tail = energies["NonbondedForce", True] - energies["NonbondedForce", False]
    return {name: value for (name, beyond), value in energies.items() if not beyond} | {"tail": tail}, forces


def molecules_of(xmls) -> list[dict]:
    """As LAMMPS is to see them: ions with scaled charges, and no stiffness for the bonds that are held rigid."""
    found = []
    for name, count in COUNTS.items():
        one = lammps_engine.read_xml(xmls[name])
        factor = SCALE if species(name).charge else 1.0
        one["atoms"] = [(factor * charge, *rest) for charge, *rest in one["atoms"]]
        light = {i for i, symbol in enumerate(species(name).symbols) if symbol == "H"}
        one["bonds"] = [(p, 0.0 if light & set(p) else k, r) for p, k, r in one["bonds"]]
        found += [one] * count
    return found


def test_a_box_by_lammps(written):
    xmls, system, x = written
    ours, forces = by_openmm(system, x)
    theirs, their_forces = lammps_engine.evaluate_box(
        molecules_of(xmls), x, EDGE_ANGSTROM, CUTOFF_ANGSTROM, {"coulomb": 1 / 1.2, "lj": 0.5}
    )
    nonbonded = theirs["lj"] - theirs["tail"] + theirs["coulomb"] + theirs["long"]
    assert abs(theirs["coulomb"] + theirs["long"]) > 1000 * RELATIVE * abs(nonbonded), "charges matter here"
    pairs = {
        "HarmonicBondForce": theirs["bond"],
        "HarmonicAngleForce": theirs["angle"],
        "PeriodicTorsionForce": theirs["torsion"],
        "NonbondedForce": nonbonded,
    }
    for name, value in pairs.items():
        print(f"{name}: {ours[name]:.6f} and {value:.6f} kJ/mol, apart by {ours[name] / value - 1:.1e}")
        assert ours[name] == pytest.approx(value, rel=RELATIVE), name
    apart = np.abs(forces - their_forces).max() / np.abs(their_forces).max()
    print(f"forces apart by {apart:.1e} of the largest; tail {ours['tail']:.3f} and {theirs['tail']:.3f} kJ/mol")
    assert apart < RELATIVE
    # OpenMM counts each atom with itself, LAMMPS does not: 1/N of a mean over types.
    assert ours["tail"] == pytest.approx(theirs["tail"], rel=0.01)
