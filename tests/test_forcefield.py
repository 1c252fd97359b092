"""Force fields of single species: against ParmEd and sums written out in numpy, and refusals with their reasons."""

from __future__ import annotations

import importlib.util
import platform
from pathlib import Path

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
    numpy_energies,
    openmm_energies,
    positions,
    shaken,
    species,
    write_charges,
    write_geometry,
)

from electroscreen.forcefield import amber, graph, typing
from electroscreen.forcefield.assemble import write_forcefield
from electroscreen.forcefield.published import published
from electroscreen.inputs import InputError
from electroscreen.species import Species, parse_xyz, read_species

# Energies of the shaken geometries with the charges of the helpers, by ParmEd 4.3.1: antechamber's types,
# gaff2.dat and parmchk2's frcmod (without -a) read by parmed.amber.AmberParameterSet, written by
# parmed.openmm.OpenMMParameterSet, run by OpenMM 8.6 without cutoff; impropers left out.
PARMED_KJ_PER_MOL = {
    "DOL": {"bond": 54.431723, "angle": 21.321233, "torsion": 42.340855, "nonbonded": 4.210636},
    "FEC": {"bond": 74.229953, "angle": 40.544676, "torsion": 53.648757, "nonbonded": -107.303902},
    "DME": {"bond": 87.004127, "angle": 38.280252, "torsion": 19.897867, "nonbonded": 46.123131},
}


def refusal(folder, smiles: str, x: np.ndarray | None = None) -> str:
    """The verdict on a species; its charges do not matter."""
    one = species("X", smiles)
    x = embedded(smiles) if x is None else x
    xml, record = force_field(folder, one, x, [0.0] * len(x))
    assert xml.read_text().count("<") == 3, "the XML file must hold nothing but a comment"
    return record["verdict"]


def gaff2_refusal(smiles: str) -> str:
    """What GAFF2 lacks for a molecule."""
    one, x = species("X", smiles), embedded(smiles)
    return typing.gaff2(one, x, graph.skeleton(one, x)).refusal


def series(term: dict) -> list[tuple]:
    """Periodic terms of a torsion of forcefield.json."""
    v = term["values"]
    return list(zip(v["periodicity"], v["phase_degree"], v["k_kj_per_mol"], strict=True))


@pytest.mark.parametrize("name", ["DOL", "FEC", "DME"])
def test_energies_equal_parmeds(tmp_path, name):
    _, record = force_field(tmp_path, species(name))
    assert record["verdict"] == "ok"
    x = shaken(positions(name))
    ours = numpy_energies(record, x)
    for kind, energy in PARMED_KJ_PER_MOL[name].items():
        assert ours[kind] == pytest.approx(energy, abs=1e-3), kind


@pytest.mark.parametrize("name", ["DOL", "FEC", "DME", "TFSI"])
def test_openmm_builds_exactly_the_terms_of_the_record(tmp_path, name):
    """Improper atom order, torsion series and 1-4 factors all count here."""
    xml, record = force_field(tmp_path, species(name))
    _, system = in_vacuum(xml, name)
    x = shaken(positions(name))
    built, written = openmm_energies(system, x), numpy_energies(record, x)
    assert built["HarmonicBondForce"] == pytest.approx(written["bond"], abs=1e-4)
    assert built["HarmonicAngleForce"] == pytest.approx(written["angle"], abs=1e-4)
    assert built["PeriodicTorsionForce"] == pytest.approx(written["torsion"] + written["improper"], abs=1e-4)
    assert built["NonbondedForce"] == pytest.approx(written["nonbonded"], abs=1e-4)
    if name == "FEC":
        assert written["improper"] > 0.01, "the improper must be felt"


@pytest.mark.parametrize("name", ["DOL", "FEC", "DME", "TFSI"])
def test_minimised_molecule_keeps_the_bonds_of_gfn2(tmp_path, name):
    xml, _ = force_field(tmp_path, species(name))
    topology, system = in_vacuum(xml, name)
    before = positions(name)
    after, _ = minimised(system, shaken(before))
    for first, second in topology.bonds():
        i, j = first.index, second.index
        expected = np.linalg.norm(before[i] - before[j])
        if {first.element.symbol, second.element.symbol} == {"C", "S"}:
            expected = 1.83  # GFN2-xTB makes it 1.90 Å, CL&P and ab initio 1.82 to 1.85 Å
        assert np.linalg.norm(after[i] - after[j]) == pytest.approx(expected, abs=0.05), (first.name, second.name)


