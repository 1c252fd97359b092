"""Boxes: energies of a pair and of a crystal by hand, charges scaled exactly, and all that a box must refuse."""

from __future__ import annotations

import numpy as np
import openmm
import pytest
from forcefield_helpers import COULOMB_KJ_ANGSTROM, force_field, openmm_energies, species
from openmm import unit

from electroscreen.forcefield.ffxml import force_field_xml
from electroscreen.forcefield.system import build_system
from electroscreen.forcefield.terms import Term

ANION_SIGMA, ANION_EPSILON = 4.4, 0.4


@pytest.fixture(scope="module")
def xmls(tmp_path_factory):
    """XML files of Na, TFSI, DOL, and of a made-up spherical anion."""
    folder = tmp_path_factory.mktemp("ff")
    files = {name: force_field(folder, species(name))[0] for name in ("Na", "TFSI", "DOL")}
    ball = [
        Term("charge", (0,), {"charge_e": -1.0}, "override", "test"),
        Term("lj", (0,), {"sigma_angstrom": ANION_SIGMA, "epsilon_kj_per_mol": ANION_EPSILON}, "override", "test"),
    ]
    files["Ball"] = folder / "Ball.xml"
    files["Ball"].write_text(force_field_xml("Ball", ["Cl"], [35.45], ball))
    return files


def box(xmls, molecules, scale=0.8, edge=100.0, cutoff=10.0, hydrogen_mass=3.0):
    """The system under test, by keyword."""
    return build_system(
        molecules,
        xmls,
        charge_scale=scale,
        cutoff_angstrom=cutoff,
        hydrogen_mass_amu=hydrogen_mass,
        edge_angstrom=edge,
    )


def nonbonded(system) -> openmm.NonbondedForce:
    """The one nonbonded force."""
    (force,) = [f for f in system.getForces() if isinstance(f, openmm.NonbondedForce)]
    return force


def charges(system) -> np.ndarray:
    """Charges of all particles in e."""
    force = nonbonded(system)
    return np.array([force.getParticleParameters(i)[0]._value for i in range(force.getNumParticles())])


def exceptions(system) -> np.ndarray:
    """Rows (first, second, charge product, epsilon)."""
    force = nonbonded(system)
    rows = [force.getExceptionParameters(i) for i in range(force.getNumExceptions())]
    return np.array([[a, b, product._value, epsilon._value] for a, b, product, _, epsilon in rows])


@pytest.mark.parametrize("scale", [1.0, 0.8, 0.5])
def test_pair_energy_by_hand(xmls, scale):
    _, system = box(xmls, [("Na", 1), ("Ball", 1)], scale)
    nonbonded(system).setNonbondedMethod(openmm.NonbondedForce.NoCutoff)
    r = 3.7
    energy = openmm_energies(system, np.array([[0, 0, 0], [0, 0, r]]))["NonbondedForce"]
    na_sigma = 2 * 1.465 / 2 ** (1 / 6)
    sigma, epsilon = (na_sigma + ANION_SIGMA) / 2, np.sqrt(0.02909167 * 4.184 * ANION_EPSILON)
    by_hand = -(scale**2) * COULOMB_KJ_ANGSTROM / r + 4 * epsilon * ((sigma / r) ** 12 - (sigma / r) ** 6)
    assert energy == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("scale", [1.0, 0.8])
def test_rock_salt_has_its_madelung_energy(xmls, scale):
    cells, edge = 4, 5.64
    basis = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) * edge / 2
    corners = edge * np.array([[i, j, k] for i in range(cells) for j in range(cells) for k in range(cells)])
    cations = (corners[:, None] + basis[None]).reshape(-1, 3)
    x = np.concatenate([cations, cations + np.array([edge / 2, 0, 0])])
    count = len(cations)
    _, system = box(xmls, [("Na", count), ("Ball", count)], scale, edge=cells * edge)
    force = nonbonded(system)
    for i, charge in enumerate(charges(system)):
        force.setParticleParameters(i, charge, 0.1, 0.0)
    energy = openmm_energies(system, x)["NonbondedForce"]
    madelung = -1.747565 * scale**2 * COULOMB_KJ_ANGSTROM / (edge / 2)
    assert energy / count == pytest.approx(madelung, rel=5e-4)


def test_ions_are_scaled_and_solvents_are_not(xmls):
    molecules = [("Na", 2), ("DOL", 3), ("TFSI", 2)]
    (_, full), (_, scaled) = box(xmls, molecules, 1.0), box(xmls, molecules, 0.8)
    before, after = charges(full), charges(scaled)
    ions = np.array([True] * 2 + [False] * 33 + [True] * 30)
    np.testing.assert_allclose(after[ions], 0.8 * before[ions], atol=1e-9)
    np.testing.assert_allclose(after[~ions], before[~ions], atol=1e-9)
    assert abs(after.sum()) < 1e-9
    assert before[:2].tolist() == pytest.approx([1.0, 1.0], abs=1e-9)


