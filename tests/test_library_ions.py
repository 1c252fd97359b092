"""Ions of the library: published terms, charges that add up, distances that Li and Merz give."""

from __future__ import annotations

import numpy as np
import pytest
from forcefield_helpers import (
    GFN2_XYZ,
    bond_angle,
    dihedral,
    embedded,
    force_field,
    in_vacuum,
    minimised,
    positions,
    refusal,
    series,
    shaken,
    species,
)

from electroscreen.forcefield import graph
from electroscreen.forcefield.published import published
from electroscreen.inputs import InputError


def test_tfsi_torsion_equals_the_opls_formula(tmp_path):
    _, record = force_field(tmp_path, species("TFSI"))
    v1, v2, v3 = 32.7730, -10.4200, -3.1950
    torsion = next(t for t in record["parameters"] if t["term"] == "torsion" and t["atoms"] == [1, 3, 4, 7])
    for phi in np.radians(np.linspace(-170, 180, 10)):
        opls = v1 / 2 * (1 + np.cos(phi)) + v2 / 2 * (1 - np.cos(2 * phi)) + v3 / 2 * (1 + np.cos(3 * phi))
        ours = sum(k * (1 + np.cos(n * phi - np.radians(phase))) for n, phase, k in series(torsion))
        assert ours == pytest.approx(opls, abs=1e-10)
    assert {t["layer"] for t in record["parameters"] if t["term"] != "charge"} == {"library"}
    assert record["scaling_14"] == {"coulomb": 0.5, "lj": 0.5}


def test_tfsi_prefers_trans_to_cis_by_a_few_kj_per_mol(tmp_path):
    """Trans has both S-N-S-C near 90°; DF-MP2/6-31+G* puts cis 2.0 and HF 3.4 kJ/mol higher at these minima.

    With AMBER's 1-4 factor instead of CL&P's the ion folds up: the order turns round, by 8 kJ/mol.
    """
    xml, _ = force_field(tmp_path, species("TFSI"))
    _, system = in_vacuum(xml, "TFSI")
    minima = [minimised(system, embedded(species("TFSI").smiles, seed)) for seed in range(1, 9)]
    minima.append(minimised(system, positions("TFSI")))
    folded = {}
    for x, energy in minima:
        across = abs(np.degrees(dihedral(x, (11, 1, 4, 7))))
        kind = "trans" if across > 120 else "cis"
        folded[kind] = min(energy, folded.get(kind, np.inf))
        if kind == "trans":
            turns = [abs(np.degrees(dihedral(x, atoms))) for atoms in ((1, 3, 4, 7), (4, 3, 1, 11))]
            assert turns == pytest.approx([90, 90], abs=10)
            assert np.degrees(bond_angle(x, (1, 3, 4))) == pytest.approx(126, abs=4)
    assert 1.0 < folded["cis"] - folded["trans"] < 7.0


@pytest.mark.parametrize(
    "smiles",
    [
        "C(F)(F)(F)S(=O)(=O)[N-]S(=O)(=O)C(F)(F)F",
        "FC(F)(F)S([O-])(=O)=NS(=O)(=O)C(F)(F)F",
    ],
)
def test_library_knows_an_ion_however_it_is_drawn(tmp_path, smiles):
    one = species("Anything", smiles)
    x = embedded(smiles)
    _, record = force_field(tmp_path, one, x, [-1 / 15] * 15)
    assert record["layers"]["bonded"] == "library"
    lengths = {
        frozenset(one.symbols[i] for i in t["atoms"]): t["values"]["length_angstrom"]
        for t in record["parameters"]
        if t["term"] == "bond"
    }
    assert lengths == {
        frozenset("NS"): 1.570,
        frozenset("SO"): 1.437,
        frozenset("SC"): 1.818,
        frozenset("CF"): 1.323,
    }


