"""A molecular surface with the potential on it, as it lies in esp.npz."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from electroscreen.record import whole


@dataclass(frozen=True)
class MappedSurface:
    """Triangles (f, 3) between vertices (v, 3) with outward normals and potential (v,), and the molecule inside."""

    vertices_angstrom: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    potential_ev: np.ndarray
    symbols: np.ndarray
    positions_angstrom: np.ndarray


def empty_surface(symbols: list[str], positions_angstrom: np.ndarray) -> MappedSurface:
    """Return a surface of no triangles, for a species that has none."""
    nowhere = np.zeros((0, 3))
    return MappedSurface(nowhere, nowhere.astype(np.int32), nowhere, np.zeros(0), np.array(symbols), positions_angstrom)


def write_mapped(surface: MappedSurface, path: Path) -> None:
    """Write a surface as compressed arrays, named as the attributes."""
    with whole(path) as partial:
        np.savez_compressed(partial, **vars(surface))


def read_mapped(path: Path) -> MappedSurface:
    """Read a surface that `write_mapped` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        return MappedSurface(**{name: stored[name] for name in stored.files})
