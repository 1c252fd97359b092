"""Pictures of a box: its molecules as they were packed, and at the end of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from electroscreen.report import style
from electroscreen.report.formats import readable
from electroscreen.report.records import flaw, read_record

# Okabe and Ito's, and a grey for the solvent, so that the others stand out.
COLOURS = (
    *(style.VERMILLION, style.BLUE, style.GREEN, style.PURPLE, style.ORANGE, style.SKY),
    *("#F0E442", "#000000"),
)
BULK = "#C8C8C8"

# Van der Waals radii (Bondi, J. Phys. Chem. 68, 441, 1964), Å; cations and the rest are drawn as if of 1.6 Å. Solvents
# are drawn smaller, so that one sees through them.
RADII = {"H": 1.1, "C": 1.7, "N": 1.55, "O": 1.52, "F": 1.47, "B": 1.9, "S": 1.8, "P": 1.8, "Cl": 1.75}
OTHER_RADIUS = 1.6
SHARE_OF_RADIUS = {"solvent": 0.45, "additive": 0.6, "polymer": 0.75}

AZIMUTH, ELEVATION = np.radians(28), np.radians(18)
CORNERS = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=float)
EDGES = [(a, b) for a in range(8) for b in range(a) if np.abs(CORNERS[a] - CORNERS[b]).sum() == 1]


@dataclass(frozen=True)
class Moment:
    """Atoms of a box at one time: positions (atoms, 3) with molecules whole, and the cube's edge, angstrom."""

    positions: np.ndarray
    edge: float
    label: str


def draw_box(results_dir: Path, box: str, path: Path) -> None:
    """Draw the first replica as it was packed and as it was at the end, or say why there is nothing to see."""
    composition = read_record(results_dir, f"boxes/{box}/composition.json")
    run = read_record(results_dir, f"boxes/{box}/replica-1/equilibration.json")
    molecules = composition.get("molecules") or []
    moments = read_moments(results_dir / "boxes" / box / "replica-1", run) if molecules else []
    with style.new_figure(
        path, style.PAGE_INCHES, 3.9 if moments else 1.0, flaw(run["verdict"]) if moments else ""
    ) as figure:
        if not moments:
            style.say(figure.subplots(), run["verdict"])
            return
        colours = colours_of(molecules)
        # Or the ring of an Å is cut off.
        figure.get_layout_engine().set(h_pad=0.08)
        panels = figure.subplots(1, 2)
        # One scale for both, so that one sees how the box shrank.
        reach = max(_draw_moment(axes, m, molecules, colours) for axes, m in zip(panels, moments, strict=False))
        for axes in panels[: len(moments)]:
            axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        for axes in panels[len(moments) :]:
            style.say(axes, run["verdict"])
        handles = [
            Line2D([], [], ls="", marker="o", ms=5, mfc=colours[m["species"]], mec="#444444", mew=0.4, label=_named(m))
            for m in molecules
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5), frameon=False)


def read_moments(folder: Path, run: Mapping[str, Any]) -> list[Moment]:
    """Return the packed box and the last frame of the trajectory, as far as there are such."""
    import MDAnalysis
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    packed, trajectory = folder / "packed.pdb", folder / "trajectory.xtc"
    if not packed.exists() or not _holds_atoms(packed):
        return []
    start = MDAnalysis.Universe(str(packed))
    edge = float(start.dimensions[0])
    moments = [Moment(start.atoms.positions.astype(float), edge, f"packed, edge {edge:.1f} Å")]
    if trajectory.exists() and trajectory.stat().st_size:
        with XTCFile(str(trajectory)) as file:
            file.seek(len(file) - 1)
            last = file.read()
        edge = 10 * float(last.box[0, 0])
        density = f", {readable(run.get('density_g_per_ml'))} g/mL" if run.get("density_g_per_ml") else ""
        moments.append(Moment(10 * last.x.astype(float), edge, f"at the end, edge {edge:.1f} Å{density}"))
    return moments


def _holds_atoms(pdb: Path) -> bool:
    """Whether there is an atom in the file: what could not be packed leaves one without."""
    with pdb.open(encoding="utf-8") as lines:
        return any(line.startswith(("ATOM", "HETATM")) for line in lines)


