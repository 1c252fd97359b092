"""Amounts as chemists write them: each way of writing one and the same mixture comes to the same moles."""

from __future__ import annotations

import re

import numpy as np
import pytest

from electroscreen.boxes.amounts import moles_of, spheres_volume_angstrom3, van_der_waals_volume_ml_per_mol
from electroscreen.boxes.build import describe, write_composition
from electroscreen.boxes.composition import compose, concentrations, conversion_percent, whole_formula_units
from electroscreen.inputs import InputError
from electroscreen.recipes import BoxRecipe, check_box, end_groups, molecules_of
from electroscreen.record import read_json, write_json
from electroscreen.settings import read_settings
from electroscreen.species import Species, check_all_species

UNITS = 20


@pytest.fixture(scope="module")
def every(shipped) -> dict[str, Species]:
    """All shipped species, a salt of known density and a chain of 20 DOL."""
    solid = Species(
        name="LiTFSI",
        title="LiTFSI",
        role="salt",
        smiles="[Li+].[N-](S(=O)(=O)C(F)(F)F)S(=O)(=O)C(F)(F)F",
        ions={"Li": 1, "TFSI": 1},
        density_g_per_ml=1.33,
    )
    chain = Species(
        name="PDOL20", title="chain", role="polymer", smiles="C" + UNITS * "OCOCC" + "OC", density_g_per_ml=1.2
    )
    return check_all_species(shipped / "molecules" / "species") | {"LiTFSI": solid, "PDOL20": chain}


def box(recipe: dict, **more) -> BoxRecipe:
    """A box of these lines."""
    return BoxRecipe(name="Y", title="y", temperature_k=300, recipe=recipe, **more)


def ratios(recipe: dict, every, **more) -> dict[str, float]:
    """Moles of each line per mole of the first."""
    moles = moles_of(box(recipe, **more), every)
    return {name: n / next(iter(moles.values())) for name, n in moles.items()}


def test_solvents_by_volume_mass_mole_and_share_are_the_same_mixture(every):
    """One litre of DOL and half of FEC: 1060 / 74.08 and 727 / 106.05 mol."""
    wanted = {"DOL": 1.0, "FEC": (727 / 106.05) / (1060 / 74.08)}
    ways = [
        {"DOL": {"volume_ml": 1000}, "FEC": {"volume_ml": 500}},
        {"DOL": {"mass_g": 1060}, "FEC": {"mass_g": 727}},
        {"DOL": {"amount_mmol": 1e6 / 74.08 * 1.06}, "FEC": {"amount_mmol": 1e6 / 106.05 * 0.727}},
        {"DOL": {"mole_ratio": 1060 / 74.08}, "FEC": {"mole_ratio": 727 / 106.05}},
        {"DOL": {"vol_percent": 66.6666667}, "FEC": {"vol_percent": 33.3333333}},
        {"DOL": {"wt_percent": 100 * 1060 / 1787}, "FEC": {"wt_percent": 100 * 727 / 1787}},
    ]
    for way in ways:
        assert ratios(way, every) == pytest.approx(wanted, rel=2e-4)


def test_molality_is_per_kilogram_of_solvent(every):
    """1 mol/kg in DOL: 13.499 mol of DOL per mole of salt."""
    assert ratios({"DOL": {"volume_ml": 3}, "NaTFSI": {"mol_per_kg": 1}}, every)["NaTFSI"] == pytest.approx(
        0.07408, rel=1e-4
    )


def test_molarity_is_per_litre_of_solution(every):
    """1 mol/L of LiTFSI (287.09 g/mol, 215.9 mL/mol): one litre holds 784.1 mL = 831.2 g = 11.22 mol of DOL."""
    found = ratios({"DOL": {"volume_ml": 10}, "LiTFSI": {"mol_per_l": 1}}, every)
    assert 1 / found["LiTFSI"] == pytest.approx((1000 - 287.09 / 1.33) * 1.06 / 74.08, rel=1e-4)
    # With the solution's own density, 1.20 g/mL, one litre holds 1200 - 287.09 g of DOL.
    found = ratios({"DOL": {"volume_ml": 10}, "LiTFSI": {"mol_per_l": 1}}, every, density_g_per_ml=1.2)
    assert 1 / found["LiTFSI"] == pytest.approx((1200 - 287.09) / 74.08, rel=1e-4)


