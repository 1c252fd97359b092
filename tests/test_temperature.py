"""Arrhenius and VFT fits, against data made with known parameters."""

from __future__ import annotations

import numpy as np
import pytest

from electroscreen.analysis.temperature import (
    ARRHENIUS,
    BOLTZMANN_EV_PER_K,
    NOT_CURVED,
    VFT,
    arrhenius,
    error_of_logarithm,
    too_few,
    vft,
)

TEMPERATURES_K = np.array([250.0, 275.0, 300.0, 330.0, 360.0, 400.0])


def test_an_activation_energy_is_found_in_electronvolt():
    values = 7.0 * np.exp(-0.19 / (8.617333e-5 * TEMPERATURES_K))
    row = arrhenius(TEMPERATURES_K, values, np.full(6, 0.01))
    assert row["activation_energy_ev"] == pytest.approx(0.19, rel=1e-6)
    assert row["prefactor"] == pytest.approx(7.0, rel=1e-4)
    assert row["low"] < 0.19 < row["high"]
    assert row["flaws"] == []
    # Of two points the error is that of a difference; the third, at the middle, adds nothing.
    ends = 1 / (BOLTZMANN_EV_PER_K * np.array([300.0, 400.0]))
    middle = 1 / (BOLTZMANN_EV_PER_K * ends.mean())
    three = np.array([300.0, middle, 400.0])
    half = arrhenius(three, np.exp(-0.3 / (BOLTZMANN_EV_PER_K * three)), [0.1, 0.1, 0.1])["high"] - 0.3
    assert half == pytest.approx(1.96 * 0.1 * np.sqrt(2) / (ends[0] - ends[1]), rel=1e-3)


def test_intervals_of_the_activation_energy_hold_the_truth():
    generator = np.random.default_rng(1)
    errors = generator.uniform(0.03, 0.15, size=6)
    held = []
    for _ in range(400):
        values = np.exp(-0.3 / (BOLTZMANN_EV_PER_K * TEMPERATURES_K) + errors * generator.normal(size=6))
        row = arrhenius(TEMPERATURES_K, values, errors)
        held.append(row["low"] <= 0.3 <= row["high"])
    assert 0.93 <= np.mean(held) <= 0.99


def test_scatter_beyond_the_errors_widens_the_interval():
    values = np.exp(-0.3 / (BOLTZMANN_EV_PER_K * TEMPERATURES_K) + np.array([1, -1, 1, -1, 1, -1]))
    wide, narrow = (arrhenius(TEMPERATURES_K, values, np.full(6, error)) for error in (0.01, 10.0))
    assert wide["high"] - wide["low"] > 50 * 2 * 1.96 * 0.01 * BOLTZMANN_EV_PER_K * 250
    assert narrow["high"] - narrow["low"] > wide["high"] - wide["low"]


def test_vogel_fulcher_and_tammann_are_found():
    values = 50 * np.exp(-800 / (TEMPERATURES_K - 160))
    row = vft(TEMPERATURES_K, values, np.full(6, 0.02))
    assert row["t0_k"] == pytest.approx(160, abs=0.2)
    assert row["prefactor"] == pytest.approx(50, rel=0.01)
    mean = TEMPERATURES_K.mean()
    known = BOLTZMANN_EV_PER_K * 800 * (mean / (mean - 160)) ** 2
    assert row["activation_energy_ev"] == pytest.approx(known, rel=1e-3)
    assert row["at_k"] == pytest.approx(mean)
    # The felt energy is the slope of ln X against 1 / k_B T there.
    step = 0.01
    here = [-800 / (mean + shift - 160) for shift in (-step, step)]
    slope = (here[1] - here[0]) / (1 / (mean + step) - 1 / (mean - step))
    assert -slope * BOLTZMANN_EV_PER_K == pytest.approx(known, rel=1e-5)
    assert row["t0_low"] < 160 < row["t0_high"]
    assert row["flaws"] == []


def test_intervals_of_vft_hold_the_truth():
    generator = np.random.default_rng(2)
    mean = TEMPERATURES_K.mean()
    known = BOLTZMANN_EV_PER_K * 800 * (mean / (mean - 160)) ** 2
    held = np.zeros(2)
    runs = 200
    for _ in range(runs):
        values = 50 * np.exp(-800 / (TEMPERATURES_K - 160) + 0.05 * generator.normal(size=6))
        row = vft(TEMPERATURES_K, values, np.full(6, 0.05))
        held += [row["t0_low"] <= 160 <= row["t0_high"], row["low"] <= known <= row["high"]]
    assert (held / runs >= 0.88).all()


def test_a_straight_line_is_not_called_curved():
    values = np.exp(-0.19 / (BOLTZMANN_EV_PER_K * TEMPERATURES_K))
    row = vft(TEMPERATURES_K, values, np.full(6, 0.05))
    assert row["t0_low"] == 0
    assert row["flaws"] == [NOT_CURVED]


def test_too_few_temperatures_are_refused():
    assert arrhenius([300, 300, 320], [1, 1.1, 2], [0.1] * 3)["flaws"] == [too_few(ARRHENIUS)]
    assert vft([300, 310, 320], [1, 2, 3], [0.1] * 3)["flaws"] == [too_few(VFT)]
    assert arrhenius([300, 320], [1, 2], [0.1] * 2)["activation_energy_ev"] is None


def test_errors_of_logarithms_are_those_of_intervals():
    assert error_of_logarithm(np.exp(-1.959964), np.exp(1.959964)) == pytest.approx(1.0)
