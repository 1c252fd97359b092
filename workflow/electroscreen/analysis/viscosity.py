"""The viscosity of a box, from the fluctuations of its own pressure.

Green and Kubo: η = V / k_B T ∫₀^∞ <P_xy(0) P_xy(t)> dt. The integral is half the power spectrum of the shear stress at
frequency zero, so that no time has to be chosen at which to cut it: the low end of the spectrum is fitted instead, and
what the amplitudes scatter by is known (Toraman, Fauconnier and Verstraelen, J. Chem. Inf. Model. 2025, 65, 10445).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from electroscreen.analysis import verdicts
from electroscreen.analysis.intervals import NORMAL_HALF_WIDTH, t_half_width
from electroscreen.analysis.transport import BOLTZMANN_J_PER_K

FREQUENCIES_AT_LEAST = 10
FALLS_AT_MOST = 0.2  # of the logarithm of the spectrum, over the frequencies that are fitted
TERMS = 3  # of the logarithm of the spectrum: 1, f² and f⁴, as a spectrum is even
_GRID = 60
_STEPS = 50

EMPTY_ROW: dict[str, Any] = {
    "quantity": "viscosity",
    "subject": "pressure fluctuations",
    "value": None,
    "low": None,
    "high": None,
    "unit": "mPa s",
    "note": "",
}


@dataclass(frozen=True)
class Pressure:
    """Shear stress of one replica: five components in bar, shape (5, samples), the time between samples, the volume."""

    shear_bar: np.ndarray
    every_ps: float
    volume_a3: float

    def spectrum(self, temperature_k: float, samples: int) -> np.ndarray:
        """Return the viscosity in mPa s that each frequency k / (samples × every) but zero stands for, (5, k)."""
        series = self.shear_bar[:, :samples].astype(float)
        power = np.abs(np.fft.rfft(series - series.mean(axis=1, keepdims=True), axis=1)[:, 1:]) ** 2
        # bar² ps Å³ is 1e-32 Pa² s m³; 1 Pa s is 1000 mPa s.
        unit = 1e-29 * self.volume_a3 / (BOLTZMANN_J_PER_K * temperature_k)
        return unit * power * self.every_ps / (2 * samples)


def read_pressure(path: Path, volume_a3: float) -> list[Pressure]:
    """Return what `dynamics.pressure` sampled in a replica, nothing where it could not."""
    with np.load(path) as file:
        shear_bar = file["shear_bar"]
        return [Pressure(shear_bar, float(file["every_ps"]), volume_a3)] if shear_bar.size else []


def viscosity(replicas: Sequence[Pressure], temperature_k: float) -> dict[str, Any]:
    """Return the viscosity of a box with its 95 % interval.

    Returns
    -------
    dict
        A row of analysis.json's `transport`, with the list `flaws` in place of the verdict.

    Notes
    -----
    Amplitudes of the five components of all replicas are averaged at each frequency; each average has a Gamma
    distribution around the spectrum. The logarithm of the spectrum is a polynomial 1, f², f⁴ up to the frequency by
    which it has fallen by 0.2, fitted by maximum likelihood; the first coefficient is that of η. Where the spectrum
    falls by more within its first ten frequencies, the run is too short for what the pressure remembers, and the
    amplitudes there bound the viscosity from below.

    The interval is the wider of that of the fit and, with two or more replicas, the t interval over their logarithms.
    """
    samples = min(one.shear_bar.shape[1] for one in replicas)
    every_ps = replicas[0].every_ps
    total_ps = samples * every_ps
    row = EMPTY_ROW | {"note": f"{len(replicas)} × {total_ps:.4g} ps, a sample each {1000 * every_ps:.3g} fs"}
    spectra = [one.spectrum(temperature_k, samples) for one in replicas]
    amplitudes = np.concatenate(spectra)
    if amplitudes.shape[1] < 2 * FREQUENCIES_AT_LEAST:
        return row | {"flaws": [verdicts.not_computed(f"{samples} samples of the pressure are too few")]}
    count = _fitted(amplitudes)
    if count is None:
        first = amplitudes[:, :FREQUENCIES_AT_LEAST]
        freedom = 2 * first.size
        low = float(first.mean() * freedom / stats.chi2.ppf(0.975, freedom))
        return row | {"low": low, "flaws": [verdicts.viscosity_above(low)]}
    logarithm, error = _logarithm(amplitudes[:, :count])[:2]
    half = NORMAL_HALF_WIDTH * error
    if len(spectra) > 1:
        own = np.array([_logarithm(one[:, :count])[0] for one in spectra])
        half = max(half, float(t_half_width(own)))
    value, low, high = (float(np.exp(logarithm + shift)) for shift in (0.0, -half, half))
    fitted = f"; spectrum fitted up to {count / total_ps:.3g} THz"
    return row | {"value": value, "low": low, "high": high, "note": row["note"] + fitted, "flaws": []}


def _fitted(amplitudes: np.ndarray) -> int | None:
    """Return over how many frequencies the spectrum falls little, None where that is over too few."""
    most = amplitudes.shape[1] // 2
    for count in np.unique(np.geomspace(FREQUENCIES_AT_LEAST, most, _GRID).astype(int))[::-1]:
        if _logarithm(amplitudes[:, :count])[2] <= FALLS_AT_MOST:
            return int(count)
    return None


def _logarithm(amplitudes: np.ndarray) -> tuple[float, float, float]:
    """Return ln η, its standard error, and by how much the fitted logarithm falls to the last frequency.

    A generalised linear model with Gamma distribution and logarithmic link, by Fisher's scoring (McCullagh and Nelder,
    Generalized Linear Models, 2nd ed. 1989, chapter 8).
    """
    components, count = amplitudes.shape
    mean = amplitudes.mean(axis=0)
    terms = (np.arange(1, count + 1) / count)[:, None] ** (2 * np.arange(TERMS))
    spread = np.linalg.inv(components * terms.T @ terms)
    found = np.zeros(TERMS)
    found[0] = np.log(mean.mean())
    for _ in range(_STEPS):
        step = spread @ terms.T @ (components * (mean / np.exp(terms @ found) - 1))
        longest = np.abs(terms @ step).max()
        found += step / max(1.0, longest)
        if longest < 1e-8:
            break
    return float(found[0]), float(np.sqrt(spread[0, 0])), float(-found[1:].sum())