def test_an_additive_is_a_share_of_the_mass_of_everything(every):
    """1 M LiTFSI in 10 mL of DOL with 2 wt % FEC: both lines at once are two linear equations."""
    recipe = {"DOL": {"volume_ml": 10}, "LiTFSI": {"mol_per_l": 1}, "FEC": {"additive_wt_percent": 2}}
    moles = moles_of(box(recipe), every)
    masses = {name: n * every[name].molar_mass_g_per_mol for name, n in moles.items()}
    assert masses["FEC"] / sum(masses.values()) == pytest.approx(0.02)
    litres = sum(masses[name] / every[name].density_g_per_ml for name in recipe) / 1000
    assert moles["LiTFSI"] / litres == pytest.approx(1)


def test_oxygen_per_sodium_counts_the_solvents_oxygen_and_not_the_salts(every):
    """O:Na = 20 in DOL of two oxygens is one salt to ten DOL."""
    assert ratios({"DOL": {"mole_ratio": 1}, "NaTFSI": {"o_per_cation": 20}}, every)["NaTFSI"] == pytest.approx(0.1)


def test_counts_are_taken_as_they_stand(every):
    recipe = {"DOL": {"count": 57}, "NaTFSI": {"count": 3}, "FEC": {"additive_wt_percent": 5}}
    composition = compose(box(recipe), every, 7300)
    assert composition.molecules | {"FEC": 0} == {"DOL": 57, "Na": 3, "TFSI": 3, "FEC": 0}
    # 57 DOL and 3 NaTFSI weigh 5132 g/mol; 5 / 95 of that is 270, 2.55 FEC.
    assert composition.molecules["FEC"] == 3
    (fec,) = (c for c in composition.components if c.species == "FEC")
    assert fec.rounding_percent == pytest.approx(100 * (3 / 2.547 - 1), abs=0.1)


FAULTS = {
    "shares of 90": ({"DOL": {"vol_percent": 60}, "FEC": {"vol_percent": 30}}, "add up to 90 instead of 100"),
    "grams with shares": ({"DOL": {"vol_percent": 100}, "FEC": {"mass_g": 1}}, "DOL is given in vol_percent and FEC"),
    "counts with grams": ({"DOL": {"count": 5}, "FEC": {"mass_g": 1}}, "do not add up: use one of them"),
    "no solvent": ({"NaTFSI": {"mol_per_l": 1}}, "says of nothing how much there is"),
    "half a molecule": ({"DOL": {"count": 1.5}}, "valid integer"),
    "more than all": ({"DOL": {"mass_g": 1}, "FEC": {"additive_wt_percent": 100}}, "less than 100"),
    "two units": ({"DOL": {"mass_g": 1, "count": 2}}, "give exactly one of"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_amounts_that_do_not_go_together_are_refused(fault):
    recipe, wanted = FAULTS[fault]
    with pytest.raises(ValueError, match=wanted):
        box(recipe)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ({"LiTFSI": {"mol_per_l": 5}}, "5 mol/L cannot be: no room would be left"),
        ({"FEC": {"additive_wt_percent": 60}, "PC": {"additive_wt_percent": 50}}, "no room would be left"),
    ],
)
def test_more_than_can_be_dissolved_is_refused(every, line, wanted):
    with pytest.raises(InputError, match=wanted):
        moles_of(box({"DOL": {"mass_g": 1}} | line), every)


def test_a_cation_ratio_without_oxygen_or_cation_is_refused(every, tmp_path):
    dry = box({"o-carborane": {"mole_ratio": 1}, "NaTFSI": {"o_per_cation": 20}})
    with pytest.raises(InputError, match="holds no oxygen"):
        moles_of(dry, every)
    with pytest.raises(InputError, match="FEC holds no cation"):
        check_box(tmp_path / "Y.yaml", box({"DOL": {"mass_g": 1}, "FEC": {"o_per_cation": 20}}), every)


