"""The report: one file that loads nothing from a network, holds every table, and escapes what people wrote."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tables_helpers import ORBITALS, PAPERS, PROVENANCE, write_json, write_orbitals, write_results

from electroscreen.record import write_text
from electroscreen.report import run
from electroscreen.report.figures import build_figures
from electroscreen.report.names import OF_BOX, box_of
from electroscreen.report.page import build_report, filled, tone
from electroscreen.report.tables import build_tables, read_table

SPECIES = [*ORBITALS, "TFSI", "DFOB"]
BOXES = ["natfsi_dol_fec", "lost_box"]
BLOCKS = {"dt", "dd", "td", "th", "tr", "p", "li", "h1", "h2", "h3", "caption"}
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Elements with their attributes, cells as text, and whether every element was closed in turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.cells: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []
        self.text = " ".join(self.text.split())
        self.cells = [" ".join(cell.split()) for cell in self.cells]

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.text += " " if tag in BLOCKS else ""
        if tag in ("td", "th"):
            self.cells.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data
        if self.open and ("td" in self.open or "th" in self.open):
            self.cells[-1] += data

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


def report(results: Path) -> str:
    build_tables(results, PAPERS, SPECIES, BOXES, results / "tables")
    build_report(results, "quick", results / "report.html")
    return (results / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "quick"
    write_results(folder)
    build_figures(folder, PAPERS, SPECIES, {box: ["Na"] for box in BOXES}, folder / "figures")
    report(folder)
    return folder


@pytest.fixture(scope="module")
def page(results) -> Page:
    return Page((results / "report.html").read_text(encoding="utf-8"))


def test_nothing_is_loaded_from_a_network(results, page):
    for tag, attributes in page.elements:
        assert tag not in ("script", "link", "iframe", "object", "embed")
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("src", "data:").startswith("data:")
        href = attributes.get("href", "")
        assert not href.startswith("http") or (tag == "a" and href.startswith("https://doi.org/10."))
    html = (results / "report.html").read_text(encoding="utf-8")
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style and "@import" not in style


def test_figures_are_inside_with_words_for_those_who_cannot_see_them(page):
    images = page.all("img")
    assert len(images) == 1 + (1 + len(OF_BOX)) * len(BOXES)
    assert all(image["src"].startswith("data:image/svg+xml;base64,") and len(image["alt"]) > 20 for image in images)


def test_links_lead_to_files_beside_the_page_and_to_sections(results, page):
    local = [a["href"] for a in page.all("a") if not a["href"].startswith("http")]
    sections = {section.get("id") for section in page.all("section")}
    files = [href for href in local if not href.startswith("#")]
    assert {href[1:] for href in local if href.startswith("#")} <= sections
    assert len(files) >= 18 + 2 * 5 and all((results / href).is_file() for href in files)


def test_the_headline_counts_every_comparison(results, page):
    rows = read_table(results / "tables", "compared_with_papers")
    assert "agrees 10 differs 1 order agrees 2 order differs 1 not comparable 4 not computed 31" in page.text
    assert f"Of {len(rows)} numbers and rankings in 5 papers" in page.text


def test_the_seven_carborane_lumos_stand_on_top_with_their_differences(page):
    top = page.text[: page.text.index("Wang, Liang, Shen, Ma, Tie, Jin, ACS Nano 2025, 19, 38760. Self")]
    for species in ("o-carborane", "(CH2OCO2Li)2", "CH3OCO2Li", "LiF", "LiOH", "Li2CO3", "Li2O"):
        assert species in top
    assert "−0.0502" in top and "+0.0009" in top


def test_every_table_is_in_the_page(results, page):
    for name in ("frontier_orbitals", "coordination", "diffusion", "boxes"):
        for row in read_table(results / "tables", name).to_dict("records"):
            assert row["verdict"] in page.cells
    compared = read_table(results / "tables", "compared_with_papers").to_dict("records")
    for row in compared:
        assert any(cell.startswith(f"{row['quantity']}: {row['subject']}") for cell in page.cells)
        assert row["verdict"] in page.cells
    for number in ("−1.342", "4.6", "3.1", "1.152", "1.134", "3.1 (0.4 to 8.2)"):
        assert number in page.cells


def test_warnings_are_gathered_with_the_files_that_are_missing(page):
    warnings = page.text[page.text.rindex("Warnings record verdict") :]
    assert "boxes/natfsi_dol_fec/replica-1/equilibration.json ok the last 30 ps only count as equilibrated" in warnings
    assert "species/TFSI/orbitals.json not converged" in warnings
    assert "not computed: species/DFOB/orbitals.json is missing" in page.cells
    assert "not computed: boxes/lost_box/composition.json is missing" in page.cells


def test_the_run_and_the_methods_are_told_from_the_records(page):
    assert "pyscf" in page.cells and "2.9.0" in page.cells
    assert "Kohn-Sham orbitals of 15 species were computed at b3lypg/6-31g(d,p) cartesian" in page.text
    assert "14 of 15 are usable" in page.text
    assert "Box natfsi_dol_fec holds 4 Na, 4 TFSI, 117 DOL, 11 FEC (1451 atoms) at 298.2 K" in page.text
    assert (
        "Replica-1 equilibrated at 1.152 g/mL (95 % interval 1.149 to 1.156 g/mL) and then ran for 150 ps" in page.text
    )
    assert "seed 20260101" in page.text


def test_hours_add_up(results):
    stages = run.gather(run.all_records(results)).stages()
    hours = {row["stage"]: (row["jobs"], row["usable"], row["hours"]) for row in stages}
    assert hours["orbitals"] == (15, 14, 7.5)  # 15 jobs of 1800 s
    assert hours["analysis"] == (1, 1, 0.5)


def test_several_versions_are_all_told(tmp_path):
    write_orbitals(tmp_path, "A", -5.0, -1.0)
    write_orbitals(tmp_path, "B", -5.0, -1.0, provenance=PROVENANCE | {"versions": {"pyscf": "2.10.0"}})
    assert run.gather(run.all_records(tmp_path)).versions()["pyscf"] == "2.10.0, 2.9.0"


def test_what_people_wrote_is_text(tmp_path):
    hostile = "<script>alert(1)</script> & \"quoted\" 'x' {{ 70 * 77 }}"
    write_results(tmp_path)
    write_orbitals(
        tmp_path, "LiF", -6.98, -1.3421, title=hostile, warnings=[hostile], verdict=f"not converged: {hostile}"
    )
    path = tmp_path / "boxes" / "natfsi_dol_fec" / "composition.json"
    write_json(path, json.loads(path.read_text()) | {"title": hostile})
    html = report(tmp_path)
    assert "<script" not in html and "5390" not in Page(html).text.split()
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#34;quoted&#34;") >= 4
    assert "{{ 70 * 77 }}" in Page(html).text


def test_a_box_takes_only_its_own_figures(tmp_path):
    write_results(tmp_path)
    for stem in ("rdf_lost_box_Na", "rdf_lost_box_2_Na", "msd_lost_box_2", "rdf_lost_Na"):
        box = box_of(stem)[1]
        write_text(tmp_path / "figures" / box / f"{stem}.svg", f"<svg><!-- {stem} --></svg>")
    sources = [image["src"].partition(",")[2] for image in Page(report(tmp_path)).all("img")]
    assert [base64.b64decode(source).decode() for source in sources] == ["<svg><!-- rdf_lost_box_Na --></svg>"]


def test_long_tables_are_data_for_the_pages_own_script(tmp_path, monkeypatch):
    monkeypatch.setattr("electroscreen.report.page.MOST_ROWS", 3)
    write_results(tmp_path)
    write_orbitals(tmp_path, "LiF", -5.0, -1.0, title="</script><b>")
    html = report(tmp_path)
    assert Page(html).all("b") == []
    found = [json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', html)]
    frontier = next(data for data in found if [c["name"] for c in data["columns"]][:2] == ["species", "name"])
    assert len(frontier["rows"]) == len(SPECIES) and all(
        len(row) == 1 + len(frontier["columns"]) for row in frontier["rows"]
    )
    lif = next(row for row in frontier["rows"] if row[0] == "LiF")
    assert lif[1] == "</script><b>" and "−5" in lif and lif[-1] == ""
    assert next(row for row in frontier["rows"] if row[0] == "TFSI")[-1] == "open"
    assert html.count('document.querySelectorAll(".paged")') == 1


def test_of_many_boxes_and_species_the_page_holds_some_and_tells_all(tmp_path, monkeypatch):
    monkeypatch.setattr("electroscreen.report.page.MOST_BOXES", 1)
    monkeypatch.setattr("electroscreen.report.page.MOST_SPECIES", 2)
    write_results(tmp_path)
    for name in ORBITALS:
        write_text(tmp_path / "species" / name / "orbitals.png", name)
    page = Page(report(tmp_path))
    pictures = [image["alt"] for image in page.all("img") if image["alt"].startswith("HOMO and LUMO")]
    assert pictures == ["HOMO and LUMO of Sn_OTf2", "HOMO and LUMO of Na"]
    sections = [section["id"] for section in page.all("section")]
    assert "boxes" in sections and "box-1" in sections and "box-2" not in sections
    assert "lost_box" in page.cells


def test_a_run_in_which_everything_failed_still_has_a_report(tmp_path):
    page = Page(report(tmp_path))
    assert page.text.count("is missing") > len(SPECIES)
    assert "agrees" not in page.cells and "order agrees" not in page.cells


def test_the_same_results_give_the_same_page(results):
    before = (results / "report.html").read_bytes()
    build_report(results, "quick", results / "report.html")
    assert (results / "report.html").read_bytes() == before


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ("agrees", "good"),
        ("order differs", "bad"),
        ("not comparable: x: y", "open"),
        ("ok", ""),
        ("not diffusive", "open"),
    ],
)
def test_tones(verdict, expected):
    assert tone(verdict) == expected


def test_every_cell_but_the_verdict_says_what_it_is_where_there_is_no_room_for_headings(page):
    words = {tuple(cell.get("class", "").split()) for cell in page.all("td") if "data-label" not in cell}
    assert words <= {("words", "verdict"), ("words",)}
    labels = [cell["data-label"] for cell in page.all("td") if "data-label" in cell]
    assert "LUMO (eV)" in labels and all(labels)


def test_a_spare_column_without_a_value_is_left_out_and_no_other():
    headings = {"center": "center", "low": "95 % low", "radius_angstrom": "a paper's radius (Å)", "verdict": "verdict"}
    nothing = [
        {"center": "Na", "low": None, "radius_angstrom": value, "verdict": "ok"} for value in (None, float("nan"))
    ]
    assert list(filled(headings, nothing)) == ["center", "low", "verdict"]
    assert filled(headings, [*nothing, nothing[0] | {"radius_angstrom": 3.2}]) == headings
