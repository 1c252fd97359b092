"""Composition: a recipe in grams and millilitres as whole molecules, against hand and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest

from electroscreen.boxes.build import describe, write_composition
from electroscreen.boxes.composition import Composition, compose
from electroscreen.inputs import InputError
from electroscreen.recipes import BoxRecipe, read_box
from electroscreen.record import read_json, write_json
from electroscreen.settings import read_settings
from electroscreen.species import Species, check_all_species

# 1.5 g / 303.13 g/mol; 10 mL x 1.06 g/mL / 74.08 g/mol; 1 mL x 1.454 g/mL / 106.05 g/mol
PAPER_MOLES = {"NaTFSI": 4.9485e-3, "DOL": 0.143089, "FEC": 0.0137101}


@pytest.fixture(scope="module")
def every(shipped) -> dict[str, Species]:
    """All shipped species."""
    return check_all_species(shipped / "molecules" / "species")


@pytest.fixture(scope="module")
def paper_box(shipped) -> BoxRecipe:
    """The sodium paper's liquid."""
    return read_box(shipped / "molecules" / "boxes" / "natfsi_dol_fec.yaml")


def box(**amounts) -> BoxRecipe:
    """A box of species by millimoles, or by what else is given."""
    recipe = {name: amount if isinstance(amount, dict) else {"amount_mmol": amount} for name, amount in amounts.items()}
    return BoxRecipe(name="Y", title="y", temperature_k=300, recipe=recipe)


def counts_of(composition: Composition) -> dict[str, int]:
    """Formula units by species."""
    return {component.species: component.count for component in composition.components}


def test_the_sodium_paper_per_20_salts(every, paper_box):
    """facts.md, section 1: 20 NaTFSI, 578 DOL, 55 FEC are about 7300 atoms."""
    composition = compose(paper_box, every, 7300)
    counts = counts_of(composition)
    for name, wanted in {"DOL": 578.3, "FEC": 55.4}.items():
        per_20 = 20 * counts[name] / counts["NaTFSI"]
        # A count is right to half a molecule, of this species and of the salt.
        assert per_20 == pytest.approx(wanted, rel=0.5 / counts["NaTFSI"] + 0.5 / counts[name])
    assert counts["NaTFSI"] in (20, 21)
    assert composition.atoms == pytest.approx(7300, rel=0.06)
    assert {c.species: c.moles for c in composition.components} == pytest.approx(PAPER_MOLES, rel=2e-4)


def test_atoms_mass_and_neutrality_are_those_of_the_molecules(every, paper_box):
    composition = compose(paper_box, every, 3000)
    counts = counts_of(composition)
    assert composition.molecules == {
        "Na": counts["NaTFSI"],
        "TFSI": counts["NaTFSI"],
        "DOL": counts["DOL"],
        "FEC": counts["FEC"],
    }
    assert composition.atoms == 16 * counts["NaTFSI"] + 11 * counts["DOL"] + 10 * counts["FEC"]
    assert composition.net_charge_e == 0
    by_hand = 303.13 * counts["NaTFSI"] + 74.08 * counts["DOL"] + 106.05 * counts["FEC"]
    assert composition.mass_g_per_mol == pytest.approx(by_hand, rel=1e-4)


@pytest.mark.parametrize("atoms", [700, 1500, 7300, 20000])
def test_rounding_is_told_and_balances(every, paper_box, atoms):
    """With r = n / (s m) - 1 and s fitted by least squares, the sum of m² r is zero, and n / (1 + r) follows m."""
    components = compose(paper_box, every, atoms).components
    moles = np.array([c.moles for c in components])
    rounding = np.array([c.rounding_percent for c in components]) / 100
    exact = np.array([c.count for c in components]) / (1 + rounding)
    assert moles**2 @ rounding == pytest.approx(0, abs=1e-12)
    assert exact / moles == pytest.approx(np.full(3, exact[0] / moles[0]), rel=1e-12)
    assert np.abs([c.count for c in components] - exact).max() < 1