def test_every_parameter_has_its_source(tmp_path):
    _, record = force_field(tmp_path, species("FEC"))
    kinds = [term["term"] for term in record["parameters"]]
    assert {kind: kinds.count(kind) for kind in ("charge", "lj", "bond", "angle", "improper")} == {
        "charge": 10,
        "lj": 10,
        "bond": 10,
        "angle": 17,
        "improper": 1,
    }
    assert all(term["source"] and term["layer"] == "automatic" for term in record["parameters"])
    assert record["charge_e"] == pytest.approx(0.0, abs=1e-9)
    assert sum(record["masses_amu"]) == pytest.approx(106.05, abs=0.02)
    bond = next(t for t in record["parameters"] if t["term"] == "bond" and sorted(t["atoms"]) == [0, 1])
    # GAFF 2.2.20: c-o 590.60 kcal/mol/Å² without the half, 1.2190 Å.
    assert bond["values"]["k_kj_per_mol_angstrom2"] == pytest.approx(2 * 590.60 * 4.184, rel=1e-4)
    assert bond["values"]["length_angstrom"] == pytest.approx(1.219, abs=6e-4)


@pytest.mark.parametrize("smiles", ["O=C1OCC(F)O1", "C1(F)COC(=O)O1", "FC1COC(=O)O1", "O1CC(F)OC1=O"])
def test_carbonate_stays_flat_however_it_is_drawn(tmp_path, smiles):
    """parmchk2 by itself gives 1.1 or 10.5 kcal/mol for this atom, as its atoms happen to be ordered."""
    one = species("X", smiles)
    _, record = force_field(tmp_path, one, embedded(smiles), [0.0] * 10)
    (improper,) = [t for t in record["parameters"] if t["term"] == "improper"]
    carbonyl = next(i for i, s in enumerate(one.symbols) if s == "C" and i == improper["atoms"][2])
    assert series(improper) == [(2, 180.0, pytest.approx(10.5 * 4.184))]
    double = improper["atoms"][3]
    bonded = {tuple(sorted(t["atoms"])): t for t in record["parameters"] if t["term"] == "bond"}
    assert bonded[tuple(sorted((carbonyl, double)))]["values"]["length_angstrom"] < 1.25


def test_frcmod_series_divisors_penalties_and_blanks():
    table = amber.read_frcmod(
        "Remark line goes here\nMASS\nc5 12.010        0.360\n\n"
        "BOND\nc5-os  275.61   1.435\nha-ha    0.00   0.000       ATTN, need revision\n\n"
        "ANGLE\nsy-ne-f   135.349     104.295   Calculated using ne-s6- f, penalty score= 18.0\n\n"
        "DIHE\nos-c5-c5-os   1    0.700       180.000          -3.000      same as os-c3-c5-os\n"
        "os-c5-c5-os   1    0.300         0.000          -2.000      same as os-c3-c5-os\n"
        "os-c5-c5-os   1    0.610       180.000           1.000      same as os-c3-c5-os, penalty score=  0.0\n"
        "h1-c5-c5-h1   9    1.400         0.000           3.000      same as X -c3-c3-X , penalty score=  0.0\n\n"
        "IMPROPER\nc3-n -c -o         10.5          180.0         2.0          Using general improper torsional angle"
        "  X- X- c- o, penalty score=  6.0)\n\n"
        "NONBON\n  c5          1.9069  0.1078\n\n\n"
    )
    assert table.bonds["c5", "os"].rows == ((275.61, 1.435),)
    assert table.bonds["ha", "ha"].needs_revision
    assert not table.bonds["c5", "os"].needs_revision
    assert table.angles["sy", "ne", "f"].penalty == 18.0
    three = table.torsions["os", "c5", "c5", "os"]
    assert three.rows == ((1, 0.7, 180, -3), (1, 0.3, 0, -2), (1, 0.61, 180, 1))
    assert table.torsions["h1", "c5", "c5", "h1"].rows == ((9, 1.4, 0, 3),)
    assert table.impropers["c3", "n", "c", "o"].rows == ((10.5, 180, 2),)
    assert table.impropers["c3", "n", "c", "o"].penalty == 6.0
    assert table.lj[("c5",)].rows == ((1.9069, 0.1078),)


def test_torsion_series_and_divisor_reach_the_record(tmp_path):
    _, record = force_field(tmp_path, species("DOL"))
    torsions = {tuple(t["atoms"]): series(t) for t in record["parameters"] if t["term"] == "torsion"}
    kcal = 4.184
    assert sorted(torsions[4, 0, 1, 2]) == [(1, 180, 0.61 * kcal), (2, 0, 0.3 * kcal), (3, 180, 0.7 * kcal)]
    assert torsions[5, 0, 1, 7] == [(3, 0, pytest.approx(1.4 / 9 * kcal))]


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


def test_gaff2_refuses_boron_atom_by_atom():
    assert gaff2_refusal("F[B-](F)(F)F") == "B2: GAFF2 has no B"
    assert gaff2_refusal("O=C1O[B-](F)(F)OC1=O") == "B4: GAFF2 has no B"


def test_what_gaff2_lacks_is_derived_from_the_hessian(tmp_path):
    """The DFT geometry is no minimum of GFN2-xTB, but near enough for its Hessian."""
    one = read_species(Path(__file__).parent.parent / "molecules" / "species" / "DFOB.yaml")
    x = np.array([position for _, position in parse_xyz(one.start.xyz)])
    charges = [-0.353, 0.574, -0.353, -0.479, 0.664, -0.619, 0.664, -0.619, -0.479]
    _, record = force_field(tmp_path, one, x, charges)
    assert record["verdict"] == "ok"
    assert record["layers"]["bonded"] == "derived"
    assert record["quality"]["level"] == "GFN2-xTB"
    assert "GFN2-xTB Hessian" in next(t["source"] for t in record["parameters"] if t["term"] == "bond")


