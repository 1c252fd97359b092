"""Self-diffusion: from the paths of molecules to D with its interval, or to a bound on D.

The mean-squared displacement (MSD) of centres of mass, relative to that of the whole system, over all
time origins; a search for the lags at which it grows as a random walk; and there kinisi's model of its
errors. Molecules that have not left their surroundings get a bound, never a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from electroscreen.analysis import verdicts
from electroscreen.analysis.finite_size import size_term_a2_per_ns
from electroscreen.analysis.intervals import NORMAL_HALF_WIDTH, scale_interval, t_half_width
from electroscreen.analysis.walk import (
    PERSISTS_OVER,
    Curve,
    Walk,
    curve,
    diffusive_start,
    exponent_of,
    mean_squared_displacement,
    overlap_factor,
    squared_displacements,
)

HETEROGENEOUS_ABOVE = 0.5
FEW_MOLECULES = 3
EQUAL_IN = 0.75
_PS_PER_NS = 1000.0

EMPTY_ROW: dict[str, Any] = {
    "d_a2_per_ns": None,
    "low": None,
    "high": None,
    "d_corrected_a2_per_ns": None,
    "corrected_low": None,
    "corrected_high": None,
    "window_start_ps": None,
    "window_end_ps": None,
    "replicas": None,
    "particles": None,
    "slope_exponent": None,
    "d_start_doubled_a2_per_ns": None,
    "non_gaussian_parameter": None,
    "note": "",
}


def diffusion(paths_a: Sequence[np.ndarray], frame_ps: float) -> tuple[dict[str, Any], Curve]:
    """Return the diffusion coefficient of a species with its 95 % interval, its flaws, and its MSD.

    Parameters
    ----------
    paths_a
        Of each replica: unwrapped centres of mass relative to that of the system, shape (molecules, frames, 3).
    frame_ps
        Time between frames.

    Returns
    -------
    row, curve
        `row` is a row of analysis.json without the name of the species, with the lists `flaws` and `warnings` in place
        of the verdict.

    Notes
    -----
    The interval is the widest of three. First, kinisi's (McCluskey et al., J. Chem. Theory Comput. 2025, 21, 79):
    generalised least squares with the covariance of the MSD, here as the interval of a scale (`scale_interval`), and
    narrowed for the overlap of time origins (`overlap_factor`), without which it holds the truth in over 99 %. Second,
    the t interval over molecules, where they scatter more than in three of four runs of equal molecules: some are then
    trapped and others free. (In every run the wider of the two would be too careful for few molecules, 98 to 99 % for
    three to six; so taken it is 90 to 97 %, whether they are equal, a little or very different.) Third, with two or
    more replicas, the t interval over their coefficients.

    The coefficient has the value for the periodic box, see `corrected`.
    """
    return motion(paths_a, frame_ps)[:2]


def motion(
    paths_a: Sequence[np.ndarray], frame_ps: float
) -> tuple[dict[str, Any], Curve, tuple[np.ndarray, np.ndarray]]:
    """Return what `diffusion` and `non_gaussian` do, at the cost of one of them."""
    msds_a2 = [mean_squared_displacement(path) for path in paths_a]
    walk = squared_displacements(paths_a, msds_a2, frame_ps)
    row = EMPTY_ROW | {"replicas": len(paths_a), "particles": len(paths_a[0]), "warnings": []}
    start = diffusive_start(walk)
    found = None if start is None else _coefficient(walk.since(start))
    row |= _bound(walk) if found is None else found
    if len(walk.replica) < FEW_MOLECULES:
        row["flaws"] = [*row["flaws"], verdicts.FEW_SAMPLES]
    return row, curve(msds_a2, frame_ps), (walk.lag_ps, _non_gaussian(walk))


def corrected(
    row: dict[str, Any], temperature_k: float, edge_a: float, viscosity: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return what the size of the box adds to a row, or how much it would for a viscosity of 1 mPa s.

    `viscosity` has `mpa_s`, `source` and, where they are known, `low` and `high`; the ends of the corrected interval
    are those of D with those of the viscosity that push them apart, which is wide enough however the two go together.
    """
    if row["d_a2_per_ns"] is None:
        return {}
    if viscosity is None:
        per_mpa_s = size_term_a2_per_ns(temperature_k, 1.0, edge_a)
        return {
            "note": f"not corrected for the size of the box: a viscosity of 1 mPa s would add {per_mpa_s:.3g} Å²/ns"
        }
    term = size_term_a2_per_ns(temperature_k, viscosity["mpa_s"], edge_a)
    raised = {
        "d_corrected_a2_per_ns": row["d_a2_per_ns"] + term,
        "corrected_low": row["low"] + term * viscosity["mpa_s"] / viscosity.get("high", viscosity["mpa_s"]),
        "corrected_high": row["high"] + term * viscosity["mpa_s"] / viscosity.get("low", viscosity["mpa_s"]),
    }
    note = f"{term:.3g} Å²/ns for the size of the box, with {viscosity['mpa_s']:.3g} mPa s ({viscosity['source']})"
    return raised | {"note": note}


