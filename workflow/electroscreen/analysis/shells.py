"""First shells, atom by atom: which molecules stand around a centre in each frame, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm
from typing import Any

import numpy as np

from electroscreen.analysis.contacts import Contacts
from electroscreen.analysis.intervals import mean_half_width, zero_count_bound

BLOCKS = 10
COMMONEST = 5


@dataclass(frozen=True)
class Near:
    """Near pairs of a centre and one kind of partner in one replica.

    Attributes
    ----------
    contacts
        Pairs in numbers among the centres and the partners.
    centers, partners
        Atoms behind these numbers.
    radius_a
        Where the first shell ends.
    """

    contacts: Contacts
    centers: np.ndarray
    partners: np.ndarray
    radius_a: float


@dataclass(frozen=True)
class Bound:
    """Atoms in the first shells of some centres in one replica.

    Attributes
    ----------
    frame, center, atom
        Each bound atom once: frame, number of the centre, and the atom in the box.
    frames, centers
        How many there are.
    every
        Of how many frames of the trajectory one was looked at.
    """

    frame: np.ndarray
    center: np.ndarray
    atom: np.ndarray
    frames: int
    centers: int
    every: int

    @property
    def row(self) -> np.ndarray:
        """Number of the pair of frame and centre."""
        return self.frame * self.centers + self.center


@dataclass(frozen=True)
class Crowd:
    """Who is who: species of each molecule and molecule of each atom, as numbers into `species`."""

    species: Sequence[str]
    charges_e: np.ndarray
    species_of: np.ndarray
    molecule_of: np.ndarray


def bound_atoms(near: Sequence[Near], slack_a: float = 0.0) -> Bound:
    """Return the atoms within the radii, and `slack_a` beyond, of the same centres; shared atoms count once."""
    every = lcm(*(one.contacts.every for one in near))
    frames = min(-(-one.contacts.frames * one.contacts.every // every) for one in near)
    parts = []
    for one in near:
        within = one.contacts.distance_a < one.radius_a + slack_a
        moment = one.contacts.frame[within].astype(np.int64) * one.contacts.every
        kept = (moment % every == 0) & (moment // every < frames)
        center, partner = (of[within][kept] for of in (one.contacts.center, one.contacts.partner))
        parts.append(np.column_stack([moment[kept] // every, center, one.partners[partner]]))
    frame, center, atom = np.unique(np.concatenate(parts), axis=0).T
    return Bound(frame, center, atom, frames, len(near[0].centers), every)


def shell_rows(replicas: Sequence[Bound], crowd: Crowd) -> list[dict[str, Any]]:
    """Return rows on the shells of one kind of centre, without the name of the centre.

    Returns
    -------
    list of dict
        `kind`, `structure`, `value`, `low`, `high`. 'atoms in shell' and 'molecules in shell' are means, which for
        the species add up to the row of 'all'; 'held by two atoms' is the share of bound molecules of a species that
        two or more of its atoms hold; 'shell' is the share of shells that hold just these molecules, and has an
        `example` besides: replica, number of the centre and frame among those looked at.
    """
    atoms = [_counts(bound, crowd, np.ones(len(bound.atom))) for bound in replicas]
    held = [_held(bound, crowd) for bound in replicas]
    molecules = [one.sum(axis=3) for one in held]
    rows = []
    for kind, tables in (("atoms in shell", atoms), ("molecules in shell", molecules)):
        seen = [i for i in range(len(crowd.species)) if any(table[:, :, i].any() for table in tables)]
        rows += [_mean_row(kind, crowd.species[i], [table[:, :, i] for table in tables]) for i in seen]
        rows.append(_mean_row(kind, "all", [table.sum(axis=2) for table in tables]))
    rows += [
        row
        for i, name in enumerate(crowd.species)
        if (row := _held_row(name, [one[:, :, i] for one in held])) is not None
    ]
    return rows + _commonest(molecules, crowd.species)


def in_blocks(values: np.ndarray) -> np.ndarray:
    """Return means over ten blocks of time of values of shape (frames, units)."""
    return np.array([part.mean(axis=0) for part in np.array_split(values, min(BLOCKS, len(values)))])


def _mean_row(kind: str, structure: str, tables: Sequence[np.ndarray], ceiling: float = np.inf) -> dict[str, Any]:
    """A mean over frames and units with its interval; `tables` have shape (frames, units)."""
    value = float(np.average([table.mean() for table in tables], weights=[len(table) for table in tables]))
    half = mean_half_width([in_blocks(table) for table in tables])
    if value in (0.0, ceiling):
        # What was never seen otherwise has no scatter; the bound is that of a count of zero in independent samples.
        half = zero_count_bound(sum(table.shape[1] for table in tables))
    ends = (None, None) if half is None else (max(value - half, 0.0), min(value + half, ceiling))
    return {"kind": kind, "structure": structure, "value": value, "low": ends[0], "high": ends[1]}


def share_row(kind: str, structure: str, tables: Sequence[np.ndarray]) -> dict[str, Any]:
    """Return a row with a share: the mean of what is true or false, shape (frames, units)."""
    return _mean_row(kind, structure, [table.astype(float) for table in tables], 1.0)


def _counts(bound: Bound, crowd: Crowd, weights: np.ndarray) -> np.ndarray:
    """Atoms of each species in each shell, shape (frames, centers, species)."""
    species = len(crowd.species)
    place = bound.row * species + crowd.species_of[crowd.molecule_of[bound.atom]]
    counted = np.bincount(place, weights=weights, minlength=bound.frames * bound.centers * species)
    return counted.reshape(bound.frames, bound.centers, species)


def _held(bound: Bound, crowd: Crowd) -> np.ndarray:
    """Molecules of each species in each shell, held by one atom and by more, shape (frames, centers, species, 2)."""
    pairs = np.column_stack([bound.row, crowd.molecule_of[bound.atom]])
    (row, molecule), atoms = (lambda found: (found[0].T, found[1]))(np.unique(pairs, axis=0, return_counts=True))
    species = len(crowd.species)
    place = (row * species + crowd.species_of[molecule]) * 2 + (atoms > 1)
    counted = np.bincount(place, minlength=bound.frames * bound.centers * species * 2)
    return counted.reshape(bound.frames, bound.centers, species, 2)


def _held_row(name: str, held: Sequence[np.ndarray]) -> dict[str, Any] | None:
    """Share of bound molecules that several atoms hold: a ratio of two means."""
    several, all_of_them = (sum(of.sum() for of in part) for part in ([one[..., 1] for one in held], held))
    if not several:
        return None
    share = several / all_of_them
    # Linearised: the mean of (several - share × all) over the mean of all.
    residues = [in_blocks(one[..., 1] - share * one.sum(axis=2)) for one in held]
    half = mean_half_width(residues)
    mean = all_of_them / sum(one.shape[0] * one.shape[1] for one in held)
    ends = (None, None) if half is None else (max(share - half / mean, 0.0), min(share + half / mean, 1.0))
    return {"kind": "held by two atoms", "structure": name, "value": float(share), "low": ends[0], "high": ends[1]}


def _commonest(molecules: Sequence[np.ndarray], species: Sequence[str]) -> list[dict[str, Any]]:
    every = np.concatenate([one.reshape(-1, len(species)) for one in molecules])
    kinds, counts = np.unique(every, axis=0, return_counts=True)
    rows = []
    for kind in kinds[np.argsort(-counts, kind="stable")[:COMMONEST]]:
        seen = [(one == kind).all(axis=2) for one in molecules]
        rows.append(share_row("shell", label_of(kind, species), seen) | {"example": _longest(seen)})
    return rows


def _longest(seen: Sequence[np.ndarray]) -> tuple[int, int, int]:
    """Replica, centre and frame in the middle of the longest time that something was there: (frames, centers) each."""
    stays = []
    for replica, table in enumerate(seen):
        changes = np.diff(np.pad(table.T.astype(np.int8), ((0, 0), (1, 1))), axis=1)
        (center, start), (_, stop) = np.nonzero(changes == 1), np.nonzero(changes == -1)
        stays += [
            (int(stop[i] - start[i]), replica, int(center[i]), int(start[i] + stop[i] - 1) // 2)
            for i in np.argsort(start - stop, kind="stable")[:1]
        ]
    return max(stays, key=lambda stay: stay[0])[1:]


def label_of(counts: np.ndarray, species: Sequence[str]) -> str:
    """Return what a chemist calls a group of molecules: '4 DOL + 1 TFSI'."""
    return " + ".join(f"{count} {name}" for count, name in zip(counts, species, strict=True) if count) or "empty"