@pytest.mark.parametrize(
    ("smiles", "rmin_half", "epsilon_kcal"),
    [("[Na+]", 1.465, 0.02909167), ("[Li+]", 1.315, 0.00594975), ("[Zn+2]", 1.395, 0.014917)],
)
def test_ions_have_the_li_merz_distances(tmp_path, smiles, rmin_half, epsilon_kcal):
    one = species("Ion", smiles)
    xml, record = force_field(tmp_path, one, np.zeros((1, 3)), [float(one.charge)])
    _, system = in_vacuum(xml, "Ion")
    (force,) = [f for f in system.getForces() if f.getName() == "NonbondedForce"]
    charge, sigma, epsilon = (value._value for value in force.getParticleParameters(0))
    assert charge == one.charge
    assert sigma == pytest.approx(0.2 * rmin_half / 2 ** (1 / 6), rel=1e-9)
    assert epsilon == pytest.approx(4.184 * epsilon_kcal, rel=1e-9)
    assert "doi" in record["parameters"][1]["source"]


# By set: σ in Å and ε in kJ/mol, as openmmforcefields and OpenMM print them.
OTHER_SETS = {
    ("li-merz-hfe", "[Na+]"): (2.62815, 0.13269531),
    ("li-merz-hfe", "[Zn+2]"): (2.09361, 0.00299399),
    ("li-merz-hfe", "[Sn+2]"): (2.74931, 0.22628972),
    ("li-merz-cm", "[Zn+2]"): (2.26466, 0.01381917),
    ("li-merz-cm", "[Ca+2]"): (2.93818, 0.44320568),
    ("li-merz-iod", "[Mg+2]"): (2.48561, 0.06241273),
    ("li-merz-iod", "[Ca+2]"): (2.86513, 0.34886029),
    ("li-merz-iod", "[K+]"): (3.10924, 0.71203622),
    ("joung-cheatham", "[Li+]"): (1.82634, 0.11710849),
    ("joung-cheatham", "[Na+]"): (2.43928, 0.36584603),
    ("aqvist", "[Na+]"): (3.3284, 0.01158968),
}


@pytest.mark.parametrize(("ion_set", "smiles"), OTHER_SETS)
def test_sets_of_ions_are_chosen_by_name(tmp_path, ion_set, smiles):
    one = species("Ion", smiles)
    _, record = force_field(tmp_path, one, np.zeros((1, 3)), [float(one.charge)], ion_set=ion_set)
    (size,) = [t["values"] for t in record["parameters"] if t["term"] == "lj"]
    sigma, epsilon = OTHER_SETS[ion_set, smiles]
    assert size["sigma_angstrom"] == pytest.approx(sigma, abs=1e-5)
    assert size["epsilon_kj_per_mol"] == pytest.approx(epsilon, abs=1e-8)


def test_a_set_without_an_ion_refuses_it(tmp_path):
    _, record = force_field(tmp_path, species("Ion", "[Na+]"), np.zeros((1, 3)), [1.0], ion_set="li-merz-cm")
    assert "no ion Na of charge +1" in record["verdict"]


