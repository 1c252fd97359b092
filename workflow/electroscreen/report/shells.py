"""Pictures of first shells: an ion and the molecules around it, as they stood in a trajectory."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from electroscreen.quantum.picture import bonds, broad_side
from electroscreen.record import OK
from electroscreen.report.records import NOT_COMPUTED, flaw, usable
from electroscreen.report.style import GREY, PAGE_INCHES, new_figure, say

COLUMNS = 3
LONG_MOLECULE = 40  # atoms; of longer ones only what is near is drawn
NEAR_A = 5.0
DIRECTIONS = 80
HIDES_A = 0.7  # across, from an atom behind to one in front
DEPTH = 0.55  # how much paler the farthest atom is


def draw_shells(
    rows: list[dict[str, Any]], curves: dict[str, np.ndarray], path: Path, reason: str = OK, at_most: int = 6
) -> None:
    """Draw the commonest shells with their shares, those of each centre in the order of their shares.

    Parameters
    ----------
    rows
        Rows of analysis.json, 'solvation'.
    curves
        Arrays of curves.npz: 'shell|CENTER|SHELL|symbols', '…|positions_angstrom', '…|molecule' and '…|bound'.
    reason
        Verdict of the analysis: a flaw heads the figure, or is said where there is nothing to draw.
    at_most
        Shells of each centre.
    """
    drawn: list[dict[str, Any]] = []
    for row in rows:
        same = [one for one in drawn if one["center"] == row.get("center")]
        known = f"shell|{row.get('center')}|{row.get('structure')}|symbols" in curves
        if row.get("kind") == "shell" and known and len(same) < at_most:
            drawn.append(row)
    columns = min(COLUMNS, max(len(drawn), 1))
    lines = max(1, -(-len(drawn) // columns))
    shared = flaw(reason) if drawn else ""
    with new_figure(path, PAGE_INCHES * columns / COLUMNS, 2.45 * lines, shared) as figure:
        grid = figure.subplots(lines, columns, squeeze=False)
        if not drawn:
            missing = f"{NOT_COMPUTED}: the analysis holds none"
            say(grid[0, 0], f"pictures of shells: {missing if usable(reason) else reason}")
            return
        for axes, row in zip(grid.flat, drawn, strict=False):
            prefix = f"shell|{row['center']}|{row['structure']}|"
            keys = ("symbols", "positions_angstrom", "molecule", "bound")
            _draw_shell(axes, *(curves[f"{prefix}{key}"] for key in keys))
            axes.set_title(_title(row), fontsize=7.5)
        # All on one scale.
        shown = list(grid.flat[: len(drawn)])
        halves = np.max([[np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim())] for axes in shown], axis=0) / 2
        for axes in shown:
            x, y = np.mean(axes.get_xlim()), np.mean(axes.get_ylim())
            axes.set(xlim=(x - halves[0], x + halves[0]), ylim=(y - halves[1], y + halves[1]))
        for axes in grid.flat[len(drawn) :]:
            axes.remove()


def _title(row: dict[str, Any]) -> str:
    interval = "" if row["low"] is None else f" ({100 * row['low']:.0f} to {100 * row['high']:.0f})"
    shell = textwrap.fill(f"{row['center']} with {row['structure']}", 34)
    return f"{shell}\n{100 * row['value']:.0f}{interval} %"


def _draw_shell(
    axes: Axes, symbols: np.ndarray, positions_angstrom: np.ndarray, molecule: np.ndarray, bound: np.ndarray
) -> None:
    """Draw balls and sticks, paler the farther away; dotted: from the centre to bound atoms."""
    from ase.data import atomic_numbers, covalent_radii
    from ase.data.colors import jmol_colors

    long = np.bincount(molecule)[molecule] > LONG_MOLECULE
    shown = bound | ~long | (np.linalg.norm(positions_angstrom, axis=1) < NEAR_A)
    symbols, molecule, bound = symbols[shown], molecule[shown], bound[shown]
    places = _clear_view(positions_angstrom[shown], bound)
    numbers = [atomic_numbers[str(symbol)] for symbol in symbols]
    radii = 0.18 + 0.22 * covalent_radii[numbers]
    radii[0] *= 1.5
    far = (places[:, 2].max() - places[:, 2]) / max(np.ptp(places[:, 2]), 1e-6)
    colours = 1 - (1 - jmol_colors[numbers]) * (1 - DEPTH * far[:, None])
    lines = 1 - 0.75 * (1 - DEPTH * far)
    for i, j in bonds(symbols, places):
        if molecule[i] == molecule[j]:
            middle, rim = (places[i] + places[j]) / 2, str(lines[[i, j]].mean())
            _draw_line(axes, places[[i, j]], color=rim, lw=3.2, below=0.01)
            for k in (i, j):
                _draw_line(axes, np.array([places[k], middle]), color=0.88 * colours[k], lw=2.2)
    for k in np.flatnonzero(bound)[1:]:
        _draw_line(axes, places[[0, k]], color=GREY, lw=0.8, ls=":")
    for k, (x, y, z) in enumerate(places):
        ball = {"facecolor": colours[k], "edgecolor": str(lines[k]), "linewidth": 0.6}
        axes.add_patch(Circle((x, y), radii[k], zorder=z + 0.02, clip_on=False, **ball))
        if bound[k]:
            # Said in letters too, for those who do not tell the colours apart.
            axes.text(x, y, symbols[k], fontsize=5.5, ha="center", va="center", zorder=z + 0.03)
    low, high = (end(places[:, :2], axis=0) for end in (np.min, np.max))
    room = radii.max() + 0.2
    axes.set(xlim=(low[0] - room, high[0] + room), ylim=(low[1] - room, high[1] + room), aspect="equal")
    axes.set_axis_off()


def _draw_line(axes: Axes, ends: np.ndarray, below: float = 0.0, **style: Any) -> None:
    axes.plot(*ends[:, :2].T, zorder=ends[:, 2].mean() - below, solid_capstyle="round", clip_on=False, **style)


def _clear_view(positions_angstrom: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Positions turned so that as little as possible hides the centre and the bound atoms; the broad side among equals.

    Directions are spread evenly over half a sphere by the golden angle.
    """
    sides = broad_side(positions_angstrom)
    number = np.arange(DIRECTIONS)
    height, angle = 1 - number / DIRECTIONS, number * np.pi * (3 - np.sqrt(5))
    across = np.sqrt(1 - height**2)
    directions = np.column_stack([across * np.cos(angle), across * np.sin(angle), height]) @ sides
    views = []
    for viewer in directions:
        right = sides[0] - (sides[0] @ viewer) * viewer
        right /= np.linalg.norm(right)
        places = positions_angstrom @ np.array([right, np.cross(viewer, right), viewer]).T
        apart = places[None] - places[bound][:, None]
        hidden = (apart[..., 2] > 0.1) & (np.hypot(apart[..., 0], apart[..., 1]) < HIDES_A)
        views.append((int(hidden.sum()), places))
    return min(views, key=lambda view: view[0])[1]
