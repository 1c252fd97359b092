"""The orbital level diagram: HOMO and LUMO of each species, the papers' values beside ours."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from electroscreen.report.records import usable
from electroscreen.report.style import BLUE, GREY, PAGE_INCHES, VERMILLION, footnote, new_figure, say

# Bare ions in vacuum have levels far outside those of molecules; they are drawn as arrows at the edge.
LEVELS_EV = (-14.0, 3.0)

# What a page's width and a footnote have room for.
MOST_SPECIES, MOST_REASONS = 60, 20


def draw_orbital_levels(levels: list[dict[str, Any]], printed: list[dict[str, Any]], path: Path) -> None:
    """Draw HOMO and LUMO of each species, lowest LUMO first, with the papers' values as open diamonds.

    Parameters
    ----------
    levels
        Records with species, homo_ev, lumo_ev and verdict; energies may be None.
    printed
        See `paper_levels`.
    """
    known = sorted((r for r in levels if r.get("lumo_ev") is not None), key=lambda r: r["lumo_ev"])
    unknown = [r for r in levels if r.get("lumo_ev") is None]
    known, left_out = _foremost(known, {mark["species"] for mark in printed})
    with new_figure(path, PAGE_INCHES, 3.6) as figure:
        axes = figure.subplots()
        if not known:
            say(axes, "\n".join(_reasons(levels)) or "no species were asked for")
            return
        axes.set_ylim(*_level_window(known, printed))
        for x, record in enumerate(known):
            _draw_level(axes, x, record.get("homo_ev"), BLUE)
            _draw_level(axes, x, record["lumo_ev"], VERMILLION)
            for mark in (mark for mark in printed if mark["species"] == record["species"]):
                colour = BLUE if mark["key"] == "homo_ev" else VERMILLION
                axes.plot(x + 0.42, mark["value"], "D", ms=4, mfc="white", mec=colour, clip_on=False)
        flagged = [not usable(r["verdict"]) for r in known]
        names = [label(r["species"]) + ("*" if flag else "") for r, flag in zip(known, flagged, strict=True)]
        axes.set_xticks(range(len(known)), names, rotation=40, ha="right", rotation_mode="anchor")
        axes.set(xlim=(-0.7, len(known) - 0.3), ylabel="Kohn-Sham level (eV)")
        axes.spines["right"].set_visible(False)
        axes.axhline(0, color=GREY, lw=0.6, ls=":")
        axes.plot([], [], color=VERMILLION, lw=2, label="LUMO")
        axes.plot([], [], color=BLUE, lw=2, label="HOMO")
        axes.plot([], [], "D", ms=4, mfc="white", mec=GREY, label="paper's value")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False)
        notes = ["* flagged: see the table of frontier orbitals"] if any(flagged) else []
        notes += [f"{left_out} more species, of higher LUMO, stand in the table only"] if left_out else []
        footnote(figure, "\n".join(notes + _reasons(unknown)))


def label(name: str) -> str:
    """Return a species' name with subscripts where it reads as a formula: Li2CO3 becomes Li₂CO₃."""
    return re.sub(r"(?<=[A-Za-z)])\d+", lambda m: m[0].translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")), name)


def _draw_level(axes: Axes, x: float, energy_ev: float | None, colour: str) -> None:
    if energy_ev is None:
        return
    low, high = axes.get_ylim()
    text = f"{energy_ev:.2f}".replace("-", "−")
    if low <= energy_ev <= high:
        axes.hlines(energy_ev, x - 0.3, x + 0.3, color=colour, lw=2)
        axes.annotate(text, (x, energy_ev), (0, 2), textcoords="offset points", ha="center", va="bottom", fontsize=6)
        return
    edge, inward = (low, 10) if energy_ev < low else (high, -10)
    arrow = {"arrowstyle": "->", "color": colour}
    place = {"textcoords": "offset points", "ha": "center", "va": "center", "fontsize": 6}
    axes.annotate(text, (x, edge), (0, 1.6 * inward), arrowprops=arrow, **place)


def _level_window(known: list[dict[str, Any]], printed: list[dict[str, Any]]) -> tuple[float, float]:
    energies = [r[key] for r in known for key in ("homo_ev", "lumo_ev") if r.get(key) is not None]
    energies += [mark["value"] for mark in printed]
    inside = [e for e in energies if LEVELS_EV[0] <= e <= LEVELS_EV[1]] or list(LEVELS_EV)
    return min(inside) - 0.8, max(inside) + 1.0


def _foremost(known: list[dict[str, Any]], named: set[str]) -> tuple[list[dict[str, Any]], int]:
    """Return the species that a page has room for, those that papers name before all, and how many are left out."""
    if len(known) <= MOST_SPECIES:
        return known, 0
    order = sorted(known, key=lambda record: record["species"] not in named)
    chosen = {record["species"] for record in order[:MOST_SPECIES]}
    return [record for record in known if record["species"] in chosen], len(known) - len(chosen)


def _reasons(records: list[dict[str, Any]]) -> list[str]:
    told = [textwrap.fill(f"{record['species']}: {record['verdict']}", 110) for record in records[:MOST_REASONS]]
    more = len(records) - len(told)
    return [*told, *([f"and {more} more without levels"] if more else [])]
