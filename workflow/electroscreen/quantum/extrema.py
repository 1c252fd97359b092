"""Highest and lowest places of a quantity on a triangulated surface, without those that are noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

ROUNDS = 4
RING = 8


def peaks(values: np.ndarray, faces: np.ndarray, smallest_rise: float) -> np.ndarray:
    """Return the vertices of the local maxima, highest first.

    A maximum counts if one must go down by at least `smallest_rise` on every way from it to a higher one: its
    topological persistence (Edelsbrunner, Letscher and Zomorodian, Discrete Comput. Geom. 28, 511 (2002)). So neither
    the size of the triangles nor their shape decides, and a ring of equal values counts as one. The highest vertex of
    each connected piece always counts.

    Parameters
    ----------
    values
        One value a vertex (v,); of `-values` the peaks are the minima.
    faces
        Triangles (f, 3).
    """
    rank = np.empty(len(values), dtype=int)
    order = np.argsort(-values, kind="stable")
    rank[order] = np.arange(len(values))
    neighbours = _neighbours(len(values), faces)
    parent = np.full(len(values), -1)

    def summit(vertex: int) -> int:
        while parent[vertex] != vertex:
            parent[vertex] = vertex = parent[parent[vertex]]
        return vertex

    lives = {}
    # The water falls: islands appear at summits, and at a saddle the lower of two becomes part of the higher.
    for vertex in order:
        parent[vertex] = vertex
        met = {summit(other) for other in neighbours[vertex] if rank[other] < rank[vertex]}
        if not met:
            continue
        highest = min(met, key=rank.__getitem__)
        for other in met - {highest}:
            lives[other] = values[other] - values[vertex]
            parent[other] = highest
        parent[vertex] = highest
    roots = {summit(vertex) for vertex in order}
    return np.array([v for v in order if v in roots or lives.get(v, 0.0) >= smallest_rise])


def climb(
    points: np.ndarray,
    normals: np.ndarray,
    reach: float,
    value_at: Callable[[np.ndarray], np.ndarray],
    onto_surface: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray]:
    """Move points to the maxima between the vertices, so that the mesh no longer shows in the numbers.

    In each round a ring of points around each, on the surface, is compared with it; the parabola through them says
    where to go next, and the best of all stays. The ring halves.

    Parameters
    ----------
    points, normals
        (m, 3) each; vertices that `peaks` found, and the unit normals there.
    reach
        Radius of the first ring, about the size of a triangle.
    value_at
        Values (k,) at points (k, 3).
    onto_surface
        Moves points (k, 3) onto the surface; returns them and their unit normals.

    Returns
    -------
    tuple
        Points (m, 3) and values (m,), never lower than at the start.
    """
    points, normals, values = np.array(points), np.array(normals), value_at(points)
    angles = 2 * np.pi * np.arange(RING) / RING
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    for _ in range(ROUNDS):
        across = _tangents(normals)
        ring = points[:, None] + reach * np.einsum("ka,mai->mki", circle, across)
        ring, ring_normals = _each(onto_surface, ring)
        ring_values = value_at(ring.reshape(-1, 3)).reshape(len(points), RING)
        tops, top_normals = onto_surface(points + _to_the_top(ring_values - values[:, None], circle, across, reach))
        tries = np.concatenate([points[:, None], ring, tops[:, None]], axis=1)
        try_normals = np.concatenate([normals[:, None], ring_normals, top_normals[:, None]], axis=1)
        try_values = np.concatenate([values[:, None], ring_values, value_at(tops)[:, None]], axis=1)
        best = (np.arange(len(points)), try_values.argmax(axis=1))
        points, normals, values = tries[best], try_normals[best], try_values[best]
        reach /= 2
    return points, values


def _neighbours(count: int, faces: np.ndarray) -> list[np.ndarray]:
    edges = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    return np.split(edges[:, 1], np.searchsorted(edges[:, 0], np.arange(1, count)))


def _tangents(normals: np.ndarray) -> np.ndarray:
    """Two unit vectors (m, 2, 3) that span the plane across each normal."""
    aside = np.eye(3)[np.abs(normals).argmin(axis=1)]
    first = np.cross(normals, aside)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([first, np.cross(normals, first)], axis=1)


def _to_the_top(rises: np.ndarray, circle: np.ndarray, across: np.ndarray, reach: float) -> np.ndarray:
    """Step (m, 3) to the top of the parabola through rises (m, RING) above the centre, at most as far as the ring."""
    c, s = circle.T
    slope_x, slope_y, *bends = np.linalg.lstsq(np.column_stack([c, s, c * c, s * s, c * s]), rises.T, rcond=None)[0]
    steps = np.zeros((len(rises), 2))
    for i, (xx, yy, xy) in enumerate(zip(*bends, strict=True)):
        hessian, slope = np.array([[2 * xx, xy], [xy, 2 * yy]]), np.array([slope_x[i], slope_y[i]])
        if np.linalg.eigvalsh(hessian).max() < 0:
            steps[i] = -np.linalg.solve(hessian, slope)
    lengths = np.linalg.norm(steps, axis=1, keepdims=True)
    steps *= reach * np.minimum(1, 1 / np.maximum(lengths, 1e-12))
    return np.einsum("ma,mai->mi", steps, across)


def _each(move: Callable, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    moved, normals = move(points.reshape(-1, 3))
    return moved.reshape(points.shape), normals.reshape(points.shape)
