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
from electroscreen.report.records import NOT_COMPUTED, usable
from electroscreen.report.style import GREY, PAGE_INCHES, new_figure, say

COLUMNS = 3
LONG_MOLECULE = 40  # atoms; of longer ones only what is near is drawn
NEAR_A = 5.0
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
        Verdict of the analysis, said where there is nothing to draw.
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
    with new_figure(path, PAGE_INCHES * columns / COLUMNS, 2.45 * lines) as figure:
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
        for axes in grid.flat[len(drawn) :]:
            axes.remove()


def _title(row: dict[str, Any]) -> str:
    interval = "" if row["low"] is None else f" ({100 * row['low']:.0f} to {100 * row['high']:.0f})"
    shell = textwrap.fill(f"{row['center']} with {row['structure']}", 34)
    return f"{shell}\n{100 * row['value']:.0f}{interval} %"


def _draw_shell(
    axes: Axes, symbols: np.ndarray, positions_angstrom: np.ndarray, molecule: np.ndarray, bound: np.ndarray
) -> None:
    """Draw balls and sticks from the broad side, paler the farther away; dotted: from the centre to bound atoms."""
    from ase.data import atomic_numbers, covalent_radii
    from ase.data.colors import jmol_colors

    long = np.bincount(molecule)[molecule] > LONG_MOLECULE
    shown = bound | ~long | (np.linalg.norm(positions_angstrom, axis=1) < NEAR_A)
    symbols, molecule, bound = symbols[shown], molecule[shown], bound[shown]
    places = positions_angstrom[shown] @ broad_side(positions_angstrom[shown]).T
    numbers = [atomic_numbers[str(symbol)] for symbol in symbols]
    radii = 0.18 + 0.22 * covalent_radii[numbers]
    radii[0] *= 1.5
    far = (places[:, 2].max() - places[:, 2]) / max(np.ptp(places[:, 2]), 1e-6)
    colours = 1 - (1 - jmol_colors[numbers]) * (1 - DEPTH * far[:, None])
    lines = 1 - 0.75 * (1 - DEPTH * far)
    for i, j in bonds(symbols, places):
        if molecule[i] == molecule[j]:
            middle = (places[i] + places[j]) / 2
            for k in (i, j):
                way = np.array([places[k], middle])
                depth = way[:, 2].mean()
                axes.plot(*way[:, :2].T, color=str(lines[k]), lw=3.2, zorder=depth - 0.01, solid_capstyle="round")
                axes.plot(*way[:, :2].T, color=0.88 * colours[k], lw=2.2, zorder=depth, solid_capstyle="round")
    for k in np.flatnonzero(bound)[1:]:
        way = places[[0, k]]
        axes.plot(*way[:, :2].T, color=GREY, lw=0.8, ls=":", zorder=way[:, 2].mean())
    for k, (x, y, z) in enumerate(places):
        ball = {"facecolor": colours[k], "edgecolor": str(lines[k]), "linewidth": 0.6}
        axes.add_patch(Circle((x, y), radii[k], zorder=z + 0.02, **ball))
        if bound[k]:
            # Said in letters too, for those who do not tell the colours apart.
            axes.text(x, y, symbols[k], fontsize=5.5, ha="center", va="center", zorder=z + 0.03)
    reach = np.abs(places[:, :2]).max(axis=0, initial=0) + radii.max() + 0.2
    side = max(*reach, 3.0)
    axes.set(xlim=(-side, side), ylim=(-min(side, max(reach[1], 2.5)), min(side, max(reach[1], 2.5))), aspect="equal")
    axes.set_axis_off()
