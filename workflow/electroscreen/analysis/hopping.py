"""How ions move in polymers: along a chain, from chain to chain, or with the chain that holds them.

The three mechanisms are those of Borodin and Smith (Macromolecules 2006, 39, 1620) and of Maitra and Heuer (Phys. Rev.
Lett. 2007, 98, 227802). An atom of a chain holds an ion from where it comes nearer than the end of the first shell to
where it is 1 Å beyond, so that crossing back and forth is no move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from electroscreen.analysis import verdicts
from electroscreen.analysis.intervals import COVERAGE
from electroscreen.analysis.residence import Spells, scatter_factor

ALONG, BETWEEN, WITH = KINDS = ("along a chain", "between chains", "with the chain")
MOVED_A = 3.0  # a first-shell radius, as for diffusion
STILL_HELD = 0.5  # share of the atoms that held the ion
MOVES_A_FRAME_AT_MOST = 0.1
_PS_PER_NS = 1000.0

EMPTY_ROW: dict[str, Any] = {
    "center": None,
    "kind": None,
    "rate_per_ns": None,
    "low": None,
    "high": None,
    "events": None,
    "ions": None,
    "ions_without": None,
    "note": "",
}


@dataclass(frozen=True)
class Moves:
    """What the ions of one replica did.

    Attributes
    ----------
    events
        How often each ion moved in each of the `KINDS`, shape (ions, 3).
    held
        In how many frames, after each of which there is another, a chain held each ion, shape (ions,).
    frames
        How many such frames there are.
    """

    events: np.ndarray
    held: np.ndarray
    frames: int


def moves(stays: Spells, chain_of: np.ndarray, paths_a: np.ndarray) -> Moves:
    """Return how the ions of one replica moved.

    Parameters
    ----------
    stays
        Stays of atoms of chains, numbered one by one, around the ions; see `residence.spells_of`.
    chain_of
        Number of the chain of each of these atoms.
    paths_a
        Where the ions are, unwrapped, shape (ions, frames, 3), in the frames of `stays`.

    Notes
    -----
    Those atoms that hold an ion are noted. Once the last of them is gone and others hold the ion, it has moved: along
    a chain if one of the chains is the same, between chains if none is; then the new ones are noted. As long as half
    of those noted hold it, it moves with the chain each time it comes 3 Å from where it last was.
    """
    ions, frames = paths_a.shape[:2]
    events, held = np.zeros((ions, len(KINDS)), dtype=int), np.zeros(ions, dtype=int)
    for ion in range(ions):
        own = stays.center == ion
        atoms, number = np.unique(stays.molecule[own], return_inverse=True)
        holds = np.zeros((frames, len(atoms)), dtype=bool)
        for atom, first, last in zip(number, stays.first[own], stays.last[own], strict=True):
            holds[first : last + 1, atom] = True
        held[ion] = holds[:-1].any(axis=1).sum()
        for kind in _moves_of_one(holds, chain_of[atoms], paths_a[ion]):
            events[ion, KINDS.index(kind)] += 1
    return Moves(events, held, frames - 1)


def hopping(replicas: Sequence[Moves], frame_ps: float) -> list[dict[str, Any]]:
    """Return one row for each kind of move, with `flaws` in place of the verdict and without the name of the ion.

    Rates are events over the time in which a chain held an ion, summed over ions, which counts ions that did not move
    for as long as they were seen. The 95 % interval is the wider of that of a Poisson process (Garwood, Biometrika
    1936, 28, 437) and the jackknife over ions. `ions_without` is the share of ions whose waiting time is so censored.
    """
    events = np.concatenate([one.events for one in replicas])
    held = np.concatenate([one.held for one in replicas])
    watched = sum(one.frames * len(one.held) for one in replicas)
    total_ns = held.sum() * frame_ps / _PS_PER_NS
    note = f"{total_ns:.3g} ns of ions on chains, {100 * (1 - held.sum() / max(watched, 1)):.2g} % of the time on none"
    crowded = events.sum() > MOVES_A_FRAME_AT_MOST * held.sum()
    rows = []
    for kind, seen in zip(KINDS, events.T, strict=True):
        row = EMPTY_ROW | {"kind": kind, "note": note, "ions": len(held), "events": int(seen.sum()), "flaws": []}
        row["ions_without"] = float((seen == 0).mean())
        if total_ns == 0:
            rows.append(row | {"flaws": [verdicts.NEVER_ENTERED]})
            continue
        low, high = _poisson(row["events"], total_ns)
        row |= {"high": high}
        if not row["events"]:
            rows.append(row | {"flaws": [verdicts.NONE_SEEN]})
            continue
        rate, factor = row["events"] / total_ns, scatter_factor(seen, held)
        row |= {"rate_per_ns": rate, "low": min(low, rate / factor), "high": max(high, rate * factor)}
        rows.append(row | {"flaws": [verdicts.FRAMES_TOO_FAR_APART] if crowded else []})
    return rows


def _poisson(events: int, time: float) -> tuple[float, float]:
    tail = (1 - COVERAGE) / 2
    low = float(stats.chi2.ppf(tail, 2 * events)) / 2 if events else 0.0
    return low / time, float(stats.chi2.ppf(1 - tail, 2 * events + 2)) / 2 / time


def _moves_of_one(holds: np.ndarray, chain_of: np.ndarray, path_a: np.ndarray) -> list[str]:
    """Moves of one ion, given which atoms hold it, shape (frames, atoms), and where it is, shape (frames, 3)."""
    occupied = np.flatnonzero(holds.any(axis=1))
    if not len(occupied):
        return []
    found = []
    noted, place = holds[occupied[0]], path_a[occupied[0]]
    for frame in occupied[1:]:
        now = holds[frame]
        still = (now & noted).sum()
        if not still:
            same = np.isin(chain_of[now], chain_of[noted]).any()
            found.append(ALONG if same else BETWEEN)
            noted, place = now, path_a[frame]
        elif still >= STILL_HELD * noted.sum() and np.linalg.norm(path_a[frame] - place) > MOVED_A:
            found.append(WITH)
            place = path_a[frame]
    return found
