"""Transport against temperature: Arrhenius, and Vogel-Fulcher-Tammann where a single activation energy does not do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from electroscreen.analysis.intervals import NORMAL_HALF_WIDTH

BOLTZMANN_EV_PER_K = 8.617333262e-5
ARRHENIUS, VFT = "Arrhenius", "VFT"
TEMPERATURES_AT_LEAST = {ARRHENIUS: 3, VFT: 4}
_T0_STEPS = 4000

EMPTY_ROW: dict[str, Any] = {
    "activation_energy_ev": None,
    "low": None,
    "high": None,
    "at_k": None,
    "prefactor": None,
    "t0_k": None,
    "t0_low": None,
    "t0_high": None,
    "temperatures": None,
}


def arrhenius(temperature_k: Sequence[float], values: Sequence[float], errors: Sequence[float]) -> dict[str, Any]:
    """Fit X = A exp(-E / k_B T) to positive values, weighted by the standard errors of their logarithms.

    Returns
    -------
    dict
        Row with `activation_energy_ev`, its 95 % interval, `prefactor` in the unit of the values, and the list `flaws`
        in place of the verdict. Where points scatter about the line by more than their errors say, the interval is
        widened by the root of the reduced χ².

    Notes
    -----
    Weighted least squares (Bevington and Robinson, Data Reduction and Error Analysis, 3rd ed. 2003, ch. 6).
    """
    row = EMPTY_ROW | {"temperatures": len(set(temperature_k)), "flaws": []}
    if row["temperatures"] < TEMPERATURES_AT_LEAST[ARRHENIUS]:
        return row | {"flaws": [too_few(ARRHENIUS)]}
    inverse = 1 / (BOLTZMANN_EV_PER_K * np.asarray(temperature_k, dtype=float))
    intercept, slope, error, chi2 = _line(inverse, values, errors)
    half = NORMAL_HALF_WIDTH * error * np.sqrt(max(1.0, chi2 / (len(inverse) - 2)))
    return row | {
        "activation_energy_ev": float(-slope),
        "low": float(-slope - half),
        "high": float(-slope + half),
        "prefactor": float(np.exp(intercept)),
    }


def vft(temperature_k: Sequence[float], values: Sequence[float], errors: Sequence[float]) -> dict[str, Any]:
    """Fit X = A exp(-B / (T - T0)) with T0 between 0 and the lowest temperature.

    Returns
    -------
    dict
        As `arrhenius`, with `t0_k` and its interval. The activation energy is that felt at the mean temperature,
        `at_k`: k_B B (T / (T - T0))². Intervals hold what the profile of χ² allows (Δχ² < 3.84, more where the points
        scatter by more than their errors). T0 = 0 is Arrhenius: where that is allowed, the curvature is not told from
        zero, and there is a flaw that says so.
    """
    row = EMPTY_ROW | {"temperatures": len(set(temperature_k)), "flaws": []}
    if row["temperatures"] < TEMPERATURES_AT_LEAST[VFT]:
        return row | {"flaws": [too_few(VFT)]}
    temperatures = np.asarray(temperature_k, dtype=float)
    zeros = np.linspace(0, temperatures.min(), _T0_STEPS, endpoint=False)
    intercept, slope, error, chi2 = _line(1 / (temperatures - zeros[:, None]), values, errors)
    best = int(chi2.argmin())
    spread = NORMAL_HALF_WIDTH**2 * max(1.0, chi2[best] / max(len(temperatures) - 3, 1))
    allowed = chi2 < chi2[best] + spread
    mean_k = float(temperatures.mean())
    steepness = (mean_k / (mean_k - zeros)) ** 2 * BOLTZMANN_EV_PER_K
    # At each T0 that is allowed, what Δχ² is left goes into the slope.
    left = np.sqrt(np.maximum(chi2[best] + spread - chi2[allowed], 0)) * error[allowed]
    energies = -slope[allowed]
    return row | {
        "activation_energy_ev": float(-slope[best] * steepness[best]),
        "low": float(((energies - left) * steepness[allowed]).min()),
        "high": float(((energies + left) * steepness[allowed]).max()),
        "at_k": mean_k,
        "prefactor": float(np.exp(intercept[best])),
        "t0_k": float(zeros[best]),
        "t0_low": float(zeros[allowed].min()),
        "t0_high": float(zeros[allowed].max()),
        "flaws": [NOT_CURVED] if allowed[0] else [],
    }


NOT_CURVED = "not told from Arrhenius"


def too_few(model: str) -> str:
    """Return the verdict of a fit for which there are too few temperatures."""
    return f"not computed: {model} needs {TEMPERATURES_AT_LEAST[model]} temperatures"


def error_of_logarithm(low: float, high: float) -> float:
    """Return the standard error of ln X whose 95 % interval has these positive ends."""
    return float(np.log(high / low) / (2 * NORMAL_HALF_WIDTH))


def _line(x: np.ndarray, values: Sequence[float], errors: Sequence[float]) -> tuple[np.ndarray, ...]:
    """Intercept and slope of ln X against x (last axis: points), the standard error of the slope, and χ²."""
    y, weights = np.log(np.asarray(values, dtype=float)), 1 / np.asarray(errors, dtype=float) ** 2
    mean_x, mean_y = x @ weights / weights.sum(), y @ weights / weights.sum()
    apart = x - np.expand_dims(mean_x, -1)
    inertia = apart**2 @ weights
    slope = apart @ (weights * y) / inertia
    intercept = mean_y - slope * mean_x
    residues = y - np.expand_dims(intercept, -1) - np.expand_dims(slope, -1) * x
    return intercept, slope, inertia**-0.5, residues**2 @ weights
