"""Chains grown at random into a periodic cube, each a conformer of its own, none through itself or another one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from electroscreen.boxes.conformers import STATES, Jointed, rotation

# Nearest that atoms of different chains, or far along the same one, come: hydrogens 1.6 Å, carbons 2.2 Å. Two bonds
# cannot cross then, nor one go through a ring of up to six.
CONTACT_ANGSTROM, CONTACT_SHARE = 1.6, 0.65

TURNS_TRIED, DEEPEST_STEP_BACK = 20, 12
# Pieces placed for each piece of a chain, before it starts from another place; starts, before chains in its way are
# taken out again; how many these are, and how often that helps.
PATIENCE, STARTS, TAKEN_OUT, TRIES = 12, 5, 2, 60


class NoRoomError(RuntimeError):
    """A chain found no way through the box."""


class Crowd:
    """Atoms in a periodic cube, found by where they are; those added last are removed first."""

    def __init__(self, edge_angstrom: float, reach_angstrom: float, most: int):
        self.edge, self.length = edge_angstrom, 0
        self.positions, self.sigma = np.empty((most, 3)), np.empty(most)
        self._cells = max(1, int(edge_angstrom / reach_angstrom))
        self._members: dict[tuple[int, ...], list[int]] = {}
        self._homes: list[tuple[int, ...]] = []
        steps = range(-1, 2) if self._cells > 2 else range(self._cells)
        self._ways = list(product(steps, repeat=3))
        self._known: dict[tuple[int, ...], list[tuple[int, ...]]] = {}

    def add(self, positions: np.ndarray, sigma: np.ndarray) -> None:
        """Put atoms in."""
        for home in self._homes_of(positions):
            self._members.setdefault(home, []).append(len(self._homes))
            self._homes.append(home)
        new = slice(self.length, len(self._homes))
        self.positions[new], self.sigma[new] = positions, sigma
        self.length = len(self._homes)

    def shrink(self, length: int) -> None:
        """Take out whatever was put in after the first `length` atoms."""
        while len(self._homes) > length:
            self._members[self._homes.pop()].pop()
        self.length = length

    def near(self, positions: np.ndarray) -> np.ndarray:
        """Return the numbers of all atoms within reach of any of these points; some beyond, and some twice."""
        found: list[int] = []
        for home in set(self._homes_of(positions)):
            for cell in self._around(home):
                found += self._members.get(cell, ())
        return np.array(found, dtype=int)

    def _around(self, home: tuple[int, ...]) -> list[tuple[int, ...]]:
        if home not in self._known:
            moved = [tuple((i + step) % self._cells for i, step in zip(home, way, strict=True)) for way in self._ways]
            self._known[home] = moved
        return self._known[home]

    def _homes_of(self, positions: np.ndarray) -> list[tuple[int, ...]]:
        return list(map(tuple, (np.floor(positions * (self._cells / self.edge)).astype(int) % self._cells).tolist()))


def grow(
    kinds: Sequence[tuple[Jointed, np.ndarray, int]], edge_angstrom: float, random: np.random.Generator
) -> list[np.ndarray]:
    """Return for each kind of chain its conformers in a periodic cube, shape (count, atoms, 3), molecules whole.

    Turns are drawn by the force field's torsions; a turn that brings atoms too near to others, periodic images
    included, is drawn anew, and where none is left the chain steps back (self-avoiding walk with backtracking).

    Parameters
    ----------
    kinds
        Of each: the molecule as jointed pieces, σ of its atoms (Å), and how many to grow.

    Raises
    ------
    NoRoomError
    """
    largest = max(sigma.max() for _, sigma, _ in kinds)
    most = sum(len(sigma) * count for _, sigma, count in kinds)
    crowd = Crowd(edge_angstrom, max(CONTACT_ANGSTROM, largest), most)
    # Long chains first, as long as there is room; but results stand in the order of the kinds.
    order = sorted((k for k, kind in enumerate(kinds) for _ in range(kind[2])), key=lambda k: -len(kinds[k][1]))
    grown: list[np.ndarray] = []
    failures = 0
    while len(grown) < len(order):
        chain, sigma, _ = kinds[order[len(grown)]]
        found = _grow_one(chain, sigma, crowd, random)
        if found is not None:
            grown.append(found)
            continue
        failures += 1
        if failures > TRIES:
            raise NoRoomError(f"only {len(grown)} of {len(order)} chains find room")
        del grown[-min(TAKEN_OUT, len(grown)) :]
        crowd.shrink(sum(map(len, grown)))
    return [np.array([x for x, k in zip(grown, order, strict=True) if k == one]) for one in range(len(kinds))]


def _grow_one(chain: Jointed, sigma: np.ndarray, crowd: Crowd, random: np.random.Generator) -> np.ndarray | None:
    before = crowd.length
    for _ in range(STARTS):
        found = _Walk(chain, sigma, crowd, random).to_its_end()
        if found is not None:
            return found
        crowd.shrink(before)
    return None


class _Walk:
    """One chain on its way."""

    def __init__(self, chain: Jointed, sigma: np.ndarray, crowd: Crowd, random: np.random.Generator):
        self.chain, self.sigma, self.crowd, self.random = chain, sigma, crowd, random
        self.first = crowd.length
        self.order = np.concatenate(chain.pieces)
        self.ends = np.cumsum([len(piece) for piece in chain.pieces])
        # Of each placed piece how its atoms in the molecule as given are turned and moved.
        self.frames: list[tuple[np.ndarray, np.ndarray]] = []

    def to_its_end(self) -> np.ndarray | None:
        """Return positions, (atoms, 3), or None if patience ran out."""
        left = PATIENCE * len(self.chain.pieces)
        furthest = dead_ends = 0
        while len(self.frames) < len(self.chain.pieces):
            left -= 1
            if left < 0:
                return None
            if self._place():
                if len(self.frames) > furthest:
                    furthest, dead_ends = len(self.frames), 0
                continue
            # The longer it has been stuck, the further back.
            dead_ends += 1
            keep = max(0, len(self.frames) - int(self.random.integers(1, 2 + min(dead_ends, DEEPEST_STEP_BACK))))
            del self.frames[keep:]
            self.crowd.shrink(self.first + (int(self.ends[keep - 1]) if keep else 0))
        positions = np.empty((len(self.order), 3))
        positions[self.order] = self.crowd.positions[self.first : self.crowd.length]
        return positions

    def _place(self) -> bool:
        """Place the next piece; whether there was room for it."""
        k = len(self.frames)
        members = self.chain.pieces[k]
        x = self.chain.positions_angstrom
        for _ in range(TURNS_TRIED):
            turned, moved = self._first_frame() if k == 0 else self._next_frame(k)
            positions = x[members] @ turned.T + moved
            if self._has_room(members, positions):
                self.frames.append((turned, moved))
                self.crowd.add(positions, self.sigma[members])
                return True
        return False

    def _first_frame(self) -> tuple[np.ndarray, np.ndarray]:
        quaternion = self.random.normal(size=4)
        w, *v = quaternion / np.linalg.norm(quaternion)
        angle, length = 2 * np.arctan2(np.linalg.norm(v), w), np.linalg.norm(v)
        turned = rotation(np.array(v) / length, angle)
        return turned, self.random.uniform(0, self.crowd.edge, 3) - turned @ self.chain.positions_angstrom[
            self.order[0]
        ]

    def _next_frame(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        joint = self.chain.joints[k - 1]
        turned, moved = self.frames[joint.before]
        # Anywhere within the five degrees that a state stands for.
        state = joint.cumulative.searchsorted(self.random.random()) + self.random.uniform(-0.5, 0.5)
        about = rotation(joint.axis, 2 * np.pi * state / STATES)
        return turned @ about, turned @ (joint.origin - about @ joint.origin) + moved

    def _has_room(self, members: np.ndarray, positions: np.ndarray) -> bool:
        others = self.crowd.near(positions)
        if not len(others):
            return True
        away = self.crowd.positions[others] - positions[:, None]
        away -= self.crowd.edge * np.round(away / self.crowd.edge)
        limits = contact_angstrom(self.sigma[members][:, None], self.crowd.sigma[others])
        own = others >= self.first
        near = self.chain.limits_angstrom[np.ix_(members, self.order[others[own] - self.first])]
        limits[:, own] = np.where(np.isfinite(near), near, limits[:, own])
        return bool((np.einsum("ijk,ijk->ij", away, away) >= limits**2).all())


def contact_angstrom(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return how near atoms of these σ (Å) may come if they are strangers."""
    return np.maximum(CONTACT_ANGSTROM, CONTACT_SHARE * (one + other) / 2)
