"""A box of ours that stands beside a paper's number while the one that is meant has not been computed."""

from __future__ import annotations

import pytest
from tables_helpers import coordination, write_box

from electroscreen.inputs import InputError
from electroscreen.papers import Value, check_papers, read_papers
from electroscreen.report.comparison import compare_paper
from electroscreen.report.tables import build_tables, read_table

MEANT, OTHER = "fb_le", "natfsi_dol_fec"
NUMBER = "coordination number of Na+ by O of DOL"


@pytest.fixture
def paper(shipped):
    path = shipped / "molecules" / "papers" / "sn_fb_quasi_solid.yaml"
    return read_papers([path])[path]


def row_of(results, paper, asked=None) -> dict:
    """The row of the coordination number in FB LE."""
    rows = compare_paper(results, paper, asked)
    (row,) = [row for row in rows if (row["subject"], row["quantity"]) == ("FB LE", NUMBER)]
    return row


def write(results, box: str, count: float) -> None:
    write_box(results, box, coordination=[coordination("O(DOL)", 2.4, 10.0, count, count - 0.5, count + 0.5)])


def test_the_other_box_stands_in_and_is_marked_until_the_meant_one_is_there(tmp_path, paper):
    write(tmp_path, OTHER, 4.0)
    row = row_of(tmp_path, paper)
    assert (row["ours"], row["verdict"]) == (4.0, "differs")
    assert row["note"].startswith("a box without NaDFOB")
    write(tmp_path, MEANT, 4.7)
    row = row_of(tmp_path, paper)
    assert (row["ours"], row["verdict"]) == (4.7, "agrees")
    assert "NaDFOB" not in row["note"]


@pytest.mark.parametrize(
    ("asked", "missing"), [(None, MEANT), ([MEANT, OTHER], MEANT), ([MEANT], MEANT), ([OTHER], OTHER)]
)
def test_where_neither_is_there_the_one_that_was_asked_for_is_missing(tmp_path, paper, asked, missing):
    assert row_of(tmp_path, paper, asked)["verdict"] == f"not computed: boxes/{missing}/analysis.json is missing"


def test_a_meant_box_without_the_number_keeps_its_place_where_it_was_asked_for(tmp_path, paper):
    """What it lacks is its own fault, unless the other has the number."""
    write_box(tmp_path, MEANT, coordination=[])
    assert row_of(tmp_path, paper)["verdict"] == "not computed: no coordination was asked for"
    write(tmp_path, OTHER, 4.0)
    assert row_of(tmp_path, paper)["ours"] == 4.0


def test_the_table_says_so_too(tmp_path, shipped):
    write(tmp_path, OTHER, 4.0)
    files = [shipped / "molecules" / "papers" / "sn_fb_quasi_solid.yaml"]
    build_tables(tmp_path, files, [], [MEANT, OTHER], tmp_path / "tables", asked_boxes=[OTHER])
    rows = read_table(tmp_path / "tables", "compared_with_papers")
    row = rows[(rows.subject == "FB LE") & (rows.quantity == NUMBER)].iloc[0]
    assert row.ours == 4.0 and "a box without NaDFOB" in row.note


def test_only_a_box_can_be_stood_in_for_and_it_must_exist(paper, shipped):
    value = next(value for value in paper.values if value.stand_in)
    orbital = {"orbital": {"species": "FEC", "key": "lumo_ev"}}
    with pytest.raises(ValueError, match="stand_in: names a box, but the result is of none"):
        Value(**value.model_dump(exclude={"result", "unit"}) | {"result": orbital, "unit": "eV", "tolerance": 0.1})
    boxes = ["sn_qse", "sn_fb_qse", MEANT]
    species = [path.stem for path in (shipped / "molecules" / "species").glob("*.yaml")]
    file = shipped / "molecules" / "papers" / "sn_fb_quasi_solid.yaml"
    with pytest.raises(InputError, match=rf"stand_in\.box: there is no box '{OTHER}'"):
        check_papers({file: paper}, species, boxes)