def non_gaussian(paths_a: Sequence[np.ndarray], frame_ps: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the non-Gaussian parameter 3 <r⁴> / 5 <r²>² - 1 against lag: 0 for a random walk of equal molecules."""
    return motion(paths_a, frame_ps)[2]


def _non_gaussian(walk: Walk) -> np.ndarray:
    return 0.6 * (walk.variance_a4 / np.maximum(walk.msd_a2**2, np.finfo(float).tiny) + 1) - 1


def covariance_a4(walk: Walk) -> np.ndarray:
    """Return kinisi's covariance matrix of the MSD at the lags of a walk, shape (lags, lags)."""
    import scipp as sc
    from kinisi.diffusion import Diffusion

    over = ["time interval"]
    times = sc.array(dims=over, values=walk.lag_ps, unit="ps")
    msd = sc.array(dims=over, values=walk.msd_a2, variances=walk.variance_a4 / walk.samples, unit="angstrom**2")
    samples = sc.array(dims=over, values=walk.samples)
    data = sc.DataArray(msd, coords={"time interval": times, "n_samples": samples})
    model = Diffusion(sc.DataGroup(da=data, dimensionality=sc.scalar(3)))
    # kinisi builds the matrix on its way to a Markov chain. The chain is cut short: for a straight line with Gaussian
    # errors, the distribution it samples is known exactly, see `_line`.
    model.bayesian_regression(times[0], n_samples=1, n_burn=0, n_thin=1, n_walkers=8, progress=False)
    return model.covariance_matrix.values


def _line(walk: Walk) -> tuple[np.ndarray, float]:
    """Weights whose product with an MSD is its slope (Å²/ps), and the standard error of the slope (nan if none).

    Generalised least squares of a line with intercept: the mean and width of kinisi's posterior.
    """
    inverse = np.linalg.pinv(covariance_a4(walk), hermitian=True)
    design = np.column_stack([walk.lag_ps, np.ones_like(walk.lag_ps)])
    spread = np.linalg.inv(design.T @ inverse @ design)
    variance = float(spread[0, 0])
    return (spread @ design.T @ inverse)[0], float(np.sqrt(variance)) if variance > 0 else float("nan")


def _coefficient(walk: Walk) -> dict[str, Any] | None:
    """What a row says of a diffusive walk; None if D cannot be told from zero."""
    estimate = _estimate(walk)
    if estimate is None:
        return None
    coefficient, low, high = estimate
    later = _estimate(walk.since(int(np.searchsorted(walk.lag_ps, 2 * walk.lag_ps[0] * (1 - 1e-9)))))
    non_gaussian = float(_non_gaussian(walk)[0])
    warnings = []
    if later is not None and not low <= later[0] <= high and not later[1] <= coefficient <= later[2]:
        warnings.append(f"D becomes {later[0]:.3g} Å²/ns if the fit starts at twice the lag, outside of its interval")
    if non_gaussian > HETEROGENEOUS_ABOVE:
        warnings.append(f"molecules move at very different rates (non-Gaussian parameter {non_gaussian:.2f})")
    return {
        "d_a2_per_ns": coefficient,
        "low": low,
        "high": high,
        "window_start_ps": float(walk.lag_ps[0]),
        "window_end_ps": float(walk.lag_ps[-1]),
        "slope_exponent": exponent_of(walk)[0],
        "d_start_doubled_a2_per_ns": later and later[0],
        "non_gaussian_parameter": non_gaussian,
        "warnings": warnings,
        "flaws": [],
    }


def _estimate(walk: Walk) -> tuple[float, float, float] | None:
    """D with its 95 % interval in Å²/ns, None if its error is as large as itself."""
    weights, error = _line(walk)
    by_molecule = walk.by_molecule_a2 @ weights / 6 * _PS_PER_NS
    coefficient = float(by_molecule.mean())
    error *= overlap_factor(walk, weights) / 6 * _PS_PER_NS
    if _molecules_differ(by_molecule, error):
        error = max(error, _scatter(by_molecule))
    # So few molecules that the covariance is none have no error either.
    if not error < coefficient:
        return None
    low, high = scale_interval(coefficient, error)
    between = t_half_width(walk.by_replica(by_molecule))
    if between is not None:
        low, high = min(low, max(coefficient - between, 0.0)), max(high, coefficient + between)
    return coefficient, float(low), float(high)


def _bound(walk: Walk) -> dict[str, Any]:
    """What a row says of a walk that is not diffusive.

    Molecules that are caged or slowed down have a concave MSD, whose MSD/6t falls towards D: at the longest lag it is
    the lowest upper bound there is. Its own 97.5 % upper end is taken. A motion that is still faster than a random
    walk approaches D from below, and is bounded by nothing.
    """
    end = walk.since(int(np.searchsorted(walk.lag_ps, walk.lag_ps[-1] / PERSISTS_OVER)))
    exponent, error = exponent_of(end)
    if exponent - 1 > 3 * error:
        return {"slope_exponent": exponent, "flaws": [verdicts.BALLISTIC]}
    last = walk.by_molecule_a2[:, -1]
    reached = float(last.mean())
    if reached > 0:
        scatter = max(reached * float(np.sqrt(2 / 3 / walk.samples[-1])), _scatter(last))
        between = t_half_width(walk.by_replica(last))
        reached = max(scale_interval(reached, scatter)[1], reached + (0.0 if between is None else float(between)))
    bound = reached / (6 * float(walk.lag_ps[-1])) * _PS_PER_NS
    return {"slope_exponent": exponent, "high": bound, "flaws": [verdicts.not_diffusive(bound)]}


def _molecules_differ(by_molecule: np.ndarray, error: float) -> bool:
    """Whether molecules scatter more than in `EQUAL_IN` of all runs of equal ones whose mean has this error."""
    if len(by_molecule) < FEW_MOLECULES:
        return False
    freedom = len(by_molecule) - 1
    return by_molecule.var(ddof=1) / len(by_molecule) > error**2 * stats.chi2.ppf(EQUAL_IN, freedom) / freedom


def _scatter(by_molecule: np.ndarray) -> float:
    """Standard error of the mean over molecules, raised to what its t interval is wide; 0 where it cannot be judged."""
    if len(by_molecule) < FEW_MOLECULES:
        return 0.0
    return float(t_half_width(by_molecule)) / NORMAL_HALF_WIDTH
