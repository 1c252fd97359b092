"""The walk of molecules: mean-squared displacements, and from which lag on they are those of a random walk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from electroscreen.analysis.intervals import t_half_width

LAGS_AT_MOST = 30
LONGEST_LAG = 3  # at most this part of the run, so that three windows at least do not overlap
PERSISTS_OVER = 3  # factor in lag
EXPONENT_WITHIN = 0.1
LEFT_ITS_PLACE_A2 = 3.0**2  # a first-shell radius
_MOLECULES_AT_ONCE = 64


@dataclass(frozen=True)
class Curve:
    """MSD against lag, with a 95 % band from the scatter between molecules (None for one molecule)."""

    lag_ps: np.ndarray
    msd_a2: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None


@dataclass(frozen=True)
class Walk:
    """Squared displacements at a few lags.

    Attributes
    ----------
    lag_ps
        Shape (lags,).
    by_molecule_a2
        MSD of each molecule of all replicas, shape (molecules, lags).
    replica
        Number of the replica of each molecule, shape (molecules,).
    variance_a4
        Variance of single squared displacements, shape (lags,).
    samples
        Displacements that do not overlap, shape (lags,).
    frame_ps
        Time between frames.
    """

    lag_ps: np.ndarray
    by_molecule_a2: np.ndarray
    replica: np.ndarray
    variance_a4: np.ndarray
    samples: np.ndarray
    frame_ps: float

    @property
    def msd_a2(self) -> np.ndarray:
        """MSD of all molecules, shape (lags,)."""
        return self.by_molecule_a2.mean(axis=0)

    def since(self, first: int) -> Walk:
        """Return the same from the lag of this number on."""
        return Walk(
            self.lag_ps[first:],
            self.by_molecule_a2[:, first:],
            self.replica,
            self.variance_a4[first:],
            self.samples[first:],
            self.frame_ps,
        )

    def by_replica(self, values: np.ndarray) -> np.ndarray:
        """Return the mean over the molecules of each replica of one value a molecule."""
        return np.array([values[self.replica == replica].mean() for replica in np.unique(self.replica)])


def mean_squared_displacement(paths: np.ndarray) -> np.ndarray:
    """Return the MSD of each molecule over all time origins.

    Parameters
    ----------
    paths
        Shape (molecules, frames, 3).

    Returns
    -------
    np.ndarray
        Shape (molecules, frames // 2 + 1): lags of 0, 1, ... frames, in the square of the unit of `paths`.

    Notes
    -----
    By fast Fourier transform: <|r(t+τ) - r(t)|²> = <|r(t+τ)|² + |r(t)|²> - 2 <r(t+τ)·r(t)> (Calandrini et al.,
    École thématique de la Société Française de la Neutronique 2011, 12, 201, section 4.1).
    """
    from scipy.fft import irfft, next_fast_len, rfft

    molecules, frames, _ = paths.shape
    lags = np.arange(frames // 2 + 1)
    padded = next_fast_len(2 * frames, real=True)
    msd = np.empty((molecules, len(lags)))
    for first in range(0, molecules, _MOLECULES_AT_ONCE):
        few = slice(first, first + _MOLECULES_AT_ONCE)
        # About their own mean, because the two terms cancel badly far from the origin.
        centred = paths[few] - paths[few].mean(axis=1, keepdims=True)
        power = _squared(rfft(centred, padded, axis=1))
        products = irfft(power, padded, axis=1)[:, : len(lags)]
        sums = np.pad(np.cumsum(_squared(centred), axis=1), ((0, 0), (1, 0)))
        squares = sums[:, frames - lags] + sums[:, -1:] - sums[:, lags]
        msd[few] = (squares - 2 * products) / (frames - lags)
    msd[:, 0] = 0.0
    return np.maximum(msd, 0.0)


def diffusive_start(walk: Walk) -> int | None:
    """Return the number of the first lag from which the motion is a random walk, None if there is none.

    There the MSD exceeds (3 Å)², so that the molecules have left their place; its exponent β = d ln MSD / d ln t is
    within 0.1 of 1 at every lag up to three times that one; and from there to the longest lag it is 1 within 0.1 and
    two standard errors.
    """
    exponents = local_exponents(walk.lag_ps, walk.msd_a2)
    for start, lag in enumerate(walk.lag_ps):
        if PERSISTS_OVER * lag > walk.lag_ps[-1] * (1 + 1e-9):
            return None
        near = (walk.lag_ps >= lag) & (walk.lag_ps <= PERSISTS_OVER * lag * (1 + 1e-9))
        if walk.msd_a2[start] < LEFT_ITS_PLACE_A2 or np.abs(exponents[near] - 1).max() >= EXPONENT_WITHIN:
            continue
        exponent, error = exponent_of(walk.since(start))
        if abs(exponent - 1) < EXPONENT_WITHIN + 2 * error:
            return start
    return None


def local_exponents(lag_ps: np.ndarray, msd_a2: np.ndarray) -> np.ndarray:
    """Return β = d ln MSD / d ln t at each lag: least squares over a factor of two in lag, three lags at least."""
    x, y = np.log(lag_ps), _log(msd_a2)
    exponents = np.empty(len(x))
    for i in range(len(x)):
        near = np.abs(x - x[i]) <= np.log(2) / 2 + 1e-9
        near[max(i - 1, 0) : i + 2] = True
        exponents[i] = np.polyfit(x[near], y[near], 1)[0]
    return exponents


def exponent_of(walk: Walk) -> tuple[float, float]:
    """Return β over all lags of a walk and its standard error from the scatter between molecules (inf for one)."""
    x = np.log(walk.lag_ps) - np.log(walk.lag_ps).mean()
    weights = x / (x**2).sum()
    exponent = float(weights @ _log(walk.msd_a2))
    if len(walk.replica) < 2:
        return exponent, float("inf")
    # d ln MSD = dMSD / MSD: each molecule's share in the exponent.
    shares = (walk.by_molecule_a2 / np.maximum(walk.msd_a2, np.finfo(float).tiny)) @ weights
    return exponent, float(np.std(shares, ddof=1) / np.sqrt(len(shares)))


def squared_displacements(paths_a: Sequence[np.ndarray], msds_a2: Sequence[np.ndarray], frame_ps: float) -> Walk:
    """Return the squared displacements of all replicas at up to 30 lags, from one frame to a third of the run.

    The lags are even in their logarithm; `msds_a2` are the results of `mean_squared_displacement` for `paths_a`.
    """
    longest = (min(path.shape[1] for path in paths_a) - 1) // LONGEST_LAG
    lags = np.unique(np.geomspace(1, longest, LAGS_AT_MOST).astype(int))
    windows = sum(len(path) * (path.shape[1] - 1) for path in paths_a)
    return Walk(
        lag_ps=lags * frame_ps,
        by_molecule_a2=np.concatenate([msd[:, lags] for msd in msds_a2]),
        replica=np.repeat(np.arange(len(paths_a)), [len(path) for path in paths_a]),
        variance_a4=np.array([_variance(paths_a, lag) for lag in lags]),
        samples=windows / lags,
        frame_ps=frame_ps,
    )


def overlap_factor(walk: Walk, weights: np.ndarray) -> float:
    """Return by how much the error of a weighted sum of MSDs is smaller than kinisi's covariance has it.

    That covariance counts displacements that do not overlap; the MSD is a mean over all that there are. For a random
    walk both are known: the sum is a quadratic form of white steps, with a(w) for two steps that are w frames apart.
    """
    lags = np.rint(walk.lag_ps / walk.frame_ps)
    steps = LONGEST_LAG * lags[-1]  # of one run
    apart = np.arange(lags[-1])
    a = np.maximum(lags[:, None] - apart, 0).T @ (weights / (steps - lags + 1))
    exact = steps * a[0] ** 2 + 2 * ((steps - apart[1:]) * a[1:] ** 2).sum()
    shorter, longer = np.minimum.outer(lags, lags), np.maximum.outer(lags, lags)
    counted = weights @ (shorter**2 * longer) @ weights / steps
    return float(min(1.0, np.sqrt(exact / counted)))


def curve(msds_a2: Sequence[np.ndarray], frame_ps: float) -> Curve:
    """Return the MSD of all replicas together at all lags up to half the run."""
    lags = min(msd.shape[1] for msd in msds_a2)
    by_molecule = np.concatenate([msd[:, :lags] for msd in msds_a2])
    msd, half = by_molecule.mean(axis=0), t_half_width(by_molecule)
    low, high = (None, None) if half is None else (np.maximum(msd - half, 0.0), msd + half)
    return Curve(np.arange(lags) * frame_ps, msd, low, high)


def _variance(paths_a: Sequence[np.ndarray], lag: int) -> float:
    steps = (path[:, lag:] - path[:, :-lag] for path in paths_a)
    return float(np.concatenate([_squared(step).ravel() for step in steps]).var(ddof=1))


def _squared(vectors: np.ndarray) -> np.ndarray:
    """Squared lengths of real or complex vectors along the last axis; `sum` over so few takes several times as long."""
    return np.einsum("...k,...k->...", vectors, vectors.conj()).real


def _log(msd_a2: np.ndarray) -> np.ndarray:
    # A molecule that never moved has no logarithm; the smallest number stands in, its exponent is 0.
    return np.log(np.maximum(msd_a2, np.finfo(float).tiny))
