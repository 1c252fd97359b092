"""A surface of constant electron density: triangles, their areas, and the volume inside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from electroscreen.quantum.potential import Density

MARGIN_BOHR = 6.0
STEPS_LIMIT = 20
ON_SURFACE = 1e-6  # relative error of the density at a vertex


@dataclass(frozen=True)
class Isosurface:
    """Triangles (f, 3) between vertices (v, 3) in bohr, and what the smooth surface through these measures.

    `normals` (v, 3) point outwards; `face_areas_bohr2` (f,) are those of the curved triangles.
    """

    vertices_bohr: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    face_areas_bohr2: np.ndarray
    volume_bohr3: float
    pieces: int
    cavities: int


class SurfaceError(ValueError):
    """There is no such surface, or its vertices cannot be brought onto it."""


def isosurface(density: Density, isodensity: float, spacing_bohr: float) -> Isosurface:
    """Return the surface on which the electron density is `isodensity` (e/bohr^3).

    Marching cubes (Lewiner et al., J. Graph. Tools 8, 1 (2003)) on the logarithm of the density, which is nearly linear
    where it decays; then Newton steps along the gradient bring every vertex onto the surface. A surface around a cavity
    within the molecule is no place that a neighbour can reach, and is left out.

    Raises
    ------
    SurfaceError
        If the density reaches that value nowhere, or a vertex stays off the surface by more than 1e-6 of it.
    """
    from skimage.measure import marching_cubes

    corner, logarithms = _on_grid(density, isodensity, spacing_bohr)
    if logarithms.max() <= 0:
        raise SurfaceError(f"the density is below {isodensity:g} e/bohr³ everywhere")
    vertices, faces, _, _ = marching_cubes(logarithms, 0.0, spacing=(spacing_bohr,) * 3, gradient_direction="ascent")
    vertices, normals = brought_onto(density, vertices + corner, isodensity, spacing_bohr)
    kept, pieces, cavities = _outer(vertices, faces)
    used, faces = np.unique(faces[kept], return_inverse=True)
    vertices, faces = vertices[used], faces.reshape(-1, 3)
    areas, volume = _measured(density, vertices, faces, isodensity, spacing_bohr)
    return Isosurface(vertices, faces, normals[used], areas, volume, pieces, cavities)


def brought_onto(
    density: Density, points_bohr: np.ndarray, isodensity: float, longest_bohr: float
) -> tuple[np.ndarray, np.ndarray]:
    """Move points (m, 3) near the surface along the gradient until they lie on it; return them and the outward normals.

    Raises
    ------
    SurfaceError
        If one does not get there.
    """
    points = np.array(points_bohr, dtype=float)
    for _ in range(STEPS_LIMIT):
        values, gradients = density.with_gradient(points)
        if np.abs(values / isodensity - 1).max() < ON_SURFACE:
            return points, -gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
        lengths = np.linalg.norm(gradients, axis=1)
        # Newton for ln ρ, which decays linearly; a flat place must not throw a point far away.
        steps = np.clip(values * np.log(isodensity / values) / lengths, -longest_bohr, longest_bohr)
        points += (steps / lengths)[:, None] * gradients
    off = len(points) - int((np.abs(values / isodensity - 1) < ON_SURFACE).sum())
    raise SurfaceError(f"{off} of {len(points)} points could not be brought onto the surface")


def _on_grid(density: Density, isodensity: float, spacing_bohr: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the corner of a box that holds the whole surface, and ln(ρ/isodensity) on its grid."""
    atoms, margin = density.molecule.atom_coords(), MARGIN_BOHR
    while True:
        low, high = atoms.min(axis=0) - margin, atoms.max(axis=0) + margin
        axes = [np.arange(a, b + spacing_bohr, spacing_bohr) for a, b in zip(low, high, strict=True)]
        values = np.empty([len(axis) for axis in axes])
        for i, x in enumerate(axes[0]):
            y, z = np.meshgrid(axes[1], axes[2], indexing="ij")
            values[i] = density.at(np.column_stack([np.full(y.size, x), y.ravel(), z.ravel()])).reshape(y.shape)
        if _on_boundary(values).max() < isodensity:
            return low, np.log(np.maximum(values, 1e-300) / isodensity)
        margin *= 1.5


def _on_boundary(values: np.ndarray) -> np.ndarray:
    return np.concatenate([side.ravel() for i in range(3) for side in (values.take(0, i), values.take(-1, i))])


def _outer(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Return which faces belong to outer surfaces, how many of these there are, and how many cavities."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    links = coo_array((np.ones(len(edges)), tuple(edges.T)), shape=(len(vertices),) * 2)
    count, piece_of = connected_components(links, directed=False)
    piece = piece_of[faces[:, 0]]
    # A cavity is seen from within, so its triangles enclose a negative volume.
    outer = np.array([_volume(vertices[faces[piece == p]]) > 0 for p in range(count)])
    return outer[piece], int(outer.sum()), int(count - outer.sum())


def _measured(
    density: Density, vertices: np.ndarray, faces: np.ndarray, isodensity: float, spacing_bohr: float
) -> tuple[np.ndarray, float]:
    """Return the area of each curved triangle (f,), and the volume inside.

    Flat triangles miss half a percent of a small ion's area. Their error falls as the square of their size, so flat
    ones and the same cut in four, with the new corners on the surface, tell what infinitely small ones would give
    (Richardson).
    """
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges, edge_of = np.unique(edges, axis=0, return_inverse=True)
    middles, _ = brought_onto(density, vertices[edges].mean(axis=1), isodensity, spacing_bohr)
    corners, between = vertices[faces], middles[edge_of.reshape(-1, 3)]
    (a, b, c), (ab, bc, ca) = corners.swapaxes(0, 1), between.swapaxes(0, 1)
    quarters = [np.stack(q, axis=1) for q in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    area, finer_area = _areas(corners), sum(map(_areas, quarters))
    volume, finer_volume = _volume(corners), sum(map(_volume, quarters))
    return finer_area + (finer_area - area) / 3, finer_volume + (finer_volume - volume) / 3


def _volume(triangles: np.ndarray) -> float:
    """Volume inside triangles (f, 3, 3), by the divergence theorem."""
    return float(np.einsum("fi,fi->", triangles[:, 0], np.cross(triangles[:, 1], triangles[:, 2])) / 6)


def _areas(triangles: np.ndarray) -> np.ndarray:
    a, b, c = triangles.swapaxes(0, 1)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
