"""Surfaces for people: pictures of a potential from both sides and of orbitals, and a file for molecular viewers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.quantum.mapped import MappedSurface
from electroscreen.record import OK, whole

COLOURS = "RdBu"  # red where negative, blue where positive, as chemists draw it
PALE = 0.42  # where the reds end on the way to white
PHASES = np.array([[0.80, 0.32, 0.22], [0.20, 0.45, 0.74]])  # of an orbital: minus, plus
EVEN_EV = 0.01
HIDDEN_ANGSTROM = 1.2  # of surface above a place, so that a place on the rim is shown
LIGHT = np.array([-0.35, 0.45, 0.82])


def draw_surface(
    mapped: MappedSurface, record: dict[str, Any], path: Path, colour_range_ev: list[float] | None
) -> None:
    """Draw the surface from its broad side and from behind, with a colour bar, as PNG.

    Parameters
    ----------
    mapped
        Where it is empty the picture gives the verdict.
    record
        The stage's record, for the title and the extrema.
    colour_range_ev
        Potential of the deepest red and of the deepest blue; by default as far as it reaches, to both sides of zero.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 8, "text.parse_math": False}):
        figure = Figure(figsize=(7.0, 3.7), dpi=150)
        if len(mapped.faces):
            _draw_views(figure, mapped, record, colour_range_ev)
        else:
            figure.text(0.5, 0.5, f"{record['species']}: {record['verdict']}", ha="center", color="#666666", wrap=True)
        with whole(path) as partial:
            figure.savefig(partial, metadata={"Software": None})


