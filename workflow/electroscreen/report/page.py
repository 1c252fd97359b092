"""The report: one HTML file that needs no network, written from the tables, the figures and the records."""

from __future__ import annotations

import base64
import json
import os
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from electroscreen.record import whole
from electroscreen.report import names, run
from electroscreen.report.comparison import AGREES, DIFFERS, ORDER_AGREES, ORDER_DIFFERS, kind_of
from electroscreen.report.formats import readable
from electroscreen.report.headings import CAPTIONS, HEADINGS, WORDS
from electroscreen.report.records import NOT_COMPUTED, read_record, usable
from electroscreen.report.redox import NOT_ASKED_FOR
from electroscreen.report.tables import (
    NOT_ASKED_BOX,
    NOT_ASKED_COMPLEX,
    count_verdicts,
    read_table,
    signed,
    with_interval,
)
from electroscreen.report.viewer import packed_surfaces

HERE = Path(__file__).parent

SENTENCES = {"quantity", "scan", "where", "note", "title", "details", "molecules", "parts"}
NUMBERS = {column for table in HEADINGS.values() for column in table if column not in WORDS} | {
    *("count", "charge_e", "rounding_percent", "jobs", "usable", "hours")
}
TONES = {"": "", AGREES: "good", ORDER_AGREES: "good", DIFFERS: "bad", ORDER_DIFFERS: "bad"}

MOLECULES = {
    "species": "species",
    "count": "molecules",
    "charge_e": "charge (e)",
    "requested": "requested",
    "rounding_percent": "changed by rounding (%)",
}
# Columns that a section of the page does without where none of its rows has anything in them; the CSVs keep them all.
SPARE = {
    "requested",
    "rounding_percent",
    "radius_angstrom",
    "number_at_radius",
    "at_radius_low",
    "at_radius_high",
    "d_corrected_a2_per_ns",
    "corrected_low",
    "corrected_high",
    "window_start_ps",
    "window_end_ps",
    "non_gaussian_parameter",
    "note",
}
LUMOS = {
    "subject": "species",
    "ours": "ours",
    "paper_value": "paper",
    "difference": "difference",
    "verdict": "verdict",
}
OF_BOX = ("chains", "coordination", "solvation", "residence", "diffusion", "hopping", "displacement", "transport")
RDF_CAPTION = "g(r), solid, and n(r), dashed; dotted: the cut-off"
# A page holds the pictures of so many species (those of lowest LUMO) and sections of so many boxes, and a table of so
# many rows at a time: a browser has to open it, however many there are.
MOST_SPECIES, MOST_BOXES, MOST_ROWS = 60, 20, 200
STAGES = {"stage": "stage", "jobs": "jobs", "usable": "usable", "hours": "hours", "details": "details"}


