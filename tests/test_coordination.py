"""First shells and coordination numbers, against crystals and against solutions made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from analysis_helpers import count, fcc
from scipy import stats

from electroscreen.analysis import verdicts
from electroscreen.analysis.coordination import contact_distance_a, coordination
from electroscreen.analysis.first_shell import first_shell
from electroscreen.analysis.intervals import mean_half_width, scale_interval, zero_count_bound
from electroscreen.analysis.rdf import BIN_A, Distribution

EDGE_A = 36.0
CENTERS = 18.0 * np.stack(np.meshgrid(*3 * [np.arange(2)], indexing="ij"), axis=-1).reshape(-1, 3)


def solution(bound: np.ndarray, frames: int = 40, bulk: int = 600, gap_a: float = 3.6, seed: int = 1) -> np.ndarray:
    """Eight ions, their partners near 2.3 Å, and bulk partners anywhere farther than `gap_a` from every ion.

    `bound` holds the partners of each ion, as numbers among all partners: shape (8, partners), or (frames, 8,
    partners) where they change. Returns positions, shape (frames, 8 + partners, 3).
    """
    generator = np.random.default_rng(seed)
    shells = np.broadcast_to(bound, (frames, *bound.shape[-2:]))
    directions = generator.normal(size=(*shells.shape, 3))
    lengths = generator.normal(2.3, 0.08, size=shells.shape)
    near = CENTERS[:, None] + directions * (lengths / np.linalg.norm(directions, axis=-1))[..., None]
    made = []
    for shell, places in zip(shells, near, strict=True):
        partners = np.empty((bulk, 3))
        for i in range(bulk):
            partners[i] = place_in_bulk(generator, gap_a)
        partners[shell.ravel()] = places.reshape(-1, 3)
        made.append(np.concatenate([CENTERS, partners]))
    return np.array(made)


def place_in_bulk(generator: np.random.Generator, gap_a: float) -> np.ndarray:
    """Return a point that is farther than `gap_a` from every ion."""
    while True:
        point = generator.uniform(0, EDGE_A, size=3)
        apart = point - CENTERS
        if np.linalg.norm(apart - EDGE_A * np.round(apart / EDGE_A), axis=1).min() > gap_a:
            return point


def counted(frames: np.ndarray, blocks: int = 10):
    return count(list(frames), 3 * [EDGE_A], range(8), range(8, frames.shape[1]), blocks=blocks)


def curve_of(g) -> Distribution:
    r = (np.arange(500) + 0.5) * BIN_A
    return Distribution(r, g(r), np.zeros_like(r))


def peak(r: np.ndarray, at: float, height: float, width: float = 0.15) -> np.ndarray:
    return height * np.exp(-((r - at) ** 2) / (2 * width**2))


def step(r: np.ndarray, at: float) -> np.ndarray:
    return 1 / (1 + np.exp(-(r - at) / 0.1))


def test_a_warm_fcc_crystal_has_twelve_neighbours():
    a, cold = 5.3, fcc(5.3, 3)
    frames = cold + np.random.default_rng(0).normal(scale=0.08, size=(30, *cold.shape))
    row = coordination([count(list(frames), 3 * [3 * a], range(108), range(108), blocks=10)], contact_a=4.5)
    assert row["coordination_number"] == 12
    assert row["low"] == row["high"] == 12
    assert row["first_peak_angstrom"] == pytest.approx(a / np.sqrt(2), abs=0.02)
    assert 0.75 * a < row["cutoff_angstrom"] < 0.95 * a
    assert row["centers"] == 108
    assert row["flaws"] == [verdicts.NO_EXCHANGE]


def test_partners_near_an_ion_are_counted_with_the_scatter_between_ions():
    of_ion = [4, 5, 6, 5, 4, 6, 5, 5]
    bound = np.arange(48).reshape(8, 6)
    frames = solution(bound)
    for ion, kept in enumerate(of_ion):  # the others go far away
        frames[:, 8 + bound[ion, kept:]] = CENTERS[ion] + np.array([9.0, 9.0, 9.0])
    row = coordination([counted(frames)], contact_a=3.8)
    assert row["coordination_number"] == pytest.approx(5)
    half = stats.t.ppf(0.975, 7) * np.std(of_ion, ddof=1) / np.sqrt(8)
    assert row["high"] - 5 == pytest.approx(half, rel=0.02)
    assert 5 - row["low"] == pytest.approx(half, rel=0.02)
    assert row["first_peak_angstrom"] == pytest.approx(2.3, abs=0.03)
    assert 2.6 < row["cutoff_angstrom"] < 3.6
    assert [float(key) for key in row["coordination_number_at"]] == pytest.approx(
        [row["cutoff_angstrom"] - 0.1, row["cutoff_angstrom"] + 0.1]
    )
    assert row["flaws"] == [verdicts.NO_EXCHANGE]


def test_partners_within_a_papers_radius_are_counted_whatever_the_shell():
    frames = solution(np.arange(32).reshape(8, 4))
    row = coordination([counted(frames)], 3.8, radius_a=3.0)
    assert (row["radius_angstrom"], row["number_at_radius"]) == (3.0, pytest.approx(4))
    assert row["number_0_1_less"] == row["number_0_1_more"] == pytest.approx(4)
    gas = np.random.default_rng(3).uniform(0, EDGE_A, size=(40, 308, 3))
    row = coordination([counted(gas)], 3.8, radius_a=6.0)
    expected = 300 / EDGE_A**3 * 4 / 3 * np.pi * 6**3
    assert row["coordination_number"] is None
    assert row["number_at_radius"] == pytest.approx(expected, rel=0.05)
    assert row["at_radius_low"] < expected < row["at_radius_high"]
    assert coordination([counted(gas)], 3.8, radius_a=19.0)["number_at_radius"] is None


def test_exchange_is_told_from_rattling():
    first, second = np.arange(32).reshape(8, 4), np.arange(32, 64).reshape(8, 4)
    rattling = solution(first)
    one, all_ = np.array([first] * 20 + [first] * 20), np.array([first] * 20 + [second] * 20)
    one[20:, 0, 0] = 99
    flaws = [coordination([counted(solution(shells))], 3.8)["flaws"] for shells in (one, all_)]
    assert coordination([counted(rattling)], 3.8)["flaws"] == [verdicts.NO_EXCHANGE]
    assert flaws == [[verdicts.FEW_EXCHANGES], []]


def test_recrossing_the_cutoff_is_no_exchange():
    frames = solution(np.arange(32).reshape(8, 4))
    cutoff = coordination([counted(frames)], 3.8)["cutoff_angstrom"]
    frames[5, 8] = CENTERS[0] + np.array([cutoff + 0.6, 0, 0])
    row = coordination([counted(frames)], 3.8)
    assert row["coordination_number"] == pytest.approx(4 - 1 / 8 / 40)
    assert verdicts.NO_EXCHANGE in row["flaws"]


def test_one_ion_is_few_samples():
    frames = solution(np.arange(32).reshape(8, 4))
    row = coordination([count(list(frames), 3 * [EDGE_A], [0], range(8, 608), blocks=10)], 3.8)
    assert row["coordination_number"] == pytest.approx(4)
    assert verdicts.FEW_SAMPLES in row["flaws"]


def test_partners_that_never_touch_give_zero_and_a_bound():
    frames = solution(np.zeros((8, 0), dtype=int), gap_a=4.5, bulk=300)
    row = coordination([counted(frames)], contact_a=3.74)
    assert row["flaws"] == [verdicts.NO_CONTACT]
    assert (row["coordination_number"], row["low"], row["cutoff_angstrom"]) == (0, 0, None)
    assert row["high"] == pytest.approx(3.689 / 8, rel=1e-3)
    assert np.exp(-8 * zero_count_bound(8)) == pytest.approx(0.025)


def test_a_shell_beyond_touching_distance_is_named_so():
    frames = solution(np.arange(32).reshape(8, 4))
    row = coordination([counted(frames)], contact_a=2.25)
    assert verdicts.SHELL_BEYOND_CONTACT in row["flaws"]
    assert row["coordination_number"] == pytest.approx(4)


def test_a_gas_has_no_shell():
    frames = np.random.default_rng(3).uniform(0, EDGE_A, size=(40, 308, 3))
    row = coordination([counted(frames)], contact_a=3.8)
    assert row["flaws"] == [verdicts.SHELL_NOT_DEFINED]
    assert (row["coordination_number"], row["low"], row["high"], row["cutoff_angstrom"]) == (None, None, None, None)


@pytest.mark.parametrize("at", [2.3, 4.6, 7.5])
def test_a_shell_is_found_wherever_it_is(at):
    shell = first_shell(curve_of(lambda r: peak(r, at, 8) + step(r, at + 1.2)), np.full(500, 0.01))
    assert shell.first_peak_a == pytest.approx(at, abs=0.01)
    assert shell.height == pytest.approx(8, rel=0.02)
    assert at + 0.4 < shell.cutoff_bin * BIN_A < at + 1.0


def test_a_shallow_minimum_defines_no_shell_but_a_peak():
    shallow = curve_of(lambda r: step(r, 2.2) + peak(r, 2.6, 1.0, 0.2) - peak(r, 3.4, 0.25, 0.3))
    shell = first_shell(shallow, np.full(500, 0.01))
    assert shell.first_peak_a == pytest.approx(2.6, abs=0.05)
    assert shell.cutoff_bin is None
    deep = curve_of(lambda r: step(r, 2.2) + peak(r, 2.6, 1.0, 0.2) - peak(r, 3.4, 0.6, 0.3))
    assert first_shell(deep, np.full(500, 0.01)).cutoff_bin * BIN_A == pytest.approx(3.4, abs=0.06)


def test_a_peak_that_nothing_ends_is_said_to_have_no_end():
    """Bulk begins where the shell ends: six partners of each ion make a peak that nobody doubts, and no minimum."""
    frames = solution(np.arange(48).reshape(8, 6), bulk=1500, gap_a=2.5)
    row = coordination([counted(frames)], contact_a=3.8)
    assert row["first_peak_angstrom"] == pytest.approx(2.3, abs=0.05)
    assert row["peak_height"] > 5
    assert (row["coordination_number"], row["cutoff_angstrom"]) == (None, None)
    assert row["flaws"] == ["shell not defined: no clear end"]
    alone = coordination([count(list(frames), 3 * [EDGE_A], [0], range(8, 1508), blocks=10)], contact_a=3.8)
    assert alone["flaws"] == ["shell not defined: no clear end"]  # six of one ion are no chance either


def test_a_minimum_or_peak_within_the_noise_does_not_count():
    deep = curve_of(lambda r: step(r, 2.2) + peak(r, 2.6, 1.0, 0.2) - peak(r, 3.4, 0.6, 0.3))
    assert first_shell(deep, np.full(500, 0.25)).cutoff_bin is None
    assert first_shell(deep, np.full(500, 0.5)) is None
    high_second = curve_of(lambda r: deep.g + peak(r, 2.6, 1.5, 0.2) + peak(r, 4.2, 1.5, 0.2))
    assert first_shell(high_second, np.full(500, 0.2)).cutoff_bin is None  # 0.4 is within three errors of 1
    assert first_shell(high_second, np.full(500, 0.1)).cutoff_bin is not None


def test_a_dip_above_the_bulk_splits_a_peak_and_does_not_end_the_shell():
    split = curve_of(lambda r: peak(r, 2.2, 8) + peak(r, 2.75, 6) + step(r, 4.2))
    shell = first_shell(split, np.full(500, 0.01))
    assert shell.first_peak_a == pytest.approx(2.2, abs=0.03)
    assert 3.2 < shell.cutoff_bin * BIN_A < 4.0


def test_intervals_hold_the_truth_although_surroundings_are_frozen():
    generator = np.random.default_rng(5)
    held, naive, runs = 0, 0, 400
    for _ in range(runs):
        frozen, shared = generator.normal(scale=0.8, size=(1, 4)), generator.normal(scale=0.3, size=(10, 1))
        table = 5 + frozen + shared + generator.normal(scale=0.3, size=(10, 4))
        held += abs(table.mean() - 5) < mean_half_width([table])
        in_time = table.mean(axis=1)
        naive += abs(table.mean() - 5) < stats.t.ppf(0.975, 9) * in_time.std(ddof=1) / np.sqrt(10)
    assert held / runs > 0.93
    assert naive / runs < 0.6


def test_intervals_of_replicas_see_how_boxes_differ():
    generator = np.random.default_rng(6)
    runs = 300
    held = 0
    for _ in range(runs):
        boxes = [5 + generator.normal(scale=0.5) + generator.normal(scale=0.3, size=(10, 20)) for _ in range(3)]
        held += abs(np.mean(boxes) - 5) < mean_half_width(boxes)
    assert held / runs > 0.92
    assert mean_half_width([np.full((1, 1), 5.0)]) is None


def test_the_interval_of_a_scale_is_that_of_chi_square():
    generator = np.random.default_rng(7)
    means = generator.chisquare(6, size=2000) / 6
    held = [low <= 1 <= high for low, high in (scale_interval(m, m * np.sqrt(2 / 6)) for m in means)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


def test_touching_distances_are_sums_of_radii():
    assert contact_distance_a("Na", "O") == pytest.approx(2.27 + 1.52)
    assert contact_distance_a("Na", "Xx") is None
