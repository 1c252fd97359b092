"""Displacements of single molecules, their distribution, and what the size of a box takes from diffusion."""

from __future__ import annotations

import numpy as np
import pytest
from analysis_helpers import random_walk

from electroscreen.analysis import verdicts
from electroscreen.analysis.diffusion import corrected, non_gaussian
from electroscreen.analysis.displacement import displacement, van_hove
from electroscreen.analysis.finite_size import size_term_a2_per_ns


def test_steady_motion_is_told_exactly():
    speeds = np.array([0.1, 0.3])
    path = speeds[:, None, None] * np.arange(101)[None, :, None] * np.array([0.0, 0.6, 0.8])
    row, curves = displacement([path], 2.0, time_ps=40.0)
    assert (row["time_ps"], row["samples"]) == (40.0, 10)
    assert row["mean_angstrom"] == pytest.approx(20 * 0.2)
    assert row["farthest_angstrom"] == pytest.approx(6.0)
    assert row["flaws"] == []
    assert curves["a"][:, -1] == pytest.approx([2.0, 6.0])
    assert curves["time_ps"][-1] == 40.0
    whole, _ = displacement([path], 2.0)
    assert (whole["time_ps"], whole["mean_angstrom"]) == (200.0, pytest.approx(20.0))


def test_a_walker_comes_as_far_as_maxwell_says():
    paths = [random_walk(np.random.default_rng(seed), 200, 400, 500.0, 1.0) for seed in (1, 2)]
    row, _ = displacement(paths, 1.0, time_ps=100.0)
    # <|r|> = 4 sqrt(D t / π)
    known = 4 * np.sqrt(0.5 * 100 / np.pi)
    assert row["low"] < known < row["high"]
    assert row["mean_angstrom"] == pytest.approx(known, rel=0.03)


def test_a_time_beyond_the_run_is_said_to_be():
    row, _ = displacement([random_walk(np.random.default_rng(3), 5, 51, 500.0, 1.0)], 1.0, time_ps=5000.0)
    assert row["time_ps"] == 50.0
    assert row["flaws"] == [verdicts.shorter_than(5000.0)]


def test_van_hove_of_a_walk_is_gaussian_and_has_its_mean_square():
    paths = [random_walk(np.random.default_rng(4), 300, 601, 500.0, 1.0)]
    found = van_hove(paths, 1.0)
    assert found["lag_ps"].tolist() == [20.0, 60.0, 200.0]
    width = found["r_a"][1] - found["r_a"][0]
    for lag, density, gaussian in zip(found["lag_ps"], found["density"], found["gaussian"], strict=True):
        assert density.sum() * width == pytest.approx(1, rel=1e-6)
        assert (density * found["r_a"] ** 2).sum() * width == pytest.approx(6 * 0.5 * lag, rel=0.06)
        assert np.abs(density - gaussian).max() < 0.08 * gaussian.max()


def test_the_non_gaussian_parameter_is_that_of_a_mixture():
    # Half of the walkers at D1, half at D2: 3<r4>/5<r2>² - 1 = 2(D1² + D2²)/(D1 + D2)² - 1.
    generator = np.random.default_rng(5)
    paths = np.concatenate([random_walk(generator, 400, 300, rate, 1.0) for rate in (200.0, 800.0)])
    lag_ps, alpha = non_gaussian([paths], 1.0)
    assert alpha[lag_ps < 10] == pytest.approx(2 * (200**2 + 800**2) / 1000**2 - 1, abs=0.06)
    _, alpha = non_gaussian([paths[:400]], 1.0)
    assert alpha[:5] == pytest.approx(0, abs=0.04)


def test_the_size_of_the_box_is_that_of_yeh_and_hummer():
    # Water at 298 K: 0.85 mPa s and a box of 18.6 Å; k_B T / 6πηL × 2.837297 = 0.39e-9 m²/s.
    assert size_term_a2_per_ns(298.0, 0.85, 18.6) == pytest.approx(39.2, rel=0.01)
    row = {"d_a2_per_ns": 230.0, "low": 220.0, "high": 240.0}
    found = corrected(row, 298.0, 18.6, {"mpa_s": 0.85, "source": "measured"})
    assert found["d_corrected_a2_per_ns"] == pytest.approx(269.2, abs=0.4)
    assert found["corrected_high"] - found["corrected_low"] == pytest.approx(20)
    assert "0.85 mPa s (measured)" in found["note"]
    assert set(corrected(row, 298.0, 18.6, None)) == {"note"}
    assert "1 mPa s would add 33.3 Å²/ns" in corrected(row, 298.0, 18.6, None)["note"]
    assert corrected({"d_a2_per_ns": None}, 298.0, 18.6, None) == {}
