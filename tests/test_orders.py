"""Rows of redox.csv and level_scan.csv from made-up records: ranks, disagreements, root mean squares."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from electroscreen.papers import Paper
from electroscreen.record import write_json
from electroscreen.report.comparison import compare_paper
from electroscreen.report.redox import redox_rows
from electroscreen.report.scan import at_further_levels, scan_rows, second_level_rows


def write(root: Path, species: str, homo: float, lumo: float, energies: dict | None = None, levels=()) -> None:
    """Records of a species: orbitals, energies by process, and (level, HOMO, LUMO) of a scan."""
    folder = root / "species" / species
    orbitals = {"verdict": "ok", "level": "main", "homo_ev": homo, "lumo_ev": lumo}
    write_json(folder / "orbitals.json", orbitals)
    rows = [
        {
            **{"process": process, "kind": "vertical", "medium": "vacuum", "note": ""},
            **{"energy_ev": energy, "verdict": "ok" if process == "oxidation" or energy > 0 else "not bound: x"},
        }
        for process, energy in (energies or {}).items()
    ]
    if rows:
        write_json(folder / "redox.json", {"verdict": "ok", "level": "main", "rows": rows})
    if levels:
        scanned = [
            {"scan": name, "level": name, "purpose": purpose, "homo_ev": h, "lumo_ev": lu, "verdict": "ok"}
            for name, purpose, h, lu in levels
        ]
        write_json(folder / "levels.json", {"verdict": "ok", "levels": scanned})


def test_ranks_and_who_stands_in_another_order(tmp_path):
    write(tmp_path, "A", -7.0, -3.0, {"oxidation": 9.0, "reduction": 2.0})
    write(tmp_path, "B", -8.0, -2.0, {"oxidation": 10.0, "reduction": 2.5})
    write(tmp_path, "C", -9.0, 1.0, {"oxidation": 11.0, "reduction": -1.0})
    rows = {(row["species"], row["process"]): row for row in redox_rows(tmp_path, ["A", "B", "C"])}
    assert [rows[name, "oxidation"]["rank"] for name in "ABC"] == [1, 2, 3]
    assert [rows[name, "oxidation"]["orbital_rank"] for name in "ABC"] == [1, 2, 3]
    assert {rows[name, "oxidation"]["verdict"] for name in "ABC"} == {"ok"}
    assert [(rows[name, "reduction"]["rank"], rows[name, "reduction"]["orbital_rank"]) for name in "AB"] == [
        (2, 1),
        (1, 2),
    ]
    assert rows["B", "reduction"]["verdict"] == "ok (orbitals give another order)"
    assert rows["B", "reduction"]["note"] == "before A in spite of the lower LUMO there"
    assert rows["A", "reduction"]["verdict"] == "ok"
    assert "rank" not in rows["C", "reduction"]
    assert rows["C", "reduction"]["verdict"] == "not bound: x"


def test_oxidation_in_another_order(tmp_path):
    write(tmp_path, "A", -7.0, -3.0, {"oxidation": 10.0})
    write(tmp_path, "B", -8.0, -2.0, {"oxidation": 9.0})
    first = next(row for row in redox_rows(tmp_path, ["A", "B"]) if row["species"] == "B")
    assert (first["rank"], first["orbital_rank"]) == (1, 2)
    assert first["note"] == "before A in spite of the higher HOMO there"


def test_redox_that_was_not_asked_for_or_is_missing(tmp_path):
    write(tmp_path, "A", -7.0, -3.0)
    (row,) = redox_rows(tmp_path, ["A"])
    assert row["verdict"] == "not computed: not asked for in these settings"
    write(tmp_path, "B", -7.0, -3.0, {"oxidation": 10.0})
    rows = redox_rows(tmp_path, ["A", "B"])
    assert rows[0]["verdict"] == "not computed: species/A/redox.json is missing"


PAPER = Paper(
    **{"name": "p", "title": "t", "citation": "c", "doi": "10.1000/x", "level_of_theory": "not said"},
    values=[
        {
            **{"table": "t", "quantity": key, "subject": name, "value": value, "unit": "eV", "where": "w"},
            **{"kind": "computed", "not_comparable": "level not known"},
            "result": {"orbital": {"species": name, "key": key}},
        }
        for name, key, value in (("A", "homo_ev", -7.0), ("A", "lumo_ev", -3.0), ("B", "lumo_ev", -2.0))
    ],
    orders=[
        {"table": "t", "quantity": "q", "subjects": [["A"], ["B"], ["C"]], "key": "lumo_ev", "where": "w"},
    ],
)


def test_the_closest_level_of_a_scan(tmp_path):
    write(tmp_path, "A", -7.5, -3.0, levels=[("near", "scan", -7.1, -3.1), ("half", "scan", -7.0, -3.0)])
    write(tmp_path, "B", -8.0, -2.4, levels=[("near", "scan", -8.0, -2.2)])
    write(tmp_path, "C", -9.0, -1.0, levels=[("near", "scan", -9.0, -1.0)])
    write(tmp_path, "D", -9.0, -1.0, levels=[("near", "scan", -9.0, -1.0)])
    rows = scan_rows(tmp_path, [PAPER], ["A", "B", "C", "D"])
    of = {(row["scan"], row["species"]): row for row in rows}
    assert {name for _, name in of} == {"A", "B", "C"}
    assert of["near", "A"]["rms_ev"] == pytest.approx(math.sqrt((0.1**2 + 0.1**2 + 0.2**2) / 3))
    assert of["level of these settings", "B"]["rms_ev"] == pytest.approx(math.sqrt((0.5**2 + 0 + 0.4**2) / 3))
    assert of["half", "A"]["rms_ev"] is None
    assert of["near", "C"]["verdict"] == "ok (closest of 2 levels)"
    assert of["level of these settings", "A"]["verdict"] == "ok"
    assert (of["near", "B"]["paper_homo_ev"], of["near", "B"]["paper_lumo_ev"]) == (None, -2.0)


def test_another_site_stands_beside_the_same_values_and_counts_for_nothing(tmp_path):
    write(tmp_path, "A", -7.5, -3.0, levels=[("near", "scan", -7.1, -3.1)])
    write(tmp_path, "B", -8.0, -2.4, levels=[("near", "scan", -8.0, -2.2)])
    alone = scan_rows(tmp_path, [PAPER], ["A", "B"])
    write(tmp_path, "E", -1.0, 5.0, levels=[("near", "scan", -1.0, 5.0)])
    path = tmp_path / "species/E/levels.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"variant_of": "A"}))
    rows = scan_rows(tmp_path, [PAPER], ["A", "B", "E"])
    others = [row for row in rows if row["species"] == "E"]
    assert [(row["paper_homo_ev"], row["paper_lumo_ev"], row["lumo_ev"]) for row in others] == 2 * [(-7.0, -3.0, 5.0)]
    assert [row for row in rows if row["species"] != "E"] == alone


def test_second_level_rows_stand_with_the_orbitals(tmp_path):
    write(tmp_path, "A", -7.5, -3.0, levels=[("other", "second level", -9.0, 0.5), ("near", "scan", -7.1, -3.1)])
    (row,) = second_level_rows(tmp_path, "A")
    assert (row["species"], row["level"], row["lumo_ev"]) == ("A", "other", 0.5)
    write(tmp_path, "B", -7.5, -3.0)
    assert second_level_rows(tmp_path, "B") == []


def test_another_site_tells_how_sure_an_order_is(tmp_path):
    """A < B < C holds at both levels; with B2, the other site of B, at one: there C lies 0.2 eV below it."""
    for name, main, near in (("A", -3.0, -3.1), ("B", -2.0, -2.1), ("C", -1.0, -1.1), ("B2", -1.5, -0.9)):
        write(tmp_path, name, -9.0, main, levels=[("near", "scan", -9.0, near)])
    path = tmp_path / "species/B2/levels.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"variant_of": "B"}))
    rows = {name: compare_paper(tmp_path, PAPER, None, name.split()) for name in ("A B C", "A B C B2")}
    alone, beside = (next(row for row in of if row["quantity"] == "q") for of in rows.values())
    assert alone["verdict"] == beside["verdict"] == "order agrees" and "B2" not in alone["note"]
    told = "B2 in place of B: holds at 1 of 2 levels of theory; narrowest step -0.200 eV (B to C, near)"
    assert told in beside["note"] and "holds at 1 of 1 further levels of theory" in beside["note"]


def test_how_sure_an_order_is(tmp_path):
    """Of three further levels the order A < B < C holds at two; the third turns B and C round by 0.1 eV."""
    lumos = {"one": (-3.0, -2.0, -1.0), "two": (-3.0, -2.9, -1.0), "three": (-3.0, -1.0, -1.1)}
    for place, name in enumerate("ABC"):
        levels = [(level, "scan", -9.0, values[place]) for level, values in lumos.items()]
        write(tmp_path, name, -9.0, float(place), levels=levels)
    write(tmp_path, "D", -9.0, 0.0)
    assert set(at_further_levels(tmp_path, ["A", "B"], "lumo_ev")) == set(lumos)
    assert at_further_levels(tmp_path, ["A", "D"], "lumo_ev") == {}
    (row,) = [row for row in compare_paper(tmp_path, PAPER) if row["quantity"] == "q"]
    assert row["verdict"] == "order agrees"
    assert "holds at 2 of 3 further levels of theory; narrowest step -0.100 eV (B to C, three)" in row["note"]
