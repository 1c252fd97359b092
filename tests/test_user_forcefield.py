"""The user's own terms: they win, they spread by symmetry, they fill gaps, and what is still missing is told."""

from __future__ import annotations

import numpy as np
import pytest
from forcefield_helpers import (
    embedded,
    force_field,
    in_vacuum,
    openmm_energies,
    positions,
    shaken,
    species,
    write_charges,
    write_geometry,
)

from electroscreen.forcefield import layers
from electroscreen.forcefield.assemble import write_forcefield
from electroscreen.inputs import InputError
from electroscreen.record import read_json
from electroscreen.species import Species, read_species

TETRAHEDRON = np.array([[1.0, 1, 1], [0, 0, 0], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]])


def with_own(name: str, smiles: str | None = None, **forcefield) -> Species:
    """A species with force-field terms of the user's."""
    plain = species(name, smiles)
    return Species(
        name=name,
        title=name,
        role="solvent",
        charge=plain.charge,
        smiles=plain.smiles,
        forcefield={"source": "measured here"} | forcefield,
    )


def by_layer(record: dict, kind: str) -> dict[str, int]:
    """How many terms of a kind each layer gave."""
    layers = [t["layer"] for t in record["parameters"] if t["term"] == kind]
    return {layer: layers.count(layer) for layer in layers}


def test_one_bond_stands_for_all_that_are_the_same(tmp_path):
    own = with_own("BF4", bonds={"F3-B2": {"length_angstrom": 1.41, "k_kj_per_mol_angstrom2": 3000.0}})
    xml, record = force_field(tmp_path, own)
    assert record["verdict"] == "ok"
    assert by_layer(record, "bond") == {"user": 4}
    assert by_layer(record, "angle") == {"library": 6}
    assert record["layers"]["user"] == "measured here"
    assert {t["source"] for t in record["parameters"] if t["layer"] == "user"} == {"measured here"}
    x = positions("BF4")
    stretched = np.linalg.norm(x[0] - x[1]) - 1.41
    energy = openmm_energies(in_vacuum(xml, "BF4")[1], x)["HarmonicBondForce"]
    assert energy == pytest.approx(4 * 3000 / 2 * stretched**2, rel=1e-6)


def test_a_place_named_itself_has_the_last_word(tmp_path):
    every, one = ({"length_angstrom": length, "k_kj_per_mol_angstrom2": 3000.0} for length in (1.41, 1.45))
    _, record = force_field(
        tmp_path, with_own("BF4", bonds={"B2-F3": every, "B2-F5": one, "B2-F1": every, "B2-F4": every})
    )
    lengths = {
        tuple(sorted(t["atoms"])): t["values"]["length_angstrom"] for t in record["parameters"] if t["term"] == "bond"
    }
    assert lengths == {(0, 1): 1.41, (1, 2): 1.41, (1, 3): 1.41, (1, 4): 1.45}


def test_own_charges_must_add_up(tmp_path):
    _, record = force_field(tmp_path, with_own("BF4", charges_e={"B2": 0.96}))
    assert "the charges add up to -0.7640 e, the species carries -1 e" in record["verdict"]
    assert record["parameters"] == []
    _, record = force_field(tmp_path, with_own("BF4", charges_e={"B2": 0.96, "F1": -0.49}))
    assert record["verdict"] == "ok"
    assert by_layer(record, "charge") == {"user": 5}
    assert record["layers"]["charges"] == "measured here"


def test_a_gap_that_the_user_fills_needs_no_hessian(tmp_path, monkeypatch):
    def unwanted(*_):
        raise AssertionError("no Hessian is needed")

    monkeypatch.setattr(layers, "xtb_hessian", unwanted)
    smiles = "[O-]Cl(=O)(=O)=O"
    terms = {
        "angles": {"O1-Cl2-O3": {"angle_degree": 109.5, "k_kj_per_mol_rad2": 900.0}},
        "bonds": {"O1-Cl2": {"length_angstrom": 1.45, "k_kj_per_mol_angstrom2": 4000.0}},
    }
    _, record = force_field(
        tmp_path, with_own("ClO4", smiles, **terms), embedded(smiles), [-0.5, 1.0, -0.5, -0.5, -0.5]
    )
    assert record["verdict"] == "ok"
    assert (by_layer(record, "angle"), by_layer(record, "lj")) == ({"user": 6}, {"automatic": 5})