def test_inner_interactions_scale_with_the_square(xmls):
    molecules = [("Na", 1), ("TFSI", 1), ("DOL", 1)]
    (_, full), (_, scaled) = box(xmls, molecules, 1.0), box(xmls, molecules, 0.8)
    before, after = exceptions(full), exceptions(scaled)
    anion = (before[:, 0] >= 1) & (before[:, 0] < 16)
    assert (before[anion, 2] != 0).sum() == 24, "TFSI has 24 pairs three bonds apart"
    np.testing.assert_allclose(after[anion, 2], 0.64 * before[anion, 2], rtol=1e-12)
    np.testing.assert_allclose(after[~anion], before[~anion], rtol=1e-12)
    np.testing.assert_array_equal(after[:, 3], before[:, 3])


def test_factors_three_bonds_apart(xmls):
    """5/6 and 1/2 of GAFF2 for DOL, 1/2 and 1/2 of CL&P for TFSI, in one box."""
    _, system = box(xmls, [("Na", 1), ("TFSI", 1), ("DOL", 1)], 1.0)
    q, force = charges(system), nonbonded(system)
    for i, j, product, epsilon in exceptions(system):
        if epsilon > 0:
            i, j = int(i), int(j)
            factor = 0.5 if i < 16 else 5 / 6
            assert product == pytest.approx(factor * q[i] * q[j], rel=1e-8)
            deep = [force.getParticleParameters(k)[2]._value for k in (i, j)]
            assert epsilon == pytest.approx(0.5 * np.sqrt(deep[0] * deep[1]), rel=1e-8)


def test_atoms_stand_molecule_by_molecule(xmls):
    topology, system = box(xmls, [("DOL", 2), ("Na", 1), ("Ball", 1)])
    symbols = [atom.element.symbol for atom in topology.atoms()]
    assert symbols == [*species("DOL").symbols * 2, "Na", "Cl"]
    assert [residue.name for residue in topology.residues()] == ["DOL", "DOL", "Na", "Ball"]
    bonds = {tuple(sorted((a.index, b.index))) for a, b in topology.bonds()}
    assert len(bonds) == 22
    first = {bond for bond in bonds if max(bond) < 11}
    assert {(i + 11, j + 11) for i, j in first} == bonds - first
    one = [charges(system)[:11], charges(system)[11:22]]
    np.testing.assert_array_equal(*one)
    np.testing.assert_allclose(
        one[0], [0.176717] * 2 + [-0.445676, 0.420408, -0.445676] + [0.023713] * 4 + [0.011329] * 2
    )
    assert topology.getPeriodicBoxVectors()[2][2].value_in_unit(unit.angstrom) == pytest.approx(100.0)


def test_box_is_made_as_stated(xmls):
    _, system = box(xmls, [("DOL", 4)], edge=30.0, cutoff=11.0)
    force = nonbonded(system)
    assert force.getNonbondedMethod() == openmm.NonbondedForce.PME
    assert force.getCutoffDistance()._value == pytest.approx(1.1)
    assert force.getUseDispersionCorrection()
    assert not force.getUseSwitchingFunction()
    assert force.getEwaldErrorTolerance() == 5e-4
    assert any(isinstance(f, openmm.CMMotionRemover) for f in system.getForces())
    assert system.getDefaultPeriodicBoxVectors()[0][0]._value == pytest.approx(3.0)


def test_hydrogens_are_heavier_and_bound_at_fixed_length_but_the_molecule_weighs_the_same(xmls):
    _, system = box(xmls, [("DOL", 1)], hydrogen_mass=3.0)
    masses = np.array([system.getParticleMass(i)._value for i in range(11)])
    np.testing.assert_allclose(masses[5:], 3.0)
    assert masses.sum() == pytest.approx(species("DOL").molar_mass_g_per_mol, abs=1e-3)
    assert system.getNumConstraints() == 6
    _, _, length = system.getConstraintParameters(0)
    assert length._value == pytest.approx(0.1096, abs=0.0003)


def test_box_must_be_neutral(xmls):
    with pytest.raises(ValueError, match=r"carries -0\.8000 e"):
        box(xmls, [("Na", 1), ("TFSI", 2)])


def test_rounding_residue_is_spread(xmls, tmp_path):
    text = xmls["Na"].read_text().replace('charge="1.0"', 'charge="1.00005"')
    (tmp_path / "Na.xml").write_text(text)
    _, system = box(xmls | {"Na": tmp_path / "Na.xml"}, [("Na", 1), ("TFSI", 1)])
    assert abs(charges(system).sum()) < 1e-12
    assert charges(system)[0] == pytest.approx(0.8, abs=1e-4)


def test_box_must_hold_twice_the_cutoff(xmls):
    with pytest.raises(ValueError, match="does not fit twice"):
        box(xmls, [("DOL", 1)], edge=19.0, cutoff=10.0)


def test_species_without_force_field_is_refused(xmls, tmp_path):
    empty, _ = force_field(tmp_path, species("water"), np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]), [0.0] * 3)
    with pytest.raises(ValueError, match="holds no force field of water"):
        box(xmls | {"water": empty}, [("water", 1)])


def test_bond_without_a_term_is_refused(xmls, tmp_path):
    lines = xmls["DOL"].read_text().splitlines()
    gone = next(i for i, line in enumerate(lines) if '<Bond type1="DOL:C1" type2="DOL:C2"' in line)
    (tmp_path / "DOL.xml").write_text("\n".join(lines[:gone] + lines[gone + 1 :]))
    with pytest.raises(ValueError, match="DOL: the bond C1-C2 has no force-field term"):
        box(xmls | {"DOL": tmp_path / "DOL.xml"}, [("DOL", 1)])
