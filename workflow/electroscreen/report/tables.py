"""Tables: everything that was computed, one row a fact, and the papers' numbers beside ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from electroscreen.complexes import Complex, parts_label
from electroscreen.papers import read_papers
from electroscreen.record import OK, write_text
from electroscreen.report import comparison
from electroscreen.report.formats import readable, write_table
from electroscreen.report.headings import CAPTIONS, HEADINGS, WORDS
from electroscreen.report.ranking import ranking_rows
from electroscreen.report.records import (
    NOT_COMPUTED,
    VACUUM,
    analysis_rows,
    binding,
    charge_rows,
    orbitals,
    potential,
    read_record,
    replicas,
    usable,
)
from electroscreen.report.redox import redox_rows
from electroscreen.report.references import bibliography
from electroscreen.report.scan import scan_rows, second_level_rows
from electroscreen.report.series import temperature_rows
from electroscreen.species import solvent_label

NOT_BOUND = f"{OK} (not bound: lower in energy when apart)"
LUMO_NOT_BOUND = f"{OK} (LUMO not bound: above zero it is a property of the basis set)"
NOT_ASKED_BOX = f"{NOT_COMPUTED}: not asked for by box.boxes in the settings"
NOT_ASKED_COMPLEX = f"{NOT_COMPUTED}: not asked for by binding.complexes in the settings"

COLOURS = {
    comparison.AGREES: "green",
    comparison.ORDER_AGREES: "green",
    comparison.DIFFERS: "red",
    comparison.ORDER_DIFFERS: "red",
}


def build_tables(
    results_dir: Path,
    paper_files: list[Path],
    species: list[str],
    boxes: list[str],
    output_dir: Path,
    complexes: Mapping[str, Complex] | None = None,
    asked_complexes: Collection[str] = (),
    asked_boxes: Collection[str] | None = None,
) -> None:
    """Write every table as .csv, .md and .tex.

    Of `complexes` and `boxes` those that are not asked for get a row that says so; by default all boxes are.

    A stage that failed, or whose file is missing, becomes a row whose verdict says so.

    Raises
    ------
    InputError
        If a paper's file is wrong.
    """
    results_dir = Path(results_dir)
    papers = read_papers(paper_files).values()
    asked = set(boxes if asked_boxes is None else asked_boxes)
    run = [box for box in boxes if box in asked]
    unasked = {f"boxes/{box}/": NOT_ASKED_BOX for box in boxes if box not in asked}
    unasked |= {f"complexes/{name}/": NOT_ASKED_COMPLEX for name in complexes or {} if name not in asked_complexes}
    rows = {
        "frontier_orbitals": (
            _marked(row, "lumo_ev", LUMO_NOT_BOUND)
            for name in species
            for row in (orbitals(results_dir, name), *second_level_rows(results_dir, name))
        ),
        "ranking": ranking_rows(results_dir, species),
        "level_scan": (
            _marked(row, "lumo_ev", LUMO_NOT_BOUND) for row in scan_rows(results_dir, list(papers), species)
        ),
        "redox": redox_rows(results_dir, species),
        "esp_extrema": (potential(results_dir, name) for name in species),
        "charges": (row for name in species for row in charge_rows(results_dir, name)),
        "binding_energies": _binding_rows(results_dir, complexes or {}, asked_complexes),
        "coordination": _of_boxes(results_dir, run, "coordination"),
        "residence": _of_boxes(results_dir, run, "residence"),
        "solvation": _of_boxes(results_dir, run, "solvation"),
        "diffusion": _of_boxes(results_dir, run, "diffusion"),
        "hopping": _hopping_rows(results_dir, run),
        "displacement": _of_boxes(results_dir, run, "displacement"),
        "transport": _of_boxes(results_dir, run, "transport"),
        "temperature": temperature_rows(results_dir, run),
        "boxes": (row for box in boxes for row in _box_rows(results_dir, box, box in asked)),
        "chains": [row for box in run for row in _chain_rows(results_dir, box)],
        "compared_with_papers": [
            row | {"verdict": _reason(row["verdict"], unasked)}
            for paper in papers
            for row in comparison.compare_paper(results_dir, paper, asked, species)
        ],
        "papers": [paper.model_dump() | {"paper": paper.name} for paper in papers],
    }
    for name, headings in HEADINGS.items():
        write_table(rows[name], headings, WORDS, Path(output_dir) / name, CAPTIONS[name])
    write_text(Path(output_dir) / "references.bib", bibliography(results_dir, list(papers)))


def _reason(verdict: str, unasked: Mapping[str, str]) -> str:
    """A record that is missing because nobody asked for it is not lost."""
    missing = verdict.endswith(" is missing")
    return next((why for folder, why in unasked.items() if missing and f" {folder}" in verdict), verdict)


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """Return a table that `build_tables` wrote; text cells that are empty are empty text."""
    words = [column for column in HEADINGS[name] if column in WORDS]
    path = Path(folder) / f"{name}.csv"
    # Only an empty cell is empty: pandas would also drop a species that somebody named NA or None.
    frame = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=dict.fromkeys(words, "string"))
    frame[words] = frame[words].fillna("")
    return frame


def print_comparison(csv: Path, console: Any = None) -> None:
    """Show compared_with_papers.csv in the terminal, one block a paper.

    Parameters
    ----------
    console
        A `rich.console.Console`; the terminal's own where none is given.
    """
    from rich.console import Console
    from rich.text import Text

    console = console or Console()
    csv = Path(csv)
    rows = read_table(csv.parent, csv.stem).to_dict("records")
    missing = [row for row in rows if comparison.kind_of(row["verdict"]) == NOT_COMPUTED]
    shown = [row for row in rows if comparison.kind_of(row["verdict"]) != NOT_COMPUTED]
    for paper, group in groupby(shown, key=lambda row: row["paper"]):
        console.print(_block(paper, list(group)))
    for (paper, verdict), group in groupby(missing, key=lambda row: (row["paper"], row["verdict"])):
        subjects = [f"{row['quantity']}, {row['subject']}" for row in group]
        what = "; ".join(subjects) if len(subjects) <= 2 else f"{len(subjects)} values"
        console.print(Text(f"{paper}: {verdict} ({what})", style="yellow"))
    console.print(Text(", ".join(f"{kind}: {count}" for kind, count in count_verdicts(rows).items()), style="bold"))


def count_verdicts(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Return how many comparisons ended how, in the order of the reader's interest."""
    found = Counter(comparison.kind_of(row["verdict"]) for row in rows)
    order = (
        comparison.AGREES,
        comparison.DIFFERS,
        comparison.ORDER_AGREES,
        comparison.ORDER_DIFFERS,
        comparison.NOT_COMPARABLE,
        NOT_COMPUTED,
    )
    return {kind: found[kind] for kind in order if found[kind]}


