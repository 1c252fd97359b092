"""Figures of the ions in a box: what surrounds them, how long, how far they come, and what they conduct."""

from __future__ import annotations

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

Curves = dict[str, np.ndarray]
Rows = list[dict[str, Any]]


def draw_solvation(rows: Rows, path: Path, reason: str = OK) -> None:
    """Draw the shares of free and bound ions, of the commonest clusters and of the commonest shells.

    Parameters
    ----------
    rows
        Rows of analysis.json, 'solvation'.
    reason
        Verdict of the analysis: a flaw heads the figure, or is said where there is nothing to draw.
    """
    panels = {
        kind: [row for row in rows if row.get("kind") == kind and row.get("value") is not None]
        for kind in ("association", "cluster", "shell")
    }
    panels = {kind: of for kind, of in panels.items() if of}
    heights = [0.6 + 0.17 * len(of) for of in panels.values()] or [1.5]
    with new_figure(path, COLUMN_INCHES, sum(heights), flaw(reason) if panels else "") as figure:
        grid = figure.subplots(max(len(panels), 1), 1, squeeze=False, height_ratios=heights)[:, 0]
        if not panels:
            say(grid[0], f"shells and clusters: {_why(reason)}")
        for axes, (kind, of) in zip(grid, panels.items(), strict=False):
            _bars(axes, [_label(row) for row in of], of)
            axes.set_xlim(0, 1)
            axes.set_title({"association": "ions", "cluster": "ions in clusters", "shell": "shells"}[kind], loc="left")
        grid[-1].set_xlabel("share" if panels else "")


def draw_stays(rows: Rows, curves: Curves, path: Path, reason: str = OK) -> None:
    """Draw how many stays in a first shell outlast a time, with the mean stay where there is one.

    Parameters
    ----------
    rows
        Rows of analysis.json, 'residence'.
    curves
        Arrays of curves.npz: 'stay|CENTER|PARTNER|time_ps' and '…|share'.
    """
    found = {(row.get("center"), row.get("partner")): row for row in rows}
    drawn = [key for key in found if len(curves.get(f"stay|{key[0]}|{key[1]}|time_ps", ())) > 1]
    shared = flaw(reason) if drawn else ""
    with new_figure(path, COLUMN_INCHES, 2.4, shared) as figure:
        axes = figure.subplots()
        if not drawn:
            say(axes, f"residence times: {_why(reason)}")
            return
        for colour, (center, partner) in zip(COLOURS * len(drawn), drawn, strict=False):
            time_ps, share = (curves[f"stay|{center}|{partner}|{key}"] for key in ("time_ps", "share"))
            words = _stay_words(found[center, partner], shared)
            axes.step(time_ps, share, where="post", color=colour, lw=1.2, label=f"{center}-{partner}{words}")
        axes.set(xlabel="time since entry (ps)", ylabel="share of stays that last", xlim=(0, None), ylim=(0, 1.02))
        axes.spines["right"].set_visible(False)
        legend_below(figure, axes)


def _stay_words(row: dict[str, Any], shared: str) -> str:
    words = [besides(row["verdict"], shared)]
    if row.get("residence_ps") is not None:
        words.insert(0, f"{row['residence_ps']:.3g} ps ({row['low']:.3g} to {row['high']:.3g})")
    return "".join(f"{mark}{word}" for mark, word in zip((": ", ", "), filter(None, words), strict=False))


