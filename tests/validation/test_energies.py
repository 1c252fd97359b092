"""Energies and forces of molecules and dimers, from the written XML: OpenMM against LAMMPS, to 1e-5."""

from __future__ import annotations

from pathlib import Path

import lammps_engine
import numpy as np
import pytest
from forcefield_helpers import RESP_E, context, force_field, openmm_energies, positions, shaken, species

from electroscreen.forcefield.system import _template, _topology
from electroscreen.species import parse_xyz, read_species

pytestmark = pytest.mark.usefixtures("engine")

RELATIVE = 1e-5
SHIPPED = Path(__file__).parents[2] / "molecules" / "species"
DFOB_E = [-0.353, 0.574, -0.353, -0.479, 0.664, -0.619, 0.664, -0.619, -0.479]


def one_of(name: str):
    """A species, a geometry that is no minimum, and charges."""
    if name in ("DFOB", "o-carborane"):
        one = read_species(SHIPPED / f"{name}.yaml")
        x = np.array([position for _, position in parse_xyz(one.start.xyz)])
        charges = DFOB_E if name == "DFOB" else [-0.05, -0.05, *[0.0] * 10, 0.19, 0.19, *[-0.028] * 10]
        return one, x, charges
    return species(name), positions(name), RESP_E[name]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """XML, record and shaken geometry of a species, made once."""
    folder, done = tmp_path_factory.mktemp("written"), {}

    def build(name: str):
        if name not in done:
            one, x, charges = one_of(name)
            xml, record = force_field(folder, one, x, charges)
            assert record["verdict"] == "ok"
            done[name] = xml, record, shaken(x)
        return done[name]

    return build


def by_openmm(xmls: dict[str, Path], x: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    """Energies of every force and the forces, kJ/mol and kJ/mol/Å, of one molecule of each species."""
    from openmm import app

    topology = _topology([(name, 1) for name in xmls], {n: _template(n, p) for n, p in xmls.items()}, 1000.0)
    topology.setPeriodicBoxVectors(None)
    field = app.ForceField(*(str(path) for path in xmls.values()))
    templates = {residue: residue.name for residue in topology.residues()}
    system = field.createSystem(
        topology, nonbondedMethod=app.NoCutoff, removeCMMotion=False, residueTemplates=templates
    )
    energies = openmm_energies(system, x)
    run = context(system)
    run.setPositions(0.1 * x)
    return energies, 0.1 * run.getState(getForces=True).getForces(asNumpy=True)._value


def assert_same(ours: tuple[dict[str, float], np.ndarray], theirs: tuple[dict[str, float], np.ndarray]) -> None:
    """Energy by energy, and every force against the largest one."""
    (mine, forces), (other, other_forces) = ours, theirs
    largest = max(abs(value) for value in other.values())
    pairs = {
        "HarmonicBondForce": other["bond"],
        "HarmonicAngleForce": other["angle"],
        "PeriodicTorsionForce": other["torsion"],
        "NonbondedForce": other["lj"] + other["coulomb"],
    }
    for name, value in pairs.items():
        assert mine.get(name, 0.0) == pytest.approx(value, rel=RELATIVE, abs=1e-3 * RELATIVE * largest), name
    assert np.abs(forces - other_forces).max() < RELATIVE * np.abs(other_forces).max()


@pytest.mark.parametrize(
    "name", ["DOL", "FEC", "DME", "TFSI", "BF4", "DFOB", pytest.param("o-carborane", marks=pytest.mark.slow)]
)
def test_a_molecule_by_lammps(built, name):
    xml, record, x = built(name)
    cage = bool(record["excluded_pairs"])
    theirs = lammps_engine.evaluate(lammps_engine.read_xml(xml), x, record["scaling_14"], cage)
    assert_same(by_openmm({name: xml}, x), theirs)


@pytest.mark.parametrize(
    ("first", "second"),
    [("DOL", "FEC"), ("TFSI", "DOL"), ("Na", "TFSI"), ("DFOB", "Na"), ("BF4", "DME")],
)
def test_a_dimer_by_lammps(built, first, second):
    """LAMMPS has one factor for atoms three bonds apart: each molecule with its own, and what is between them."""
    (xml, record, x), (other_xml, other_record, y) = built(first), built(second)
    y = y - y.mean(axis=0) + x.mean(axis=0) + [4.5, 1.0, 0.5]
    molecules = lammps_engine.read_xml(xml), lammps_engine.read_xml(other_xml)
    both = lammps_engine.evaluate(lammps_engine.side_by_side(*molecules), np.concatenate([x, y]), record["scaling_14"])
    energies, forces = dict(both[0]), both[1].copy()
    blocks = slice(0, len(x)), slice(len(x), None)
    for molecule, own, place, block in zip(molecules, (record, other_record), (x, y), blocks, strict=True):
        wrong = lammps_engine.evaluate(molecule, place, record["scaling_14"])
        right = lammps_engine.evaluate(molecule, place, own["scaling_14"], bool(own["excluded_pairs"]))
        energies = {kind: energies[kind] - wrong[0][kind] + right[0][kind] for kind in energies}
        forces[block] += right[1] - wrong[1]
    assert_same(by_openmm({first: xml, second: other_xml}, np.concatenate([x, y])), (energies, forces))
