"""How far single molecules come: displacements over a chosen time, and their distribution (van Hove)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from electroscreen.analysis import verdicts
from electroscreen.analysis.intervals import t_half_width

POINTS_AT_MOST = 300
BINS = 100
VAN_HOVE_AT = (30, 10, 3)  # these parts of the run

EMPTY_ROW: dict[str, Any] = {
    "time_ps": None,
    "mean_angstrom": None,
    "low": None,
    "high": None,
    "median_angstrom": None,
    "farthest_angstrom": None,
    "samples": None,
}


def displacement(
    paths_a: Sequence[np.ndarray], frame_ps: float, time_ps: float | None = None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return how far molecules are from where they were some time before.

    Parameters
    ----------
    paths_a
        Of each replica: unwrapped centres of mass, shape (molecules, frames, 3).
    time_ps
        The whole run by default.

    Returns
    -------
    row, curves
        The row has `flaws` in place of the verdict. Its interval is the widest of the t intervals over molecules and
        over replicas, each with all windows of this length that do not overlap. Curves: 'time_ps', shape (times,), and
        'a', shape (molecules, times), the displacement of each molecule of the first replica since the first frame.
    """
    longest = min(path.shape[1] for path in paths_a) - 1
    asked = longest if time_ps is None else round(time_ps / frame_ps)
    lag = max(1, min(asked, longest))
    windows = [np.linalg.norm(path[:, lag::lag] - path[:, :-lag:lag], axis=2) for path in paths_a]
    by_molecule = np.concatenate([one.mean(axis=1) for one in windows])
    halves = [t_half_width(by_molecule), t_half_width(np.array([one.mean() for one in windows]))]
    half = max((float(one) for one in halves if one is not None), default=None)
    every = np.concatenate([one.ravel() for one in windows])
    mean = float(by_molecule.mean())
    row = {
        "time_ps": lag * frame_ps,
        "mean_angstrom": mean,
        "low": None if half is None else max(mean - half, 0.0),
        "high": None if half is None else mean + half,
        "median_angstrom": float(np.median(every)),
        "farthest_angstrom": float(every.max()),
        "samples": every.size,
        "flaws": [verdicts.shorter_than(asked * frame_ps)] if asked > longest else [],
    }
    times = np.unique(np.linspace(0, lag, min(lag + 1, POINTS_AT_MOST)).astype(int))
    lengths = np.linalg.norm(paths_a[0][:, times] - paths_a[0][:, :1], axis=2)
    return row, {"time_ps": times * frame_ps, "a": lengths}


def van_hove(paths_a: Sequence[np.ndarray], frame_ps: float) -> dict[str, np.ndarray]:
    """Return the distribution of displacements after three times, over all time origins and molecules.

    Returns
    -------
    dict
        'lag_ps', shape (3,); 'r_a', shape (bins,); 'density', shape (3, bins): 4πr² G(r, t) in 1/Å, whose integral is
        1 (Hansen and McDonald, Theory of Simple Liquids, 4th ed. 2013, section 7.4); 'gaussian', what it would be for a
        random walk of the same mean square.
    """
    frames = min(path.shape[1] for path in paths_a)
    lags = [max(1, (frames - 1) // part) for part in VAN_HOVE_AT]
    lengths = [
        np.concatenate([np.linalg.norm(path[:, lag:] - path[:, :-lag], axis=2).ravel() for path in paths_a])
        for lag in lags
    ]
    edges = np.linspace(0, max(1e-3, float(max(of.max() for of in lengths))), BINS + 1)
    r_a = (edges[1:] + edges[:-1]) / 2
    spread = np.array([[max((of**2).mean() / 3, 1e-12)] for of in lengths])
    gaussian = 4 * np.pi * r_a**2 * np.exp(-(r_a**2) / (2 * spread)) / (2 * np.pi * spread) ** 1.5
    density = np.array([np.histogram(of, edges, density=True)[0] for of in lengths])
    return {"lag_ps": np.array(lags) * frame_ps, "r_a": r_a, "density": density, "gaussian": gaussian}