def polymer(percent: float = 85.0, units: int = UNITS, **more) -> BoxRecipe:
    """DOL of which some has become chains, with salt."""
    recipe = {"NaTFSI": {"mole_ratio": 1}, "DOL": {"mole_ratio": 20}}
    return box(recipe, conversion={"DOL": {"into": "PDOL20", "units": units, "percent": percent}}, **more)


def test_converted_monomer_stands_in_chains_of_twenty(every):
    """Of 400 DOL 85 % are 340, in 17 chains; the ends C2H6O of each chain are atoms that no monomer brought."""
    composition = compose(polymer(), every, 20 * 16 + 17 * (20 * 11 + 9) + 60 * 11)
    assert composition.molecules == {"Na": 20, "TFSI": 20, "DOL": 60, "PDOL20": 17}
    assert composition.atoms == 20 * 16 + 60 * 11 + 17 * (20 * 11 + 9)
    assert conversion_percent(polymer(), composition.components, every) == {"DOL": 85}
    assert [c.written for c in composition.components] == ["1 mol parts", "20 mol parts, 15 % left", "85 % of DOL"]
    assert end_groups(every["DOL"], every["PDOL20"], 20) == "C2H6O"
    monomers = 20 * 20 * 74.08
    ends = composition.mass_g_per_mol - 20 * 303.13 - monomers
    assert ends == pytest.approx(17 * 46.07, rel=1e-3)


def test_all_of_the_monomer_may_be_gone(every):
    assert molecules_of(polymer(100), every) == ["Na", "TFSI", "PDOL20"]
    assert "DOL" not in compose(polymer(100), every, 4000).molecules


def test_a_chain_that_rounding_changes_says_by_how_much(every):
    components = whole_formula_units(polymer(), every, 1500)
    (percent,) = conversion_percent(polymer(), components, every).values()
    counts = {c.species: c.count for c in components}
    assert percent == pytest.approx(100 * 20 * counts["PDOL20"] / (20 * counts["PDOL20"] + counts["DOL"]))
    assert percent == pytest.approx(85, abs=4)


@pytest.mark.parametrize("units", [10, 21])
def test_a_chain_of_another_length_is_refused(every, tmp_path, units):
    with pytest.raises(InputError, match=rf"conversion\.DOL\.into: PDOL20 .* holds 20 of DOL \(C3H6O2\), not {units}"):
        check_box(tmp_path / "Y.yaml", polymer(units=units), every)


@pytest.mark.parametrize(
    ("conversion", "wanted"),
    [
        ({"DOLL": {"into": "PDOL20", "units": 20, "percent": 85}}, "holds no DOLL, did you mean 'DOL'"),
        ({"DOL": {"into": "NaTFSI", "units": 20, "percent": 85}}, "comes from DOL and from elsewhere"),
        ({"DOL": {"into": "PDOL20", "units": 1, "percent": 85}}, "greater than or equal to 2"),
        ({"DOL": {"into": "PDOL20", "units": 20, "percent": 101}}, "less than or equal to 100"),
    ],
)
def test_conversions_that_cannot_be(conversion, wanted):
    with pytest.raises(ValueError, match=wanted):
        box({"NaTFSI": {"mass_g": 1}, "DOL": {"mass_g": 10}}, conversion=conversion)


def test_an_impossible_density_or_edge_is_refused(every):
    for density in (0.4, 2.0):
        with pytest.raises(InputError, match=r"density_g_per_ml: is .* but the unmixed components come to 1\.06"):
            compose(box({"DOL": {"count": 100}}, density_g_per_ml=density), every, 1000)
    with pytest.raises(InputError, match=r"edge_angstrom: 1100 atoms in a cube of 20 Å are 1\.54 g/mL .* 24 Å"):
        compose(box({"DOL": {"count": 100}}, edge_angstrom=20.0), every, 1000)
    with pytest.raises(ValueError, match="not both"):
        box({"DOL": {"count": 100}}, edge_angstrom=20.0, density_g_per_ml=1.0)


