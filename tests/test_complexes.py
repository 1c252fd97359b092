"""Complexes as files: what is refused, what is asked for, and how the reference changes the number."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from electroscreen.complexes import cluster_of, parts_label, read_complex, total_parts
from electroscreen.inputs import InputError
from electroscreen.papers import BindingResult, Result
from electroscreen.project import Project
from electroscreen.recipe import digest
from electroscreen.report.records import binding, number
from electroscreen.report.tables import build_tables, read_table
from electroscreen.settings import read_settings

C = {"name": "C", "title": "c", "parts": {"Na": 1, "DOL": 2}}

FAULTS = {
    "unknown part": ({"parts": {"Na": 1, "DOLL": 1}}, r"parts\.DOLL: there is no such species, did you mean 'DOL'\?"),
    "a complex as part": ({"parts": {"Na_DOL": 1, "DOL": 1}}, r"parts\.Na_DOL: there is no such species"),
    "one part": ({"parts": {"DOL": 1}}, "the file: parts: a complex has two parts or more"),
    "no parts": ({"parts": {}}, r"parts: .*at least 1"),
    "none of it": ({"parts": {"DOL": 0, "Na": 1}}, r"parts\.DOL: should be greater than or equal to 1 \(found 0\)"),
    "half of it": ({"parts": {"DOL": 1.5, "Na": 1}}, r"parts\.DOL: should be a valid integer"),
    "unknown key": ({"part": {"DOL": 1}}, r"part: unknown key, did you mean 'parts'\?"),
    "wrong spin": ({"multiplicity": 2}, "multiplicity: 2 does not fit 90 electrons"),
    "start of another": (
        {"start": {"level": "x", "xyz": "Na 0 0 0\nO 0 0 2"}},
        r"start\.xyz: must hold the atoms of Na \+ 2 DOL in this order: Na C C O C O H .*, found Na O",
    ),
    "no solvent": ({"solvent": {}}, r"solvent: should be a dielectric constant, or the name"),
    "misspelt solvent": ({"solvent": "watr"}, r"solvent: SMD knows no solvent 'watr', did you mean 'water'\?"),
    "below vacuum": ({"solvent": 0.5}, r"solvent: a dielectric constant lies above 1 and below 1000, found 0\.5"),
    "unknown dispersion": ({"dispersion": "d5"}, r"dispersion: should be 'none' or 'd3bj'"),
    "unknown reference": (
        {"compared_with": [{"Na_DOLL": 1, "DOL": 1}]},
        r"compared_with\.0\.Na_DOLL: there is no such species or other complex, did you mean 'Na_DOL'\?",
    ),
    "itself": ({"compared_with": [{"C": 1}]}, r"compared_with\.0\.C: there is no such species or other complex"),
    "other parts": (
        {"compared_with": [{"Na_DOL": 1, "DOL": 1}, {"Na_DOL2": 1, "DOL": 1}]},
        r"compared_with\.1: holds 3 DOL \+ Na, the complex 2 DOL \+ Na",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_line_for_one_fault(project, refused, fault):
    change, wanted = FAULTS[fault]
    (project / "molecules/complexes/C.yaml").write_text(yaml.safe_dump(C | change, sort_keys=False), encoding="utf-8")
    line = refused()
    assert re.fullmatch(rf"electroscreen: molecules/complexes/C\.yaml: {wanted}.*", line), line


def test_a_spin_that_does_not_follow_must_be_said(project, refused):
    path = project / "molecules/complexes/C.yaml"
    path.write_text(yaml.safe_dump(C | {"parts": {"Li-atom": 2}}), encoding="utf-8")
    assert "C.yaml: multiplicity: is missing, and Li-atom, Li-atom have unpaired electrons each" in refused()


def test_a_species_name_is_taken(project, refused):
    path = project / "molecules/complexes/dol.yaml"
    path.write_text(yaml.safe_dump(C | {"name": "dol"}), encoding="utf-8")
    assert "complexes/dol.yaml: name: the species 'DOL' bears it already: rename one" in refused()


def test_settings_ask_for_what_there_is(project, refused):
    settings = project / "config/quick.yaml"
    settings.write_text(settings.read_text().replace("complexes: [Na_DOL]", "complexes: [Na_DOOL]"))
    read_settings.cache_clear()
    assert "config/quick.yaml: binding.complexes: there is no complex 'Na_DOOL', did you mean 'Na_DOL'?" in refused()


def test_charge_and_spin_are_those_of_the_parts(shipped):
    project = Project(shipped, "paper")
    found = {}
    for name in project.complex_names:
        wanted = project.complex(name)
        cluster = cluster_of(wanted, project.complex_species(wanted))
        found[name] = (cluster.charge, cluster.multiplicity, len(cluster.symbols))
    assert found["Na_DOL4"] == (1, 1, 45)
    assert found["Na_PDOL3_DFOB_TFSI"] == (-1, 1, 67)
    assert found["Zn_TPB"] == (1, 1, 58)
    assert found["Li-atom_o-carborane"] == (0, 2, 25)
    assert project.asked_complexes == project.complex_names


def test_atoms_of_parts_stand_one_after_the_other(shipped):
    project = Project(shipped, "quick")
    wanted = project.complex("Na_DOL2")
    cluster = cluster_of(wanted, project.complex_species(wanted))
    assert [(name, list(atoms)[::10]) for name, atoms in cluster.copies] == [
        ("Na", [0]),
        ("DOL", [1, 11]),
        ("DOL", [12, 22]),
    ]
    assert parts_label(wanted.parts) == "Na + 2 DOL"
    assert total_parts({"Na_DOL2": 1, "DOL": 2}, {"Na_DOL2": wanted}) == {"DOL": 4, "Na": 1}


def test_quick_asks_for_little_and_for_what_that_is_compared_with(project):
    assert Project(project, "quick").asked_complexes == ["Na_DOL"]
    settings = project / "config/quick.yaml"
    settings.write_text(settings.read_text().replace("complexes: [Na_DOL]", "complexes: [Na_DOL3]"))
    read_settings.cache_clear()
    assert Project(project, "quick").asked_complexes == ["Na_DOL", "Na_DOL2", "Na_DOL3"]


def test_species_that_are_parts_only_are_not_screened(shipped):
    project = Project(shipped, "quick")
    of_papers = "DFOB DOL FEC LEDC LEDC-extended LMC Li2CO3 Li2O LiF LiOH Na NaDFOB NaTFSI Sn_OTf2 TFSI o-carborane"
    assert set(project.screened_species) == set(of_papers.split())
    assert {"K", "Li", "Li-atom", "PC", "PDOL3", "TPB", "Zn"} < set(project.species_names)


def test_large_complexes_keep_geometries_of_gfn1(project):
    """Na_DOL has 12 atoms, Na_DOL2 23: the limit counts those of the complex, and only that one's recipe changes."""
    settings = project / "config/some.yaml"
    settings.write_text("based_on: quick\nbinding: {geometry: dft-rough, dft_geometry_atoms: 12}\n")
    some = Project(project, "some")
    found = {name: some.binding_settings(some.complex(name)).geometry for name in ("Na_DOL", "Na_DOL2")}
    assert found == {"Na_DOL": "dft-rough", "Na_DOL2": "gfn1"}
    before = {name: digest(some.recipe("binding", name)) for name in found}
    settings.write_text("based_on: quick\nbinding: {geometry: dft-rough, dft_geometry_atoms: 11}\n")
    read_settings.cache_clear()
    after = {name: digest(Project(project, "some").recipe("binding", name)) for name in found}
    assert [before[name] == after[name] for name in found] == [False, True]


