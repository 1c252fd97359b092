"""Figures: read what the stages wrote and draw it; editing a plot reruns no science."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.papers import Paper, read_papers
from electroscreen.report.boxes import draw_box
from electroscreen.report.curves import draw_msd, draw_rdf
from electroscreen.report.ions import (
    draw_arrhenius,
    draw_displacements,
    draw_solvation,
    draw_stays,
    draw_transport,
    draw_van_hove,
)
from electroscreen.report.levels import draw_orbital_levels
from electroscreen.report.names import arrhenius_name, rdf_name
from electroscreen.report.records import analysis_rows, orbitals, read_record
from electroscreen.report.series import series_points, temperature_rows
from electroscreen.report.shells import draw_shells

BOX_ROWS = ("solvation", "residence", "diffusion", "displacement", "transport")


def build_figures(
    results_dir: Path,
    paper_files: list[Path],
    species: list[str],
    centers: dict[str, list[str]],
    output_dir: Path,
    series: Sequence[str] = (),
) -> None:
    """Draw every figure as .png and .svg: those of a box into a folder of its name, the others beside these folders.

    Parameters
    ----------
    centers
        Box name to the centers whose g(r) are drawn, as the box's file asks for them.
    series
        Names that boxes of different temperature share.
    """
    build_overall_figures(results_dir, paper_files, species, list(centers), output_dir, series)
    for box, sites in centers.items():
        build_box_figures(results_dir, box, sites, Path(output_dir) / box)


def build_overall_figures(
    results_dir: Path,
    paper_files: list[Path],
    species: list[str],
    boxes: list[str],
    output_dir: Path,
    series: Sequence[str] = (),
) -> None:
    """Draw the figures that tell of many species or boxes at once."""
    results_dir, output_dir = Path(results_dir), Path(output_dir)
    levels = [orbitals(results_dir, name) for name in species]
    draw_orbital_levels(levels, paper_levels(read_papers(paper_files).values()), output_dir / "orbital_levels")
    points, fits = (series_points(results_dir, boxes), temperature_rows(results_dir, boxes)) if series else ({}, [])
    for name in series:
        draw_arrhenius(name, points, fits, output_dir / arrhenius_name(name))


def build_box_figures(results_dir: Path, box: str, centers: list[str], output_dir: Path) -> None:
    """Draw the figures of one box."""
    results_dir, output_dir = Path(results_dir), Path(output_dir)
    curves = read_curves(results_dir / "boxes" / box / "curves.npz")
    reason = read_record(results_dir, f"boxes/{box}/analysis.json")["verdict"]
    pairs = analysis_rows(results_dir, box, "coordination")
    draw_box(results_dir, box, output_dir / f"molecules_{box}")
    for center in centers:
        draw_rdf(center, pairs, curves, output_dir / rdf_name(box, center), reason)
    rows = {kind: analysis_rows(results_dir, box, kind) for kind in BOX_ROWS}
    draw_msd(rows["diffusion"], curves, output_dir / f"msd_{box}", reason)
    draw_solvation(rows["solvation"], output_dir / f"solvation_{box}", reason)
    draw_shells(rows["solvation"], curves, output_dir / f"shells_{box}", reason)
    draw_stays(rows["residence"], curves, output_dir / f"stays_{box}", reason)
    draw_displacements(rows["displacement"], curves, output_dir / f"displacement_{box}", reason)
    draw_van_hove(curves, output_dir / f"van_hove_{box}", reason)
    draw_transport([r for r in rows["transport"] if "quantity" in r], output_dir / f"transport_{box}", reason)


def paper_levels(papers: list[Paper]) -> list[dict[str, Any]]:
    """Return the printed HOMO and LUMO energies as species, key, value (eV) and paper."""
    return [
        {
            "species": value.result.orbital.species,
            "key": value.result.orbital.key,
            "value": value.value,
            "paper": p.name,
        }
        for p in papers
        for value in p.values
        if value.result.orbital and value.result.orbital.key in ("homo_ev", "lumo_ev")
    ]


def read_curves(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of curves.npz; none where the analysis did not get that far."""
    if not Path(path).exists():
        return {}
    with np.load(path, allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}