@pytest.mark.parametrize("atoms", [1500, 7300])
def test_no_size_nearby_rounds_better(every, paper_box, atoms):
    """Try every number of salts, and for each every number of the others nearby."""
    composition = compose(paper_box, every, atoms)
    moles = np.array(list(PAPER_MOLES.values()))
    sizes = np.array([16, 11, 10])

    def error(counts: np.ndarray) -> float:
        scale = counts @ moles / (moles @ moles)
        return np.abs(counts / (scale * moles) - 1).max()

    ours = error(np.array([c.count for c in composition.components]))
    exact = atoms / (sizes @ moles) * moles
    best = math.inf
    for salts in range(1, round(1.1 * exact[0]) + 2):
        scale = salts / moles[0]
        for stretch in np.linspace(0.97, 1.03, 61):
            counts = np.rint([salts, *(scale * stretch * moles[1:])])
            if abs(counts @ sizes / atoms - 1) < 0.045 and counts.all():
                best = min(best, error(counts))
    assert ours <= best + 1e-4


def test_a_recipe_that_fits_exactly_is_taken_exactly(every):
    composition = compose(box(NaTFSI=1, DOL=20), every, 2360)
    assert counts_of(composition) == {"NaTFSI": 10, "DOL": 200}
    assert [c.rounding_percent for c in composition.components] == pytest.approx([0, 0], abs=1e-9)


def test_the_amount_does_not_matter_only_the_ratio(every):
    small, large = (compose(box(NaTFSI=f * 1.1, DOL=f * 7.3, FEC=f), every, 2000) for f in (1e-3, 1e6))
    assert small.molecules == large.molecules


def test_edge_of_a_pure_liquid_by_hand(every):
    """100 DOL weigh 7407.9 g/mol = 1.23012e-20 g, fill 1.16049e-20 cm³ = 11604.9 Å³, a cube of 22.640 Å."""
    composition = compose(box(DOL=1), every, 1100)
    assert counts_of(composition) == {"DOL": 100}
    assert composition.ideal_density_g_per_ml == pytest.approx(1.06)
    assert composition.edge_angstrom(1.06) == pytest.approx(22.640, abs=0.002)
    assert composition.edge_angstrom(1.06 / 8) == pytest.approx(2 * 22.640, abs=0.004)


def test_volumes_of_unmixed_liquids_add_up(every):
    """One mL of each: 1.06 g + 1.454 g in 2 mL."""
    composition = compose(box(DOL={"volume_ml": 1}, FEC={"volume_ml": 1}), every, 40000)
    assert composition.ideal_density_g_per_ml == pytest.approx((1.06 + 1.454) / 2, rel=1e-3)
    assert composition.warnings == []


def test_what_has_no_density_counts_as_a_molecular_crystal(every):
    """Solids of the CRC Handbook: naphthalene 1.16 (at 0 °C), urea 1.32 g/mL."""
    for smiles, density in (("c1ccc2ccccc2c1", 1.16), ("NC(N)=O", 1.32)):
        solid = Species(name="X", title="x", role="additive", smiles=smiles)
        composition = compose(box(X=1), {"X": solid}, 1000)
        assert composition.ideal_density_g_per_ml == pytest.approx(density, rel=0.1)
        (warning,) = composition.warnings
        assert warning == "ideal density: X has no density, so it counts with its van der Waals volume / 0.7"


def test_a_lone_atom_is_a_sphere(every):
    """Of a van der Waals radius of 1.40 Å (Bondi): 4/3 pi 1.40³ = 11.494 Å³, filled to 0.7: 16.42 Å³, 9.888 mL/mol."""
    helium = Species(name="He", title="helium", role="additive", smiles="[He]")
    composition = compose(box(He=1), every | {"He": helium}, 100)
    assert composition.ideal_density_g_per_ml == pytest.approx(4.0026 / 9.888, rel=2e-3)


@pytest.mark.parametrize("atoms", [200, 1500])
def test_a_component_that_would_vanish_is_named_with_the_size_it_needs(every, atoms):
    rare = box(DOL=1000, FEC=1)
    message = rf"box Y: recipe\.FEC: 1 mmol is less than half a molecule in {atoms} atoms"
    with pytest.raises(InputError, match=message) as told:
        compose(rare, every, atoms)
    needed = int(str(told.value).split("a box of ")[1].split()[0])
    assert needed == 11010
    assert counts_of(compose(rare, every, needed))["FEC"] == 1


@pytest.mark.parametrize("atoms", [1500, 7300])
def test_every_box_that_ships_can_be_made_in_both_sizes(every, shipped, atoms):
    for path in sorted((shipped / "molecules" / "boxes").glob("*.yaml")):
        one = read_box(path)
        composition = compose(one, every, atoms)
        assert composition.net_charge_e == 0
        assert composition.atoms == pytest.approx(max(atoms, one.atoms_at_least or 0), rel=0.07)


