"""Mapped surfaces for the page's own viewer: thinned out, packed, and harmless inside HTML."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.quantum.mapped import MappedSurface, read_mapped
from electroscreen.quantum.picture import COLOURS, colour_scale

CELL_ANGSTROM = 0.4
STOPS = 11
_MOST_VERTICES = 65535


def packed_surfaces(results_dir: Path, species: list[str]) -> str:
    """Return the surfaces of all species that have one, as JSON for a script element; empty text where none has."""
    paths = {name: Path(results_dir) / "species" / name / "esp.npz" for name in species}
    mapped = {name: read_mapped(path) for name, path in paths.items() if path.exists()}
    packed = {name: _packed(surface) for name, surface in mapped.items() if len(surface.faces)}
    if not packed:
        return ""
    # A '<' could end the script element.
    return json.dumps({"colours": _colours(), "surfaces": packed}).replace("<", "\\u003c")


def thinned(mapped: MappedSurface, cell_angstrom: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge the vertices within each cube of space; return vertices, faces and potentials of what is left."""
    cells = np.floor(mapped.vertices_angstrom / cell_angstrom).astype(int)
    _, merged = np.unique(cells, axis=0, return_inverse=True)
    merged = merged.ravel()
    counts = np.bincount(merged)
    vertices = np.column_stack([np.bincount(merged, x) / counts for x in mapped.vertices_angstrom.T])
    faces = merged[mapped.faces]
    a, b, c = faces.T
    return vertices, faces[(a != b) & (b != c) & (c != a)], np.bincount(merged, mapped.potential_ev) / counts


def _packed(mapped: MappedSurface) -> dict[str, Any]:
    cell = CELL_ANGSTROM
    vertices, faces, potential = thinned(mapped, cell)
    while len(vertices) > _MOST_VERTICES:
        cell *= 1.5
        vertices, faces, potential = thinned(mapped, cell)
    scale = colour_scale(mapped.potential_ev, None)
    centred = vertices - vertices.mean(axis=0)
    broad = np.linalg.eigh(centred.T @ centred)[1][:, ::-1]
    broad[:, 2] = np.cross(broad[:, 0], broad[:, 1])
    centred = centred @ broad
    points = np.round(centred / np.linalg.norm(centred, axis=1).max() * 32767)
    steps = np.round((potential - scale.low_ev) / (scale.high_ev - scale.low_ev) * 255)
    return {
        "low": scale.low_ev,
        "high": scale.high_ev,
        "ends": [scale.first, scale.last],
        "points": _text(points, "<i2"),
        "faces": _text(faces, "<u2"),
        "steps": _text(steps, "u1"),
    }


def _text(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode("ascii")


def _colours() -> list[list[int]]:
    from matplotlib import colormaps

    return [[round(255 * part) for part in colormaps[COLOURS](x)[:3]] for x in np.linspace(0, 1, STOPS)]
