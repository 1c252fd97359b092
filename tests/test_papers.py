"""Papers: what ships is complete and refers to things that exist; what is wrong is refused in one line."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from electroscreen.complexes import read_complex
from electroscreen.inputs import InputError
from electroscreen.papers import check_papers, read_paper, read_papers
from electroscreen.species import species_names

MOLECULES = Path(__file__).parents[1] / "molecules"
PAPERS = sorted((MOLECULES / "papers").glob("*.yaml"))

PAPER = {
    "name": "somebody",
    "title": "On LiF",
    "citation": "Somebody 2026",
    "doi": "10.1000/x.1",
    "level_of_theory": "B3LYP/6-31G(d,p)",
    "values": [
        {
            "table": "orbitals",
            "quantity": "LUMO",
            "subject": "LiF",
            "value": -1.34,
            "unit": "eV",
            "where": "Table 1",
            "kind": "computed",
            "tolerance": 0.01,
            "result": {"orbital": {"species": "LiF", "key": "lumo_ev"}},
        }
    ],
    "orders": [
        {"table": "o", "quantity": "order", "subjects": [["LiF"], ["LiOH"]], "key": "lumo_ev", "where": "Fig. 1"}
    ],
}


def write(folder: Path, change=lambda paper: None, stem: str = "somebody") -> Path:
    paper = copy.deepcopy(PAPER)
    change(paper)
    path = folder / f"{stem}.yaml"
    path.write_text(yaml.safe_dump(paper), encoding="utf-8")
    return path


def refusal(folder: Path, change, stem: str = "somebody") -> str:
    path = write(folder, change, stem)
    with pytest.raises(InputError) as error:
        read_paper(path)
    message = str(error.value)
    assert message.startswith(str(path)) and "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_five_papers_ship_and_refer_only_to_what_exists():
    papers = read_papers(PAPERS)
    boxes = [path.stem for path in (MOLECULES / "boxes").glob("*.yaml")]
    assert len(papers) == 5
    complexes = {path.stem: read_complex(path) for path in (MOLECULES / "complexes").glob("*.yaml")}
    check_papers(papers, species_names(MOLECULES / "species"), boxes, complexes)


# A second copy of the papers' numbers, typed from the papers and not from the YAML files.
PRINTED = {
    ("o_carborane", "LUMO"): {
        "o-carborane": -0.25,
        # One value in the paper, which names no conformer; two of ours beside it.
        "(CH2OCO2Li)2, extended conformer": -0.92,
        "(CH2OCO2Li)2, lowest conformer": -0.92,
        "CH3OCO2Li": -0.94,
        "LiF": -1.34,
        "LiOH": -1.14,
        "Li2CO3": -0.84,
        "Li2O": -0.73,
    },
    ("sn_fb_quasi_solid", "LUMO"): {"Sn(OTf)2": -4.87, "NaDFOB": -2.56},
    ("sn_fb_quasi_solid", "HOMO"): {"Sn(OTf)2": -7.37, "NaDFOB": -8.12},
    ("sn_fb_quasi_solid", "Na+ diffusion coefficient from MSD"): {"FB LE": 2.8, "Sn QSE": 11.9, "Sn-FB QSE": 16.8},
    ("sn_fb_quasi_solid", "Na+ transference number (Bruce-Vincent)"): {
        "FB LE": 0.53,
        "Sn QSE": 0.64,
        "Sn-FB QSE": 0.94,
    },
    ("sn_fb_quasi_solid", "ionic conductivity"): {"FB LE": 0.62, "Sn QSE": 0.66, "Sn-FB QSE": 1.3},
    ("sn_fb_quasi_solid", "coordination number of Na+ by O of DOL"): {"FB LE": 4.87},
    ("sn_fb_quasi_solid", "coordination number of Na+ by O of PDOL"): {"Sn-FB QSE": 2.81},
    ("sn_fb_quasi_solid", "glass transition temperature"): {"Sn QSE": -53.21, "Sn-FB QSE": -50.29},
    ("sn_fb_quasi_solid", "binding energy of Na+ and PDOL"): {"bare": -3.216, "with DFOB and TFSI present": -2.285},
    ("tetraphenylborate_framework", "activation energy of conduction"): {"2-Na": 0.19, "2-K": 0.20, "2-Zn": 0.19},
    ("nak_liquid_anode", "current density above which Na stripping turns unstable"): {"NaK50": 0.6, "NaK65": 0.15},
    ("p2_p3_layered_oxide", "capacity retention"): {"P2/P3 oxide with engineered interphase": 81.2},
}


@pytest.mark.parametrize(("paper", "quantity"), PRINTED)
def test_numbers_are_those_of_the_paper(paper, quantity):
    values = read_paper(MOLECULES / "papers" / f"{paper}.yaml").values
    assert {v.subject: v.value for v in values if v.quantity == quantity} == PRINTED[paper, quantity]


def test_every_value_has_its_place_and_the_carborane_paper_its_tolerance():
    papers = read_papers(PAPERS)
    assert all(value.where and value.unit for paper in papers.values() for value in paper.values)
    carborane = next(paper for path, paper in papers.items() if path.stem == "o_carborane")
    assert {value.tolerance for value in carborane.values} == {0.01}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda p: p["values"][0].update(vlaue=1), "values.0.vlaue: unknown key, did you mean 'value'?"),
        (lambda p: p["values"][0].pop("where"), "values.0.where: is missing"),
        (lambda p: p["values"][0].update(value="-1.34 eV"), "values.0.value"),
        (lambda p: p["values"][0].update(value=float("nan")), "values.0.value"),
        (lambda p: p["values"][0].update(tolerance=0), "values.0.tolerance"),
        (lambda p: p["values"][0].update(unit="Hartree"), "unit is 'Hartree', but our lumo_ev is in 'eV'"),
        (lambda p: p["values"][0].update(tolerance=None), "give a 'tolerance'"),
        (lambda p: p["values"][0].update(result={}), "found none"),
        (lambda p: p["values"][0]["result"].update(not_computed="no"), "found orbital and not_computed"),
        (lambda p: p["orders"][0].update(subjects=[["LiF"], ["LiF"]]), "LiF stands in it twice"),
        (lambda p: p["orders"][0].update(subjects=[["LiF"]]), "orders.0.subjects"),
        (lambda p: p.update(doi="https://doi.org/10.1000/x"), "doi"),
        (lambda p: p.update(name="somebody_else"), "name: is 'somebody_else', but the file is 'somebody'"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(tmp_path, change, expected):
    assert expected in refusal(tmp_path, change)


def test_a_value_may_stand_beside_ours_unjudged(tmp_path):
    path = write(tmp_path, lambda p: p["values"][0].update(tolerance=None, not_comparable="level unknown"))
    assert read_paper(path).values[0].not_comparable == "level unknown"


def unknown(folder: Path, change, boxes=("liquid",)) -> str:
    papers = read_papers([write(folder, change)])
    with pytest.raises(InputError) as error:
        check_papers(papers, ["LiF", "LiOH", "DOL", "Na"], list(boxes))
    assert str(folder / "somebody.yaml") in str(error.value)
    return str(error.value)


def test_names_that_nobody_defined_are_refused(tmp_path):
    check_papers(read_papers([write(tmp_path)]), ["LiF", "LiOH"], [])

    def orbital(paper):
        paper["values"][0]["result"]["orbital"]["species"] = "LiFF"

    assert "values.0.result.orbital.species: there is no species 'LiFF', did you mean" in unknown(tmp_path, orbital)

    def order(paper):
        paper["orders"][0]["subjects"] = [["LiF"], ["NaOH"]]

    assert "orders.0.subjects: there is no species 'NaOH'" in unknown(tmp_path, order)

    def box(paper):
        result = {"diffusion": {"box": "liqud", "species": "Na"}}
        paper["values"][0] |= {"unit": "Å²/ns", "result": result}

    message = unknown(tmp_path, box)
    assert "values.0.result.diffusion.box: there is no box 'liqud', did you mean 'liquid'?" in message

    def partner(paper):
        result = {"coordination": {"box": "liquid", "center": "Na", "partner": "O(DOLL)"}}
        paper["values"][0] |= {"unit": "1", "result": result}

    message = unknown(tmp_path, partner)
    assert "values.0.result.coordination.partner: there is no species 'DOLL', did you mean 'DOL'?" in message
