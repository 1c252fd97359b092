"""Residence times, against stays whose mean length is known."""

from __future__ import annotations

import numpy as np
import pytest

from electroscreen.analysis import verdicts
from electroscreen.analysis.contacts import Contacts, kept_every
from electroscreen.analysis.residence import residence, spells_of

ENTER_A, LEAVE_A = 3.4, 4.4
IN_A, BETWEEN_A, FAR_A = 2.4, 4.0, 6.2


def contacts_of(distances: np.ndarray, within_a: float = 6.5) -> Contacts:
    """Contacts of distances of shape (frames, centers, partners)."""
    every = kept_every(int((distances[0] < within_a).sum()), len(distances))
    kept = distances[::every]
    near = np.nonzero(kept < within_a)
    return Contacts(*near, kept[near], frames=len(kept), every=every, within_a=within_a)


def spells(series: list[float]) -> list[tuple[int, int]]:
    distances = np.array(series)[:, None, None]
    found = spells_of(contacts_of(distances), np.array([0]), ENTER_A, LEAVE_A)
    return list(zip(found.first.tolist(), found.last.tolist(), strict=True))


def two_state(generator: np.random.Generator, frames: int, centers: int, partners: int, mean: float) -> np.ndarray:
    """Distances of partners that leave with the rate 1/mean a frame and come back as often, in equilibrium."""
    inside = generator.random((centers, partners)) < 0.5
    made = np.empty((frames, centers, partners), dtype=bool)
    for i in range(frames):
        made[i] = inside
        inside = inside ^ (generator.random(inside.shape) < 1 / mean)
    return np.where(made, IN_A, FAR_A + 2)


def measured(distances: np.ndarray, frame_ps: float = 1.0) -> dict:
    found = spells_of(contacts_of(distances), np.arange(distances.shape[2]), ENTER_A, LEAVE_A)
    return residence([found], distances.shape[1], frame_ps, ENTER_A, LEAVE_A)[0]


def test_a_stay_begins_at_the_inner_and_ends_at_the_outer_radius():
    assert spells([FAR_A, BETWEEN_A, IN_A, BETWEEN_A, IN_A, BETWEEN_A, FAR_A, FAR_A]) == [(2, 5)]
    assert spells([FAR_A, BETWEEN_A, BETWEEN_A, FAR_A]) == []
    assert spells([IN_A, 9.0, IN_A, FAR_A]) == [(0, 0), (2, 2)]
    assert spells([IN_A, IN_A]) == [(0, 1)]


def test_a_molecule_is_as_near_as_its_nearest_atom():
    # Two atoms of one molecule take turns: it never leaves.
    distances = np.array([[[IN_A, 9.0]], [[9.0, IN_A]], [[BETWEEN_A, IN_A]], [[9.0, 9.0]]])
    one = spells_of(contacts_of(distances), np.array([0, 0]), ENTER_A, LEAVE_A)
    two = spells_of(contacts_of(distances), np.array([0, 1]), ENTER_A, LEAVE_A)
    assert (one.first.tolist(), one.last.tolist()) == ([0], [2])
    assert sorted(zip(two.first.tolist(), two.last.tolist(), strict=True)) == [(0, 0), (1, 2)]


@pytest.mark.parametrize("frame_ps", [1.0, 2.5])
def test_dwell_times_of_two_states_are_found(frame_ps):
    row = measured(two_state(np.random.default_rng(1), 1500, 6, 10, 40.0), frame_ps)
    assert row["residence_ps"] == pytest.approx(40 * frame_ps, rel=0.07)
    assert row["low"] < 40 * frame_ps < row["high"]
    # Of geometric stays: the smallest n with (1 - 1/40)^n at most a half is 28.
    assert row["median_ps"] == pytest.approx(28 * frame_ps, rel=0.12)
    assert row["flaws"] == []


def test_censoring_does_not_shorten_stays():
    # The run is twice as long as the mean stay: of the stays that ended, the mean is far too short.
    generator = np.random.default_rng(2)
    rows, naive = [], []
    for _ in range(40):
        distances = two_state(generator, 500, 8, 6, 120.0)
        rows.append(measured(distances))
        found = spells_of(contacts_of(distances), np.arange(6), ENTER_A, LEAVE_A)
        ended = found.left & found.entered
        naive.append((found.last - found.first + 1)[ended].mean())
    assert np.mean(naive) < 0.85 * 120
    assert np.mean([row["residence_ps"] for row in rows]) == pytest.approx(120, rel=0.06)


def test_any_distribution_of_stays_has_its_mean():
    # Stays of exactly 30 frames and gaps of 50, begun at random phases.
    phase = np.random.default_rng(3).integers(0, 80, size=(8, 10))
    inside = (np.arange(700)[:, None, None] + phase) % 80 < 30
    row = measured(np.where(inside, IN_A, 9.0))
    assert row["residence_ps"] == pytest.approx(30, rel=0.03)
    assert row["median_ps"] == 30


def test_partners_that_never_leave_give_a_lower_bound():
    distances = np.full((200, 3, 4), IN_A)
    row = measured(distances, 0.5)
    # 12 stays watched over 199 steps of 0.5 ps without an exit: exp(-time/τ) = 0.025.
    assert row["low"] == pytest.approx(12 * 199 * 0.5 / 3.689, rel=1e-3)
    assert row["flaws"] == [verdicts.longer_than(row["low"])]
    assert (row["residence_ps"], row["high"], row["exits"], row["censored_fraction"]) == (None, None, 0, 1.0)


def test_stays_that_outlast_a_third_of_the_run_are_bounded():
    distances = np.full((100, 6, 1), IN_A)
    distances[50:, 0] = 9.0
    row = measured(distances)
    assert row["exits"] == 1
    assert row["residence_ps"] is None
    assert row["low"] == pytest.approx((50 + 5 * 99) / 5.572, rel=1e-3)


def test_partners_that_never_come_are_said_to():
    row = measured(np.full((50, 2, 3), 5.0))
    assert row["flaws"] == [verdicts.NEVER_ENTERED]


@pytest.mark.parametrize("centers", [3, 10])
def test_intervals_hold_the_truth(centers):
    generator = np.random.default_rng(4)
    runs, held = 120, 0
    for _ in range(runs):
        row = measured(two_state(generator, 200, centers, 4, 20.0))
        held += row["low"] <= 20 <= row["high"]
    assert 0.9 <= held / runs <= 1


def test_centers_that_differ_widen_the_interval():
    generator = np.random.default_rng(5)
    rates = [10.0] * 4 + [120.0] * 4
    parts = [two_state(generator, 600, 1, 8, rate) for rate in rates]
    mixed = measured(np.concatenate(parts, axis=1))
    alike = measured(two_state(generator, 600, 8, 8, mixed["residence_ps"]))
    assert mixed["high"] / mixed["low"] > 1.5 * alike["high"] / alike["low"]


def test_memory_is_bounded_by_leaving_out_frames(monkeypatch):
    monkeypatch.setattr("electroscreen.analysis.contacts._KEPT_AT_MOST", 250)
    found = contacts_of(np.full((100, 2, 5), IN_A))
    assert (found.every, found.frames, len(found.frame)) == (4, 25, 250)
    assert found.frame.max() == 24
