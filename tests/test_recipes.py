"""Box recipes in the units of a laboratory, and the recipes that decide which job runs again."""

from __future__ import annotations

import re

import pytest
import yaml

from electroscreen.inputs import InputError
from electroscreen.project import BOX_STAGES, SPECIES_STAGES, Project
from electroscreen.recipe import as_text, digest
from electroscreen.recipes import Amount, check_box, molecules_of, read_box
from electroscreen.species import Species, check_all_species

BOX = {
    "name": "Y",
    "title": "y",
    "temperature_k": 300,
    "recipe": {"NaTFSI": {"mass_g": 1}, "DOL": {"volume_ml": 10}},
    "analysis": {"coordination": [{"center": "Na", "partners": ["O(DOL)", "F"]}], "diffusion": ["Na"]},
}


@pytest.fixture(scope="module")
def every(shipped) -> dict[str, Species]:
    """All shipped species."""
    return check_all_species(shipped / "molecules" / "species")


def test_amounts_of_the_sodium_paper(every, shipped):
    """Section 2.1 of doi 10.1007/s40820-026-02236-2, by pocket calculator: m / M and V rho / M."""
    recipe = read_box(shipped / "molecules" / "boxes" / "natfsi_dol_fec.yaml").recipe
    moles = {name: amount.moles(every[name]) for name, amount in recipe.items()}
    assert moles["NaTFSI"] == pytest.approx(1.5 / 303.13, rel=1e-4)
    assert moles["NaTFSI"] == pytest.approx(4.948e-3, abs=1e-6)
    assert moles["DOL"] == pytest.approx(10 * 1.06 / 74.08, rel=1e-4)
    assert moles["DOL"] == pytest.approx(0.1431, abs=1e-4)
    assert moles["FEC"] == pytest.approx(1.0 * 1.454 / 106.05, rel=1e-4)
    assert moles["FEC"] == pytest.approx(13.71e-3, abs=5e-6)


def test_millimoles_are_thousandths(every):
    assert Amount(amount_mmol=2.5).moles(every["DOL"]) == pytest.approx(0.0025)


@pytest.mark.parametrize(
    ("given", "label"),
    [({"mass_g": 1.5}, "1.5 g"), ({"volume_ml": 10.0}, "10 mL"), ({"amount_mmol": 0.25}, "0.25 mmol")],
)
def test_an_amount_is_shown_as_it_was_written(given, label):
    assert Amount(**given).label == label


@pytest.mark.parametrize(
    "given",
    [{}, {"mass_g": None}, {"mass_g": 1, "volume_ml": 1}, {"mass_g": None, "volume_ml": None, "amount_mmol": None}],
)
def test_one_measure_and_no_more(given):
    with pytest.raises(ValueError, match="give exactly one of mass_g, volume_ml, amount_mmol"):
        Amount(**given)


