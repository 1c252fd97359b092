"""The report: one HTML file that needs no network, written from the tables, the figures and the records."""

from __future__ import annotations

import base64
import os
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from electroscreen.record import write_text
from electroscreen.report import names, run
from electroscreen.report.comparison import AGREES, DIFFERS, ORDER_AGREES, ORDER_DIFFERS, kind_of
from electroscreen.report.formats import readable
from electroscreen.report.records import NOT_COMPUTED, orbitals, read_record, usable
from electroscreen.report.redox import NOT_ASKED_FOR
from electroscreen.report.tables import (
    CAPTIONS,
    HEADINGS,
    NOT_ASKED_BOX,
    WORDS,
    count_verdicts,
    read_table,
    signed,
    with_interval,
)
from electroscreen.report.viewer import packed_surfaces

HERE = Path(__file__).parent

TONES = {"": "", AGREES: "good", ORDER_AGREES: "good", DIFFERS: "bad", ORDER_DIFFERS: "bad"}

MOLECULES = {
    "species": "species",
    "count": "molecules",
    "charge_e": "charge (e)",
    "requested": "requested",
    "rounding_percent": "changed by rounding (%)",
}
LUMOS = {
    "subject": "species",
    "ours": "ours",
    "paper_value": "paper",
    "difference": "difference",
    "verdict": "verdict",
}
OF_BOX = ("chains", "coordination", "solvation", "residence", "diffusion", "displacement", "transport")
RDF_CAPTION = "g(r), solid, and n(r), dashed; dotted: the cut-off"
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
    records, missing = run.all_records(results_dir), _missing(tables)
    comparisons = tables["compared_with_papers"]
    levels = sorted({row["level"] for row in tables["frontier_orbitals"]} - {""})
    page = _environment().get_template("page.html.j2")
    text = page.render(
        css=Markup((HERE / "page.css").read_text(encoding="utf-8")),  # our own file, not data
        settings_name=settings_name,
        comparisons=comparisons,
        verdicts=count_verdicts(comparisons),
        by_paper=_by_paper(comparisons),
        papers={row["paper"]: row for row in tables["papers"]},
        lumos=_lumos(comparisons),
        lumo_headings=LUMOS,
        species=[row | {"title": _title(results_dir, row["species"])} for row in tables["frontier_orbitals"]],
        species_headings={"species": "species", "title": "name"}
        | _without(HEADINGS["frontier_orbitals"], "species", *(["level"] if len(levels) == 1 else [])),
        levels=levels,
        scan=tables["level_scan"],
        scan_headings=HEADINGS["level_scan"],
        redox=tables["redox"],
        redox_headings=HEADINGS["redox"],
        redox_not_asked=NOT_ASKED_FOR,
        orbital_pictures=_orbital_pictures(results_dir, tables["frontier_orbitals"]),
        potentials=[_with_picture(results_dir, row) for row in tables["esp_extrema"]],
        potential_headings=_without(HEADINGS["esp_extrema"], *(["level"] if len(levels) == 1 else [])),
        charges={name: list(rows) for name, rows in groupby(tables["charges"], key=lambda row: row["species"])},
        charge_headings=_without(HEADINGS["charges"], "species"),
        surfaces=Markup(packed_surfaces(results_dir, [row["species"] for row in tables["esp_extrema"]])),
        viewer=Markup((HERE / "viewer.js").read_text(encoding="utf-8")),
        boxes=[_box(results_dir, tables, name) for name in _simulated(tables["boxes"])],
        molecule_headings=MOLECULES,
        replica_headings=_without(HEADINGS["boxes"], "box", "molecules"),
        chain_headings=_without(HEADINGS["chains"], "box"),
        coordination_headings=_without(HEADINGS["coordination"], "box"),
        solvation_headings=_without(HEADINGS["solvation"], "box"),
        residence_headings=_without(HEADINGS["residence"], "box"),
        diffusion_headings=_without(HEADINGS["diffusion"], "box"),
        displacement_headings=_without(HEADINGS["displacement"], "box"),
        transport_headings=_without(HEADINGS["transport"], "box"),
        temperature=tables["temperature"],
        temperature_headings=HEADINGS["temperature"],
        arrhenius={path.stem: _embedded(path) for path in sorted((results_dir / "figures").glob("arrhenius_*.svg"))},
        bindings=tables["binding_energies"],
        binding_headings=_without(HEADINGS["binding_energies"], "parts"),
        figures={"orbital_levels": _embedded(results_dir / "figures" / "orbital_levels.svg")},
        faults=run.faults(records) + missing,
        records=len(records) + len(missing),
        stages=run.stages(records),
        stage_headings=STAGES,
        hours=sum(row["hours"] for row in run.stages(records)),
        versions=[{"package": name, "version": version} for name, version in run.versions(records).items()],
        version_headings={"package": "package", "version": "version"},
        methods=run.methods(records),
        files=_files(results_dir, output_html),
    )
    write_text(output_html, text)


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
    }
    environment.globals |= {
        "sentences": {"quantity", "scan", "where", "note", "title", "details", "molecules", "parts"},
        "numbers": {column for table in HEADINGS.values() for column in table if column not in WORDS}
        | {"count", "charge_e", "rounding_percent", "jobs", "usable", "hours"},
    }
    return environment


def _by_paper(comparisons: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the comparisons of each paper; papers of which nothing is computed come last."""
    papers = {paper: list(rows) for paper, rows in groupby(comparisons, key=lambda row: row["paper"])}
    nothing = {paper: all(kind_of(row["verdict"]) == NOT_COMPUTED for row in rows) for paper, rows in papers.items()}
    return {paper: papers[paper] for paper in sorted(papers, key=nothing.get)}


def _lumos(comparisons: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return _by_paper([row for row in comparisons if row["quantity"] == "LUMO"])


def _title(results_dir: Path, species: str) -> str:
    return str(orbitals(results_dir, species).get("title") or "")


def _simulated(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["box"] for row in rows if row["verdict"] != NOT_ASKED_BOX))


def _box(results_dir: Path, tables: dict[str, list[dict[str, Any]]], name: str) -> dict[str, Any]:
    recipe = read_record(results_dir, f"boxes/{name}/composition.json")
    of_box = {table: [row for row in tables[table] if row["box"] == name] for table in OF_BOX}
    figures = {path.stem: _embedded(path) for path in sorted((results_dir / "figures").glob("*.svg"))}
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


def _with_picture(results_dir: Path, row: dict[str, Any]) -> dict[str, Any]:
    picture = results_dir / "species" / row["species"] / "esp.png"
    return row | {"picture": _embedded(picture) if usable(row["verdict"]) or readable(row["v_max_ev"]) else None}


def _orbital_pictures(results_dir: Path, rows: list[dict[str, Any]]) -> dict[str, str]:
    """Return the pictures of HOMO and LUMO by species, of those that have some."""
    folders = {row["species"]: results_dir / "species" / row["species"] for row in rows if readable(row["lumo_ev"])}
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
    drawn = sorted((results_dir / "figures").glob("*.svg"))
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
