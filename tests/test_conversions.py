"""Chains of several lengths: shares against Schulz and Zimm's distribution, exact averages, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import gamma

from electroscreen.boxes.build import describe, write_composition
from electroscreen.boxes.composition import compose, whole_formula_units
from electroscreen.conversions import Conversion, lengths_of, mean_and_polydispersity, schulz_zimm_shares
from electroscreen.inputs import InputError
from electroscreen.recipe import box_recipe
from electroscreen.recipes import BoxRecipe, check_box, molecules_of, species_of
from electroscreen.record import read_json, write_json
from electroscreen.settings import read_settings
from electroscreen.species import Species, check_all_species

LENGTHS = (5, 10, 20, 40)


@pytest.fixture(scope="module")
def every(shipped) -> dict[str, Species]:
    """All shipped species, and PDOL of a few more lengths."""
    species = check_all_species(shipped / "molecules" / "species")
    polymer = {"repeat": "CCOCO", "caps": ["CO", "C"]}
    added = {
        f"PDOL{n}": Species(
            name=f"PDOL{n}",
            title="chain",
            role="polymer",
            screen=False,
            polymer=polymer | {"units": n},
            density_g_per_ml=1.1,  # or else its volume is that of an embedded conformer, which takes seconds
        )
        for n in LENGTHS
    }
    return species | added


@pytest.mark.parametrize(("mean", "pdi"), [(20.0, 2.0), (30.0, 1.5), (50.0, 1.1), (12.0, 1.8)])
def test_many_lengths_are_schulz_and_zimms_distribution(mean, pdi):
    """Gamma distribution of shape 1 / (PDI - 1): 2 is the most probable one of Flory, a plain exponential."""
    fine = np.arange(0.05, 30 * mean, 0.05)
    shares = schulz_zimm_shares(fine, mean, pdi)
    shape = 1 / (pdi - 1)
    exact = np.diff(gamma.cdf(np.append(0, fine + 0.025), shape, scale=mean / shape))
    assert np.abs(shares.cumsum() - exact.cumsum()).max() < 2e-3
    if pdi == 2.0:
        assert shares[100:500].sum() == pytest.approx(np.exp(-5.025 / mean) - np.exp(-25.025 / mean), abs=1e-3)


@pytest.mark.parametrize(("mean", "pdi"), [(15.0, 1.4), (10.5, 1.3), (20.0, 1.35), (8.0, 1.5), (12.0, 1.16)])
@pytest.mark.parametrize("units", [LENGTHS, (40, 5, 10, 20), (5, 8, 13, 21, 34, 55)])
def test_few_lengths_have_exactly_the_mean_and_the_pdi(units, mean, pdi):
    shares = schulz_zimm_shares(units, mean, pdi)
    n = np.array(units)
    assert shares.sum() == pytest.approx(1)
    assert (shares > 0).all()
    assert shares @ n == pytest.approx(mean, rel=1e-9)
    assert (shares @ n**2) / (shares @ n) / mean == pytest.approx(pdi, rel=1e-8)


def test_weight_average_over_number_average_by_hand():
    """Three chains of 10 and one of 30: mean 15; by weight (3 x 100 + 900) / 60 = 20."""
    assert mean_and_polydispersity([10, 30], [3, 1]) == pytest.approx((15, 20 / 15))


@pytest.mark.parametrize(
    ("mean", "pdi", "wanted"),
    [
        (15, 3.0, r"PDI between 1\.11 and 2\.11, not 3: add longer or shorter ones"),
        (15, 1.05, r"PDI between 1\.11 and 2\.11, not 1\.05"),
        (45, 1.2, "chains of 5 to 40 units cannot have a mean of 45"),
    ],
)
def test_what_these_lengths_cannot_be(mean, pdi, wanted):
    """(10 + 20) 15 - 200 = 250, by 225 is 1.11; (5 + 40) 15 - 200 = 475, by 225 is 2.11."""
    with pytest.raises(ValueError, match=wanted):
        schulz_zimm_shares(LENGTHS, mean, pdi)


NAMES = [f"PDOL{units}" for units in LENGTHS]


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ({"into": "PDOL20"}, "units: is missing"),
        ({"into": "PDOL20", "units": 20, "mean_units": 20}, "mean_units: needs chains of three lengths"),
        ({"into": NAMES, "units": 20, "mean_units": 15, "polydispersity": 1.3}, "units: is that of a single chain"),
        ({"into": NAMES, "mean_units": 15}, "needs mean_units and polydispersity"),
        ({"into": NAMES[:2], "mean_units": 7, "polydispersity": 1.3}, "three different lengths or more"),
        ({"into": [*NAMES[:2], "PDOL5"], "mean_units": 7, "polydispersity": 1.3}, "three different lengths or more"),
        ({"into": {"PDOL10": 1}}, "two chains or more"),
        ({"into": {"PDOL10": 1, "PDOL20": 0}}, "a number above zero"),
        ({"into": {"PDOL10": 1, "PDOL20": 1}, "mean_units": 15}, "mean_units: follows from the numbers"),
        ({"into": NAMES, "mean_units": 15, "polydispersity": 1.0}, "greater than 1"),
        ({"into": 20, "units": 20}, "valid string"),
    ],
)
def test_what_is_written_in_no_way_or_in_two_is_refused(written, wanted):
    with pytest.raises(ValidationError, match=wanted):
        Conversion(percent=85, **written)


def box(conversion: dict, salts: int = 1, monomers: int = 20) -> BoxRecipe:
    """DOL of which some has become chains, with salt."""
    recipe = {"NaTFSI": {"mole_ratio": salts}, "DOL": {"mole_ratio": monomers}}
    written = {"DOL": {"percent": 85} | conversion}
    return BoxRecipe(name="Y", title="y", temperature_k=300, recipe=recipe, conversion=written)


DISTRIBUTION = {"into": NAMES, "mean_units": 15, "polydispersity": 1.4}


def test_numbers_given_with_each_chain(every, tmp_path):
    """Twice as many of 10 as of 20: 40 units in three chains. Of 160 DOL 120 are taken by 6 and 3 chains."""
    some = box({"into": {"PDOL10": 2, "PDOL20": 1}, "percent": 75}, salts=8, monomers=160)
    check_box(tmp_path / "Y.yaml", some, every)
    assert species_of(some) == ["NaTFSI", "DOL", "PDOL10", "PDOL20"]
    composition = compose(some, every, 8 * 16 + 40 * 11 + 6 * 119 + 3 * 229)
    assert composition.molecules == {"Na": 8, "TFSI": 8, "DOL": 40, "PDOL10": 6, "PDOL20": 3}
    written = {c.species: c.written for c in composition.components}
    assert written["PDOL10"] == "75 % of DOL, 66.7 % of its chains"


def test_a_distribution_as_whole_chains(every, tmp_path):
    """In a box of 60 000 atoms rounding is small: units taken, mean and PDI are those asked for."""
    some = box(DISTRIBUTION)
    check_box(tmp_path / "Y.yaml", some, every)
    assert molecules_of(some, every) == ["Na", "TFSI", "DOL", *NAMES]
    counts = {c.species: c.count for c in whole_formula_units(some, every, 60_000)}
    units = np.array(LENGTHS)
    chains = np.array([counts[name] for name in NAMES])
    assert units @ chains / (units @ chains + counts["DOL"]) == pytest.approx(0.85, abs=0.01)
    mean, pdi = mean_and_polydispersity(LENGTHS, chains)
    assert mean == pytest.approx(15, rel=0.02)
    assert pdi == pytest.approx(1.4, rel=0.02)
    assert (units @ chains + counts["DOL"]) / counts["NaTFSI"] == pytest.approx(20, rel=0.02)


def test_what_rounding_did_to_mean_and_pdi_is_printed(every, shipped, tmp_path, capsys):
    settings = read_settings(shipped / "config" / "quick.yaml")
    settings = settings.model_copy(update={"box": settings.box.model_copy(update={"atoms": 5000})})
    records = {name: tmp_path / f"{name}.json" for name in ("Na", "TFSI", "DOL", *NAMES)}
    for path in records.values():
        write_json(path, {"verdict": "ok"})
    output = tmp_path / "boxes" / "Y" / "composition.json"
    write_composition(box(DISTRIBUTION), every, settings, records, {"stage": "composition"}, output)
    record = read_json(output)
    (chains,) = record["conversions"]
    mean, pdi = mean_and_polydispersity(chains["units"], chains["chains"])
    masses = [every[name].molar_mass_g_per_mol for name in chains["chain"]]
    mn = sum(m * count for m, count in zip(masses, chains["chains"], strict=True)) / sum(chains["chains"])
    # 74.08 g/mol a unit, and the ends.
    assert mn == pytest.approx(74.08 * mean + 46.07, rel=1e-3)
    assert (chains["mean_units_asked"], chains["polydispersity_asked"]) == pytest.approx((15, 1.4))
    assert mean != pytest.approx(15, abs=0.01)
    told = f"mean of {mean:.3g} units instead of 15 (Mn {mn:.4g} g/mol), PDI {pdi:.3f} instead of 1.400"
    printed = capsys.readouterr().out
    assert told in printed
    assert printed.splitlines()[:-1] == describe(record)
    assert "DOL -> PDOL5, PDOL10, PDOL20, PDOL40: 85 % asked" in printed
    assert chains["end_groups"] == "C2H6O"


def test_a_length_that_the_box_is_too_small_for_is_refused(every):
    with pytest.raises(InputError, match=r"PDOL40: 85 % of DOL, .+ % of its chains is less than half a molecule"):
        whole_formula_units(box(DISTRIBUTION), every, 700)


@pytest.mark.parametrize(
    ("conversion", "wanted"),
    [
        (
            {"into": ["PDOL5", "PDOL10", "DME"], "mean_units": 8, "polydispersity": 1.2},
            "DME: chains of several lengths",
        ),
        (DISTRIBUTION | {"polydispersity": 3.0}, "not 3: add longer"),
        ({"into": {"PDOL5": 1, "PDOL": 1}}, "there is no such species"),
    ],
)
def test_a_distribution_is_checked_with_its_species(every, tmp_path, conversion, wanted):
    with pytest.raises(InputError, match=wanted):
        check_box(tmp_path / "Y.yaml", box(conversion), every)


def test_boxes_with_one_length_keep_their_recipe(every, shipped):
    """What decided their numbers before there were distributions, to the letter: finished runs are not made anew."""
    settings = read_settings(shipped / "config" / "quick.yaml")
    some = box({"into": "PDOL20", "units": 20})
    assert box_recipe("composition", some, every, settings)["conversion"] == {
        "DOL": {"into": "PDOL20", "units": 20, "percent": 85.0}
    }
    assert [(n.species, n.units, n.share) for n in lengths_of(some.conversion["DOL"], every)] == [("PDOL20", 20, 1.0)]
