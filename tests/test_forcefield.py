"""Force fields of single species: against ParmEd and sums written out in numpy, and refusals with their reasons."""

from __future__ import annotations

import importlib.util
import platform
from pathlib import Path

import numpy as np
import pytest
from forcefield_helpers import (
    bond_angle,
    embedded,
    force_field,
    in_vacuum,
    minimised,
    numpy_energies,
    openmm_energies,
    positions,
    refusal,
    series,
    shaken,
    species,
    write_charges,
    write_geometry,
)

from electroscreen.forcefield import amber, graph, typing
from electroscreen.forcefield.assemble import write_forcefield
from electroscreen.record import read_json
from electroscreen.species import Species, molecule, parse_xyz, read_species

# Energies of the shaken geometries with the charges of the helpers, by ParmEd 4.3.1: antechamber's types,
# gaff2.dat and parmchk2's frcmod (without -a) read by parmed.amber.AmberParameterSet, written by
# parmed.openmm.OpenMMParameterSet, run by OpenMM 8.6 without cutoff; impropers left out.
PARMED_KJ_PER_MOL = {
    "DOL": {"bond": 54.431723, "angle": 21.321233, "torsion": 42.340855, "nonbonded": 4.210636},
    "FEC": {"bond": 74.229953, "angle": 40.544676, "torsion": 53.648757, "nonbonded": -107.303902},
    "DME": {"bond": 87.004127, "angle": 38.280252, "torsion": 19.897867, "nonbonded": 46.123131},
}


def gaff2_refusal(smiles: str) -> str:
    """What GAFF2 lacks for a molecule."""
    one, x = species("X", smiles), embedded(smiles)
    return typing.gaff2(one, x, graph.skeleton(one, x)).refusal


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


def test_terms_are_gaff2s_every_time(tmp_path):
    """parmchk2, asked for "gaff2" by name, gave the old GAFF's terms in 55 of 190 runs."""
    x = embedded("COC")
    runs = [typing.typed(molecule("COC"), x, 0) for _ in range(16)]
    assert all(run == runs[0] for run in runs)
    # Lines "os" and "c3-os-c3" of gaff2.dat 2.2.20; gaff.dat: 1.6837 and 0.1700, 112.48.
    _, table = runs[0]
    assert table.lj["os",].rows[0] == (1.7713, 0.0726)
    assert table.angles["c3", "os", "c3"].rows[0][1] == pytest.approx(113.60, abs=0.01)


def test_terms_of_the_old_gaff_are_refused():
    table = amber.Table(lj={("c3",): amber.Entry(((1.9069, 0.1078),)), ("os",): amber.Entry(((1.6837, 0.17),))})
    with pytest.raises(amber.ProgramError, match=r"another force field than GAFF2: os has .*1\.6837.* 2\.2\.20 has"):
        amber.assert_gaff2(table)
    table.lj["os",] = amber.Entry(((1.7713, 0.0726),))
    amber.assert_gaff2(table)


def test_all_published_force_fields_hold_gaff2s_own_terms(shipped):
    records = [read_json(path) for path in (shipped / "results" / "published").glob("*/species/*/forcefield.json")]
    named = [t for r in records for t in r["parameters"] if t["term"] == "lj" and "GAFF" in t["source"]]
    assert len(named) > 300
    assert [typing.wrong_gaff2(record["parameters"]) for record in records] == [[]] * len(records)


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


def test_a_shape_that_types_cannot_tell_is_derived(tmp_path):
    """To GAFF2 all F-S-F of an octahedron are one angle; with it, fluorines that stand opposite would fold together."""
    one = species("SF6", "FS(F)(F)(F)(F)F")
    ends = 1.58 * np.array([[1, 0, 0], [0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    assert "angle F-S-F: 180° in the geometry" in typing.gaff2(one, ends, graph.skeleton(one, ends)).refusal
    xml, record = force_field(tmp_path, one, ends, [-0.1, 0.6, *[-0.1] * 5])
    assert record["verdict"] == "ok"
    angles = [t["values"]["angle_degree"] for t in record["parameters"] if t["term"] == "angle"]
    assert sorted(round(angle) for angle in angles) == [*[90] * 12, *[180] * 3]
    x, _ = minimised(in_vacuum(xml, "SF6")[1], shaken(ends))
    assert sorted(np.degrees([bond_angle(x, (i, 1, k)) for i in (0, 2) for k in (3, 4, 5, 6)])) == pytest.approx(
        [90.0] * 8, abs=0.5
    )
    assert np.degrees(bond_angle(x, (0, 1, 2))) > 179


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