def test_a_box_with_a_trace_is_as_large_as_it_says(every):
    """One FEC to a thousand DOL, 11 and 10 atoms: 11 010 of them."""
    trace = box(DOL=1000, FEC=1)
    with pytest.raises(InputError, match="or the box's own atoms_at_least"):
        compose(trace, every, 1500)
    enough = trace.model_copy(update={"atoms_at_least": 11_010})
    assert counts_of(compose(enough, every, 1500)) == {"DOL": 1000, "FEC": 1}
    assert compose(enough, every, 22_020).atoms == 22_020


def test_a_box_that_is_not_neutral_is_refused(every):
    with pytest.raises(InputError, match=r"carries \+\d+ e: add the counter-ion"):
        compose(box(Na=1, DOL=10), every, 1000)


def test_ions_shared_by_two_salts_are_one_species(every):
    composition = compose(box(NaTFSI=10, NaDFOB=5, DOL=85), every, 4000)
    counts = counts_of(composition)
    assert composition.molecules["Na"] == counts["NaTFSI"] + counts["NaDFOB"]
    assert list(composition.molecules) == ["Na", "TFSI", "DFOB", "DOL"]
    assert composition.net_charge_e == 0


@pytest.fixture
def written(tmp_path, every, paper_box, shipped):
    """Write composition.json with given verdicts of the force fields; return it read back."""

    def write(**verdicts) -> dict:
        records = {name: tmp_path / f"{name}.json" for name in ("Na", "TFSI", "DOL", "FEC")}
        for name, path in records.items():
            write_json(path, {"verdict": verdicts.get(name, "ok")})
        settings = read_settings(shipped / "config" / "quick.yaml")
        write_composition(paper_box, every, settings, records, {"stage": "composition"}, tmp_path / "composition.json")
        return read_json(tmp_path / "composition.json")

    return write


def test_the_record_holds_what_later_stages_need(written, shipped, capsys):
    record = written()
    assert record["verdict"] == "ok"
    assert (record["temperature_k"], record["pressure_bar"], record["net_charge_e"]) == (298.15, 1.0, 0)
    assert [m["species"] for m in record["molecules"]] == ["Na", "TFSI", "DOL", "FEC"]
    assert record["atoms"] == sum(m["count"] * len(m["symbols"]) for m in record["molecules"])
    mass = sum(m["count"] * sum(m["masses_amu"]) for m in record["molecules"])
    volume = mass * 1.66053906660 / record["ideal_density_g_per_ml"]
    assert record["edge_angstrom"] == pytest.approx(volume ** (1 / 3), rel=1e-9)
    fraction = read_settings(shipped / "config" / "quick.yaml").box.packing_density_fraction
    assert (record["edge_angstrom"] / record["packing_edge_angstrom"]) ** 3 == pytest.approx(fraction)
    *told, cost = capsys.readouterr().out.splitlines()
    assert told == describe(record)
    assert cost.startswith("  cost: one replica of 273 ps at ")


def test_what_is_printed_is_what_the_paper_says(written):
    lines = describe(written())
    assert "natfsi_dol_fec:" in lines[0]
    assert "net charge +0 e" in lines[0]
    assert [" ".join(line.split()[:3]) for line in lines[1:4]] == ["NaTFSI 1.5 g", "DOL 10 mL", "FEC 1 mL"]


def test_a_molecule_without_force_field_is_a_verdict_that_names_it(written):
    record = written(TFSI="not typable: no type for S", FEC="not computed: x")
    assert record["verdict"] == "not built: TFSI: not typable: no type for S; FEC: not computed: x"
    assert record["atoms"] > 0


# Defects found here: one still marked must fail until it is mended, and then loses its mark.


@pytest.mark.parametrize(
    ("smiles", "density"),
    [("[Na+].F[B-](F)(F)F", 2.47), ("[Na+].[O-][N+](=O)[O-]", 2.26), ("[Li+].[O-][N+](=O)[O-]", 2.38)],
)
def test_salts_without_density_are_as_dense_as_salts(smiles, density):
    """Solids of the CRC Handbook; half of their density is a wrong radius and not a crude rule."""
    salt = Species(name="X", title="x", role="salt", smiles=smiles)
    assert compose(box(X=1), {"X": salt}, 1000).ideal_density_g_per_ml == pytest.approx(density, rel=0.3)
