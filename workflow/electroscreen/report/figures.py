"""Figures: read what the stages wrote and draw it; editing a plot reruns no science."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.papers import Paper, read_papers
from electroscreen.report.curves import draw_msd, draw_rdf
from electroscreen.report.levels import draw_orbital_levels
from electroscreen.report.names import rdf_name
from electroscreen.report.records import analysis_rows, orbitals, read_record


def build_figures(
    results_dir: Path, paper_files: list[Path], species: list[str], centers: dict[str, list[str]], output_dir: Path
) -> None:
    """Draw every figure as .png and .svg.

    Parameters
    ----------
    centers
        Box name to the centers whose g(r) are drawn, as the box's file asks for them.
    """
    results_dir, output_dir = Path(results_dir), Path(output_dir)
    levels = [orbitals(results_dir, name) for name in species]
    draw_orbital_levels(levels, paper_levels(read_papers(paper_files).values()), output_dir / "orbital_levels")
    for box, box_centers in centers.items():
        curves = read_curves(results_dir / "boxes" / box / "curves.npz")
        reason = read_record(results_dir, f"boxes/{box}/analysis.json")["verdict"]
        pairs = analysis_rows(results_dir, box, "coordination")
        for center in box_centers:
            draw_rdf(center, pairs, curves, output_dir / rdf_name(box, center), reason)
        draw_msd(analysis_rows(results_dir, box, "diffusion"), curves, output_dir / f"msd_{box}", reason)


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