def test_what_no_layer_has_is_listed_with_what_to_write_where(tmp_path):
    """Aluminium has no Lennard-Jones parameters and no radius for charges here."""
    one = species("AlF4", "F[Al-](F)(F)F")
    charges = write_charges(tmp_path, one, [], verdict="not computed: there is no Merz-Kollman radius of Al")
    geometry = write_geometry(tmp_path, one, 0.975 * TETRAHEDRON)
    files = tmp_path / "ff.xml", tmp_path / "ff.json"
    write_forcefield(one, charges, geometry, {}, *files)
    record = read_json(files[1])
    assert "charges: not computed: there is no Merz-Kollman radius of Al" in record["verdict"]
    assert "Al2: no Lennard-Jones parameters of Al" in record["verdict"]
    (gap,) = [gap for gap in record["missing"] if gap["term"] == "lj"]
    assert gap["atoms"] == ["Al2"]
    assert gap["add"] == "forcefield: {source: ..., lj: {Al2: {sigma_angstrom: ..., epsilon_kj_per_mol: ...}}}"
    own = {"lj": {"Al2": {"sigma_angstrom": 4.0, "epsilon_kj_per_mol": 2.1}}, "charges_e": {"Al2": 1.4, "F1": -0.6}}
    write_forcefield(with_own("AlF4", one.smiles, **own), charges, geometry, {}, *files)
    record = read_json(files[1])
    assert record["verdict"] == "ok"
    assert by_layer(record, "bond") == {"derived": 4}
    assert (by_layer(record, "charge"), by_layer(record, "lj")) == ({"user": 5}, {"user": 1, "automatic": 4})


def test_a_radical_is_refused_unless_every_term_is_given(tmp_path):
    """Hydroxyl: GAFF2 and the Hessian's layer know no open shells."""
    given = {
        "charges_e": {"O1": -0.4, "H2": 0.4},
        "lj": {"O1": {"sigma_angstrom": 3.1, "epsilon_kj_per_mol": 0.6}},
        "bonds": {"O1-H2": {"length_angstrom": 0.97, "k_kj_per_mol_angstrom2": 4600.0}},
    }
    x, about = np.array([[0.0, 0, 0], [0.97, 0, 0]]), {"name": "OH", "title": "hydroxyl", "role": "additive"}
    about |= {"smiles": "[OH]", "multiplicity": 2}
    _, record = force_field(tmp_path, Species(**about, forcefield={"source": "here"} | given), x, [0.0, 0.0])
    assert "open shells" in record["verdict"]
    assert "lj H2: no layer has it" in record["verdict"]
    given["lj"]["H2"] = {"sigma_angstrom": 0.5, "epsilon_kj_per_mol": 0.02}
    _, record = force_field(tmp_path, Species(**about, forcefield={"source": "here"} | given), x, [0.0, 0.0])
    assert record["verdict"] == "ok"
    assert {t["layer"] for t in record["parameters"]} == {"user"}


def test_names_of_atoms_are_checked(tmp_path):
    bond = {"length_angstrom": 1.41, "k_kj_per_mol_angstrom2": 3000.0}
    with pytest.raises(ValueError, match="there is no atom F2: it has F1 B2 F3 F4 F5"):
        with_own("BF4", bonds={"B2-F2": bond})
    with pytest.raises(ValueError, match="'B2' must name 2 atoms, such as C1-O2"):
        with_own("BF4", bonds={"B2": bond})
    with pytest.raises(ValueError, match="lists of one length"):
        with_own("DME", torsions={"C1-O2-C3-C4": {"periodicity": [1], "phase_degree": [], "k_kj_per_mol": [1.0]}})
    _, record = force_field(tmp_path, with_own("BF4", bonds={"F1-F3": bond}))
    assert "bond F1-F3: these atoms are not bound so" in record["verdict"]