def test_a_small_complex_may_keep_them_for_a_larger_one_to_be_compared_with(project):
    settings = project / "config/some.yaml"
    settings.write_text("based_on: quick\nbinding: {geometry: dft-rough, gfn1_complexes: [Na_DOL]}\n")
    some = Project(project, "some")
    found = {name: some.binding_settings(some.complex(name)).geometry for name in ("Na_DOL", "Na_DOL2")}
    assert found == {"Na_DOL": "gfn1", "Na_DOL2": "dft-rough"}
    settings.write_text("based_on: quick\nbinding: {gfn1_complexes: [Na_DOM]}\n")
    read_settings.cache_clear()
    with pytest.raises(InputError, match="gfn1_complexes: there is no complex 'Na_DOM', did you mean 'Na_DOL'"):
        _ = Project(project, "some").asked_complexes


def test_shipped_complexes_are_computed_as_those_that_they_are_compared_with(shipped):
    """Or the table has nothing to compare."""
    some = Project(shipped, "complexes")
    geometry = {name: some.binding_settings(some.complex(name)).geometry for name in some.complex_names}
    for name in some.complex_names:
        others = {other for groups in some.complex(name).compared_with for other in groups} & set(geometry)
        assert {geometry[other] for other in others} <= {geometry[name]}, name


def test_settings_may_name_the_species(project):
    """Also one that is a part only; a name that there is not is one line."""
    settings = project / "config/some.yaml"
    settings.write_text("based_on: quick\nspecies: [Zn, LiF]\n")
    assert Project(project, "some").screened_species == ["LiF", "Zn"]
    settings.write_text("based_on: quick\nspecies: [Zm]\n")
    read_settings.cache_clear()
    with pytest.raises(InputError, match=r"some.yaml: species: there is no species 'Zm'"):
        _ = Project(project, "some").screened_species