def build_report(results_dir: Path, settings_name: str, output_html: Path) -> None:
    """Write the report of a run from results_dir/tables, results_dir/figures and the stages' records.

    Raises
    ------
    FileNotFoundError
        If the tables were not built.
    """
    results_dir, output_html = Path(results_dir), Path(output_html)
    tables = {name: read_table(results_dir / "tables", name).to_dict("records") for name in HEADINGS}
    boxes, missing = _simulated(tables["boxes"]), _missing(tables)
    told = run.gather(run.all_records(results_dir), boxes[:MOST_BOXES])
    pictured = _pictured(tables["frontier_orbitals"])
    comparisons = tables["compared_with_papers"]
    levels = sorted({row["level"] for row in tables["frontier_orbitals"]} - {""})
    page = _environment().get_template("page.html.j2")
    pieces = page.generate(
        css=Markup((HERE / "page.css").read_text(encoding="utf-8")),  # our own file, not data
        settings_name=settings_name,
        comparisons=comparisons,
        verdicts=count_verdicts(comparisons),
        by_paper=_by_paper(comparisons),
        papers={row["paper"]: row for row in tables["papers"]},
        lumos=_lumos(comparisons),
        lumo_headings=LUMOS,
        species=[row | {"title": told.titles.get(row["species"], "")} for row in tables["frontier_orbitals"]],
        species_headings={"species": "species", "title": "name"}
        | _without(HEADINGS["frontier_orbitals"], "species", *(["level"] if len(levels) == 1 else [])),
        pictured=pictured,
        levels=levels,
        scan=tables["level_scan"],
        scan_headings=HEADINGS["level_scan"],
        rankings={name: list(rows) for name, rows in groupby(tables["ranking"], key=lambda row: row["electrode"])},
        ranking_headings=_without(HEADINGS["ranking"], "electrode"),
        redox=tables["redox"],
        redox_headings=HEADINGS["redox"],
        redox_not_asked=NOT_ASKED_FOR,
        orbital_pictures=_orbital_pictures(results_dir, tables["frontier_orbitals"], pictured),
        potentials=[_with_picture(results_dir, row, pictured) for row in tables["esp_extrema"]],
        potential_headings=_without(HEADINGS["esp_extrema"], *(["level"] if len(levels) == 1 else [])),
        charges={name: list(rows) for name, rows in groupby(tables["charges"], key=lambda row: row["species"])},
        every_charge=tables["charges"],
        every_charge_headings=HEADINGS["charges"],
        charge_headings=_without(HEADINGS["charges"], "species"),
        surfaces=Markup(packed_surfaces(results_dir, pictured)),
        viewer=Markup((HERE / "viewer.js").read_text(encoding="utf-8")),
        boxes=[_box(results_dir, tables, name) for name in boxes[:MOST_BOXES]],
        boxes_count=len(boxes),
        over_boxes={CAPTIONS[name]: (tables[name], HEADINGS[name]) for name in ("boxes", *OF_BOX)},
        molecule_headings=MOLECULES,
        replica_headings=_without(HEADINGS["boxes"], "box", "molecules"),
        chain_headings=_without(HEADINGS["chains"], "box"),
        coordination_headings=_without(HEADINGS["coordination"], "box"),
        solvation_headings=_without(HEADINGS["solvation"], "box"),
        residence_headings=_without(HEADINGS["residence"], "box"),
        diffusion_headings=_without(HEADINGS["diffusion"], "box"),
        hopping_headings=_without(HEADINGS["hopping"], "box"),
        displacement_headings=_without(HEADINGS["displacement"], "box"),
        transport_headings=_without(HEADINGS["transport"], "box"),
        temperature=tables["temperature"],
        temperature_headings=HEADINGS["temperature"],
        arrhenius={path.stem: _embedded(path) for path in sorted((results_dir / "figures").glob("arrhenius_*.svg"))},
        bindings=tables["binding_energies"],
        binding_not_asked=NOT_ASKED_COMPLEX,
        binding_headings=_without(HEADINGS["binding_energies"], "parts"),
        figures={"orbital_levels": _embedded(results_dir / "figures" / "orbital_levels.svg")},
        faults=told.faults + missing,
        records=told.jobs.total() + len(missing),
        stages=told.stages(),
        stage_headings=STAGES,
        hours=sum(row["hours"] for row in told.stages()),
        versions=[{"package": name, "version": version} for name, version in told.versions().items()],
        version_headings={"package": "package", "version": "version"},
        methods=told.methods(),
        references=(results_dir / "tables" / "references.bib").read_text(encoding="utf-8"),
        files=_files(results_dir, output_html),
        tables_script=Markup((HERE / "tables.js").read_text(encoding="utf-8")),
    )
    with whole(output_html) as partial, partial.open("w", encoding="utf-8") as stream:
        stream.writelines(pieces)


def tone(verdict: str) -> str:
    """Return the CSS class of a verdict: 'good', 'bad', 'open', or nothing for what is simply fine."""
    return "" if usable(verdict) else TONES.get(kind_of(verdict), "open")


def _environment() -> Environment:
    # Every name, title and note comes from somebody's file, so everything is escaped.
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters |= {
        "readable": lambda value: readable(value).replace("-", "−"),
        "signed": lambda value: signed(value).replace("-", "−"),
        "with_interval": lambda row: with_interval(row).replace("-", "−"),
        "tone": tone,
        "packed": packed,
        "filled": filled,
    }
    environment.globals |= {"sentences": SENTENCES, "numbers": NUMBERS, "most_rows": MOST_ROWS}
    return environment


def filled(headings: dict[str, str], rows: list[dict[str, Any]]) -> dict[str, str]:
    """Return the headings without those spare columns in which no row has anything."""
    empty = {column for column in SPARE & set(headings) if not any(readable(row[column]) for row in rows)}
    return _without(headings, *empty)