def test_water_stays_refused(tmp_path):
    """Terms from a Hessian would make a molecule, but no liquid."""
    assert "GAFF2 is no water model" in refusal(tmp_path, "O")


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("[O-]Cl(=O)(=O)=O", "angle o-cl-o: no GAFF2 parameter"),
        ("[H][H]", "bond ha-ha: no GAFF2 parameter"),
        ("O=S(=O)(F)[N-]S(=O)(=O)F", "in places that are the same by symmetry"),
        ("N#C[N-]C#N", "in places that are the same by symmetry"),
    ],
)
def test_missing_terms_are_named(smiles, reason):
    verdict = gaff2_refusal(smiles)
    assert reason in verdict


def test_two_molecules_in_one_species_are_refused(tmp_path):
    pair = np.concatenate([positions("DOL"), positions("DOL") + 8.0])
    heavy_first = [*range(5), *range(11, 16), *range(5, 11), *range(16, 22)]
    assert "several molecules" in refusal(tmp_path, "C1COCO1.C1COCO1", pair[heavy_first])


def test_radical_and_coordinates_alone_are_refused(tmp_path):
    radical = Species(name="X", title="ethyl", role="solvent", multiplicity=2, smiles="C[CH2]")
    _, record = force_field(tmp_path, radical, embedded("C[CH2]"), [0.0] * 7)
    assert "open shells" in record["verdict"]
    drawn = species("X", "COC")
    lines = "\n".join(f"{s} {a} {b} {c}" for s, (a, b, c) in zip(drawn.symbols, embedded("COC"), strict=True))
    by_xyz = drawn.model_copy(update={"smiles": None, "xyz": lines})
    _, record = force_field(tmp_path, by_xyz, embedded("COC"), [0.0] * 9)
    assert "give a SMILES" in record["verdict"]


def test_library_knows_an_ion_given_by_coordinates(tmp_path):
    anion = species("TFSI").model_copy(update={"smiles": None, "xyz": GFN2_XYZ["TFSI"]})
    _, record = force_field(tmp_path, anion)
    assert record["verdict"] == "ok"
    assert record["layers"]["bonded"] == "library"


def test_bad_charges_give_no_force_field(tmp_path):
    one = species("DOL")
    charges = write_charges(tmp_path, one, [], verdict="not converged: SCF")
    geometry = write_geometry(tmp_path, one, positions("DOL"))
    write_forcefield(one, charges, geometry, {}, tmp_path / "ff.xml", tmp_path / "ff.json")
    assert "no force field: charges: not converged: SCF" in (tmp_path / "ff.json").read_text()
    with pytest.raises(ValueError, match="charges of DOL, not of FEC"):
        write_forcefield(species("FEC"), charges, geometry, {}, tmp_path / "ff.xml", tmp_path / "ff.json")


def test_borrowed_terms_are_told(tmp_path):
    _, record = force_field(tmp_path, species("VC", "O=C1OC=CO1"), embedded("O=C1OC=CO1"), [0.0] * 8)
    assert record["verdict"] == "ok"
    borrowed = [w for w in record["warnings"] if "is borrowed" in w]
    assert any("torsion" in w and "same as" in w for w in borrowed)
    penalties = [t["penalty"] for t in record["parameters"] if t["penalty"]]
    assert max(penalties) > typing.PENALTY_FAIR


def test_missing_programs_are_named(tmp_path, monkeypatch):
    one = species("DOL")
    with monkeypatch.context() as patch:
        patch.setattr(platform, "machine", lambda: "aarch64")
        with pytest.raises(amber.ProgramError, match="x86-64, this machine is aarch64"):
            force_field(tmp_path, one)
    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(amber.ProgramError, match=r"acpype.*not installed"):
            force_field(tmp_path, one)
    with monkeypatch.context() as patch:
        patch.setattr(amber, "_GAFF2", amber.Path("dat") / "gone.dat")
        with pytest.raises(amber.ProgramError, match=r"missing: .*gone\.dat"):
            force_field(tmp_path, one)


def test_program_that_does_not_start_is_an_error(tmp_path):
    (tmp_path / "amber" / "bin").mkdir(parents=True)
    program = tmp_path / "amber" / "bin" / "antechamber"
    program.write_text("no program")
    with pytest.raises(amber.ProgramError, match="antechamber does not run"):
        amber._run(tmp_path, "antechamber")
    program.write_text("#!/bin/sh\necho cannot open shared object file\nexit 127\n")
    program.chmod(0o755)
    with pytest.raises(amber.ProgramError, match="exit code 127: cannot open shared object file"):
        amber._run(tmp_path, "antechamber")
