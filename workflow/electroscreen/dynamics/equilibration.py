"""Has it equilibrated? Means with honest errors, tests for drift and for late settling, of correlated time series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.record import OK

BLOCKS = 5

# The mean temperature of a production run of a thousand atoms scatters by far less than this.
TEMPERATURE_WITHIN_K = 3.0

# What a mean may still drift or be uncertain by: a share of the density, of the kinetic energy for the potential energy
# (whose own zero is arbitrary), and of the radius of gyration, which a few chains average slowly.
DRIFT_ALLOWED = 0.01
GYRATION_ALLOWED = 0.05

GYRATION = "radius_of_gyration_angstrom"


@dataclass(frozen=True)
class BlockMean:
    """Mean of a time series with its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Settled:
    """From which value on a series counts, and how many independent values are left."""

    start: int
    effective: float


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


def inefficiency(series: np.ndarray) -> float:
    """Return how many values of a series are worth one independent value: 1 + 2 Σ (1 - t/T) C(t), at least 1.

    The sum ends where the autocorrelation C first falls to zero, beyond which there is only noise (Chodera, J. Chem.
    Theory Comput. 12, 1799, 2016).
    """
    series = np.asarray(series, dtype=float)
    length, deviations = len(series), series - series.mean()
    if length < 2 or not deviations.any():
        return 1.0
    spectrum = np.fft.rfft(deviations, 2 * length)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2)[:length] / np.arange(length, 0, -1)
    correlation = covariance / covariance[0]
    ends = np.flatnonzero(correlation <= 0)
    times = np.arange(1, ends[0] if len(ends) else length)
    return float(max(1.0, 1 + 2 * ((1 - times / length) * correlation[times]).sum()))


def settle(series: np.ndarray, tries: int = 46) -> Settled:
    """Return from where on a series holds the most independent values, and how many (Chodera 2016, as above).

    What comes before is the approach to equilibrium: leaving it out loses values and gains more by less correlation.
    """
    series = np.asarray(series, dtype=float)
    starts = np.unique(np.linspace(0, 0.9 * len(series), tries).astype(int))
    effective = [(len(series) - start) / inefficiency(series[start:]) for start in starts]
    best = int(np.argmax(effective))
    return Settled(int(starts[best]), float(effective[best]))


def unsettled(series: np.ndarray, first: int, allowed: float) -> str | None:
    """Return why the mean of `series[first:]` is not yet one of equilibrium, or None if it is.

    A drift that is statistically real, a mean that still holds values from before the series settled, and a mean that
    too few independent values leave uncertain are faults where they exceed `allowed`.
    """
    from scipy.stats import t

    series = np.asarray(series, dtype=float)
    counted, settled = series[first:], settle(series)
    change, real = drift(counted)
    if real and abs(change) > allowed:
        return "drifts"
    kept = series[settled.start :]
    if settled.start > first and abs(counted.mean() - kept.mean()) > allowed:
        return f"settles only after {100 * settled.start / len(series):.0f} %"
    half = t.ppf(0.975, max(1.0, settled.effective - 1)) * kept.std() / np.sqrt(settled.effective)
    if half > allowed:
        return f"is known to ± {half:.2g} only, from {settled.effective:.1f} independent values"
    return None


def settled_phase(rows, ensemble: str) -> bool:
    """Return whether the phase with these rows (of the state table) may end: its density or energy, and its chains."""
    if ensemble == "NPT":
        density = rows.density_g_per_ml.to_numpy()
        fault = unsettled(density, len(density) // 2, DRIFT_ALLOWED * density.mean())
    else:
        energy = rows.potential_energy_kj_per_mol.to_numpy()
        fault = unsettled(energy, len(energy) // 2, DRIFT_ALLOWED * rows.kinetic_energy_kj_per_mol.mean())
    return fault is None and _gyration_fault(rows, len(rows) // 2) is None


def read_states(path: Path):
    """Return the state table as a pandas DataFrame."""
    import pandas as pd

    return pd.read_csv(path)


def judge(states, temperature_k: float, faults: Sequence[str] = ()) -> dict[str, Any]:
    """Say whether a run is in equilibrium: density of the second half of NPT, then production itself.

    A fault counts above 1 % of the density, or of the kinetic energy for the potential energy, and 5 % of the chains'
    radius of gyration; `faults` are those found elsewhere.
    """
    whole_density = states.density_g_per_ml[states.phase == "density"].to_numpy()
    half = len(whole_density) // 2
    density = whole_density[half:]
    production = states[states.phase == "production"]
    mean = block_mean(density)
    change, _ = drift(density)
    energy = production.potential_energy_kj_per_mol.to_numpy()
    faults = [
        *faults,
        _told(
            unsettled(whole_density, half, DRIFT_ALLOWED * mean.mean),
            "density",
            f"still drifts by {100 * change / mean.mean:+.1f} % over the second half of NPT",
            "g/mL",
        ),
        _told(
            unsettled(energy, 0, DRIFT_ALLOWED * production.kinetic_energy_kj_per_mol.mean()),
            "potential energy",
            f"drifts by {drift(energy)[0]:+.0f} kJ/mol over production",
            "kJ/mol",
        ),
        _told(_gyration_fault(production, 0), "radius of gyration", "of the chains drifts over production", "Å"),
    ]
    temperature = float(production.temperature_k.mean())
    if abs(temperature - temperature_k) > TEMPERATURE_WITHIN_K:
        faults.append(f"temperature is {temperature:.1f} K instead of {temperature_k:g} K")
    faults = [fault for fault in faults if fault]
    return {
        "verdict": OK if not faults else f"not equilibrated: {'; '.join(faults)}",
        "density_g_per_ml": mean.mean,
        "density_low": mean.low,
        "density_high": mean.high,
        "density_drift_percent": 100 * change / mean.mean,
        "density_effective_samples": settle(whole_density).effective,
        "energy_effective_samples": settle(energy).effective,
        "temperature_k": temperature,
        **_gyration(production),
    }


def _told(fault: str | None, what: str, drifting: str, unit: str) -> str | None:
    if fault is None:
        return None
    return f"{what} {drifting if fault == 'drifts' else fault.replace(' only,', f' {unit} only,')}"


def _gyration_fault(rows, first: int) -> str | None:
    if GYRATION not in rows:
        return None
    radius = rows[GYRATION].to_numpy()
    return unsettled(radius, first, GYRATION_ALLOWED * radius.mean())


def _gyration(production) -> dict[str, float]:
    if GYRATION not in production:
        return {}
    mean = block_mean(production[GYRATION].to_numpy())
    return {GYRATION: mean.mean, "radius_of_gyration_low": mean.low, "radius_of_gyration_high": mean.high}


def _block_means(series: np.ndarray, blocks: int) -> np.ndarray:
    series = np.asarray(series, dtype=float)
    if len(series) < 2 * blocks:
        raise ValueError(f"{len(series)} values are too few for {blocks} blocks")
    return np.array([block.mean() for block in np.array_split(series, blocks)])
