"""Curves of a box: g(r) with n(r), and mean square displacements with what was fitted to them."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from electroscreen.record import OK
from electroscreen.report.records import NOT_COMPUTED, besides, flaw, usable
from electroscreen.report.style import (
    BLUE,
    COLOURS,
    COLUMN_INCHES,
    GREY,
    PAGE_INCHES,
    VERMILLION,
    legend_below,
    new_figure,
    say,
)


def draw_rdf(
    center: str, pairs: list[dict[str, Any]], curves: dict[str, np.ndarray], path: Path, reason: str = OK
) -> None:
    """Draw g(r) and n(r) around a center, one panel a partner.

    Parameters
    ----------
    pairs
        Rows of analysis.json, 'coordination'.
    curves
        Arrays of curves.npz: 'rdf|CENTER|PARTNER|r_angstrom', '…|g' and '…|n'.
    reason
        Verdict of the analysis: a flaw heads the figure, or is said where there is nothing to draw.
    """
    drawn = {key.split("|")[2]: key.rpartition("|")[0] for key in curves if key.startswith(f"rdf|{center}|")}
    rows = {pair.get("partner"): pair for pair in pairs if pair.get("center") == center}
    partners = [partner for partner in rows if partner in drawn] + [p for p in drawn if p not in rows]
    columns = 1 if len(partners) <= 3 else 2
    panels = max(1, -(-len(partners) // columns))
    shared = flaw(reason) if partners else ""
    with new_figure(path, (COLUMN_INCHES, PAGE_INCHES)[columns - 1], 0.5 + 1.35 * panels, shared) as figure:
        grid = figure.subplots(panels, columns, sharex=True, squeeze=False)
        if not partners:
            say(grid[0, 0], f"g(r) around {center}: {_why(reason)}")
            return
        for axes, partner in zip(grid.T.flat, partners, strict=False):
            _draw_pair(axes, center, partner, curves, drawn[partner], rows.get(partner, {}), shared)
        for axes in grid.T.flat[len(partners) :]:
            axes.remove()
        grid.T.flat[len(partners) - 1].tick_params(labelbottom=True)
        figure.supxlabel("r (Å)", fontsize=8)
        figure.supylabel("g(r), solid", fontsize=8)


def draw_msd(rows: list[dict[str, Any]], curves: dict[str, np.ndarray], path: Path, reason: str = OK) -> None:
    """Draw mean square displacements on logarithmic axes, with the fitted window and D or its verdict.

    Parameters
    ----------
    rows
        Rows of analysis.json, 'diffusion'.
    curves
        Arrays of curves.npz: 'msd|SPECIES|lag_ps', 'msd|SPECIES|msd_a2' and, where known, the ends 'low' and 'high'
        of its 95 % interval (Å²), drawn as a band.
    reason
        Verdict of the analysis: a flaw heads the figure, or is said where there is nothing to draw.
    """
    results = {row.get("species"): row for row in rows}
    drawn = [key.split("|")[1] for key in curves if key.startswith("msd|") and key.endswith("|lag_ps")]
    drawn = [species for species in drawn if np.any(_positive(curves, species))]
    shared = flaw(reason) if drawn else ""
    with new_figure(path, COLUMN_INCHES, 2.9, shared) as figure:
        axes = figure.subplots()
        if not drawn:
            say(axes, f"mean square displacement: {_why(reason)}")
            return
        for colour, species in zip(COLOURS * len(drawn), drawn, strict=False):
            keep = _positive(curves, species)
            lag_ps, msd_a2 = (curves[f"msd|{species}|{axis}"][keep] for axis in ("lag_ps", "msd_a2"))
            row = results.get(species, {})
            axes.loglog(lag_ps, msd_a2, color=colour, lw=1, label=_diffusion_words(species, row, shared))
            if f"msd|{species}|low" in curves:
                low, high = (curves[f"msd|{species}|{end}"][keep] for end in ("low", "high"))
                axes.fill_between(lag_ps, low, high, color=colour, alpha=0.15, lw=0)
            inside = _window(row, lag_ps)
            axes.loglog(lag_ps[inside], msd_a2[inside], color=colour, lw=4, alpha=0.35, solid_capstyle="butt")
        _draw_slope_one(axes, curves, drawn)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
        axes.set(xlabel="lag (ps)", ylabel="mean square displacement (Å²)")
        axes.spines["right"].set_visible(False)
        legend_below(figure, axes)


def _draw_pair(
    axes: Axes, center: str, partner: str, curves: dict[str, np.ndarray], key: str, row: dict[str, Any], shared: str
) -> None:
    r, g, n = (curves[f"{key}|{axis}"] for axis in ("r_angstrom", "g", "n"))
    axes.plot(r, g, color=BLUE, lw=1.2)
    axes.set(xlim=(0, r[-1]), ylim=(0, max(1.5, 1.3 * float(np.nanmax(g)))))
    counts = axes.twinx()
    counts.plot(r, n, color=VERMILLION, lw=1.2, ls="--")
    counts.tick_params(axis="y", colors=VERMILLION)
    counts.set_ylabel("n(r), dashed", color=VERMILLION)
    cutoff, count = row.get("cutoff_angstrom"), row.get("coordination_number")
    near = 1.3 * cutoff if cutoff else r[-1] / 2
    counts.set_ylim(0, max(1.0, 1.3 * float(np.nanmax(n[r <= near], initial=0))))
    if row.get("first_peak_angstrom") is not None and row.get("peak_height") is not None:
        peak = (row["first_peak_angstrom"], row["peak_height"])
        axes.annotate(f"{peak[0]:.2f} Å", peak, (-4, 0), textcoords="offset points", ha="right", fontsize=7)
    if cutoff:
        axes.axvline(cutoff, color=GREY, lw=0.8, ls=":")
    axes.set_title(f"{center}-{partner}{_count_words(row) if count is not None else ''}", loc="left")
    if words := besides(row.get("verdict", OK), shared):
        box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none"}
        words = textwrap.fill(words, 34)
        counts.text(0.97, 0.95, words, transform=axes.transAxes, ha="right", va="top", fontsize=6.5, bbox=box)


def _count_words(row: dict[str, Any]) -> str:
    interval = f" ({row['low']:.2f} to {row['high']:.2f})" if None not in (row.get("low"), row.get("high")) else ""
    radius = f"({row['cutoff_angstrom']:.2f} Å)" if row.get("cutoff_angstrom") is not None else ""
    return f": n{radius} = {row['coordination_number']:.2f}{interval}"


def _diffusion_words(species: str, row: dict[str, Any], shared: str) -> str:
    words = [besides(row.get("verdict", OK), shared)]
    if row.get("d_a2_per_ns") is not None:
        interval = f" ({row['low']:.3g} to {row['high']:.3g})" if None not in (row.get("low"), row.get("high")) else ""
        words.insert(0, f"D = {row['d_a2_per_ns']:.3g}{interval} Å²/ns")
    return ": ".join(filter(None, [species, ", ".join(filter(None, words))]))


def _positive(curves: dict[str, np.ndarray], species: str) -> np.ndarray:
    lag_ps, msd_a2 = curves[f"msd|{species}|lag_ps"], curves[f"msd|{species}|msd_a2"]
    return (lag_ps > 0) & (msd_a2 > 0)


def _window(row: dict[str, Any], lag_ps: np.ndarray) -> np.ndarray:
    start, end = row.get("window_start_ps"), row.get("window_end_ps")
    if start is None or end is None:
        return np.zeros(len(lag_ps), dtype=bool)
    return (lag_ps >= start) & (lag_ps <= end)


def _draw_slope_one(axes: Axes, curves: dict[str, np.ndarray], drawn: list[str]) -> None:
    """Draw what diffusion looks like, a line of slope 1, below the last decade of the curves."""
    end_ps = max(curves[f"msd|{species}|lag_ps"][-1] for species in drawn)
    lowest_a2 = min(curves[f"msd|{species}|msd_a2"][-1] for species in drawn)
    lag_ps = np.array([end_ps / 10, end_ps])
    axes.plot(lag_ps, 0.5 * lowest_a2 * lag_ps / end_ps, color=GREY, lw=0.8, ls=":", label="slope 1")


def _why(reason: str) -> str:
    return reason if not usable(reason) else f"{NOT_COMPUTED}: the analysis holds no such curve"