def foreign(xml: str) -> str:
    """The same force field with other names of residue, atoms and types, as another program would write it."""
    return xml.replace("FEC:", "t").replace('"FEC"', '"UNL"').replace('name="C2"', 'name="CX"').replace('"C2"', '"CX"')


def test_a_whole_openmm_file_gives_the_same_energies(tmp_path):
    """Impropers included, whose atoms OpenMM reorders."""
    xml, record = force_field(tmp_path, species("FEC"))
    assert any(t["term"] == "improper" for t in record["parameters"])
    x = shaken(positions("FEC"))
    wanted = openmm_energies(in_vacuum(xml, "FEC")[1], x)
    own = with_own("FEC", xml=foreign(xml.read_text(encoding="utf-8")))
    xml, taken = force_field(tmp_path, own, charges=[0.1] * 10)
    assert taken["verdict"] == "ok"
    assert {t["layer"] for t in taken["parameters"]} == {"user"}
    assert openmm_energies(in_vacuum(xml, "FEC")[1], x) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<ForceField><Atom</ForceField>", "is no XML"),
        ("<System/>", "its root is <System>"),
        ("<ForceField></ForceField>", "has no <NonbondedForce>"),
        ("<ForceField><Script>x=1</Script></ForceField>", "holds a script, which is not run"),
        ('<ForceField><NonbondedForce coulomb14scale="0.8" lj14scale="0.5"/></ForceField>', "OpenMM cannot use it"),
        ('<ForceField><NonbondedForce coulomb14scale="x" lj14scale="0.5"/></ForceField>', "<NonbondedForce>: "),
        ('<ForceField><Include file="other.xml"/><NonbondedForce/></ForceField>', "includes another file"),
        (
            "<ForceField><NonbondedForce coulomb14scale='0.8' lj14scale='0.5' "
            'useDispersionCorrection=\'open("OWNED", "w") and 1\'/></ForceField>',
            "useDispersionCorrection must be True or False",
        ),
        (
            "<!DOCTYPE f [<!ENTITY a 'aaaaaaaaaa'>"
            + "".join(f"<!ENTITY {b} '{10 * f'&{a};'}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
            + "]><ForceField>&i;</ForceField>",
            "is no XML",
        ),
    ],
)
def test_an_openmm_file_that_cannot_be_used_is_refused(tmp_path, monkeypatch, text, reason):
    """OpenMM runs scripts, follows includes and evaluates one attribute as Python: none of that may be a user's."""
    monkeypatch.chdir(tmp_path)
    _, record = force_field(tmp_path, with_own("BF4", xml=text))
    assert reason in record["verdict"]
    assert not (tmp_path / "OWNED").exists()


def test_a_file_beside_the_species_file_is_read(tmp_path):
    path = tmp_path / "BF4.yaml"
    path.write_text(
        "name: BF4\ntitle: x\nrole: anion\ncharge: -1\nsmiles: 'F[B-](F)(F)F'\n"
        "forcefield: {source: here, xml: own.xml}\n",
        encoding="utf-8",
    )
    with pytest.raises(InputError, match=r"forcefield\.xml: there is no file 'own\.xml' beside it"):
        read_species(path)
    written = path.read_text(encoding="utf-8")
    for elsewhere in ("../own.xml", "/etc/hostname", "sub/own.xml", ".."):
        path.write_text(written.replace("own.xml", elsewhere), encoding="utf-8")
        with pytest.raises(InputError, match=r"is no name of a file beside it|there is no file"):
            read_species(path)
    path.write_text(written, encoding="utf-8")
    (tmp_path / "own.xml").write_text("<ForceField/>", encoding="utf-8")
    assert read_species(path).forcefield.xml == "<ForceField/>"