FAULTS = {
    "negative": ({"DOL": {"volume_ml": -1}}, r"recipe\.DOL\.volume_ml: should be greater than 0 \(found -1\)"),
    "zero": ({"DOL": {"mass_g": 0}}, r"recipe\.DOL\.mass_g: should be greater than 0"),
    "not a number": ({"DOL": {"mass_g": float("nan")}}, r"recipe\.DOL\.mass_g: should be .*nan"),
    "infinite": ({"DOL": {"volume_ml": float("inf")}}, r"recipe\.DOL\.volume_ml: should be .*inf"),
    "left empty": ({"DOL": {"mass_g": None}}, r"recipe\.DOL: give exactly one of mass_g, volume_ml, amount_mmol"),
    "nothing": ({"DOL": None}, r"recipe\.DOL: should be a valid dictionary"),
    "a bare number": ({"DOL": 10}, r"recipe\.DOL: should be a valid dictionary"),
    "with unit": ({"DOL": {"volume_ml": "10 mL"}}, r"recipe\.DOL\.volume_ml: should be a valid number.*'10 mL'"),
    "comma": ({"DOL": {"volume_ml": "1,5"}}, r"recipe\.DOL\.volume_ml: should be a valid number.*'1,5'"),
    "other unit": ({"DOL": {"volume_l": 1}}, r"recipe\.DOL\.volume_l: unknown key, did you mean 'volume_ml'\?"),
    "two amounts": ({"DOL": {"mass_g": 1, "amount_mmol": 1}}, r"recipe\.DOL: give exactly one"),
    "no recipe": ({}, r"recipe: .*at least 1"),
    "unknown species": ({"DOLL": {"mass_g": 1}}, r"recipe\.DOLL: there is no such species, did you mean 'DOL'\?"),
    "wrong case": ({"dol": {"mass_g": 1}}, r"recipe\.dol: there is no such species, did you mean 'DOL'\?"),
    "ion for a salt": ({"Na": {"mass_g": 1}, "TFSI": {"mass_g": 12}}, r"recipe\.Na: carries \+1 e: .*give the salt"),
    "anion for a salt": ({"DFOB": {"amount_mmol": 1}}, r"recipe\.DFOB: carries -1 e: .*give the salt"),
    "volume of a solid": (
        {"NaTFSI": {"volume_ml": 1}},
        r"recipe\.NaTFSI: a volume needs the density: add density_g_per_ml",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_amounts_that_mean_nothing(project, refused, fault):
    recipe, wanted = FAULTS[fault]
    box = BOX | {"recipe": recipe, "analysis": {}}
    (project / "molecules" / "boxes" / "Y.yaml").write_text(yaml.safe_dump(box), encoding="utf-8")
    line = refused()
    assert re.fullmatch(rf"electroscreen: molecules/boxes/Y\.yaml: {wanted}.*", line), line


WANTED = {
    "element not there": ({"coordination": [{"center": "Li", "partners": ["F"]}]}, r"site 'Li': the box holds no Li"),
    "element not in it": ({"coordination": [{"center": "Na", "partners": ["N(DOL)"]}]}, r"'N\(DOL\)': DOL holds no N"),
    "species not there": ({"coordination": [{"center": "Na", "partners": ["O(FEC)"]}]}, r"no species 'FEC'"),
    "salt and not its ion": ({"diffusion": ["NaTFSI"]}, r"no species 'NaTFSI', did you mean 'TFSI'\?"),
    "not a site": ({"coordination": [{"center": "Na", "partners": ["O of DOL"]}]}, r"site 'O of DOL': must be"),
    "no SMARTS": ({"sites": {"ether": "[OX2"}}, r"sites.ether: '\[OX2' is no SMARTS pattern"),
    "label not there": ({"coordination": [{"center": "Na", "partners": ["O(ether of DOL)"]}]}, r"has no 'ether'"),
    "bracket open": ({"coordination": [{"center": "Na", "partners": ["O(DOL"]}]}, r"site 'O\(DOL': must be"),
}


@pytest.mark.parametrize("fault", WANTED)
def test_sites_that_the_box_does_not_hold(project, refused, fault):
    analysis, wanted = WANTED[fault]
    (project / "molecules" / "boxes" / "Y.yaml").write_text(yaml.safe_dump(BOX | {"analysis": analysis}))
    assert re.search(rf"molecules/boxes/Y\.yaml: analysis: .*{wanted}", refused())


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("temperature_k", 0, "greater than 0"),
        ("temperature_k", "25 °C", "valid number"),
        ("temperature_k", float("inf"), "finite"),
        ("temperature_k", 1e5, "less than or equal to 2000"),
        ("pressure_bar", -1, "greater than or equal to 0"),
        ("presure_bar", 1, "did you mean 'pressure_bar'"),
        ("name", "Z", "the file is 'Y'"),
    ],
)
def test_conditions(project, refused, field, value, wanted):
    (project / "molecules" / "boxes" / "Y.yaml").write_text(yaml.safe_dump(BOX | {field: value}, allow_unicode=True))
    assert re.search(rf"molecules/boxes/Y\.yaml: {field}: .*{wanted}", refused())


def test_salts_stand_in_a_box_as_their_ions_each_once(every, tmp_path):
    recipe = {name: {"amount_mmol": 1} for name in ("DOL", "NaDFOB", "NaTFSI", "FEC")}
    path = tmp_path / "Y.yaml"
    path.write_text(yaml.safe_dump(BOX | {"recipe": recipe}, sort_keys=False), encoding="utf-8")
    box = read_box(path)
    assert molecules_of(box, every) == ["DOL", "Na", "DFOB", "TFSI", "FEC"]
    check_box(path, box, every)