def test_concentrations_after_rounding_by_hand(every):
    """100 DOL and 10 NaTFSI weigh 7408 + 3031 = 10439 g/mol: 28.96 and 2.896 of 100 parts, 0.958 mol/L at 1 g/mL."""
    composition = compose(box({"DOL": {"count": 100}, "NaTFSI": {"count": 10}}), every, 1000)
    dol, salt = concentrations(composition, every, 1.0)
    assert salt["wt_percent"] == pytest.approx(100 * 3031.3 / 10439.3, abs=0.01)
    assert salt["mol_per_l"] == pytest.approx(10 / 10.4393, rel=1e-3)
    assert salt["mol_per_l_before_rounding"] == salt["mol_per_l"]
    assert dol["mol_per_l"] == pytest.approx(10 * salt["mol_per_l"])


def test_rounding_that_matters_is_a_warning_with_the_size_that_would_do(every, shipped):
    """2.5 NaDFOB to 20 NaTFSI: half a one in the quick box."""
    liquid = box({"NaTFSI": {"mass_g": 1.5}, "NaDFOB": {"mass_g": 0.1}, "DOL": {"volume_ml": 10}})
    (warning,) = (w for w in compose(liquid, every, 1500).warnings if "stands for" in w)
    assert warning.startswith("NaDFOB: 1 stands for 0.")
    needed = int(re.search(r"(\d+) atoms", warning)[1])
    (borate,) = (c for c in whole_formula_units(liquid, every, needed) if c.species == "NaDFOB")
    assert abs(borate.rounding_percent) <= 10


def test_volume_of_two_overlapping_spheres_by_formula():
    """Radii 1.7 Å, 1.5 Å apart: the lens has the volume pi (4 r + d) (2 r - d)² / 12."""
    r, d = 1.7, 1.5
    lens = np.pi * (4 * r + d) * (2 * r - d) ** 2 / 12
    exact = 2 * 4 / 3 * np.pi * r**3 - lens
    assert spheres_volume_angstrom3([[0, 0, 0], [0, 0.9, 1.2]], [r, r]) == pytest.approx(exact, rel=0.01)


def test_a_cage_fills_no_more_than_its_crystal(every):
    """o-Carborane is a face-centred cubic crystal near 1.0 g/mL (144 mL/mol), whose balls fill at most 74 %."""
    volume = van_der_waals_volume_ml_per_mol(every["o-carborane"])
    assert 0.55 < volume / 144 < 0.80


def test_what_is_printed_tells_conversion_concentration_and_cost(every, shipped, tmp_path, capsys):
    settings = read_settings(shipped / "config" / "quick.yaml")
    records = {name: tmp_path / f"{name}.json" for name in ("Na", "TFSI", "DOL", "PDOL20")}
    for path in records.values():
        write_json(path, {"verdict": "ok"})
    output = tmp_path / "boxes" / "Y" / "composition.json"
    write_composition(polymer(edge_angstrom=60.0), every, settings, records, {"stage": "composition"}, output)
    record, printed = read_json(output), capsys.readouterr().out.splitlines()
    assert record["packing_edge_angstrom"] == 60.0
    assert printed[:-1] == describe(record)
    assert "DOL -> PDOL20: 85 % asked, " in printed[4]
    assert "ends, C2H6O, come on top" in printed[4]
    assert " mol/L instead of " in printed[1]
    assert printed[-1].startswith("  cost: one replica of 273 ps at ")


def test_cost_is_told_from_runs_that_were_made(every, tmp_path, shipped):
    """30 ns/day of 1000 atoms at 3 fs are 20 ns/day of 1500: 273 ps and a warm-up at 1 fs take 1205 s."""
    from electroscreen.boxes.cost import expected_cost

    dynamics = read_settings(shipped / "config" / "quick.yaml").dynamics
    assert "no run has finished here yet" in expected_cost(1500, dynamics, tmp_path)
    write_json(tmp_path / "boxes" / "A" / "composition.json", {"atoms": 1000})
    write_json(tmp_path / "boxes" / "A" / "replica-1" / "equilibration.json", {"ns_per_day": 30.0, "timestep_fs": 3.0})
    write_json(tmp_path / "boxes" / "B" / "replica-1" / "equilibration.json", {"verdict": "not run: x"})
    told = expected_cost(1500, dynamics, tmp_path)
    assert "at 20 ns/day: about 20." in told
    assert "min (as 1 finished run(s) here, A/replica-1)" in told