def draw_displacements(rows: Rows, curves: Curves, path: Path, reason: str = OK) -> None:
    """Draw how far each ion is from where it began, one line an ion, one panel a species.

    Parameters
    ----------
    rows
        Rows of analysis.json, 'displacement'.
    curves
        Arrays of curves.npz: 'displacement|SPECIES|time_ps' and '…|a', shape (ions, times).
    """
    drawn = [row for row in rows if f"displacement|{row.get('species')}|a" in curves]
    shared = flaw(reason) if drawn else ""
    with new_figure(path, COLUMN_INCHES, 0.5 + 1.6 * max(len(drawn), 1), shared) as figure:
        grid = figure.subplots(max(len(drawn), 1), 1, squeeze=False, sharex=True)[:, 0]
        if not drawn:
            say(grid[0], f"displacements: {_why(reason)}")
            return
        for axes, row in zip(grid, drawn, strict=True):
            name = row["species"]
            time_ps, lengths = (curves[f"displacement|{name}|{key}"] for key in ("time_ps", "a"))
            axes.plot(time_ps, lengths.T, color=BLUE, lw=0.7, alpha=max(0.15, 1 / np.sqrt(len(lengths))))
            axes.plot(time_ps, lengths.mean(axis=0), color=VERMILLION, lw=1.4)
            interval = "" if row["low"] is None else f" ({row['low']:.3g} to {row['high']:.3g})"
            title = f"{name}: {row['mean_angstrom']:.3g}{interval} Å after {row['time_ps']:.4g} ps"
            axes.set_title(title, loc="left")
            axes.set(ylabel="displacement (Å)", ylim=(0, None), xlim=(0, time_ps[-1]))
            axes.spines["right"].set_visible(False)
        grid[-1].set_xlabel("time (ps)")


def draw_van_hove(curves: Curves, path: Path, reason: str = OK) -> None:
    """Draw the distribution of displacements beside that of a random walk, and the non-Gaussian parameter.

    Parameters
    ----------
    curves
        Arrays of curves.npz: 'van_hove|SPECIES|…' and 'ngp|SPECIES|…'.
    """
    names = [key.split("|")[1] for key in curves if key.startswith("van_hove|") and key.endswith("|r_a")]
    shared = flaw(reason) if names else ""
    with new_figure(path, PAGE_INCHES, 0.5 + 1.7 * max(len(names), 1), shared) as figure:
        grid = figure.subplots(max(len(names), 1), 2, squeeze=False)
        if not names:
            grid[0, 1].remove()
            say(grid[0, 0], f"distribution of displacements: {_why(reason)}")
            return
        for (left, right), name in zip(grid, names, strict=True):
            lags, r_a, density, gaussian = (
                curves[f"van_hove|{name}|{key}"] for key in ("lag_ps", "r_a", "density", "gaussian")
            )
            for colour, lag, here, walk in zip(COLOURS, lags, density, gaussian, strict=False):
                left.plot(r_a, here, color=colour, lw=1.2, label=f"{lag:.3g} ps")
                left.plot(r_a, walk, color=colour, lw=0.8, ls=":")
            left.set_title(f"{name}; dotted: a random walk", loc="left")
            left.set(xlabel="displacement (Å)", ylabel="density (1/Å)", xlim=(0, None), ylim=(0, None))
            left.legend(frameon=False)
            if f"ngp|{name}|alpha" in curves:
                right.semilogx(curves[f"ngp|{name}|lag_ps"], curves[f"ngp|{name}|alpha"], color=BLUE, lw=1.2)
            right.axhline(0, color=GREY, lw=0.8, ls=":")
            right.set(xlabel="lag (ps)", ylabel="non-Gaussian parameter")
            right.xaxis.set_major_formatter("{x:g}")
            for axes in (left, right):
                axes.spines["right"].set_visible(False)


