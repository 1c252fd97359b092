"""How long a molecule stays in a shell: dwell times with two radii, although many outlast the run.

A molecule enters where it comes nearer than the end of the first shell, and has left only where it is 1 Å beyond:
crossing back and forth is no exchange (stable states: Laage and Hynes, J. Phys. Chem. B 2008, 112, 7697).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from electroscreen.analysis import verdicts
from electroscreen.analysis.contacts import Contacts
from electroscreen.analysis.intervals import COVERAGE, t_half_width

LEAVES_BEYOND_A = 1.0
CENTERS_AT_LEAST = 5
LONGEST_PART = 3  # a mean dwell time beyond this part of the run is bounded, not given

EMPTY_ROW: dict[str, Any] = {
    "residence_ps": None,
    "low": None,
    "high": None,
    "median_ps": None,
    "exits": None,
    "censored_fraction": None,
    "enter_angstrom": None,
    "leave_angstrom": None,
}


@dataclass(frozen=True)
class Spells:
    """Stays of molecules in shells, each with shape (spells,).

    Attributes
    ----------
    center
        Number of the centre.
    first, last
        First and last frame of the stay.
    frames
        Number of frames of the run.
    molecule
        Whose stay it is.
    """

    center: np.ndarray
    first: np.ndarray
    last: np.ndarray
    frames: int
    molecule: np.ndarray

    @property
    def left(self) -> np.ndarray:
        """Whether the end was seen."""
        return self.last < self.frames - 1

    @property
    def entered(self) -> np.ndarray:
        """Whether the beginning was seen."""
        return self.first > 0


def spells_of(contacts: Contacts, molecule: np.ndarray, enter_a: float, leave_a: float) -> Spells:
    """Return the stays of molecules around centres.

    Parameters
    ----------
    molecule
        Number of the molecule of each partner; a molecule is as near as its nearest atom.
    enter_a, leave_a
        Nearer than the first it enters, farther than the second it has left.
    """
    within = contacts.distance_a <= leave_a
    frame, center = contacts.frame[within].astype(np.int64), contacts.center[within].astype(np.int64)
    pair = center * (int(molecule.max(initial=0)) + 1) + molecule[contacts.partner[within]]
    near = contacts.distance_a[within] < enter_a
    order = np.lexsort((frame, pair))
    frame, pair, near, center = frame[order], pair[order], near[order], center[order]
    whose = pair % (int(molecule.max(initial=0)) + 1)
    # A visit within the outer radius: one pair, frame after frame; atoms of one molecule share a frame.
    new = np.ones(len(frame), dtype=bool)
    new[1:] = (pair[1:] != pair[:-1]) | (frame[1:] > frame[:-1] + 1)
    visit = np.cumsum(new) - 1
    ends = np.append(np.flatnonzero(new)[1:], len(frame)) - 1
    bound, first_near = np.unique(visit[near], return_index=True)
    first = np.flatnonzero(near)[first_near]
    return Spells(center[first], frame[first], frame[ends[bound]], contacts.frames, whose[first])


def residence(
    replicas: Sequence[Spells], centers: int, frame_ps: float, enter_a: float, leave_a: float
) -> tuple[dict[str, Any], np.ndarray]:
    """Return a row of residence times with `flaws` in place of the verdict, and the survival curve.

    Parameters
    ----------
    replicas
        Stays in each replica, with the same time `frame_ps` between frames.
    centers
        Number of centres in one box.

    Returns
    -------
    row, survival
        `survival` has shape (2, steps): time in ps, and the share of stays that last longer (Kaplan-Meier).

    Notes
    -----
    The mean is the time spent in shells over the number of exits: right for every distribution of dwell times, since
    in the long run each stay has one exit, and the estimate of maximum likelihood where stays end at a constant rate.
    Its interval is the wider of that of a Poisson process, which takes exits as independent of each other, and the
    jackknife over centres, which does not. Stays that begin or end outside of the run are so counted for what was seen
    of them. The median is that of Kaplan and Meier (J. Am. Stat. Assoc. 1958, 53, 457) over the stays whose beginning
    was seen.
    """
    # The last frame of a run has no next one, in which an exit could be seen.
    at_risk = [np.minimum(one.last, one.frames - 2) - one.first + 1 for one in replicas]
    exits = int(sum(one.left.sum() for one in replicas))
    stayed_ps = float(sum(risk.sum() for risk in at_risk)) * frame_ps
    longest_ps = max((one.frames - 1) * frame_ps for one in replicas)
    count = sum(len(one.first) for one in replicas)
    row = EMPTY_ROW | {"exits": exits, "enter_angstrom": enter_a, "leave_angstrom": leave_a, "flaws": []}
    survival = _survival(replicas, frame_ps)
    if count == 0:
        return row | {"flaws": [verdicts.NEVER_ENTERED]}, survival
    row |= {"censored_fraction": 1 - exits / count, "median_ps": _median(survival)}
    tail = (1 - COVERAGE) / 2
    low = 2 * stayed_ps / float(stats.chi2.ppf(1 - tail, 2 * exits + 2))
    if exits == 0:
        return row | {"low": low, "flaws": [verdicts.longer_than(low)]}, survival
    value, high = stayed_ps / exits, 2 * stayed_ps / float(stats.chi2.ppf(tail, 2 * exits))
    scatter = _between_centers(replicas, at_risk, centers)
    low, high = min(low, value / scatter), max(high, value * scatter)
    if value > longest_ps / LONGEST_PART:
        return row | {"low": low, "flaws": [verdicts.longer_than(low)]}, survival
    return row | {"residence_ps": value, "low": low, "high": high}, survival


def _between_centers(replicas: Sequence[Spells], at_risk: Sequence[np.ndarray], centers: int) -> float:
    ended = np.concatenate([np.bincount(one.center[one.left], minlength=centers) for one in replicas])
    stayed = np.concatenate(
        [np.bincount(one.center, weights=risk, minlength=centers) for one, risk in zip(replicas, at_risk, strict=True)]
    )
    return scatter_factor(ended, stayed)


def scatter_factor(events: np.ndarray, time: np.ndarray) -> float:
    """Return the factor by which a mean time between events may be off for the scatter between centres.

    The jackknife of its logarithm, given the events of each centre and the time that it was watched; 1 where too few
    centres were watched, or one had all of the events.
    """
    ended, stayed = events[time > 0], time[time > 0]
    if len(ended) < CENTERS_AT_LEAST or (ended == ended.sum()).any() or (stayed == stayed.sum()).any():
        return 1.0
    whole = np.log(stayed.sum() / ended.sum())
    without = np.log((stayed.sum() - stayed) / (ended.sum() - ended))
    pseudo = len(ended) * whole - (len(ended) - 1) * without
    return float(np.exp(t_half_width(pseudo)))


def _survival(replicas: Sequence[Spells], frame_ps: float) -> np.ndarray:
    """Kaplan-Meier over stays whose beginning was seen; those that outlast the run are censored."""
    length = np.concatenate([(one.last - one.first + 1)[one.entered] for one in replicas])
    left = np.concatenate([one.left[one.entered] for one in replicas])
    times = np.unique(length[left])
    at_risk = np.array([(length >= time).sum() for time in times])
    ended = np.array([(left & (length == time)).sum() for time in times])
    steps = np.cumprod(1 - ended / np.maximum(at_risk, 1)) if len(times) else np.zeros(0)
    return np.array([np.append(0, times) * frame_ps, np.append(1, steps)])


def _median(survival: np.ndarray) -> float | None:
    below = np.flatnonzero(survival[1] <= 0.5)
    return float(survival[0, below[0]]) if len(below) else None
