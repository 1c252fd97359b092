"""Has it equilibrated? Means with honest errors, and a test for drift, of correlated time series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOCKS = 5


@dataclass(frozen=True)
class BlockMean:
    """Mean of a time series with its 95 % interval."""

    mean: float
    low: float
    high: float


def block_mean(series: np.ndarray, blocks: int = BLOCKS) -> BlockMean:
    """Return the mean and its 95 % interval from the scatter of block means (Student's t).

    Blocks longer than the correlation time are independent (Flyvbjerg and Petersen, J. Chem. Phys. 91, 461, 1989).

    Raises
    ------
    ValueError
        If there are fewer than two values a block.
    """
    from scipy.stats import t

    means = _block_means(series, blocks)
    half = t.ppf(0.975, blocks - 1) * means.std(ddof=1) / np.sqrt(blocks)
    center = float(np.mean(series))
    return BlockMean(center, center - half, center + half)


def drift(series: np.ndarray, blocks: int = BLOCKS) -> tuple[float, bool]:
    """Return the change of a series from its begin to its end by a line through block means, and whether it is real.

    Real means that the slope's 95 % interval excludes zero, with the errors taken from the scatter of block means
    about the line, so that correlated values do not count as independent ones.
    """
    from scipy.stats import linregress, t

    means = _block_means(series, blocks)
    line = linregress(np.arange(blocks), means)
    half = t.ppf(0.975, blocks - 2) * line.stderr
    return float(line.slope * blocks), bool(abs(line.slope) > half)


def _block_means(series: np.ndarray, blocks: int) -> np.ndarray:
    series = np.asarray(series, dtype=float)
    if len(series) < 2 * blocks:
        raise ValueError(f"{len(series)} values are too few for {blocks} blocks")
    return np.array([block.mean() for block in np.array_split(series, blocks)])
