"""Pair counts and g(r), against crystals, ideal gases and plain counting."""

from __future__ import annotations

import numpy as np
import pytest
from analysis_helpers import count, fcc

from electroscreen.analysis.contacts import NEAR_A, far_every
from electroscreen.analysis.coordination import coordination
from electroscreen.analysis.counting import Counted, Tally, pair_counts
from electroscreen.analysis.rdf import BIN_A, distribution, shell_volumes_a3
from electroscreen.analysis.surroundings import Surroundings

EDGES = np.array([15.0, 15.0, 15.0])


@pytest.fixture
def gas() -> list[np.ndarray]:
    """120 points anywhere in the box, drawn anew in each of 40 frames."""
    return list(np.random.default_rng(1).uniform(0, EDGES, size=(40, 120, 3)))


def test_shells_of_an_fcc_crystal_hold_12_6_and_24_atoms():
    a, atoms = 5.33, fcc(5.33, 4)
    curve = distribution([count([atoms], 3 * [4 * a], range(len(atoms)), range(len(atoms)))])
    between = a * np.array([0.85, 1.1, 1.3])
    assert np.interp(between, curve.r_a, curve.n) == pytest.approx([12, 18, 42], abs=1e-9)
    occupied = curve.r_a[curve.g > 0][:3]
    assert occupied == pytest.approx(a * np.sqrt([1 / 2, 1, 3 / 2]), abs=BIN_A / 2 + 1e-6)


def test_an_ideal_gas_has_no_structure(gas):
    counts = count(gas, EDGES, range(40), range(40, 120))
    curve = distribution([counts])
    expected = 40 * 40 * 80 * shell_volumes_a3(len(curve.r_a)) / EDGES.prod()
    filled = expected > 10
    chi_square = ((curve.g - 1) ** 2 * expected)[filled]
    assert chi_square.mean() == pytest.approx(1, abs=5 * np.sqrt(2 / filled.sum()))
    for r in (3.0, 5.0, 7.0):
        ideal = 80 / EDGES.prod() * 4 / 3 * np.pi * r**3
        assert np.interp(r, curve.r_a, curve.n) == pytest.approx(ideal, abs=4 * np.sqrt(ideal / 1600))


def test_atoms_of_one_kind_are_normalised_by_n_times_n_minus_1():
    few = list(np.random.default_rng(2).uniform(0, EDGES, size=(1500, 10, 3)))
    counts = count(few, EDGES, range(10), range(10))
    assert counts.pairs == 90
    inside = shell_volumes_a3(counts.counts.shape[2]).sum() / EDGES.prod()
    g_overall = counts.counts.sum() / (1500 * counts.pairs * inside)
    assert g_overall == pytest.approx(1, abs=4 / np.sqrt(1500 * 45 * inside))  # N² would give 0.9
    assert distribution([counts]).g[250:].mean() == pytest.approx(1, abs=0.03)


def test_g_uses_the_volume_of_each_frame():
    generator = np.random.default_rng(3)
    boxes = np.array([[12.0] * 3, [20.0] * 3] * 300)
    breathing = [generator.uniform(0, box, size=(30, 3)) for box in boxes]
    curve = distribution([count(breathing, boxes, range(15), range(15, 30))])
    assert curve.r_a[-1] < 6
    assert curve.g[100:].mean() == pytest.approx(1, abs=0.02)  # the mean volume would give 1.7


def test_pairs_within_a_molecule_are_left_out():
    generator = np.random.default_rng(4)
    firsts = generator.uniform(0, EDGES, size=(60, 50, 3))
    bonds = generator.normal(size=(60, 50, 3))
    seconds = firsts + 1.1 * bonds / np.linalg.norm(bonds, axis=2, keepdims=True)
    frames = list(np.concatenate([firsts, seconds], axis=1))
    bonded = count(frames, EDGES, range(50), range(50, 100), molecule=np.tile(np.arange(50), 2))
    assert bonded.pairs == 50 * 49
    curve = distribution([bonded])
    assert curve.g[(curve.r_a > 2) & (curve.r_a < 7)].mean() == pytest.approx(1, abs=0.02)
    assert np.interp(1.5, curve.r_a, curve.n) < 0.3
    free = distribution([count(frames, EDGES, range(50), range(50, 100))])
    assert np.interp(1.5, free.r_a, free.n) == pytest.approx(1 + np.interp(1.5, curve.r_a, curve.n), abs=1e-9)


