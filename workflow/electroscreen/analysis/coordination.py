"""First coordination shells: where they end, how many partners they hold, and whether partners come and go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from electroscreen.analysis import verdicts
from electroscreen.analysis.first_shell import Shell, first_shell, seen_within, smoothed, sparse_shell
from electroscreen.analysis.intervals import mean_half_width, standard_error, zero_count_bound
from electroscreen.analysis.rdf import BIN_A, PairCounts, distribution, per_center, shell_volumes_a3

GONE_BEYOND_CUTOFF_A = 1.0
SENSITIVITY_A = 0.1


EMPTY_ROW: dict[str, Any] = {
    "first_peak_angstrom": None,
    "peak_height": None,
    "cutoff_angstrom": None,
    "coordination_number": None,
    "low": None,
    "high": None,
    "coordination_number_at": {},
    "number_0_1_less": None,
    "number_0_1_more": None,
    "radius_angstrom": None,
    "number_at_radius": None,
    "at_radius_low": None,
    "at_radius_high": None,
    "centers": None,
}


def coordination(
    replicas: Sequence[PairCounts], contact_a: float | None, radius_a: float | None = None
) -> dict[str, Any]:
    """Return the coordination number of a pair of sites with its 95 % interval, and the flaws of it.

    Parameters
    ----------
    replicas
        Pair counts of each replica.
    contact_a
        Distance within which the two sites touch, see `contact_distance_a`; None where it is not known.
    radius_a
        A radius within which partners are counted as well, whatever g(r) looks like.

    Returns
    -------
    dict
        A row of analysis.json without the names of the sites; the list `flaws` in place of the verdict.

    Notes
    -----
    The coordination number is the mean number of partners within the cut-off of a centre, counted directly. Its
    interval holds for that cut-off, see `intervals.mean_half_width`; the numbers at ± 0.1 Å tell what the cut-off does.

    Where few centres differ much from each other, a peak that nobody doubts does not stand clear of their scatter: then
    `sparse_shell` judges it, and the flaws say so.

    A partner was exchanged if it once stood as near as the first peak and once more than 1 Å beyond the
    cut-off: recrossings of the cut-off do not count. Without exchange the number is that of the starting structure,
    however small its scatter.
    """
    curve = distribution(replicas)
    bins = len(curve.r_a)
    shell, sparse = first_shell(curve, _noise(replicas, bins)), None
    if shell is None or shell.cutoff_bin is None:
        sparse = sparse_shell(curve, _ideal(replicas, bins))
        shell = sparse or shell
    row = EMPTY_ROW | {"centers": replicas[0].centers}
    if shell is not None:
        row |= {"first_peak_angstrom": shell.first_peak_a, "peak_height": shell.height}
    tables = [per_center(replica) for replica in replicas]
    if radius_a is not None:
        row |= _at_radius(replicas, tables, radius_a)
    if contact_a is not None and not any(table[:, :, : round(contact_a / BIN_A)].any() for table in tables):
        bound = zero_count_bound(sum(table.shape[1] for table in tables))
        return row | {"coordination_number": 0.0, "low": 0.0, "high": bound, "flaws": [verdicts.NO_CONTACT]}
    if shell is None or shell.cutoff_bin is None:
        if shell is not None and shell.first_peak_a <= (contact_a or np.inf):
            return row | {"flaws": [verdicts.NO_CLEAR_END]}
        if contact_a is not None and seen_within(curve, _ideal(replicas, bins), contact_a):
            # Whatever peak is clear lies behind the one that is seen.
            return row | dict.fromkeys(("first_peak_angstrom", "peak_height")) | {"flaws": [verdicts.TOO_FEW_CONTACTS]}
        return row | {"flaws": [verdicts.SHELL_NOT_DEFINED]}
    row |= _number(replicas, tables, shell.cutoff_bin)
    flaws = [verdicts.SHELL_BEYOND_CONTACT] if contact_a is not None and shell.first_peak_a > contact_a else []
    flaws += [verdicts.SPARSE_SHELL] if sparse else []
    return row | {"flaws": flaws + _flaws_of_sampling(replicas, shell)}


def exchanges(counts: PairCounts, bound_within_a: float, gone_beyond_a: float) -> tuple[int, int]:
    """Return how many pairs were both bound and gone in the run, and how many centres were watched for it."""
    contacts = counts.contacts
    pair = contacts.center.astype(np.int64) * (int(contacts.partner.max(initial=0)) + 1) + contacts.partner
    bound = np.unique(pair[contacts.distance_a <= bound_within_a])
    stayed, frames = np.unique(pair[contacts.distance_a <= gone_beyond_a], return_counts=True)
    # Each pair that is near is so once in a frame, so that those in all frames were never gone.
    always = stayed[frames == contacts.frames]
    return len(np.setdiff1d(bound, always)), counts.centers


def contact_distance_a(first: str, second: str) -> float | None:
    """Return the sum of two elements' van der Waals radii in Å, None where one is unknown.

    Radii: Bondi (1964) and Mantina et al. (2009), as tabulated by MDAnalysis.
    """
    from MDAnalysis.guesser.tables import vdwradii

    radii = [vdwradii.get(symbol.upper()) for symbol in (first, second)]
    return None if None in radii else float(sum(radii))


def _ideal(replicas: Sequence[PairCounts], bins: int) -> np.ndarray:
    """Pairs of an ideal gas in each bin at one moment, in all replicas together."""
    volumes = [replica.counts_times_volume.sum() / max(replica.counts.sum(), 1) for replica in replicas]
    density = sum(replica.pairs / volume for replica, volume in zip(replicas, volumes, strict=True) if volume)
    return density * shell_volumes_a3(bins)


def _noise(replicas: Sequence[PairCounts], bins: int) -> np.ndarray:
    """Standard error of the smoothed g(r), from blocks of time and from centres."""
    ideal = [replica.pairs * shell_volumes_a3(bins) / replica.centers for replica in replicas]
    volumes = [replica.counts_times_volume.sum() / max(replica.counts.sum(), 1) for replica in replicas]
    errors = [
        standard_error(smoothed(per_center(replica)[:, :, :bins] * volume / expected))
        for replica, volume, expected in zip(replicas, volumes, ideal, strict=True)
    ]
    return np.sqrt(np.sum(np.square(errors), axis=0)) / len(errors)


def _number(replicas: Sequence[PairCounts], tables: Sequence[np.ndarray], cutoff_bin: int) -> dict[str, Any]:
    number, low, high = _within(replicas, tables, cutoff_bin)
    shift = round(SENSITIVITY_A / BIN_A)
    less, more = (_within(replicas, tables, bins)[0] for bins in (cutoff_bin - shift, cutoff_bin + shift))
    return {
        "cutoff_angstrom": round(cutoff_bin * BIN_A, 6),
        "coordination_number": number,
        "low": low,
        "high": high,
        "number_0_1_less": less,
        "number_0_1_more": more,
        "coordination_number_at": {
            f"{(cutoff_bin - shift) * BIN_A:.2f}": less,
            f"{(cutoff_bin + shift) * BIN_A:.2f}": more,
        },
    }


def _at_radius(replicas: Sequence[PairCounts], tables: Sequence[np.ndarray], radius_a: float) -> dict[str, Any]:
    bins = round(radius_a / BIN_A)
    row = {"radius_angstrom": radius_a}
    if bins > min(table.shape[2] for table in tables):
        return row  # beyond half the box
    return row | dict(
        zip(("number_at_radius", "at_radius_low", "at_radius_high"), _within(replicas, tables, bins), strict=True)
    )


def _within(
    replicas: Sequence[PairCounts], tables: Sequence[np.ndarray], bins: int
) -> tuple[float, float | None, float | None]:
    """Mean number of partners in the first bins, with its 95 % interval."""
    frames = [replica.frames for replica in replicas]
    means = [replica.mean_counts[:bins].sum() / replica.centers for replica in replicas]
    number = float(np.average(means, weights=frames))
    half = mean_half_width([table[:, :, :bins].sum(axis=2) for table in tables])
    return (number, None, None) if half is None else (number, max(number - half, 0.0), number + half)


def _flaws_of_sampling(replicas: Sequence[PairCounts], shell: Shell) -> list[str]:
    gone_beyond_a = shell.cutoff_bin * BIN_A + GONE_BEYOND_CUTOFF_A
    seen = [exchanges(replica, shell.first_peak_a, gone_beyond_a) for replica in replicas]
    exchanged, watched = (sum(numbers) for numbers in zip(*seen, strict=True))
    flaws = []
    if exchanged == 0:
        flaws.append(verdicts.NO_EXCHANGE)
    elif exchanged < watched:
        flaws.append(verdicts.FEW_EXCHANGES)
    if sum(len(replica.centers_of_unit) for replica in replicas) < 3:
        flaws.append(verdicts.FEW_SAMPLES)
    return flaws
