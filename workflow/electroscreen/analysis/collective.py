"""Collective motion of species: Onsager coefficients from how the sums over their molecules wander.

Slopes are those of <ΔX_i · ΔX_j> / 6 in time, where X_i is the sum of the positions of all molecules of species i:
the generalised Einstein relation (Fong, Self, McCloskey, Persson, Macromolecules 2021, 54, 2575).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from electroscreen.analysis.intervals import percentiles, t_half_width

BLOCKS_AT_LEAST = 5
BLOCKS_AT_MOST = 20
BLOCK_IN_LAGS = 6  # a sample spans two lags, so that neighbouring blocks share little
DRAWS = 2000
_SEED = 20260101


@dataclass(frozen=True)
class Onsager:
    """Slopes of the collective displacements of some species, in Å²/ps.

    Attributes
    ----------
    slopes
        Shape (species, species).
    by_replica, by_block
        The same from each replica, and from each block of time of all replicas: shapes (replicas, species, species)
        and (blocks, species, species).
    freedom
        Degrees of freedom of each diagonal element as a sum of squares of normal variables.
    ceiling
        <ΔX_i · ΔX_j> over twice the lag, divided by 12 lags: never below zero in any combination, but with whatever
        the motion held before it became a random walk.
    """

    slopes: np.ndarray
    by_replica: np.ndarray
    by_block: np.ndarray
    freedom: float
    ceiling: np.ndarray

    def estimate(self, of: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float, float]:
        """Return a function of the slopes with its 95 % interval.

        Parameters
        ----------
        of
            Takes slopes of shape (..., species, species), returns shape (...).

        Notes
        -----
        The widest of three intervals. Sums over many molecules that walk at random are Gaussian, so that the slopes
        have an inverse Wishart posterior (Gelman et al., Bayesian Data Analysis, 3rd ed., section 3.6); its prior is
        chosen such that every conductivity-like sum Σ z_i z_j L_ij has the interval of a scale. The jackknife over
        replicas, where there are two, and over blocks of time, where there are five, see what is not Gaussian.
        """
        value = float(of(self.slopes))
        low, high = percentiles(of(self._posterior))
        ends = [(low, high), *(_jackknifed(of, value, parts) for parts in (self.by_replica, self._blocks()))]
        return value, min(end[0] for end in ends if end), max(end[1] for end in ends if end)

    @cached_property
    def _posterior(self) -> np.ndarray:
        from scipy.stats import invwishart

        species = len(self.slopes)
        values, vectors = np.linalg.eigh(self.slopes)
        # The estimate is unbiased, so that it may have negative eigenvalues where there are few samples.
        root = vectors * np.sqrt(np.maximum(values, 0))
        drawn = invwishart.rvs(self.freedom + species - 1, np.eye(species), DRAWS, np.random.default_rng(_SEED))
        return self.freedom * root @ np.reshape(drawn, (DRAWS, species, species)) @ root.T

    def _blocks(self) -> np.ndarray:
        return self.by_block if len(self.by_block) >= BLOCKS_AT_LEAST else self.by_block[:0]


def onsager(sums_a: Sequence[np.ndarray], lag: int, frame_ps: float) -> Onsager:
    """Return the slopes of collective displacements.

    Parameters
    ----------
    sums_a
        Of each replica: sums over the molecules of each species, shape (species, frames, 3).
    lag
        Frames after which the motion is a random walk.

    Raises
    ------
    ValueError
        If a replica is not longer than two lags.

    Notes
    -----
    From two successive displacements a and b over the lag: <½(a² + b²) + 2 a·b> = MSD(2 lag) - MSD(lag). This
    difference is free of the offset that vibrations and cages leave on the MSD, and close to the best there is for a
    random walk with such an offset (Vestergaard, Blainey, Flyvbjerg, Phys. Rev. E 2014, 89, 022726).
    """
    if any(sums.shape[1] <= 2 * lag for sums in sums_a):
        raise ValueError(f"a run must be longer than two lags of {lag} frames")
    samples = [_samples(sums, lag) / (6 * lag * frame_ps) for sums in sums_a]
    ceilings = [_products(sums[:, 2 * lag :] - sums[:, : -2 * lag]) / (12 * lag * frame_ps) for sums in sums_a]
    return Onsager(
        slopes=np.concatenate(samples).mean(axis=0),
        by_replica=np.array([sample.mean(axis=0) for sample in samples]),
        by_block=np.concatenate([_block_means(sample, lag) for sample in samples]),
        freedom=_freedom(sum(sums.shape[1] - 1 for sums in sums_a), lag),
        ceiling=np.concatenate(ceilings).mean(axis=0),
    )


def relative_to(sums_a: np.ndarray, molecules: Sequence[int], velocity_a: np.ndarray) -> np.ndarray:
    """Return sums over molecules seen from something that moves, such as the solvent.

    Parameters
    ----------
    sums_a
        Shape (species, frames, 3).
    molecules
        Number of molecules of each species.
    velocity_a
        Positions of what is held still, shape (frames, 3).
    """
    return sums_a - np.asarray(molecules)[:, None, None] * velocity_a


def _samples(sums_a: np.ndarray, lag: int) -> np.ndarray:
    """½(a·a + b·b) + a·b + b·a of each time origin, shape (origins, species, species)."""
    a = sums_a[:, lag:-lag] - sums_a[:, : -2 * lag]
    b = sums_a[:, 2 * lag :] - sums_a[:, lag:-lag]
    cross = np.einsum("ifx,jfx->fij", a, b)
    return (_products(a) + _products(b)) / 2 + cross + cross.swapaxes(1, 2)


def _products(steps_a: np.ndarray) -> np.ndarray:
    return np.einsum("ifx,jfx->fij", steps_a, steps_a)


def _block_means(samples: np.ndarray, lag: int) -> np.ndarray:
    blocks = min(BLOCKS_AT_MOST, len(samples) // (BLOCK_IN_LAGS * lag))
    parts = np.array_split(samples, blocks) if blocks else []
    return np.array([part.mean(axis=0) for part in parts]).reshape(-1, *samples.shape[1:])


def _freedom(steps: int, lag: int) -> float:
    """Degrees of freedom of a slope in three dimensions: 2 mean² / variance of a quadratic form of white steps.

    In the sum over all origins, steps that are w frames apart meet with the weight a(w) = lag up to w = lag and
    2 lag - w beyond, so that the variance in one dimension is 2 (a(0)² + 2 Σ a(w)²) / (steps a(0)²) mean².
    """
    apart = np.arange(1, 2 * lag)
    weights = np.minimum(1.0, 2 - apart / lag)
    return float(3 * steps / (1 + 2 * (weights**2).sum()))


def _jackknifed(of: Callable[[np.ndarray], np.ndarray], value: float, parts: np.ndarray) -> tuple[float, float] | None:
    """Ends of the t interval from leaving out one part after the other; None for a single part."""
    if len(parts) < 2:
        return None
    without = of((parts.sum(axis=0) - parts) / (len(parts) - 1))
    half = float(t_half_width(len(parts) * value - (len(parts) - 1) * without))
    return value - half, value + half