OCTAHEDRON = 1.62 * np.array([[1.0, 0, 0], [0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])

# Anion: bonds, angles and torsions of each kind, and lengths in Å, by CL&P.
ANIONS = {
    "F[B-](F)(F)F": (4, 6, 0, {"BF": 1.394}),
    "F[P-](F)(F)(F)(F)F": (6, 12, 0, {"FP": 1.606}),
    "C(F)(F)(F)S(=O)(=O)[O-]": (7, 12, 9, {"CF": 1.323, "CS": 1.818, "OS": 1.437}),
    "FS(=O)(=O)[N-]S(=O)(=O)F": (8, 13, 6, {"FS": 1.575, "OS": 1.437, "NS": 1.570}),
}


@pytest.mark.parametrize("smiles", ANIONS)
def test_anions_have_published_terms_and_charges_that_add_up(tmp_path, smiles):
    bonds, angles, torsions, lengths = ANIONS[smiles]
    one, x = species("Anion", smiles), OCTAHEDRON if "P-" in smiles else embedded(smiles)
    resp = [-1 / len(x)] * len(x)
    _, record = force_field(tmp_path, one, x, resp)
    assert record["verdict"] == "ok"
    kinds = [t["term"] for t in record["parameters"]]
    assert [kinds.count(kind) for kind in ("bond", "angle", "torsion")] == [bonds, angles, torsions]
    found = {
        "".join(sorted(one.symbols[i] for i in t["atoms"])): t["values"]["length_angstrom"]
        for t in record["parameters"]
        if t["term"] == "bond"
    }
    assert found == lengths
    assert all("doi 10." in t["source"] for t in record["parameters"] if t["term"] != "charge")
    assert [t["values"]["charge_e"] for t in record["parameters"] if t["term"] == "charge"] == resp
    _, record = force_field(tmp_path, one, x, resp, library_charges="published")
    published = [t for t in record["parameters"] if t["term"] == "charge"]
    assert {t["layer"] for t in published} == {"library"}
    assert sum(t["values"]["charge_e"] for t in published) == pytest.approx(-1, abs=1e-9)


def test_hexafluorophosphate_stays_an_octahedron(tmp_path):
    one, x = species("PF6", "F[P-](F)(F)(F)(F)F"), shaken(OCTAHEDRON)
    xml, _ = force_field(tmp_path, one, x, [-0.258, 0.548, *[-0.258] * 5])
    relaxed, _ = minimised(in_vacuum(xml, "PF6")[1], x)
    spokes = np.delete(relaxed, 1, axis=0) - relaxed[1]
    spokes /= np.linalg.norm(spokes, axis=1)[:, None]
    cosines = sorted(abs((spokes @ spokes.T)[np.triu_indices(6, 1)]))
    assert cosines == pytest.approx([0] * 12 + [1] * 3, abs=0.01)


def test_opposite_atoms_are_told_from_the_geometry_so_a_crooked_one_is_refused():
    """RDKit embeds no octahedron."""
    one, x = species("PF6", "F[P-](F)(F)(F)(F)F"), embedded("F[P-](F)(F)(F)(F)F")
    assert "angle F-P-F: far from 90° in the geometry" in published(one, graph.skeleton(one, x), x).refusal


def test_sodium_as_tabulated_elsewhere(tmp_path):
    _, record = force_field(tmp_path, species("Na"))
    (size,) = [t["values"] for t in record["parameters"] if t["term"] == "lj"]
    assert size["sigma_angstrom"] == pytest.approx(2.61033, abs=1e-5)
    assert size["epsilon_kj_per_mol"] == pytest.approx(0.12171955, abs=1e-8)


def test_tin_is_used_with_a_warning(tmp_path):
    _, record = force_field(tmp_path, species("Sn", "[Sn+2]"), np.zeros((1, 3)), [2.0])
    assert record["verdict"] == "ok"
    assert "lone pair" in record["warnings"][0]


def test_ions_outside_the_library_are_refused(tmp_path):
    assert "no ion Zn of charge +0" in refusal(tmp_path, "[Zn]", np.zeros((1, 3)))
    assert "no ion Cs of charge +1" in refusal(tmp_path, "[Cs+]", np.zeros((1, 3)))
    assert "no ion Cl of charge -1" in refusal(tmp_path, "[Cl-]", np.zeros((1, 3)))


def test_unknown_ion_set_is_the_users_fault(tmp_path):
    with pytest.raises(InputError, match="did you mean 'li-merz-iod'"):
        force_field(tmp_path, species("Na"), ion_set="li-merz-idd")


def test_library_knows_an_ion_given_by_coordinates(tmp_path):
    anion = species("TFSI").model_copy(update={"smiles": None, "xyz": GFN2_XYZ["TFSI"]})
    _, record = force_field(tmp_path, anion)
    assert record["verdict"] == "ok"
    assert record["layers"]["bonded"] == "library"
