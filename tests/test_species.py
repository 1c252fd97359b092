"""Species: masses and electrons counted by hand, and chemistry that cannot be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from electroscreen.inputs import InputError
from electroscreen.species import (
    Species,
    check_all_species,
    molecule,
    parse_xyz,
    read_species,
    species_names,
)

SHIPPED = Path(__file__).parent.parent / "molecules" / "species"

# Sums of standard atomic weights, and of atomic numbers less charge, done by hand (boron varies from 10.806 to 10.821).
BY_HAND = {
    "BOB": ("C4BO8", -1, 186.85, 94),
    "BPh4": ("C24H20B", -1, 319.23, 170),
    "DFOB": ("C2BF2O4", -1, 136.82, 68),
    "DOL": ("C3H6O2", 0, 74.08, 40),
    "FEC": ("C3H3FO3", 0, 106.05, 54),
    "LEDC": ("C4H4Li2O6", 0, 161.95, 82),
    "LMC": ("C2H3LiO3", 0, 81.98, 42),
    "Li2CO3": ("CLi2O3", 0, 73.89, 36),
    "Li2O": ("Li2O", 0, 29.88, 14),
    "LiF": ("FLi", 0, 25.94, 12),
    "LiOH": ("HLiO", 0, 23.95, 12),
    "Na": ("Na", 1, 22.99, 10),
    "NaDFOB": ("C2BF2NaO4", 0, 159.81, 78),
    "NaTFSI": ("C2F6NNaO4S2", 0, 303.13, 148),
    "Sn_OTf2": ("C2F6O6S2Sn", 0, 416.84, 196),
    "TFSI": ("C2F6NO4S2", -1, 280.14, 138),
    "PF6": ("F6P", -1, 144.96, 70),
    "VC": ("C3H2O3", 0, 86.05, 44),
    "m-carborane": ("C2H12B10", 0, 144.24, 74),
    "o-carborane": ("C2H12B10", 0, 144.24, 74),
}


def every_shipped() -> list[str]:
    """Names of all species in the project."""
    return species_names(SHIPPED)


@pytest.mark.parametrize("name", BY_HAND)
def test_mass_and_electrons_by_hand(name):
    formula, charge, mass, electrons = BY_HAND[name]
    species = read_species(SHIPPED / f"{name}.yaml")
    assert (species.formula, species.charge, species.electrons) == (formula, charge, electrons)
    assert species.molar_mass_g_per_mol == pytest.approx(mass, abs=0.03)


@pytest.mark.parametrize("name", every_shipped())
def test_mass_and_electrons_by_another_table(name):
    from ase.data import atomic_masses, atomic_numbers

    species = read_species(SHIPPED / f"{name}.yaml")
    atoms = [
        symbol for symbol, count in re.findall(r"([A-Z][a-z]?)(\d*)", species.formula) for _ in range(int(count or 1))
    ]
    assert species.molar_mass_g_per_mol == pytest.approx(sum(atomic_masses[atomic_numbers[a]] for a in atoms), rel=2e-4)
    assert species.electrons == sum(atomic_numbers[a] for a in atoms) - species.charge
    assert sorted(atoms) == sorted(species.symbols)


def test_ions_of_shipped_salts_add_up():
    every = check_all_species(SHIPPED)
    for species in (s for s in every.values() if s.ions):
        parts = [every[ion] for ion, count in species.ions.items() for _ in range(count)]
        assert sum(part.charge for part in parts) == species.charge
        assert sum(part.molar_mass_g_per_mol for part in parts) == pytest.approx(species.molar_mass_g_per_mol)


def test_hydrogens_that_a_smiles_leaves_out_count():
    methane = Species(name="CH4", title="methane", role="solvent", smiles="C")
    assert methane.symbols == ["C", "H", "H", "H", "H"]
    assert methane.molar_mass_g_per_mol == pytest.approx(16.043, abs=1e-3)


def test_hill_order():
    assert Species(name="a", title="a", role="solvent", smiles="FC(Br)(Cl)I").formula == "CBrClFI"
    assert Species(name="a", title="a", role="solvent", smiles="OS(=O)(=O)O").formula == "H2O4S"
    assert Species(name="a", title="a", role="solvent", smiles="CN").formula == "CH5N"


SOUND = {"title": "x", "role": "solvent", "smiles": "COC"}
WRONG = {
    "unclosed ring": ({"smiles": "C1COCO"}, r"smiles: 'C1COCO' is not a molecule: its grammar cannot be read"),
    "not a SMILES": ({"smiles": "dioxolane"}, r"smiles: 'dioxolane' is not a molecule: its grammar"),
    "nothing": ({"smiles": "''"}, r"smiles: '' is not a molecule"),
    "five bonds": ({"smiles": "OC(C)(C)(C)C"}, r"smiles: .* valence for atom # 1 C, 5"),
    "five bonds on nitrogen": ({"smiles": "CN(C)(C)(C)C"}, r"smiles: .* valence for atom # 1 N, 5"),
    "no Kekulé structure": ({"smiles": "c1cccc1"}, r"smiles: .*[kK]ekulize"),
    "no such element": ({"smiles": "'[Xx]'"}, r"smiles: .*grammar"),
    "charge forgotten": ({"smiles": "'[Na+]'"}, r"charge is 0, but the SMILES '\[Na\+\]' carries \+1"),
    "charge of the wrong sign": ({"smiles": "'[F-]'", "charge": 1}, r"charge is 1, but the SMILES .* carries -1"),
    "radical called singlet": ({"smiles": "'[CH3]'"}, r"multiplicity 1 does not fit 9 electrons .*: it must be even"),
    "doublet of an even number": ({"multiplicity": 2}, r"multiplicity 2 does not fit 26 electrons .*: it must be odd"),
    "more unpaired than electrons": (
        {"smiles": "'[H][H]'", "multiplicity": 5},
        r"multiplicity 5 needs more than the 2 electrons",
    ),
    "multiplicity zero": ({"multiplicity": 0}, r"multiplicity: should be greater than or equal to 1"),
    "no atoms": ({"smiles": None}, r"give its atoms as either 'smiles' or 'xyz'"),
    "atoms twice": ({"xyz": "'He 0 0 0'"}, r"give its atoms as either 'smiles' or 'xyz'"),
    "empty xyz": ({"smiles": None, "xyz": "' '"}, r"xyz: holds no atoms"),
    "unknown element": ({"smiles": None, "xyz": "'Q 0 0 0'"}, r"xyz: 'Q' is not an element"),
    "element in capitals": ({"smiles": None, "xyz": "'LI 0 0 0'"}, r"xyz: atom line 1 must be 'symbol x y z'"),
    "count line of an xyz file": ({"smiles": None, "xyz": "|\n  1\n\n  He 0 0 0"}, r"xyz: atom line 1 must be"),
    "two coordinates": ({"smiles": None, "xyz": "|\n  He 0 0 0\n  He 0 3"}, r"xyz: atom line 2 must be .*'He 0 3'"),
    "comma for a point": ({"smiles": None, "xyz": "'He 0,5 0 0'"}, r"xyz: atom line 1 must be"),
    "not a number": ({"smiles": None, "xyz": "'He nan 0 0'"}, r"xyz: atom line 1 must be"),
    "colliding atoms": (
        {"smiles": None, "xyz": "|\n  He 0 0 0\n  He 2 0 0\n  He 2 0.2 0.3"},
        r"xyz: atoms 2 and 3 are closer than 0.4 Å",
    ),
    "start of another molecule": (
        {"start": "{level: a, xyz: 'He 0 0 0'}"},
        r"start\.xyz must hold the atoms in the order C O C H H H H H H, found He",
    ),
    "ion that is not there": ({"smiles": "CO", "ions": "{Naa: 1}"}, r"ions\.Naa: there is no such species, did .*'Na'"),
    "ions that do not add up": ({"smiles": "'[F-]'", "charge": -1, "ions": "{Na: 1}"}, r"ions: their charges add up"),
    "atoms that do not add up": (
        {"smiles": "'[K+]'", "charge": 1, "ions": "{Na: 1}"},
        r"ions: their atoms are Na, .* K$",
    ),
    "no ion at all": ({"smiles": "CO", "ions": "{Na: 0}"}, r"ions\.Na: is 0, must be 1 or more"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_wrong_chemistry_is_named(project, refused, fault):
    changes, wanted = WRONG[fault]
    fields = {key: value for key, value in {"name": "X", **SOUND, **changes}.items() if value is not None}
    text = "".join(f"{key}: {value}\n" for key, value in fields.items())
    (project / "molecules" / "species" / "X.yaml").write_text(text, encoding="utf-8")
    line = refused()
    assert line.startswith("electroscreen: molecules/species/X.yaml: ")
    assert re.search(wanted, line), line


def test_names_that_differ_in_case_only(project, refused):
    text = (project / "molecules" / "species" / "DOL.yaml").read_text(encoding="utf-8")
    (project / "molecules" / "species" / "dol.yaml").write_text(text.replace("name: DOL", "name: dol"))
    if len(list((project / "molecules" / "species").glob("[dD][oO][lL].yaml"))) == 2:
        assert "molecules/species/dol.yaml: name: 'dol' and 'DOL' differ in case only" in refused()


def test_triplet_and_radical_are_allowed():
    oxygen = Species(name="O2", title="oxygen", role="additive", smiles="O=O", multiplicity=3)
    assert oxygen.electrons == 16
    methyl = Species(name="CH3", title="methyl", role="additive", smiles="[CH3]", multiplicity=2)
    assert methyl.electrons == 9


def test_coordinates_are_read_to_the_last_digit():
    atoms = parse_xyz("\n  Na  1. -2e-1 +3.25 \n\nCl 1E+1 0 -0.0\n")
    assert atoms == [("Na", (1.0, -0.2, 3.25)), ("Cl", (10.0, 0.0, 0.0))]


@pytest.mark.parametrize(("distance", "sound"), [(0.401, True), (0.399, False)])
def test_where_atoms_begin_to_collide(distance, sound):
    text = f"H 0 0 0\nH 0 {0.6 * distance:.6f} {0.8 * distance:.6f}"
    if sound:
        assert len(parse_xyz(text)) == 2
    else:
        with pytest.raises(ValueError, match=r"atoms 1 and 2 are closer than 0.4 Å"):
            parse_xyz(text)


def test_a_file_alone_is_checked_like_all_together(tmp_path):
    path = tmp_path / "X.yaml"
    path.write_text("name: Y\ntitle: x\nrole: solvent\nsmiles: C\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"X\.yaml: name: is 'Y', but the file is 'X'"):
        read_species(path)


def test_a_molecule_with_a_bad_smiles_raises_for_python_users_too():
    with pytest.raises(ValueError, match="'C\\(' is not a molecule: its grammar"):
        molecule("C(")


def test_no_part_of_a_smiles_is_dropped():
    with pytest.raises(ValueError, match="it holds a blank"):
        Species(name="X", title="x", role="solvent", smiles="C CO")


def test_heavy_water_is_heavy_or_refused():
    try:
        heavy = Species(name="D2O", title="heavy water", role="solvent", smiles="[2H]O[2H]")
    except ValueError:
        return
    assert heavy.molar_mass_g_per_mol == pytest.approx(20.03, abs=0.01)


def test_an_atom_at_infinity_is_refused():
    with pytest.raises(ValueError, match="atom line 1"):
        parse_xyz("H 1e999 0 0\nH 0 0 0")


def test_a_fault_in_the_start_names_the_field(project, refused):
    path = project / "molecules" / "species" / "X.yaml"
    path.write_text("name: X\ntitle: x\nrole: solvent\nsmiles: '[H][H]'\nstart: {level: a, xyz: H 0 0}\n")
    assert "X.yaml: start.xyz: atom line 1" in refused()


def test_the_other_ending_of_yaml_is_not_passed_over(project, refused):
    (project / "molecules" / "species" / "X.yml").write_text("name: X\n", encoding="utf-8")
    assert "X.yml" in refused()