def test_the_integral_of_g_is_the_direct_count():
    a, cold = 5.3, fcc(5.3, 3)
    warm = [cold + np.random.default_rng(i).normal(scale=0.3, size=cold.shape) for i in range(5)]
    curve = distribution([count(warm, 3 * [3 * a], range(30), range(30, 108))])
    density = 78 / (3 * a) ** 3
    edges = np.arange(1, len(curve.r_a) + 1) * BIN_A
    integral = np.cumsum(4 * np.pi * density * curve.g * (edges**3 - (edges - BIN_A) ** 3) / 3)
    apart = np.array(warm)[:, :30, None] - np.array(warm)[:, None, 30:]
    distances = np.linalg.norm(apart - 3 * a * np.round(apart / (3 * a)), axis=-1)
    counted = np.array([(distances < r).sum() / 5 / 30 for r in edges])
    # Single precision may move a pair across the edge of a bin: 1 in 150 is 0.007.
    assert integral == pytest.approx(counted, abs=0.02)
    assert curve.n[1:] == pytest.approx((counted[1:] + counted[:-1]) / 2, abs=0.02)


def test_the_order_of_atoms_frames_and_images_does_not_matter(gas):
    one = distribution([count(gas, EDGES, range(40), range(40, 120))])
    shuffle = np.random.default_rng(5).permutation(120)
    place = np.argsort(shuffle)
    moved = [positions[shuffle] + EDGES * np.array([3, -2, 0]) for positions in reversed(gas)]
    other = distribution([count(moved, EDGES, place[:40], place[40:])])
    # Single precision may move a pair across the edge of a bin.
    assert other.n == pytest.approx(one.n, abs=5e-3)


def test_replicas_are_averaged_by_their_frames(gas):
    together = distribution([count(gas, EDGES, range(40), range(40, 120))])
    apart = [count(part, EDGES, range(40), range(40, 120)) for part in (gas[:10], gas[10:])]
    assert distribution(apart).g == pytest.approx(together.g)
    assert distribution(apart).n == pytest.approx(together.n)


def test_large_boxes_are_counted_in_pieces_with_the_same_result(gas, monkeypatch):
    whole = count(gas[:5], EDGES, range(120), range(120), blocks=5)
    monkeypatch.setattr("electroscreen.analysis.surroundings._AT_ONCE", 1000)
    pieces = count(gas[:5], EDGES, range(120), range(120), blocks=5)
    assert (pieces.counts == whole.counts).all()
    for key in ("frame", "center", "partner", "distance_a"):
        assert (getattr(pieces.contacts, key) == getattr(whole.contacts, key)).all()


def test_boxes_that_breathe_are_counted_together_as_one_by_one():
    generator = np.random.default_rng(8)
    edges = np.repeat(generator.uniform(14, 16, size=(9, 3)), [4, 1, 1, 20, 3, 1, 1, 1, 2], axis=0)
    frames = [generator.uniform(-30, 30, size=(50, 3)) for _ in edges]
    molecule = np.arange(50) // 2
    alone = count(frames, edges, range(20), range(10, 50), molecule)
    around = Surroundings.of(range(20), [range(10, 50), range(30)], [NEAR_A, 2.0], molecule)
    tally = Tally(around, alone.counts.shape[2])
    tally.add(np.array(frames), edges, 0)
    first, second = (pair_counts(around, i, [Counted.of(tally)], tally.bins) for i in (0, 1))
    assert (first.counts == alone.counts.sum(axis=0)).all()
    assert first.counts_times_volume == pytest.approx(alone.counts_times_volume)
    assert first.pairs == alone.pairs == 20 * 40 - 20
    pairs = [sorted(zip(of.frame, of.center, of.partner, strict=True)) for of in (first.contacts, alone.contacts)]
    assert pairs[0] == pairs[1]
    other = count(frames, edges, range(20), range(30), molecule)
    assert (second.counts == other.counts.sum(axis=0)).all()
    assert len(second.contacts.frame) == (other.contacts.distance_a < 2.0).sum()