def with_interval(row: dict[str, Any]) -> str:
    """Return our number with its interval, such as '2.8 (1.1 to 6.0)'; a bound alone as '< 6.0'."""
    value, low, high = (readable(row[key]) for key in ("ours", "low", "high"))
    if value and low and high:
        return f"{value} ({low} to {high})"
    return value or (f"< {high}" if high else "")


def _block(paper: str, rows: list[dict[str, Any]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    # Names and notes come from users' files, so they are Text: rich reads no markup in them.
    block = Table(title=Text(paper, style="bold"), title_justify="left", expand=True)
    for heading, ratio in (("quantity, subject", 4), ("unit", None), ("ours", 2)):
        block.add_column(heading, ratio=ratio, overflow="fold")
    for heading in ("paper", "difference"):
        block.add_column(heading, justify="right", no_wrap=True)
    block.add_column("verdict", ratio=3, overflow="fold")
    for row in rows:
        colour = COLOURS.get(comparison.kind_of(row["verdict"]), "yellow")
        block.add_row(
            Text(f"{row['quantity']}, {row['subject']}"),
            Text("" if row["unit"] == "1" else row["unit"]),
            Text(with_interval(row)),
            Text(readable(row["paper_value"])),
            Text(signed(row["difference"])),
            Text(row["verdict"], style=colour),
        )
    return block


def signed(difference: float | None) -> str:
    """Return a difference with its sign, so that its direction is seen."""
    text = readable(difference, digits=3)
    return text if text in ("", "0") or text.startswith("-") else f"+{text}"


def _binding_rows(results_dir: Path, complexes: Mapping[str, Complex], asked: Collection[str]) -> list[dict[str, Any]]:
    """Return the rows of binding_energies.csv: each complex against each of its references, in each surrounding.

    A complex that the settings do not ask for has one row that says so.
    """
    rows = []
    for name, wanted in complexes.items():
        head = {"complex": name, "parts": parts_label(wanted.parts)}
        if name not in asked:
            rows.append(head | {"verdict": NOT_ASKED_COMPLEX})
            continue
        surroundings = dict.fromkeys((VACUUM, solvent_label(wanted.solvent)))
        for groups in (wanted.parts, *wanted.compared_with):
            for solvent in surroundings:
                reference = None if groups == wanted.parts else groups
                found = _marked(binding(results_dir, name, reference, solvent), "binding_ev", NOT_BOUND)
                rows.append(head | {"compared_with": parts_label(groups)} | found)
    return rows


def _marked(row: dict[str, Any], energy: str, not_bound: str) -> dict[str, Any]:
    """Say of an energy above zero, otherwise `ok`, that nothing is bound there."""
    return row | {"verdict": not_bound} if row["verdict"] == OK and (row.get(energy) or 0.0) > 0 else row


def _of_boxes(results_dir: Path, boxes: list[str], kind: str) -> Iterator[dict[str, Any]]:
    return (row | {"box": box} for box in boxes for row in analysis_rows(results_dir, box, kind))


def _hopping_rows(results_dir: Path, boxes: list[str]) -> Iterator[dict[str, Any]]:
    """Rows of the boxes that hold chains; the others have none."""
    records = ((box, read_record(results_dir, f"boxes/{box}/analysis.json")) for box in boxes)
    return (row | {"box": box} for box, record in records for row in record.get("hopping") or [])


def _box_rows(results_dir: Path, box: str, asked: bool) -> list[dict[str, Any]]:
    """Return one row a replica; a box that is not asked for or could not be composed says so in the verdict."""
    if not asked:
        return [{"box": box, "verdict": NOT_ASKED_BOX}]
    recipe = read_record(results_dir, f"boxes/{box}/composition.json")
    shared = {key: recipe.get(key) for key in ("atoms", "temperature_k", "ideal_density_g_per_ml")}
    shared["molecules"] = ", ".join(f"{m['count']} {m['species']}" for m in recipe.get("molecules") or [])
    rows = []
    for replica, record in replicas(results_dir, box):
        verdict = record["verdict"] if usable(recipe["verdict"]) else recipe["verdict"]
        measured = {key: record.get(key) for key in ("density_g_per_ml", "density_low", "density_high")}
        rows.append({"box": box, "replica": replica, **shared, **measured, "verdict": verdict})
    return rows


def _chain_rows(results_dir: Path, box: str) -> list[dict[str, Any]]:
    """Return one row a replica and species of chains; boxes without chains have none."""
    return [
        row | {"box": box, "replica": replica}
        for replica, record in replicas(results_dir, box)
        for row in record.get("chains") or []
    ]
