"""Where the first shell of a g(r) begins and ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from electroscreen.analysis.rdf import BIN_A, Distribution

SMOOTHING_A = 0.1
CLEAR_OF_NOISE = 3.0  # standard errors
PEAK_STANDS_OUT_BY = 0.1  # of the peak's height, or of the bulk where that is more
SHELL_ENDS_BELOW = 0.6  # of the bulk: Lennard-Jones argon near its triple point, whose shell nobody doubts, has 0.57
HEIGHT_OVER_A = 0.08
# Of a shell of few contacts.
CHANCE = 1e-4
PEAK_WITHIN_A = 0.2
END_WITHIN_A = 0.1
AT_ITS_END = 0.05
# What an eye takes for a peak: g, and pairs at one moment.
SEEN_ABOVE, SEEN_PAIRS = 2.0, 0.5


@dataclass(frozen=True)
class Shell:
    """The first shell of a g(r); `cutoff_bin` is the first bin outside of it, None where no clear minimum follows."""

    first_peak_a: float
    height: float
    cutoff_bin: int | None


def first_shell(curve: Distribution, noise: np.ndarray) -> Shell | None:
    """Return the first shell, or None if no peak stands clear of 1 and of the noise.

    Parameters
    ----------
    curve
        Pair distribution.
    noise
        Standard error of g(r) smoothed by `smoothed`, shape (bins,).

    Notes
    -----
    g(r) is smoothed with a Gaussian of 0.1 Å (about the thermal width of the sharpest first shells). A first peak
    exceeds 1 by three standard errors and what follows it by three standard errors and a tenth of its height. The
    cut-off is the first minimum below 1 from which g(r) rises clearly again (a dip above 1 splits a peak, it does
    not end a shell). It counts only if it is at most 0.6 and clear of 1. No window of distances is assumed.
    """
    from scipy.signal import find_peaks

    smooth = smoothed(curve.g)
    clear = CLEAR_OF_NOISE * noise
    stands_out = np.maximum(clear, PEAK_STANDS_OUT_BY * np.maximum(smooth, 1))
    peaks, _ = find_peaks(smooth, height=1 + np.maximum(clear, PEAK_STANDS_OUT_BY), prominence=stands_out)
    if len(peaks) == 0:
        return None
    near = np.abs(curve.r_a - curve.r_a[peaks[0]]) <= HEIGHT_OVER_A / 2 + 1e-9
    end = _end_of_shell(smooth, noise, int(peaks[0]))
    return Shell(_vertex(curve.r_a, smooth, int(peaks[0])), float(curve.g[near].mean()), end)


def smoothed(g: np.ndarray) -> np.ndarray:
    """Return g(r), with bins along the last axis, smoothed by a Gaussian of 0.1 Å."""
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(g, SMOOTHING_A / BIN_A, axis=-1, mode="nearest")


def sparse_shell(curve: Distribution, ideal: np.ndarray) -> Shell | None:
    """Return the first shell as the pairs show it that are there, or None if chance may make every peak.

    Parameters
    ----------
    curve
        Pair distribution.
    ideal
        Pairs of an ideal gas in each bin at one moment, in all replicas together, shape (bins,).

    Notes
    -----
    A few ions of which some hold partners and some do not scatter as much as their mean: a peak of g = 30 is then
    within three standard errors of none. But it need only be told from chance: a peak counts if an ideal gas, each of
    its pairs seen at one moment only, has as many pairs within 0.2 Å of it with a probability below 1e-4, which holds
    however slowly partners move. The shell ends at the first minimum below 0.6 from which g(r) rises by 0.1, if the
    pairs within 0.1 Å of it are at most a twentieth of those inside, so that it matters little where exactly the end is
    set. What follows from centres that differ is in the interval of the number.
    """
    from scipy.signal import find_peaks
    from scipy.special import gammainc

    smooth = smoothed(curve.g)
    peaks, _ = find_peaks(smooth, height=1 + PEAK_STANDS_OUT_BY, prominence=PEAK_STANDS_OUT_BY * np.maximum(smooth, 1))
    for peak in peaks:
        near = np.abs(curve.r_a - curve.r_a[peak]) <= PEAK_WITHIN_A + 1e-9
        by_chance = float(gammainc((curve.g * ideal)[near].sum(), ideal[near].sum()))
        if by_chance < CHANCE:
            break
    else:
        return None
    end = _end_of_shell(smooth, np.zeros_like(smooth), int(peak))
    pairs, width = curve.g * ideal, round(END_WITHIN_A / BIN_A)
    if end is not None and pairs[end - width : end + width].sum() > AT_ITS_END * pairs[:end].sum():
        end = None
    around = np.abs(curve.r_a - curve.r_a[peak]) <= HEIGHT_OVER_A / 2 + 1e-9
    return Shell(_vertex(curve.r_a, smooth, int(peak)), float(curve.g[around].mean()), end)


def seen_within(curve: Distribution, ideal: np.ndarray, contact_a: float) -> bool:
    """Whether there is a peak within this distance, be it by chance; `ideal` as for `sparse_shell`."""
    smooth = np.where(curve.r_a < contact_a, smoothed(curve.g), 0.0)
    near = np.abs(curve.r_a - curve.r_a[smooth.argmax()]) <= PEAK_WITHIN_A + 1e-9
    return bool(smooth.max() > SEEN_ABOVE and (curve.g * ideal)[near].sum() > SEEN_PAIRS)


def _end_of_shell(smooth: np.ndarray, noise: np.ndarray, peak: int) -> int | None:
    lowest = peak
    for i in range(peak, len(smooth)):
        if smooth[i] < smooth[lowest]:
            lowest = i
        rise = max(CLEAR_OF_NOISE * np.hypot(noise[i], noise[lowest]), PEAK_STANDS_OUT_BY)
        if smooth[i] - smooth[lowest] <= rise:
            continue
        if smooth[lowest] < 1:
            break
        lowest = i
    else:
        return None
    clear = 1 - smooth[lowest] > CLEAR_OF_NOISE * noise[lowest]
    return _middle_of_floor(smooth, lowest) if clear and smooth[lowest] <= SHELL_ENDS_BELOW else None


def _middle_of_floor(smooth: np.ndarray, lowest: int) -> int:
    """Middle of the stretch that is as low as the minimum: an empty gap between two shells is halved."""
    end = lowest
    while end + 1 < len(smooth) and smooth[end + 1] <= smooth[lowest] + 1e-3:
        end += 1
    return (lowest + end + 1) // 2


def _vertex(r_a: np.ndarray, smooth: np.ndarray, peak: int) -> float:
    """Top of the parabola through a maximum and its two neighbours."""
    left, top, right = smooth[peak - 1 : peak + 2]
    return float(r_a[peak] + BIN_A * 0.5 * (left - right) / (left - 2 * top + right))
