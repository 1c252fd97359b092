"""Tables: the arithmetic of comparisons, what stands in for missing numbers, and the three formats."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from electroscreen.papers import Order, Value, read_papers
from electroscreen.report.comparison import compare_order, compare_value
from electroscreen.report.formats import escape_latex, escape_markdown, readable, write_table
from electroscreen.report.records import Number
from electroscreen.report.tables import build_tables, count_verdicts, print_comparison, read_table

PAPERS = sorted((Path(__file__).parents[1] / "molecules" / "papers").glob("*.yaml"))

PROVENANCE = {
    "recipe_hash": "0123456789abcdef",
    "versions": {"electroscreen": "0.1.0", "pyscf": "2.9.0"},
    "python": "3.12.1",
    "threads": 1,
    "wall_seconds": 1800.0,
    "seed": 20260101,
}

# Name -> title, formula, HOMO, LUMO (eV), dipole (D). Invented, but near what the level of theory gives.
ORBITALS = {
    "LiF": ("lithium fluoride", "FLi", -6.98, -1.3421, 5.9),
    "LiOH": ("lithium hydroxide", "HLiO", -5.61, -1.1450, 3.7),
    "Li2O": ("lithium oxide", "Li2O", -4.10, -0.7342, 0.0),
    "Li2CO3": ("lithium carbonate", "CLi2O3", -6.20, -0.8380, 3.1),
    "LMC": ("lithium methyl carbonate, CH3OCO2Li", "C2H3LiO3", -6.90, -0.9391, 4.6),
    "LEDC": ("dilithium ethylene dicarbonate", "C4H4Li2O6", -6.95, -0.9702, 1.2),
    "LEDC-extended": ("the same, extended", "C4H4Li2O6", -6.97, -0.9202, 1.1),
    "o-carborane": ("o-carborane", "C2H12B10", -8.60, -0.2541, 4.3),
    "DOL": ("1,3-dioxolane", "C3H6O2", -6.80, 1.95, 1.3),
    "FEC": ("fluoroethylene carbonate", "C3H3FO3", -8.40, 0.70, 4.5),
    "NaTFSI": ("sodium bis(trifluoromethanesulfonyl)imide", "C2F6NNaO4S2", -7.70, -1.32, 9.1),
    "NaDFOB": ("sodium difluoro(oxalato)borate", "C2BF2NaO4", -7.30, -2.41, 8.2),
    "Sn_OTf2": ("tin(II) triflate", "C2F6O6S2Sn", -7.60, -4.02, 2.2),
    "Na": ("sodium ion", "Na", -39.6, -6.13, 0.0),
}


def write_json(path: Path, record: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record), encoding="utf-8")


def write_orbitals(results: Path, name: str, homo_ev=None, lumo_ev=None, verdict="ok", **more) -> None:
    gap = None if None in (homo_ev, lumo_ev) else lumo_ev - homo_ev
    record = {
        "species": name,
        "title": name,
        "formula": name,
        "level": "b3lypg/6-31g(d,p) cartesian",
        "homo_ev": homo_ev,
        "lumo_ev": lumo_ev,
        "gap_ev": gap,
        "dipole_debye": None,
        "verdict": verdict,
        "warnings": [],
        "provenance": PROVENANCE,
    }
    write_json(results / "species" / name / "orbitals.json", record | more)


def write_box(results: Path, box: str, **analysis) -> None:
    """Write a box of 10 NaTFSI whose Na has one oxygen shell and whose diffusion is told by `analysis`."""
    folder = results / "boxes" / box
    molecules = [
        {"species": "Na", "count": 4, "charge_e": 1.0, "requested": "1.5 g", "rounding_percent": 0.4},
        {"species": "TFSI", "count": 4, "charge_e": -1.0, "requested": "1.5 g", "rounding_percent": 0.4},
        {"species": "DOL", "count": 117, "charge_e": 0.0, "requested": "10 mL", "rounding_percent": 1.2},
        {"species": "FEC", "count": 11, "charge_e": 0.0, "requested": "1.0 mL", "rounding_percent": -0.9},
    ]
    composition = {
        "box": box,
        "title": "NaTFSI in DOL with FEC",
        "verdict": "ok",
        "warnings": [],
        "temperature_k": 298.15,
        "molecules": molecules,
        "atoms": 1451,
        "net_charge_e": 0.0,
        "ideal_density_g_per_ml": 1.134,
        "edge_angstrom": 25.1,
        "provenance": PROVENANCE,
    }
    equilibration = {
        "verdict": "ok",
        "warnings": ["the last 30 ps only count as equilibrated"],
        "density_g_per_ml": 1.1525,
        "density_low": 1.149,
        "density_high": 1.156,
        "temperature_k": 298.4,
        "platform": "CPU",
        "ns_per_day": 21.4,
        "production_ps": 150.0,
        "provenance": PROVENANCE,
    }
    record = {
        "box": box,
        "verdict": "ok (one box)",
        "warnings": [],
        "frames": 500,
        "duration_ps": 150.0,
        "replicas": 1,
        "coordination": [
            coordination("O(DOL)", 2.36, 21.0, 4.6, 4.1, 5.1),
            coordination("O(TFSI)", 2.31, 45.0, 1.1, 0.6, 1.6),
        ],
        "diffusion": [diffusion(3.1, 0.4, 8.2)],
        "provenance": PROVENANCE,
    }
    write_json(folder / "composition.json", composition)
    write_json(folder / "replica-1" / "equilibration.json", equilibration)
    write_json(folder / "analysis.json", record | analysis)
    np.savez(folder / "curves.npz", **box_curves())


def coordination(partner: str, peak: float, height: float, count: float, low: float, high: float) -> dict:
    return {
        "center": "Na",
        "partner": partner,
        "first_peak_angstrom": peak,
        "peak_height": height,
        "cutoff_angstrom": 3.24,
        "coordination_number": count,
        "low": low,
        "high": high,
        "verdict": "ok (one box)",
    }


def diffusion(d, low, high, verdict="ok (one box)") -> dict:
    return {
        "species": "Na",
        "d_a2_per_ns": d,
        "low": low,
        "high": high,
        "d_corrected_a2_per_ns": None,
        "window_start_ps": 15.0,
        "window_end_ps": 50.0,
        "replicas": 1,
        "verdict": verdict,
    }


def box_curves() -> dict[str, np.ndarray]:
    r = np.linspace(0.05, 10, 200)
    curves = {}
    for partner, peak, height, density in (("O(DOL)", 2.36, 20.0, 0.0115), ("O(TFSI)", 2.31, 44.0, 0.001)):
        g = height * np.exp(-((r - peak) ** 2) / (2 * 0.12**2)) + 1 / (1 + np.exp(-(r - 4.2) * 4))
        curves[f"rdf|Na|{partner}|r_angstrom"] = r
        curves[f"rdf|Na|{partner}|g"] = g
        curves[f"rdf|Na|{partner}|n"] = np.cumsum(4 * np.pi * density * g * r**2) * (r[1] - r[0])
    lag_ps = np.arange(0, 75, 0.3)
    for species, d in (("Na", 3.1e-3), ("TFSI", 5e-3)):
        curves[f"msd|{species}|lag_ps"] = lag_ps
        curves[f"msd|{species}|msd_a2"] = 0.4 * (1 - np.exp(-lag_ps / 2)) + 6 * d * lag_ps
    return curves


def write_results(results: Path) -> None:
    """Write what a whole run leaves behind, with one species that did not converge."""
    for name, (title, formula, homo_ev, lumo_ev, dipole) in ORBITALS.items():
        write_orbitals(results, name, homo_ev, lumo_ev, title=title, formula=formula, dipole_debye=dipole)
        geometry = {"species": name, "level": "b3lypg/6-31g(d,p) cartesian", "verdict": "ok", "warnings": []}
        write_json(results / "species" / name / "geometry.json", geometry | {"provenance": PROVENANCE})
    write_orbitals(results, "TFSI", verdict="not converged: the SCF energy still moved after 300 cycles")
    write_box(results, "natfsi_dol_fec")


def lumo(paper_value=-1.34, tolerance=0.01, **more) -> Value:
    fields = {"table": "t", "quantity": "LUMO", "subject": "LiF", "value": paper_value, "unit": "eV", "where": "Fig. 1"}
    result = {"orbital": {"species": "LiF", "key": "lumo_ev"}}
    return Value(**fields | {"kind": "computed", "tolerance": tolerance, "result": result} | more)


def na_diffusion(paper_value=2.8, **more) -> Value:
    fields = {"table": "t", "quantity": "D", "subject": "FB LE", "value": paper_value, "unit": "Å²/ns", "where": "2k"}
    return Value(**fields | {"kind": "computed", "result": {"diffusion": {"box": "b", "species": "Na"}}} | more)


def verdict(value: Value, ours: Number) -> str:
    return compare_value("p", value, ours)["verdict"]


def test_difference_is_ours_minus_the_papers():
    assert compare_value("p", lumo(-1.34), Number(-1.30))["difference"] == pytest.approx(0.04, abs=1e-12)
    assert compare_value("p", lumo(-1.34), Number(-1.38))["difference"] == pytest.approx(-0.04, abs=1e-12)
    assert str(compare_value("p", lumo(-1.34), Number(-1.34))["difference"]) == "0.0"


@pytest.mark.parametrize(
    ("ours", "expected"),
    [(-1.34, "agrees"), (-1.35, "agrees"), (-1.33, "agrees"), (-1.3501, "differs"), (-1.3299, "differs")],
)
def test_the_ends_belong_to_the_tolerance(ours, expected):
    assert verdict(lumo(-1.34, 0.01), Number(ours)) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(2.0, 4.0, "agrees"), (2.8, 4.0, "agrees"), (1.0, 2.8, "agrees"), (2.81, 4.0, "differs"), (1.0, 2.79, "differs")],
)
def test_an_interval_agrees_when_it_holds_the_papers_value(low, high, expected):
    assert verdict(na_diffusion(2.8), Number(3.0, low, high)) == expected


def test_interval_or_tolerance_is_enough():
    value = na_diffusion(2.8, tolerance=0.5)
    assert verdict(value, Number(3.2, 3.1, 3.3)) == "agrees"
    assert verdict(value, Number(3.4, 3.3, 3.5)) == "differs"
    assert verdict(value, Number(9.0, 2.0, 16.0)) == "agrees"


def test_half_an_interval_is_none():
    assert verdict(na_diffusion(), Number(3.0, None, 9.0)).startswith("not comparable: our number has no interval")


def test_an_interval_that_holds_everything_is_told():
    wide = compare_value("p", na_diffusion(2.8), Number(1.0, 0.0, 5.0))
    narrow = compare_value("p", na_diffusion(2.8), Number(3.0, 2.0, 4.0))
    assert wide["verdict"] == "agrees" and "wider than our value" in wide["note"]
    assert "wider" not in narrow["note"] and "one box" not in narrow["note"]
    assert "one box only" in compare_value("p", na_diffusion(), Number(3.0, 2.0, 4.0, "ok (one box)"))["note"]


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (Number(None, high=4.0, verdict="not diffusive: D < 4"), "not comparable: not diffusive: D < 4"),
        (Number(2.8, 2.0, 4.0, verdict="not diffusive: slope 0.5"), "not comparable: not diffusive: slope 0.5"),
        (Number(2.8, 2.0, 4.0, verdict="replica 1: not equilibrated"), "not comparable: replica 1: not equilibrated"),
        (Number(None, verdict="not computed: x is missing"), "not computed: x is missing"),
        (Number(None, verdict="not converged: 100 cycles"), "not computed: not converged: 100 cycles"),
        (Number(None, verdict="geometry not converged: x"), "not computed: geometry not converged: x"),
        (Number(None, verdict="not diffusive: still ballistic"), "not comparable: not diffusive: still ballistic"),
        (Number(2.8, 2.0, 4.0, verdict="few samples; one box"), "not comparable: few samples; one box"),
        (Number(2.8, 2.0, 4.0, verdict="ok (one box)"), "agrees"),
        (Number(None), "not computed: no number was written"),
    ],
)
def test_a_flagged_number_is_never_judged(ours, expected):
    assert verdict(na_diffusion(2.8), ours) == expected


def test_numbers_that_the_paper_does_not_let_us_judge():
    row = compare_value("p", lumo(-4.87, None, not_comparable="level unknown"), Number(-4.87))
    assert row["verdict"] == "not comparable: level unknown" and row["ours"] == -4.87


def ranking(**energies_ev) -> dict:
    order = Order(
        table="t", quantity="LUMO order", subjects=[["Sn"], ["Na1"], ["FEC", "Na2"]], key="lumo_ev", where="Fig. 4d"
    )
    numbers = {"Sn": -4.9, "Na1": -2.5, "FEC": -0.2, "Na2": -2.0} | energies_ev
    return compare_order("p", order, {s: n if isinstance(n, Number) else Number(n) for s, n in numbers.items()})


def test_order_agrees_whatever_stands_inside_a_group():
    assert ranking()["verdict"] == "order agrees"
    assert ranking(FEC=-2.1)["verdict"] == "order agrees"
    assert "Sn -4.900 < Na1 -2.500 < Na2 -2.000 < FEC -0.200" in ranking()["note"]


def test_order_differs_when_one_member_crosses():
    row = ranking(Na2=-3.0)
    assert row["verdict"] == "order differs" and "Na2 is not above Na1" in row["note"]
    assert ranking(Sn=-0.1)["verdict"] == "order differs"


def test_a_tie_is_no_order():
    assert ranking(Na2=-2.5)["verdict"] == "order differs"
    assert ranking(Na2=-2.4995)["verdict"] == "order differs"
    assert ranking(Na2=-2.498)["verdict"] == "order agrees"


def test_an_order_needs_all_its_members():
    assert ranking(FEC=Number(None, verdict="not converged: SCF"))["verdict"] == "not computed: FEC: not converged: SCF"
    assert ranking(FEC=Number(-0.2, verdict="geometry saddle"))["verdict"] == "not comparable: FEC: geometry saddle"


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


def test_what_is_missing_is_empty_and_never_zero(built):
    lost = cells(built, "frontier_orbitals", species="DFOB")
    assert lost.verdict == "not computed: species/DFOB/orbitals.json is missing"
    assert lost.homo_ev == lost.lumo_ev == lost.dipole_debye == ""
    failed = cells(built, "frontier_orbitals", species="TFSI")
    assert failed.lumo_ev == "" and failed.verdict.startswith("not converged")
    assert cells(built, "boxes", box="lost_box").verdict.endswith("boxes/lost_box/composition.json is missing")
    assert cells(built, "diffusion", box="lost_box").verdict.endswith("boxes/lost_box/analysis.json is missing")
    assert cells(built, "diffusion", box="lost_box").d_a2_per_ns == ""


def test_no_number_of_a_paper_is_lost(built):
    rows = read_table(built / "tables", "compared_with_papers").to_dict("records")
    papers = read_papers(PAPERS).values()
    assert len(rows) == sum(len(paper.values) + len(paper.orders) for paper in papers)
    assert sum(count_verdicts(rows).values()) == len(rows)
    printed = sorted(value.value for paper in papers for value in paper.values)
    assert sorted(row["paper_value"] for row in rows if not pd.isna(row["paper_value"])) == printed


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


def test_csv_keeps_six_digits_and_readers_see_four(tmp_path):
    rows = [{"name": "a", "x": 1.23456789}, {"name": "b", "x": -0.0}, {"name": "c"}]
    write_table(iter(rows), {"name": "name", "x": "x (eV)"}, {"name"}, tmp_path / "t", "")
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == "name,x\na,1.23457\nb,0\nc,\n"
    assert (tmp_path / "t.md").read_text(encoding="utf-8").splitlines()[1:3] == ["|---|---:|", "| a | 1.235 |"]
    assert [readable(x) for x in (1.23456789, 298.15, 0.0, None, -1.3400000001)] == ["1.235", "298.2", "0", "", "-1.34"]
    assert [readable(x) for x in (562581, 7301.0, 1.16e-9)] == ["562581", "7301", "1.16e-09"]


HOSTILE = "<script>alert('&')</script> 50 % of a_b \\ ~^{x}$#|`*"


def test_latex_prints_every_sign():
    escaped = escape_latex(HOSTILE)
    assert escaped == (
        r"\textless{}script\textgreater{}alert('\&')\textless{}/script\textgreater{} 50 \% of a\_b "
        r"\textbackslash{} \textasciitilde{}\textasciicircum{}\{x\}\$\#\textbar{}`*"
    )
    assert escape_latex("2.3 Å²/ns at 25 °C, Li₂O") == (
        r"2.3 \AA{}\textsuperscript{2}/ns at 25 \textdegree{}C, Li\textsubscript{2}O"
    )


def test_hostile_cells_break_no_table(tmp_path):
    rows = [{"name": HOSTILE + "\n| x |", "x": -1.5}]
    write_table(rows, {"name": "name", "x": "x (Å²/ns)"}, {"name"}, tmp_path / "t", "100 %")
    lines = (tmp_path / "t.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert lines[2].replace("\\|", "").count("|") == 3  # the bars of two cells, and none of their content's
    assert "\\<script\\>" in lines[2] and escape_markdown("a_b") == "a\\_b"
    body = (tmp_path / "t.tex").read_text(encoding="utf-8").split("\\endfoot\n")[1]
    assert body.replace("\\&", "").count("&") == 1 and "$-1.5$ \\\\" in body


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
