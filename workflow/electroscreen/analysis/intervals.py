"""95 % intervals that do not promise more than the samples hold.

Three sources of scatter are told apart: time (blocks of one run), place (molecules of one box, each
in its own surroundings) and box (replicas with their own packing). Frozen surroundings make runs
look precise in time, so that time alone is never trusted where other scatter can be seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

COVERAGE = 0.95
NORMAL_HALF_WIDTH = 1.959964  # in standard errors, where they are known exactly
_UPPER = 0.5 + COVERAGE / 2


def mean_half_width(tables: Sequence[np.ndarray]) -> float | None:
    """Return the half-width of the 95 % interval of a mean, None where nothing can be said.

    Parameters
    ----------
    tables
        One array (blocks, units) for each replica: a quantity averaged over a block of time for each independent unit.

    Notes
    -----
    The wider of two t intervals. Within a replica, blocks and units are a two-way table of random effects without
    repetition (Searle, Casella, McCulloch, Variance Components, 1992, ch. 4): var(mean) = (MS_units + MS_blocks
    - MS_residual) / (blocks × units), which is not let fall below either of the first two terms alone; degrees of
    freedom after Satterthwaite (1946). Few centres thus give few degrees of freedom and a wide interval.
    Between replicas a plain t interval holds however different the boxes are; it is exact but wide (factor 12.7
    for two boxes, 4.3 for three), which is what two or three boxes are worth.
    """
    components = [component for table in tables for component in _components(table)]
    widths = [t_half_width(np.array([table.mean() for table in tables]))]
    if any(freedom > 0 for _, freedom in components):
        variance = sum(_variance_of_mean(table) for table in tables) / len(tables) ** 2
        widths.append(_student(_satterthwaite(components)) * float(np.sqrt(variance)))
    return max((float(width) for width in widths if width is not None), default=None)


def t_half_width(values: np.ndarray) -> np.ndarray | None:
    """Return the half-width of the 95 % t interval of the mean over the first axis (None for fewer than two values)."""
    if len(values) < 2:
        return None
    return _student(len(values) - 1) * np.std(values, axis=0, ddof=1) / np.sqrt(len(values))


def scale_interval(value: float, error: float) -> tuple[float, float]:
    """Return the 95 % interval of a scale: something positive whose error is proportional to itself.

    A mean-squared displacement, hence a diffusion coefficient, is a mean of squares: its distribution is close to a
    scaled chi-square with 2 (value/error)² degrees of freedom (Satterthwaite, 1946). A symmetric interval of the same
    error misses the truth from below when samples are few, as small estimates come with small errors.

    Raises
    ------
    ValueError
        If the value or the error is not positive.
    """
    if not (value > 0 and error > 0):
        raise ValueError(f"a scale and its error must be positive, found {value} and {error}")
    freedom = 2 * (value / error) ** 2
    scaled = freedom * value
    return float(scaled / stats.chi2.ppf(_UPPER, freedom)), float(scaled / stats.chi2.ppf(1 - _UPPER, freedom))


def percentiles(draws: np.ndarray) -> tuple[float, float]:
    """Return the ends of the 95 % interval of drawn numbers."""
    low, high = np.quantile(draws, [1 - _UPPER, _UPPER])
    return float(low), float(high)


def drawn(value: float, low: float, high: float, generator: np.random.Generator, draws: int) -> np.ndarray:
    """Return numbers spread as a value with its 95 % interval: half a normal distribution on either side.

    For the interval of what is computed from several such values; never below zero.
    """
    deviates = generator.normal(size=draws) / NORMAL_HALF_WIDTH
    return np.maximum(value + deviates * np.where(deviates > 0, high - value, value - low), 0.0)


def zero_count_bound(samples: int) -> float:
    """Return the upper end of the 95 % interval of a mean count of which `samples` independent samples saw nothing.

    Poisson: exp(-samples × bound) = 0.025.
    """
    return float(-np.log(1 - _UPPER) / samples)


def standard_error(table: np.ndarray) -> np.ndarray:
    """Return the standard error of the mean over blocks and units of an array (blocks, units, ...)."""
    by_unit, by_block = table.mean(axis=0), table.mean(axis=1)
    return np.sqrt(np.maximum(_error_squared(by_unit), _error_squared(by_block)))


def _error_squared(means: np.ndarray) -> np.ndarray | float:
    return means.var(axis=0, ddof=1) / len(means) if len(means) > 1 else 0.0


def _components(table: np.ndarray) -> list[tuple[float, int]]:
    """Variance of the mean as seen by units and by blocks, each with its degrees of freedom."""
    blocks, units = table.shape
    return [
        (float(_error_squared(table.mean(axis=0))), units - 1),
        (float(_error_squared(table.mean(axis=1))), blocks - 1),
    ]


def _variance_of_mean(table: np.ndarray) -> float:
    (by_units, units), (by_blocks, blocks) = _components(table)
    if not (units and blocks):
        return by_units + by_blocks
    residual = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    shared = float((residual**2).sum() / (units * blocks) / table.size)
    return max(by_units + by_blocks - shared, by_units, by_blocks)


def _satterthwaite(components: list[tuple[float, int]]) -> float:
    known = [(variance, freedom) for variance, freedom in components if freedom > 0]
    total = sum(variance for variance, _ in known)
    if total == 0:
        return float(min(freedom for _, freedom in known))
    return total**2 / sum(variance**2 / freedom for variance, freedom in known)


def _student(freedom: float) -> float:
    return float(stats.t.ppf(_UPPER, freedom))