def test_far_images_are_as_near_as_the_nearest():
    edges = np.array([14.0, 15.0, 17.0])
    generator = np.random.default_rng(9)
    inside = generator.uniform(0, edges, size=(30, 3))
    apart = inside[:, None] - inside[None]
    known = np.linalg.norm(apart - edges * np.round(apart / edges), axis=-1)
    moved = inside + edges * generator.integers(-5, 6, size=(30, 3))
    contacts = count([moved], edges, range(30), range(30)).contacts
    assert len(contacts.distance_a) == ((known < NEAR_A) & (known > 0)).sum()
    assert contacts.distance_a == pytest.approx(known[contacts.center, contacts.partner], abs=2e-5)


@pytest.mark.parametrize("breathing", [0.0, 0.5])
def test_far_away_some_frames_stand_for_all(breathing):
    generator = np.random.default_rng(10)
    edges = np.array([25.0, 27.0, 31.0]) + np.repeat(generator.normal(scale=breathing, size=(4, 3)), [9, 3, 11, 17], 0)
    steps = generator.normal(scale=0.4, size=(40, 150, 3))
    frames = generator.uniform(-40, 40, size=(150, 3)) + np.cumsum(steps, axis=0)
    molecule = np.arange(150) // 3  # whose atoms are anywhere in the box
    around = Surroundings.of(range(25), [range(10, 150)], [NEAR_A], molecule)
    bins = int(edges.min() / 2 / BIN_A)
    tallies = [Tally(around, bins, far_every=4) for _ in range(2)]
    tallies[0].add(frames[:21], edges[:21], 0)
    tallies[1].add(frames[21:], edges[21:], 21)
    some = pair_counts(around, 0, [Counted.of(tally) for tally in tallies], bins)
    every, fourth = (
        count(frames[::step], edges[::step], range(25), range(10, 150), molecule, blocks=1) for step in (1, 4)
    )
    assert some.frames == 40
    assert some.frames_of_block[:, [0, -1]].tolist() == [[21, 6], [19, 4]]
    near_bins = round(NEAR_A / BIN_A)
    for known, part in ((every, slice(near_bins)), (fourth, slice(near_bins, bins))):
        assert (some.counts.sum(axis=0)[:, part] == known.counts[0, :, part]).all()
        assert distribution([some]).g[part] == pytest.approx(distribution([known]).g[part])
    pairs = [sorted(zip(of.frame, of.center, of.partner, strict=True)) for of in (some.contacts, every.contacts)]
    assert pairs[0] == pairs[1]
    row = coordination([some], None, radius_a=12.0)
    near, beyond = (of.counts.sum(axis=(0, 1)) / of.frames / 25 for of in (every, fourth))
    assert row["number_at_radius"] == pytest.approx(near[:near_bins].sum() + beyond[near_bins:600].sum())


def test_far_bins_hold_as_much_as_near_ones():
    wide, narrow = np.array([50.0, 46.0, 47.0]), np.array([50.0, 19.0, 47.0])
    assert [far_every(frames, wide) for frames in (20, 399, 400, 2000, 20_000)] == [1, 1, 2, 10, 10]
    assert far_every(20_000, narrow) == 1
    assert NEAR_A / np.sqrt(far_every(20_000, wide)) < 2.1