@pytest.mark.parametrize(
    ("file", "change", "reruns"),
    [
        ("complexes/Na_DOL2", {"title": "x", "notes": "y", "sources": ["z"], "compared_with": []}, False),
        ("complexes/Na_DOL2", {"solvent": 10.0}, True),
        ("complexes/Na_DOL2", {"dispersion": "none"}, False),  # what the settings say already
        ("complexes/Na_DOL2", {"dispersion": "d3bj"}, True),
        ("complexes/Na_DOL2", {"parts": {"Na": 1, "DOL": 3}, "compared_with": []}, True),
        ("species/DOL", {"smiles": "C1COCCO1", "start": None}, True),
        ("species/DOL", {"notes": "x", "density_g_per_ml": 1.07}, False),
        ("species/FEC", {"smiles": "O=C1OCCO1"}, False),
    ],
)
def test_what_runs_again(project, file, change, reruns):
    path = project / "molecules" / f"{file}.yaml"
    before = digest(Project(project, "quick").recipe("binding", "Na_DOL2"))
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | change))
    assert (digest(Project(project, "quick").recipe("binding", "Na_DOL2")) != before) is reruns


@pytest.mark.parametrize(
    ("old", "new", "reruns"),
    [
        ("complexes: [Na_DOL]", "complexes: all", False),
        ("placements: 6", "placements: 7", True),
        ("conformers: 6", "conformers: 7", False),
        ("grid_final: 3", "grid_final: 4", True),
        ("replicas: 1", "replicas: 2", False),
    ],
)
def test_which_settings_matter(project, old, new, reruns):
    settings = project / "config/quick.yaml"
    read_settings.cache_clear()
    before = digest(Project(project, "quick").recipe("binding", "Na_DOL"))
    assert old in settings.read_text()
    settings.write_text(settings.read_text().replace(old, new))
    read_settings.cache_clear()
    assert (digest(Project(project, "quick").recipe("binding", "Na_DOL")) != before) is reruns


def record(results, name: str, parts: dict, binding_ev: float | None, verdict: str = "ok", **more) -> None:
    """Write what stage binding writes."""
    numbers = dict.fromkeys(("interaction_ev", "counterpoise_ev", "deformation_ev", "binding_kj_per_mol"))
    folder = results / "complexes" / name
    folder.mkdir(parents=True)
    uncorrected = None if binding_ev is None else binding_ev - 0.1
    content = {"parts": parts, "level": "l", "verdict": verdict, "binding_ev": binding_ev, "solvents": []}
    content |= {"binding_uncorrected_ev": uncorrected, "counterpoise_ev": 0.1}
    (folder / "binding.json").write_text(json.dumps(numbers | content | more))


@pytest.fixture
def cluster_with_ions(tmp_path):
    """A complex of energies that are easily added: -9 for all, -1 and -6 for groups."""
    wet = [{"solvent": "PCM 7.1", "binding_ev": -2.0, "binding_kj_per_mol": -193.0, "binding_uncorrected_ev": -2.1}]
    record(tmp_path, "MXP", {"M": 1, "X": 1, "P": 1}, -9.0, solvents=wet)
    record(tmp_path, "MX", {"M": 1, "X": 1}, -6.0)
    record(tmp_path, "MP", {"M": 1, "P": 1}, -1.0, level="another")
    record(tmp_path, "XP", {"X": 1, "P": 1}, None, "not converged: so it is")
    return tmp_path


def test_groups_keep_their_own_binding_energy(cluster_with_ions):
    apart = binding(cluster_with_ions, "MXP")
    assert (apart["binding_ev"], apart["verdict"]) == (-9.0, "ok")
    pair = binding(cluster_with_ions, "MXP", {"MX": 1, "P": 1})
    assert pair["binding_ev"] == pytest.approx(-3.0)
    assert pair["binding_uncorrected_ev"] == pytest.approx(-9.1 + 6.1)
    assert pair["binding_kj_per_mol"] == pytest.approx(-3.0 * 96.4853, rel=1e-5)
    assert "interaction_ev" not in pair


def test_groups_count(tmp_path):
    record(tmp_path, "A2", {"A": 2}, -1.0)
    record(tmp_path, "A4", {"A": 4}, -5.0)
    assert binding(tmp_path, "A4", {"A2": 2})["binding_ev"] == pytest.approx(-3.0)
    assert binding(tmp_path, "A4", {"A2": 1, "A": 2})["binding_ev"] == pytest.approx(-4.0)