@pytest.fixture
def edit(project):
    """Set one field of a file of the project, or add a comment to it; return the project, read afresh."""

    def change(file: str, keys: str, value) -> Project:
        from electroscreen.settings import read_settings

        path = project / file
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        *parents, last = keys.split("/")
        inner = content
        for key in parents:
            inner = inner[key]
        inner[last] = value(inner.get(last)) if callable(value) else value
        path.write_text("# a comment\n" + yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        read_settings.cache_clear()
        return Project(project, "quick")

    return change


def recipes_of(project: Project) -> dict[str, str]:
    """Hashes of the recipes of every stage of DOL, and of the box."""
    names = dict.fromkeys(SPECIES_STAGES, "DOL") | dict.fromkeys(BOX_STAGES, "natfsi_dol_fec")
    return {stage: digest(project.recipe(stage, name)) for stage, name in names.items()}


SPECIES_FILE, BOX_FILE, SETTINGS_FILE = (
    "molecules/species/DOL.yaml",
    "molecules/boxes/natfsi_dol_fec.yaml",
    "config/quick.yaml",
)
EDITS = {
    "nothing but a comment and the order of the fields": (SPECIES_FILE, "name", "DOL", set()),
    "notes": (SPECIES_FILE, "notes", "a remark", set()),
    "sources": (SPECIES_FILE, "sources", ["a handbook"], set()),
    "the same number": (BOX_FILE, "recipe/DOL/volume_ml", float, set()),
    "another SMILES": (SPECIES_FILE, "smiles", "C1COC[O]1", set(SPECIES_STAGES)),
    "density": (SPECIES_FILE, "density_g_per_ml", 1.05, {"composition"}),
    "amount": (BOX_FILE, "recipe/NaTFSI/mass_g", 1.7, {"composition"}),
    "temperature": (BOX_FILE, "temperature_k", 313.0, {"composition", "analysis"}),
    "pressure": (BOX_FILE, "pressure_bar", 313.0, {"composition"}),
    "sites": (BOX_FILE, "analysis/diffusion", ["Na"], {"analysis"}),
    "basis": (SETTINGS_FILE, "quantum/level/basis", "6-31g", {"geometry", "orbitals", "redox", "esp", "cubes"}),
    "coarse grid": (SETTINGS_FILE, "quantum/grid_while_moving", 0, {"geometry"}),
    "fine grid": (SETTINGS_FILE, "quantum/grid_final", 9, {"orbitals", "levels", "redox", "esp"}),
    "memory": (SETTINGS_FILE, "quantum/memory_mb", 777, set()),
    "own force-field term": (
        SPECIES_FILE,
        "forcefield",
        {"source": "here", "lj": {"O3": {"sigma_angstrom": 3.0, "epsilon_kj_per_mol": 0.4}}},
        {"forcefield"},
    ),
    "charges by a functional": (SETTINGS_FILE, "forcefield/resp_method", "b3lypg", {"charges"}),
    "charges half in a continuum": (SETTINGS_FILE, "forcefield/resp_solvent_share", 0.5, {"charges"}),
    "a continuum that no charge sees": (SETTINGS_FILE, "forcefield/resp_dielectric", 7.0, set()),
    "dielectric constant that no charge sees": (SPECIES_FILE, "dielectric_constant", 8.0, set()),
    "refractive index that nothing asks for": (SPECIES_FILE, "refractive_index", 1.4, set()),
    "set of ions": (SETTINGS_FILE, "forcefield/ion_set", "aqvist", {"forcefield"}),
    "charges of the library": (SETTINGS_FILE, "forcefield/library_charges", "published", {"forcefield"}),
    "Hessian": (SETTINGS_FILE, "forcefield/hessian", "dft", {"forcefield"}),
    "limit of a Hessian that is not computed": (SETTINGS_FILE, "forcefield/dft_hessian_atoms", 5, set()),
    "charge scale": (SETTINGS_FILE, "forcefield/ion_charge_scale", 0.77, {"composition", "packing", "analysis"}),
    "size": (SETTINGS_FILE, "box/atoms", lambda n: n + 1, {"composition"}),
    "cutoff": (SETTINGS_FILE, "dynamics/cutoff_angstrom", 9.5, {"packing", "dynamics"}),
    "length": (SETTINGS_FILE, "dynamics/production_ps", lambda ps: ps + 1, {"dynamics"}),
    "other boxes": (SETTINGS_FILE, "box/boxes", "all", set()),
    "limit of equilibration": (SETTINGS_FILE, "dynamics/equilibrate_limit", 6, {"dynamics"}),
    "no DFT geometry above its size": (SETTINGS_FILE, "quantum/dft_geometry_atoms", 11, set()),
    "no DFT geometry below its size": (SETTINGS_FILE, "quantum/dft_geometry_atoms", 10, {"geometry"}),
    "Ewald's error": (SETTINGS_FILE, "dynamics/pme_tolerance", 1e-4, {"packing"}),
    "Ewald's error as before": (SETTINGS_FILE, "dynamics/pme_tolerance", 5e-4, set()),
    "annealing of chains that there are not": (SETTINGS_FILE, "dynamics/anneal", "21-step", set()),
    "saved by the clock": (SETTINGS_FILE, "dynamics/checkpoint_minutes", 1.0, set()),
    "known density": (BOX_FILE, "density_g_per_ml", 1.15, {"composition"}),
    "more replicas": (SETTINGS_FILE, "dynamics/replicas", lambda n: n + 1, set()),
    "saved more often": (SETTINGS_FILE, "dynamics/checkpoint_ps", 0.5, set()),
    "other machine": (SETTINGS_FILE, "dynamics/platform", "Reference", set()),
}


@pytest.mark.parametrize("case", EDITS)
def test_what_runs_again_after_an_edit(project, edit, case):
    """Stages whose own recipe changes; those behind them follow through their input files."""
    file, keys, value, changed = EDITS[case]
    before = recipes_of(Project(project, "quick"))
    after = recipes_of(edit(file, keys, value))
    assert {stage for stage in before if before[stage] != after[stage]} == changed


def test_salts_of_sodium_are_searched_again_since_ions_keep_their_distance(project):
    """Not a single ion, nor where nothing is searched, nor what holds no such ion; so with given starts."""
    shown = {"NaTFSI": True, "NaDFOB-fluorine": False, "Na": False, "DOL": False, "Sn_OTf2": False}
    found = {name: "ions" in Project(project, "quick").recipe("geometry", name) for name in shown}
    assert found == shown
    started = {"LEDC": True, "LEDC-extended": False, "Na": False}
    assert {name: "start" in Project(project, "quick").recipe("geometry", name) for name in started} == started


def test_charges_of_salts_of_metals_are_fitted_again_since_metals_have_radii(project):
    shown = {"NaTFSI": True, "Sn_OTf2": True, "Na": False, "DFOB": False, "o-carborane": False}
    assert {name: "radii" in Project(project, "quick").recipe("charges", name) for name in shown} == shown


def test_of_large_species_dft_compares_nothing(edit):
    project = edit(SETTINGS_FILE, "quantum/dft_geometry_atoms", 2)
    recipe = project.recipe("geometry", "NaTFSI")
    assert recipe["quantum"]["level"] == "GFN2-xTB" and "ions" in recipe and "start" not in recipe


def test_charges_by_the_solvents_electrons_need_a_refractive_index(edit):
    """1,3-dioxolane with a tenth of carbonate, both of 1.4: one over that."""
    edit("molecules/species/FEC.yaml", "refractive_index", None)
    project = edit(SETTINGS_FILE, "forcefield/ion_charge_scale", "ecc")
    with pytest.raises(InputError, match=r"box natfsi_dol_fec: .*ecc: give refractive_index of FEC"):
        project.check()
    edit("molecules/species/FEC.yaml", "refractive_index", 1.4)
    project = edit(SPECIES_FILE, "refractive_index", 1.4)
    for stage in ("composition", "packing", "analysis"):
        assert project.recipe(stage, "natfsi_dol_fec")["ion_charge_scale"] == pytest.approx(1 / 1.4, abs=1e-4)


def test_a_recipe_is_plain_data_and_its_hash_does_not_depend_on_order():
    assert digest({"a": 1, "b": {"c": 2.0, "d": "Å"}}) == digest({"b": {"d": "Å", "c": 2.0}, "a": 1})
    assert digest({"a": 1}) != digest({"a": 1.5})
    assert as_text({"b": "Å", "a": [1, None]}) == '{"a":[1,null],"b":"\\u00c5"}'


def test_recipes_of_all_that_is_shipped_can_be_written(shipped):
    project = Project(shipped, "quick")
    for stage in SPECIES_STAGES:
        assert len({as_text(project.recipe(stage, name)) for name in project.species_names}) == len(
            project.species_names
        )
    for stage in BOX_STAGES:
        for name in project.box_names:
            assert as_text(project.recipe(stage, name)).startswith("{")


def test_names_that_are_not_there_are_an_input_error(shipped):
    project = Project(shipped, "quick")
    with pytest.raises(InputError, match="there is no species 'LiFF', did you mean 'LiF'"):
        project.recipe("geometry", "LiFF")
    with pytest.raises(InputError, match="there is no box 'x'"):
        project.recipe("composition", "x")


def test_a_salt_without_ions_cannot_stand_in_a_box(project, refused):
    recipe = {"DOL": {"volume_ml": 10}, "LiF": {"mass_g": 1}}
    box = BOX | {"recipe": recipe, "analysis": {}}
    (project / "molecules" / "boxes" / "Y.yaml").write_text(yaml.safe_dump(box), encoding="utf-8")
    assert "recipe.LiF" in refused()


def test_minutes_and_seconds_are_no_volume(project, refused):
    text = yaml.safe_dump(BOX).replace("volume_ml: 10", "volume_ml: 1:30")
    (project / "molecules" / "boxes" / "Y.yaml").write_text(text, encoding="utf-8")
    assert "recipe.DOL.volume_ml" in refused()


def test_yes_is_no_mass(project, refused):
    text = yaml.safe_dump(BOX).replace("mass_g: 1", "mass_g: yes")
    (project / "molecules" / "boxes" / "Y.yaml").write_text(text, encoding="utf-8")
    assert "recipe.NaTFSI.mass_g" in refused()


def test_an_ion_by_volume_is_told_to_be_a_salt(project, refused):
    box = BOX | {"recipe": {"Na": {"volume_ml": 1}}, "analysis": {}}
    (project / "molecules" / "boxes" / "Y.yaml").write_text(yaml.safe_dump(box), encoding="utf-8")
    assert "give the salt" in refused()