def draw_transport(rows: Rows, path: Path, reason: str = OK) -> None:
    """Draw conductivities and transference numbers, by every definition, with their intervals.

    Parameters
    ----------
    rows
        Rows of analysis.json, 'transport'.
    """
    panels = {
        unit: [row for row in rows if row["quantity"].startswith(start) and row.get("high") is not None]
        for start, unit in (("conductivity", "conductivity (mS/cm)"), ("transference", "transference number"))
    }
    panels = {unit: of for unit, of in panels.items() if of}
    heights = [0.7 + 0.17 * len(of) for of in panels.values()] or [1.5]
    with new_figure(path, PAGE_INCHES, sum(heights), flaw(reason) if panels else "") as figure:
        grid = figure.subplots(max(len(panels), 1), 1, squeeze=False, height_ratios=heights)[:, 0]
        if not panels:
            said = next((row["verdict"] for row in rows if not usable(row["verdict"])), _why(reason))
            say(grid[0], f"conductivity: {said}")
        for axes, (unit, of) in zip(grid, panels.items(), strict=False):
            _bars(axes, [f"{row['quantity'].partition(', ')[2]}: {row['subject']}" for row in of], of)
            axes.set_xlabel(unit)


def draw_arrhenius(series: str, points: dict[tuple[str, str, str], Rows], fits: Rows, path: Path) -> None:
    """Draw transport against inverse temperature with the Arrhenius line.

    Parameters
    ----------
    points
        `series.series_points`.
    fits
        `series.temperature_rows`.
    """
    drawn = {key: [one for one in of if "value" in one] for key, of in points.items() if key[0] == series}
    drawn = {key: of for key, of in drawn.items() if of}
    with new_figure(path, COLUMN_INCHES, 0.5 + 1.8 * max(len(drawn), 1)) as figure:
        grid = figure.subplots(max(len(drawn), 1), 1, squeeze=False, sharex=True)[:, 0]
        if not drawn:
            say(grid[0], f"{series}: {NOT_COMPUTED}: no usable number at any temperature")
            return
        for axes, ((_, quantity, unit), of) in zip(grid, drawn.items(), strict=True):
            inverse = np.array([1000 / one["temperature_k"] for one in of])
            value, low, high = (np.array([one[key] for one in of]) for key in ("value", "low", "high"))
            axes.errorbar(inverse, value, [value - low, high - value], fmt="o", ms=3, lw=1, color=BLUE)
            words = _draw_fit(axes, inverse, [row for row in fits if row["series"] == series], quantity)
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("")
            axes.set_title(f"{quantity}{words}", loc="left")
            axes.set_ylabel(unit)
            axes.spines["right"].set_visible(False)
        grid[-1].set_xlabel("1000 K / T")


def _draw_fit(axes: Axes, inverse: np.ndarray, fits: Rows, quantity: str) -> str:
    from electroscreen.analysis.temperature import ARRHENIUS, BOLTZMANN_EV_PER_K

    row = next((row for row in fits if (row["quantity"], row["model"]) == (quantity, ARRHENIUS)), {})
    energy = row.get("activation_energy_ev")
    if energy is None:
        return ""
    line = np.linspace(inverse.min(), inverse.max(), 50)
    axes.plot(line, row["prefactor"] * np.exp(-energy * line / (1000 * BOLTZMANN_EV_PER_K)), color=GREY, lw=1)
    return f": {energy:.3f} eV ({row['low']:.3f} to {row['high']:.3f})"


def _bars(axes: Axes, labels: list[str], rows: Rows) -> None:
    """One horizontal bar a row with its interval; a bound alone is an arrow to the left."""
    for place, row in enumerate(rows):
        value, low, high = row["value"], row["low"], row["high"]
        if value is None:
            axes.plot([0, high], [place, place], color=GREY, lw=0.8, ls=":", marker="<", ms=3, markevery=[1])
            continue
        axes.barh(place, value, color=BLUE, alpha=0.5, height=0.7)
        if low is not None and high is not None:
            axes.plot([low, high], [place, place], color=VERMILLION, lw=1.2)
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.spines["right"].set_visible(False)


def _label(row: dict[str, Any]) -> str:
    return row["structure"] if row["kind"] == "cluster" else f"{row['center']}: {row['structure']}"


def _why(reason: str) -> str:
    return reason if not usable(reason) else f"{NOT_COMPUTED}: the analysis holds nothing of it"