def packed(rows: list[dict[str, Any]], headings: dict[str, str]) -> Markup:
    """Return a long table as JSON for the page's own script: columns with their kind, rows of cells and a tone."""
    kinds = {column: "number" if column in NUMBERS else "verdict" if column == "verdict" else "" for column in headings}
    columns = [{"name": heading, "kind": kinds[column]} for column, heading in headings.items()]
    data = [[*(_shown(row[column]) for column in headings), tone(row.get("verdict", ""))] for row in rows]
    text = json.dumps({"columns": columns, "rows": data}, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # a '<' could end the script element


def _shown(cell: Any) -> Any:
    if isinstance(cell, list):
        return [[one["suffix"], one["href"]] if isinstance(one, dict) else [one] for one in cell]
    return cell if isinstance(cell, str) else readable(cell).replace("-", "−")


def _by_paper(comparisons: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the comparisons of each paper; papers of which nothing is computed come last."""
    papers = {paper: list(rows) for paper, rows in groupby(comparisons, key=lambda row: row["paper"])}
    nothing = {paper: all(kind_of(row["verdict"]) == NOT_COMPUTED for row in rows) for paper, rows in papers.items()}
    return {paper: papers[paper] for paper in sorted(papers, key=nothing.get)}


def _lumos(comparisons: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return _by_paper([row for row in comparisons if row["quantity"] == "LUMO"])


def _pictured(rows: list[dict[str, Any]]) -> list[str]:
    """Return the species whose pictures the page holds: all, or of many those of lowest LUMO, in the table's order."""
    levels = {row["species"]: row["lumo_ev"] for row in reversed(rows)}
    # What has no LUMO comes last: nothing is a number that equals itself but is not one.
    foremost = sorted(levels, key=lambda name: (levels[name] != levels[name], levels[name]))[:MOST_SPECIES]
    return [name for name in dict.fromkeys(row["species"] for row in rows) if name in set(foremost)]


def _simulated(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["box"] for row in rows if row["verdict"] != NOT_ASKED_BOX))


def _box(results_dir: Path, tables: dict[str, list[dict[str, Any]]], name: str) -> dict[str, Any]:
    recipe = read_record(results_dir, f"boxes/{name}/composition.json")
    of_box = {table: [row for row in tables[table] if row["box"] == name] for table in OF_BOX}
    figures = {path.stem: _embedded(path) for path in sorted((results_dir / "figures" / name).glob("*.svg"))}
    return {
        "name": name,
        "title": recipe.get("title") or name,
        "verdict": read_record(results_dir, f"boxes/{name}/analysis.json")["verdict"],
        "temperature_k": recipe.get("temperature_k"),
        "edge_angstrom": recipe.get("edge_angstrom"),
        "molecules": [{key: molecule.get(key) for key in MOLECULES} for molecule in recipe.get("molecules") or []],
        "replicas": [row for row in tables["boxes"] if row["box"] == name],
        "figures": {
            stem: {"source": figure, "caption": names.OF_BOX.get(names.box_of(stem)[0], RDF_CAPTION)}
            for stem, figure in figures.items()
            if names.box_of(stem) and names.box_of(stem)[1] == name
        },
        **of_box,
    }


def _with_picture(results_dir: Path, row: dict[str, Any], pictured: list[str]) -> dict[str, Any]:
    picture = results_dir / "species" / row["species"] / "esp.png"
    drawn = row["species"] in pictured and (usable(row["verdict"]) or readable(row["v_max_ev"]))
    return row | {"picture": _embedded(picture) if drawn else None}


def _orbital_pictures(results_dir: Path, rows: list[dict[str, Any]], pictured: list[str]) -> dict[str, str]:
    """Return the pictures of HOMO and LUMO by species, of those that have some."""
    drawn = [row["species"] for row in rows if row["species"] in pictured and readable(row["lumo_ev"])]
    folders = {name: results_dir / "species" / name for name in drawn}
    pictures = {name: _embedded(folder / "orbitals.png") for name, folder in folders.items()}
    return {name: picture for name, picture in pictures.items() if picture}


def _embedded(path: Path) -> str | None:
    """Return a figure as a data URI; in an <img> not even a script inside an SVG would run."""
    if not path.exists():
        return None
    kind = {".svg": "svg+xml", ".png": "png"}[path.suffix]
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _missing(tables: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the files that should be there and are not, which no record can tell."""
    asked = ("frontier_orbitals", "binding_energies", "boxes", "coordination")
    said = [row["verdict"] for name in asked for row in tables[name] if kind_of(row["verdict"]) == NOT_COMPUTED]
    lost = dict.fromkeys(verdict for verdict in said if verdict.endswith(" is missing"))
    return [{"path": v.partition(": ")[2].removesuffix(" is missing"), "verdict": v, "warnings": []} for v in lost]


def _files(results_dir: Path, output_html: Path) -> list[dict[str, Any]]:
    files = [(CAPTIONS[name], results_dir / "tables" / name, (".csv", ".md", ".tex")) for name in HEADINGS]
    files.append(("Literature", results_dir / "tables" / "references", (".bib",)))
    drawn = sorted((results_dir / "figures").rglob("*.svg"))
    mapped = sorted(path.parent for path in (results_dir / "species").glob("*/esp.ply"))
    files += [(f"Potential of {folder.name}", folder / "esp", (".png", ".ply", ".npz")) for folder in mapped]
    drawn_orbitals = sorted(path.parent for path in (results_dir / "species").glob("*/orbitals.png"))
    for folder in drawn_orbitals:
        files += [(f"{name.upper()} of {folder.name}", folder / name, (".cube",)) for name in ("homo", "lumo")]
    files += [(f"Figure {path.stem}", path.with_suffix(""), (".png", ".svg")) for path in drawn]
    return [
        {"caption": caption, "links": [_link(stem, suffix, output_html) for suffix in suffixes]}
        for caption, stem, suffixes in files
    ]


def _link(stem: Path, suffix: str, output_html: Path) -> dict[str, str]:
    href = Path(os.path.relpath(f"{stem}{suffix}", output_html.parent)).as_posix()
    return {"href": href, "suffix": suffix.removeprefix(".")}


def _without(headings: dict[str, str], *columns: str) -> dict[str, str]:
    return {column: heading for column, heading in headings.items() if column not in columns}
