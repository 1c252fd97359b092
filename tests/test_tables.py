"""Tables: their columns, what reaches them from the records, and what stands in for missing numbers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tables_helpers import (
    ORBITALS,
    PAPERS,
    coordination,
    diffusion,
    write_box,
    write_json,
    write_orbitals,
    write_results,
)

from electroscreen.papers import read_papers
from electroscreen.report.records import potential
from electroscreen.report.tables import build_tables, count_verdicts, print_comparison, read_table

CONTRACT = {
    "frontier_orbitals": "species, level, homo_ev, lumo_ev, gap_ev, dipole_debye, verdict",
    "coordination": (
        "box, center, partner, first_peak_angstrom, peak_height, cutoff_angstrom, coordination_number, low, high, "
        "number_0_1_less, number_0_1_more, radius_angstrom, number_at_radius, at_radius_low, at_radius_high, verdict"
    ),
    "diffusion": (
        "box, species, d_a2_per_ns, low, high, d_corrected_a2_per_ns, corrected_low, corrected_high, window_start_ps, "
        "window_end_ps, non_gaussian_parameter, replicas, verdict, note"
    ),
    "compared_with_papers": (
        "paper, table, quantity, subject, unit, ours, low, high, paper_value, difference, verdict, where, note"
    ),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    results = tmp_path_factory.mktemp("results") / "quick"
    write_results(results)
    build_tables(results, PAPERS, [*ORBITALS, "TFSI", "DFOB"], ["natfsi_dol_fec", "lost_box"], results / "tables")
    return results


@pytest.mark.parametrize("name", CONTRACT)
def test_columns_are_the_contract(built, name):
    head = (built / "tables" / f"{name}.csv").read_text(encoding="utf-8").splitlines()[0]
    assert head.split(",") == CONTRACT[name].split(", ")
    assert {path.suffix for path in (built / "tables").glob(f"{name}.*")} == {".csv", ".md", ".tex"}


def cells(built: Path, name: str, **where) -> pd.Series:
    """Return the one row of a CSV file where some columns have these values, every cell as text."""
    frame = pd.read_csv(built / "tables" / f"{name}.csv", dtype=str, keep_default_na=False)
    for column, value in where.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_values_reach_the_tables_unchanged(built):
    lif = cells(built, "frontier_orbitals", species="LiF")
    assert (lif.homo_ev, lif.lumo_ev, lif.gap_ev, lif.verdict) == ("-6.98", "-1.3421", "5.6379", "ok")
    shell = cells(built, "coordination", partner="O(DOL)")
    assert (shell.box, shell.coordination_number, shell.low, shell.high) == ("natfsi_dol_fec", "4.6", "4.1", "5.1")
    density = cells(built, "boxes", box="natfsi_dol_fec")
    assert (density.atoms, density.density_g_per_ml, density.density_low) == ("1451", "1.1525", "1.149")
    assert density.molecules == "4 Na, 4 TFSI, 117 DOL, 11 FEC"
    beside = cells(built, "compared_with_papers", subject="(CH2OCO2Li)2, lowest conformer")
    assert (beside.ours, beside.paper_value, beside.difference) == ("-0.9702", "-0.92", "-0.0502")
    assert beside.verdict == "differs"


@pytest.mark.parametrize(
    ("lumo_ev", "said"), [(-0.01, "ok"), (0.01, "ok (LUMO not bound: above zero it is a property of the basis set)")]
)
def test_the_table_marks_a_lumo_that_holds_no_electron(tmp_path, lumo_ev, said):
    write_orbitals(tmp_path, "A", -7.0, lumo_ev)
    build_tables(tmp_path, [], ["A"], [], tmp_path / "tables")
    row = cells(tmp_path, "frontier_orbitals", species="A")
    assert (row.lumo_ev, row.verdict) == (str(lumo_ev), said)


def test_what_is_missing_is_empty_and_never_zero(built):
    lost = cells(built, "frontier_orbitals", species="DFOB")
    assert lost.verdict == "not computed: species/DFOB/orbitals.json is missing"
    assert lost.homo_ev == lost.lumo_ev == lost.dipole_debye == ""
    failed = cells(built, "frontier_orbitals", species="TFSI")
    assert failed.lumo_ev == "" and failed.verdict.startswith("not converged")
    assert cells(built, "boxes", box="lost_box").verdict.endswith("boxes/lost_box/composition.json is missing")
    assert cells(built, "diffusion", box="lost_box").verdict.endswith("boxes/lost_box/analysis.json is missing")
    assert cells(built, "diffusion", box="lost_box").d_a2_per_ns == ""


def test_each_number_of_a_paper_has_one_row(built):
    rows = read_table(built / "tables", "compared_with_papers").to_dict("records")
    papers = read_papers(PAPERS)
    assert len(rows) == sum(len(paper.values) + len(paper.orders) for paper in papers.values())
    assert sum(count_verdicts(rows).values()) == len(rows)
    keys = ("paper", "table", "quantity", "subject", "unit", "where", "paper_value")
    printed = sorted(tuple(row[key] for key in keys) for row in rows if not pd.isna(row["paper_value"]))
    assert printed == sorted(
        (path.stem, one.table, one.quantity, one.subject, one.unit, one.where, one.value)
        for path, paper in papers.items()
        for one in paper.values
    )
    assert len(set(printed)) == len(printed)


@pytest.mark.parametrize("paper", ["nak_liquid_anode", "p2_p3_layered_oxide", "tetraphenylborate_framework"])
def test_what_no_stage_computes_says_why(built, paper):
    rows = read_table(built / "tables", "compared_with_papers").query("paper == @paper and paper_value.notna()")
    assert len(rows) and rows["ours"].isna().all()
    (read,) = (of for path, of in read_papers(PAPERS).items() if path.stem == paper)
    reasons = {one.result.not_computed for one in read.values}
    assert set(rows["verdict"]) == {f"not computed: {reason}" for reason in reasons}


def test_the_box_is_set_beside_the_liquid(built):
    row = cells(built, "compared_with_papers", subject="FB LE", quantity="Na+ diffusion coefficient from MSD")
    assert (row.ours, row.low, row.high, row.difference, row.verdict) == ("3.1", "0.4", "8.2", "0.3", "agrees")
    assert "box without NaDFOB" in row.note and "one box only" in row.note and "wider than our value" in row.note


def table_row(results: Path, **where) -> pd.Series:
    build_tables(results, PAPERS, list(ORBITALS), ["natfsi_dol_fec"], results / "tables")
    return cells(results, "compared_with_papers", **where)


def test_a_flawed_row_is_not_compared_but_its_number_stays(tmp_path):
    write_results(tmp_path)
    flawed = coordination("O(DOL)", 2.36, 21.0, 4.6, 4.1, 5.1) | {"verdict": "few exchanges; one box"}
    write_box(tmp_path, "natfsi_dol_fec", coordination=[flawed], verdict="ok (one box)")
    row = table_row(tmp_path, subject="FB LE", quantity="coordination number of Na+ by O of DOL")
    assert (row.verdict, row.ours, row.low) == ("not comparable: few exchanges; one box", "4.6", "4.1")


def test_chains_have_a_row_a_replica_and_boxes_without_chains_none(tmp_path):
    write_results(tmp_path)
    path = tmp_path / "boxes" / "natfsi_dol_fec" / "replica-2" / "equilibration.json"
    chain = {"species": "PDOL20", "chains": 5, "end_to_end_angstrom": 31.25, "ratio": 6.5, "ratio_low": None}
    write_json(
        path, {"verdict": "ok", "chains": [chain | {"verdict": "not relaxed: ends keep 93 % of their direction"}]}
    )
    build_tables(tmp_path, PAPERS, list(ORBITALS), ["natfsi_dol_fec"], tmp_path / "tables")
    (row,) = read_table(tmp_path / "tables", "chains").to_dict("records")
    assert (row["box"], row["replica"], row["species"], row["chains"]) == ("natfsi_dol_fec", 2, "PDOL20", 5)
    assert (row["end_to_end_angstrom"], row["ratio"]) == (31.25, 6.5)
    assert np.isnan(row["ratio_low"])
    assert row["verdict"] == "not relaxed: ends keep 93 % of their direction"


def test_a_pair_that_nobody_analysed_is_not_computed(tmp_path):
    write_results(tmp_path)
    write_box(tmp_path, "natfsi_dol_fec", coordination=[coordination("O(TFSI)", 2.3, 40.0, 1.1, 0.6, 1.6)])
    row = table_row(tmp_path, subject="FB LE", quantity="coordination number of Na+ by O of DOL")
    assert row.verdict == "not computed: boxes/natfsi_dol_fec/analysis.json has no coordination of Na-O(DOL)"


def test_orbitals_at_a_geometry_that_is_no_minimum_are_not_compared(tmp_path):
    write_results(tmp_path)
    write_orbitals(tmp_path, "LiF", -6.98, -1.3421, verdict="geometry not converged: still moves after 60 steps")
    row = table_row(tmp_path, subject="LiF")
    assert row.verdict == "not comparable: geometry not converged: still moves after 60 steps"
    assert row.ours == "-1.3421"


def test_a_torn_record_is_told_and_stops_nothing(tmp_path):
    write_results(tmp_path)
    (tmp_path / "species" / "LiF" / "orbitals.json").write_text('{"lumo_ev": -1.3', encoding="utf-8")
    (tmp_path / "species" / "LiOH" / "orbitals.json").write_text("[1, 2]", encoding="utf-8")
    assert "orbitals.json cannot be read" in table_row(tmp_path, subject="LiF").verdict
    assert "is not a record" in cells(tmp_path, "compared_with_papers", subject="LiOH").verdict
    assert cells(tmp_path, "compared_with_papers", subject="Li2O").verdict == "agrees"


def test_the_same_results_give_the_same_bytes(tmp_path):
    write_results(tmp_path)
    for folder in ("a", "b"):
        build_tables(tmp_path, PAPERS, list(ORBITALS), ["natfsi_dol_fec"], tmp_path / folder)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_the_terminal_shows_markup_as_text_and_fits_100_columns(built, tmp_path):
    from rich.console import Console

    path = tmp_path / "compared_with_papers.csv"
    text = (built / "tables" / path.name).read_text(encoding="utf-8")
    path.write_text(text.replace("CH3OCO2Li", "[red]CH3[/red]"), encoding="utf-8")
    console = Console(width=100, file=io.StringIO(), force_terminal=False)
    print_comparison(path, console)
    shown = console.file.getvalue()
    assert "[red]CH3[/red]" in shown and "-0.0502" in shown and "differs" in shown
    assert "3.1 (0.4 to" in shown and "agrees: 10, differs: 1" in shown
    assert max(len(line) for line in shown.splitlines()) <= 100


def test_boxes_of_one_series_are_fitted_together(tmp_path):
    for kelvin in (300.0, 330.0, 360.0, 400.0, 420.0):
        rate = 1e5 * np.exp(-0.25 / (8.617333e-5 * kelvin))
        row = diffusion(rate, 0.9 * rate, rate / 0.9, "ok" if kelvin < 410 else "not diffusive: D below 9")
        write_box(tmp_path, f"b{kelvin:.0f}", series="liquid", temperature_k=kelvin, diffusion=[row])
    write_box(tmp_path, "alone", diffusion=[diffusion(1.0, 0.5, 2.0)])
    boxes = [f"b{kelvin}" for kelvin in (300, 330, 360, 400, 420)]
    build_tables(tmp_path, [], [], [*boxes, "alone"], tmp_path / "tables")
    rows = read_table(tmp_path / "tables", "temperature").to_dict("records")
    assert [row["model"] for row in rows] == ["Arrhenius", "VFT"]
    row = rows[0]
    assert (row["series"], row["quantity"], row["verdict"]) == ("liquid", "diffusion coefficient of Na", "ok")
    assert row["activation_energy_ev"] == pytest.approx(0.25, rel=1e-4)
    assert row["low"] < 0.25 < row["high"]
    assert (row["temperatures"], row["note"]) == (4, "left out, without a usable number: b420")


def test_what_nobody_asked_for_is_not_said_to_be_missing(tmp_path):
    boxes = ["natfsi_dol_fec", "sn_qse", "sn_fb_qse"]
    build_tables(tmp_path, PAPERS, list(ORBITALS), boxes, tmp_path / "tables", asked_boxes=["natfsi_dol_fec", "sn_qse"])
    rows = read_table(tmp_path / "tables", "compared_with_papers").to_dict("records")
    said = {row["subject"]: row["verdict"] for row in rows if row["quantity"] == "ionic conductivity"}
    assert said["Sn-FB QSE"] == "not computed: not asked for by box.boxes in the settings"
    assert said["Sn QSE"] == "not computed: boxes/sn_qse/analysis.json is missing"
    assert said["FB LE"] == "not computed: boxes/natfsi_dol_fec/analysis.json is missing"


def test_the_variance_of_one_potential_is_zero_and_not_its_rounding(tmp_path):
    for name, variance in {"Na": 8.05e-25, "DFOB": 0.12, "lost": None}.items():
        write_json(tmp_path / "species" / name / "esp.json", {"verdict": "ok", "variance_ev2": variance})
        assert potential(tmp_path, name)["variance_ev2"] == {"Na": 0.0, "DFOB": 0.12, "lost": None}[name]