def draw_orbitals(lobes: dict[str, MappedSurface], record: dict[str, Any], path: Path) -> None:
    """Draw HOMO and LUMO side by side, seen from the same direction, as PNG.

    Parameters
    ----------
    lobes
        By 'homo' and 'lumo': surfaces with the sign of the orbital in place of a potential.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    corners = np.concatenate([surface.vertices_angstrom for surface in lobes.values()])
    with mpl.rc_context({"font.size": 8, "text.parse_math": False}):
        figure = Figure(figsize=(7.0, 3.7), dpi=150)
        figure.text(0.01, 0.96, record["title"], va="top", fontsize=9)
        if not len(corners):
            figure.text(0.5, 0.5, f"{record['species']}: {record['verdict']}", ha="center", color="#666666", wrap=True)
        else:
            atoms = next(iter(lobes.values())).positions_angstrom
            turned, centre = broad_side(np.concatenate([corners, atoms])), corners.mean(axis=0)
            reach = np.abs((corners - centre) @ turned.T).max(axis=0) * 1.04
            for column, (name, surface) in enumerate(lobes.items()):
                axes = figure.add_axes((0.01 + 0.5 * column, 0.1, 0.48, 0.78))
                axes.set(xlim=(-reach[0], reach[0]), ylim=(-reach[1], reach[1]), aspect="equal")
                axes.set_axis_off()
                _draw_side(axes, surface, turned, centre, PHASES[(surface.potential_ev > 0).astype(int)])
                count = record[f"{name}_degeneracy"]
                energy = f"{name.upper()} {record[f'{name}_ev']:.3f} eV".replace("-", "−")
                more = f", one of {count} of this energy" if count > 1 else ""
                figure.text(0.25 + 0.5 * column, 0.09, energy + more, ha="center")
            note = f"±{record['isovalue']:g} bohr^(−3/2), {record['level']}"
            figure.text(0.01, 0.02, note, fontsize=7, color="#444444")
        with whole(path) as partial:
            figure.savefig(partial, metadata={"Software": None})


def write_ply(mapped: MappedSurface, path: Path, colour_range_ev: list[float] | None) -> None:
    """Write the surface in the Stanford polygon format, which Blender, MeshLab, ParaView and VMD read."""
    vertices = np.empty(
        len(mapped.vertices_angstrom),
        dtype=[("x", "<f4", 3), ("normal", "<f4", 3), ("colour", "u1", 3), ("potential_ev", "<f4")],
    )
    vertices["x"], vertices["normal"] = mapped.vertices_angstrom, mapped.normals
    vertices["potential_ev"] = mapped.potential_ev
    vertices["colour"] = np.round(255 * _colours(mapped.potential_ev, colour_range_ev))
    faces = np.empty(len(mapped.faces), dtype=[("count", "u1"), ("corners", "<i4", 3)])
    faces["count"], faces["corners"] = 3, mapped.faces
    header = [
        *("ply", "format binary_little_endian 1.0", "comment coordinates in angstrom, potential in eV"),
        f"element vertex {len(vertices)}",
        *(f"property float {name}" for name in ("x", "y", "z", "nx", "ny", "nz")),
        *(f"property uchar {name}" for name in ("red", "green", "blue")),
        "property float potential_ev",
        f"element face {len(faces)}",
        *("property list uchar int vertex_indices", "end_header"),
    ]
    with whole(path) as partial:
        partial.write_bytes("\n".join([*header, ""]).encode() + vertices.tobytes() + faces.tobytes())


@dataclass(frozen=True)
class ColourScale:
    """Potentials (eV) at the ends of the scale, and where on the way from red over white to blue these ends lie."""

    low_ev: float
    high_ev: float
    first: float = 0.0
    last: float = 1.0

    def places(self, potential_ev: np.ndarray) -> np.ndarray:
        """Places on the way from red (0) over white (0.5) to blue (1)."""
        share = np.clip((potential_ev - self.low_ev) / (self.high_ev - self.low_ev), 0, 1)
        return self.first + share * (self.last - self.first)


def colour_scale(potential_ev: np.ndarray, colour_range_ev: list[float] | None) -> ColourScale:
    """Return the scale asked for; else as far as the potential reaches, to both sides of zero.

    On an ion of one sign throughout the scale runs from its lowest to its highest potential, in the reds or the blues
    alone: about zero all of it would be of one deep colour.
    """
    if colour_range_ev:
        return ColourScale(*colour_range_ev)
    low, high = (float(potential_ev.min()), float(potential_ev.max())) if len(potential_ev) else (0.0, 0.0)
    reach = max(abs(low), abs(high), 1e-6)
    if low * high > 0 and high - low > 0.01 * reach:
        return ColourScale(low, high, 0.0, PALE) if high < 0 else ColourScale(low, high, 1 - PALE, 1.0)
    return ColourScale(-reach, reach)


def _colours(potential_ev: np.ndarray, colour_range_ev: list[float] | None) -> np.ndarray:
    """Red, green and blue (v, 3), from 0 to 1."""
    from matplotlib import colormaps

    return colormaps[COLOURS](colour_scale(potential_ev, colour_range_ev).places(potential_ev))[:, :3]


def _draw_views(
    figure: Any, mapped: MappedSurface, record: dict[str, Any], colour_range_ev: list[float] | None
) -> None:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    axes_of_view = broad_side(mapped.vertices_angstrom)
    centre = mapped.vertices_angstrom.mean(axis=0)
    colours = _colours(mapped.potential_ev, colour_range_ev)
    reach = np.abs((mapped.vertices_angstrom - centre) @ axes_of_view.T).max(axis=0) * 1.04
    behind = np.diag([-1.0, 1.0, -1.0]) @ axes_of_view
    for column, turned in enumerate((axes_of_view, behind)):
        axes = figure.add_axes((0.01 + 0.43 * column, 0.08, 0.42, 0.82))
        axes.set(xlim=(-reach[0], reach[0]), ylim=(-reach[1], reach[1]), aspect="equal")
        axes.set_axis_off()
        _draw_side(axes, mapped, turned, centre, colours)
        # On a sphere alike all over, the highest place is chance.
        for key in ("maxima", "minima") if record["v_max_ev"] - record["v_min_ev"] > EVEN_EV else ():
            _mark(axes, mapped, turned, centre, record[key], "V" + ("max" if key == "maxima" else "min"))
    scale = colour_scale(mapped.potential_ev, colour_range_ev)
    shown = LinearSegmentedColormap.from_list("shown", colormaps[COLOURS](np.linspace(scale.first, scale.last, 256)))
    bar = figure.colorbar(
        ScalarMappable(Normalize(scale.low_ev, scale.high_ev), shown), cax=figure.add_axes((0.885, 0.14, 0.018, 0.7))
    )
    bar.set_label("electrostatic potential (eV)")
    note = "" if record["verdict"] == OK else f" ({record['verdict']})"
    figure.text(0.01, 0.96, f"{record['title']}{note}", va="top", fontsize=9)
    figure.text(
        0.01,
        0.03,
        f"highest {_told(record, 'v_max')}, lowest {_told(record, 'v_min')}\n"
        f"surface of {record['isodensity_e_per_bohr3']:g} e/bohr³ at {record['level']}, from both sides",
        fontsize=7,
        color="#444444",
    )


def _told(record: dict[str, Any], key: str) -> str:
    text = f"{record[f'{key}_ev']:.2f} eV ({record[f'{key}_kcal_per_mol']:.1f} kcal/mol) at {record[f'{key}_atom']}"
    return text.replace("-", "−")


def _draw_side(axes: Any, mapped: MappedSurface, turned: np.ndarray, centre: np.ndarray, colours: np.ndarray) -> None:
    """Paint the triangles that face the viewer, the far ones first, shaded smoothly; then the skeleton within."""
    from matplotlib.collections import TriMesh
    from matplotlib.tri import Triangulation

    points, normals = (mapped.vertices_angstrom - centre) @ turned.T, mapped.normals @ turned.T
    corners = points[mapped.faces]
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > 0
    faces = mapped.faces[facing][np.argsort(corners[facing, :, 2].mean(axis=1))]
    light = LIGHT / np.linalg.norm(LIGHT)
    halfway = light + np.array([0, 0, 1])
    shade = 0.6 + 0.4 * np.clip(normals @ light, 0, 1)
    shine = 0.25 * np.clip(normals @ halfway / np.linalg.norm(halfway), 0, 1) ** 30
    surface = TriMesh(Triangulation(points[:, 0], points[:, 1], faces))
    surface.set_facecolor(np.clip(colours * shade[:, None] + shine[:, None], 0, 1))
    axes.add_collection(surface, autolim=False)
    atoms = (mapped.positions_angstrom - centre) @ turned.T
    for i, j in bonds(mapped.symbols, mapped.positions_angstrom):
        axes.plot(atoms[[i, j], 0], atoms[[i, j], 1], color="black", lw=1.2, alpha=0.3, solid_capstyle="round")
    for symbol, (x, y, _) in zip(mapped.symbols, atoms, strict=True):
        spot = {"boxstyle": "circle,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.35}
        axes.text(x, y, symbol, ha="center", va="center", fontsize=6, alpha=0.7, bbox=spot)


def bonds(symbols: Sequence[str], positions_angstrom: np.ndarray) -> list[tuple[int, int]]:
    """Return the pairs of atoms that are at most a fifth farther apart than the sum of their covalent radii."""
    from ase.data import atomic_numbers, covalent_radii

    radii = covalent_radii[[atomic_numbers[str(symbol)] for symbol in symbols]]
    apart = np.linalg.norm(positions_angstrom[:, None] - positions_angstrom[None], axis=2)
    return [(i, j) for i, j in np.argwhere(apart < 1.2 * (radii[:, None] + radii[None])) if i < j]


def _mark(
    axes: Any, mapped: MappedSurface, turned: np.ndarray, centre: np.ndarray, extrema: list[dict[str, Any]], name: str
) -> None:
    """Dot the extrema on this side, and label the highest or lowest one with its value."""
    surface, normals = (mapped.vertices_angstrom - centre) @ turned.T, mapped.normals @ turned.T
    for rank, extremum in enumerate(extrema):
        place = turned @ (np.asarray(extremum["position_angstrom"]) - centre)
        x, y, z = place
        looks_away = normals[np.linalg.norm(surface - place, axis=1).argmin(), 2] < -0.1
        across = np.hypot(surface[:, 0] - x, surface[:, 1] - y)
        if looks_away or surface[across < 0.3, 2].max(initial=z) > z + HIDDEN_ANGSTROM:
            continue
        filling = "black" if name == "Vmax" else "white"
        axes.plot(x, y, "o", ms=2.5 if rank else 4, mfc=filling, mec="black", mew=0.6)
        if rank == 0:
            axes.annotate(
                f"{name} {extremum['potential_ev']:.2f}".replace("-", "−"),
                (x, y),
                (0, 6),
                textcoords="offset points",
                ha=_inwards(x / axes.get_xlim()[1]),
                fontsize=7,
                bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none", "alpha": 0.75},
            )


def _inwards(across: float) -> str:
    """Where a label is held, from -1 at the left edge to 1 at the right: at an edge it reaches inwards."""
    return "center" if abs(across) < 0.6 else "left" if across < 0 else "right"


def broad_side(points: np.ndarray) -> np.ndarray:
    """Return, as rows, the directions in which points spread most (right), less (up) and least (to the viewer)."""
    centred = points - points.mean(axis=0)
    axes = np.linalg.eigh(centred.T @ centred)[1].T[::-1]
    # The sign of an axis is chance; the longer tail points to the right, and up.
    skew = ((centred @ axes[:2].T) ** 3).sum(axis=0)
    axes[:2] *= np.where(skew < 0, -1, 1)[:, None]
    axes[2] = np.cross(axes[0], axes[1])
    return axes