def test_what_cannot_be_subtracted_says_why(cluster_with_ions):
    failed = binding(cluster_with_ions, "MXP", {"XP": 1, "M": 1})
    assert (failed["binding_ev"], failed["verdict"]) == (None, "XP: not converged: so it is")
    missing = binding(cluster_with_ions, "MXP", {"PX": 1, "M": 1})
    assert missing["verdict"] == "PX: not computed: complexes/PX/binding.json is missing"
    other = binding(cluster_with_ions, "MXP", {"MP": 1, "X": 1})
    assert (other["binding_ev"], other["verdict"]) == (None, "not comparable: MP was computed at another")


def test_a_remark_goes_along_with_what_is_subtracted(tmp_path):
    near = "ok (H2 of P 2.13 Å from M: too near, by GFN1-xTB)"
    record(tmp_path, "MXP", {"M": 1, "X": 1, "P": 1}, -9.0)
    record(tmp_path, "MP", {"M": 1, "P": 1}, -1.0, near)
    row = binding(tmp_path, "MXP", {"MP": 1, "X": 1})
    assert row["verdict"] == "ok (MP: H2 of P 2.13 Å from M: too near, by GFN1-xTB)"
    assert row["binding_ev"] == pytest.approx(-8.0)
    assert binding(tmp_path, "MP")["verdict"] == near


def test_a_solvent_has_its_own_numbers_and_none_of_the_vacuum(cluster_with_ions):
    assert binding(cluster_with_ions, "MXP", None, "PCM 7.1")["binding_ev"] == -2.0
    dry = binding(cluster_with_ions, "MX", None, "PCM 7.1")
    assert (dry["binding_ev"], dry["verdict"]) == (None, "not computed: MX was not put in PCM 7.1")
    assert binding(cluster_with_ions, "XP", None, "PCM 7.1")["verdict"] == "not converged: so it is"


def test_a_paper_is_set_beside_a_binding_energy(cluster_with_ions):
    asked = BindingResult(complex="MXP", compared_with={"MX": 1, "P": 1})
    assert number(cluster_with_ions, Result(binding=asked)).value == pytest.approx(-3.0)
    assert number(cluster_with_ions, Result(binding=BindingResult(complex="MX"))).value == -6.0


def test_a_paper_that_compares_with_other_parts_is_refused(project, refused):
    path = project / "molecules/papers/sn_fb_quasi_solid.yaml"
    text = path.read_text()
    assert "{Na_DFOB: 1, TFSI: 1, PDOL3: 1}" in text
    path.write_text(text.replace("{Na_DFOB: 1, TFSI: 1, PDOL3: 1}", "{Na_DFOB: 1, PDOL3: 1}"))
    assert re.search(r"compared_with: holds DFOB \+ Na \+ PDOL3, the complex DFOB \+ Na \+ PDOL3 \+ TFSI", refused())


def test_the_table_says_what_was_not_asked_for(shipped, tmp_path):
    complexes = {name: read_complex(shipped / f"molecules/complexes/{name}.yaml") for name in ("Na_DOL", "Na_DOL2")}
    level = {"level": "l", "interaction_ev": -1.2, "deformation_ev": 0.05, "binding_kj_per_mol": -101.0}
    record(tmp_path, "Na_DOL", {"Na": 1, "DOL": 1}, -1.05, **level)
    build_tables(tmp_path, [], [], [], tmp_path / "tables", complexes, ["Na_DOL"])
    rows = read_table(tmp_path / "tables", "binding_energies").to_dict("records")
    assert [(r["complex"], r["compared_with"], r["solvent"]) for r in rows] == [
        ("Na_DOL", "Na + DOL", "vacuum"),
        ("Na_DOL", "Na + DOL", "PCM 7.1"),
        ("Na_DOL2", "", ""),
    ]
    first, wet, unasked = rows
    assert [first[k] for k in ("interaction_ev", "counterpoise_ev", "deformation_ev", "binding_ev")] == [
        pytest.approx(x) for x in (-1.2, 0.1, 0.05, -1.05)
    ]
    assert wet["verdict"] == "not computed: Na_DOL was not put in PCM 7.1"
    assert unasked["verdict"] == "not computed: not asked for by binding.complexes in the settings"
    assert unasked["parts"] == "Na + 2 DOL"


@pytest.mark.parametrize(("binding_ev", "said"), [(-0.01, "ok"), (0.07, "ok (not bound: lower in energy when apart)")])
def test_the_table_says_what_is_not_bound(shipped, tmp_path, binding_ev, said):
    complexes = {"Li_PC": read_complex(shipped / "molecules/complexes/Li_PC.yaml")}
    record(tmp_path, "Li_PC", {"Li": 1, "PC": 1}, binding_ev)
    build_tables(tmp_path, [], [], [], tmp_path / "tables", complexes, ["Li_PC"])
    first = read_table(tmp_path / "tables", "binding_energies").to_dict("records")[0]
    assert (first["binding_ev"], first["verdict"]) == (binding_ev, said)