def colours_of(molecules: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return a colour for each species; grey for the solvent with most atoms, if there are other species."""
    solvents = [m for m in molecules if m.get("role") == "solvent"] if len(molecules) > 1 else []
    most = max(solvents, key=lambda m: m["count"] * len(m["symbols"]))["species"] if solvents else None
    others = [m["species"] for m in molecules if m["species"] != most]
    return {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(others)} | ({most: BULK} if most else {})


def in_the_box(positions: np.ndarray, edge: float, molecules: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Return positions of whole molecules whose centres lie in the cube from 0 to `edge`."""
    moved, first = positions.copy(), 0
    for entry in molecules:
        size, count = len(entry["symbols"]), entry["count"]
        own = moved[first : first + size * count].reshape(count, size, 3)
        own -= edge * np.floor(own.mean(axis=1, keepdims=True) / edge)
        first += size * count
    return moved


def _draw_moment(
    axes: Axes, moment: Moment, molecules: Sequence[Mapping[str, Any]], colours: Mapping[str, str]
) -> float:
    """Draw one moment; return how far it reaches from the middle of the cube, angstrom."""
    turned = _view()
    axes.set(xticks=[], yticks=[], frame_on=False, title=moment.label)
    places = (in_the_box(moment.positions, moment.edge, molecules) - moment.edge / 2) @ turned.T
    _draw_atoms(axes, places, molecules, colours)
    corners = moment.edge * (CORNERS - 0.5) @ turned.T
    # The corner farthest from the viewer is hidden with the three edges that meet there.
    hidden = int(corners[:, 2].argmin())
    for edges, zorder, colour in (
        ([e for e in EDGES if hidden in e], 1, "#999999"),
        ([e for e in EDGES if hidden not in e], 3, "#222222"),
    ):
        lines = [corners[list(edge), :2] for edge in edges]
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=0.8, zorder=zorder), autolim=False)
    return float(np.abs(np.concatenate([places, corners])[:, :2]).max()) + OTHER_RADIUS


def _draw_atoms(
    axes: Axes, places: np.ndarray, molecules: Sequence[Mapping[str, Any]], colours: Mapping[str, str]
) -> None:
    """Paint balls, the far ones first and paler, each with a light spot."""
    radii = np.concatenate([np.tile(_radii(entry), entry["count"]) for entry in molecules])
    paint = np.repeat(
        [to_rgb(colours[entry["species"]]) for entry in molecules],
        [entry["count"] * len(entry["symbols"]) for entry in molecules],
        axis=0,
    )
    order = places[:, 2].argsort()
    places, radii, paint = places[order], radii[order], paint[order]
    near = (places[:, 2] - places[0, 2]) / max(np.ptp(places[:, 2]), 1e-9)
    paint = 1 - (1 - paint) * (0.45 + 0.55 * near[:, None])
    spots = 1 - 0.6 * (1 - paint)
    offsets = np.stack([places[:, :2], places[:, :2] + 0.3 * radii[:, None] * [-1, 1]], axis=1).reshape(-1, 2)
    widths = np.stack([2 * radii, 0.7 * radii], axis=1).ravel()
    faces = np.stack([paint, spots], axis=1).reshape(-1, 3)
    rims = np.stack([0.55 * paint, spots], axis=1).reshape(-1, 3)
    balls = EllipseCollection(
        *(widths, widths, np.zeros(len(widths))),
        units="xy",
        offsets=offsets,
        offset_transform=axes.transData,
        facecolors=faces,
        edgecolors=rims,
        linewidths=np.tile([0.2, 0.0], len(radii)),
        zorder=2,
        rasterized=True,  # as vectors thousands of balls would be megabytes
    )
    axes.add_collection(balls, autolim=False)


def _radii(entry: Mapping[str, Any]) -> list[float]:
    share = SHARE_OF_RADIUS.get(entry.get("role"), 1.0)
    return [share * RADII.get(symbol, OTHER_RADIUS) for symbol in entry["symbols"]]


def _view() -> np.ndarray:
    """Rows: to the right, up, and to the viewer."""
    right = np.array([np.cos(AZIMUTH), np.sin(AZIMUTH), 0])
    viewer = np.array([np.sin(AZIMUTH) * np.cos(ELEVATION), -np.cos(AZIMUTH) * np.cos(ELEVATION), np.sin(ELEVATION)])
    return np.stack([right, np.cross(viewer, right), viewer])


def _named(entry: Mapping[str, Any]) -> str:
    return f"{entry['species']} ({entry['count']})"
