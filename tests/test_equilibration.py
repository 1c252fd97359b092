"""Equilibration: intervals that hold the truth as often as they say, and drifts that are told from slow noise."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from electroscreen.dynamics.equilibration import (
    block_mean,
    drift,
    inefficiency,
    judge,
    settle,
    settled_phase,
    unsettled,
)

RUNS = 1000


def correlated(generator: np.random.Generator, runs: int, length: int, memory: float) -> np.ndarray:
    """Stationary AR(1) series with mean zero and variance one, shape (runs, length); `memory` is the correlation."""
    noise = generator.normal(size=(runs, length)) * np.sqrt(1 - memory**2)
    noise[:, 0] /= np.sqrt(1 - memory**2)
    series = np.empty_like(noise)
    series[:, 0] = noise[:, 0]
    for t in range(1, length):
        series[:, t] = memory * series[:, t - 1] + noise[:, t]
    return series


def test_the_made_up_noise_is_what_it_should_be():
    series = correlated(np.random.default_rng(0), 400, 500, 0.9)
    assert series.var() == pytest.approx(1, abs=0.03)
    assert (series[:, 1:] * series[:, :-1]).mean() == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize(("memory", "length"), [(0.0, 50), (0.5, 150), (0.9, 500)])
def test_the_interval_holds_the_truth_as_often_as_it_says(memory, length):
    """95 % with blocks longer than the correlation time; a naive standard error would hold it in 40 % at 0.9."""
    series = 7 + 3 * correlated(np.random.default_rng(1), RUNS, length, memory)
    means = [block_mean(row) for row in series]
    held = np.mean([m.low <= 7 <= m.high for m in means])
    assert 0.92 <= held <= 0.975
    naive = 1.96 * series.std(axis=1, ddof=1) / np.sqrt(length)
    if memory == 0.9:
        assert np.mean(np.abs(series.mean(axis=1) - 7) <= naive) < 0.5


def test_mean_and_interval_by_hand():
    """Blocks 1, 2, 3, 4, 5: standard error sqrt(2.5 / 5), Student's t of 4 degrees of freedom 2.776."""
    found = block_mean(np.repeat([1.0, 2, 3, 4, 5], 2))
    assert found.mean == pytest.approx(3)
    assert (found.high - found.low) / 2 == pytest.approx(2.776445 * np.sqrt(0.5), rel=1e-6)
    assert found.high + found.low == pytest.approx(6)


def test_a_line_drifts_by_its_length():
    change, real = drift(np.linspace(10, 12, 1000))
    assert change == pytest.approx(2, rel=2e-3)
    assert real
    assert drift(np.linspace(12, 10, 1000))[0] == pytest.approx(-2, rel=2e-3)


@pytest.mark.parametrize(("memory", "length"), [(0.0, 50), (0.5, 150), (0.9, 500)])
def test_slow_noise_is_seldom_called_a_drift(memory, length):
    """One in twenty by construction; a regression through all values would cry in half of the cases at 0.9."""
    series = correlated(np.random.default_rng(2), RUNS, length, memory)
    assert 0.02 <= np.mean([drift(row)[1] for row in series]) <= 0.08


@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_a_real_drift_is_noticed(memory):
    """A change of six standard deviations of the blocks' means."""
    length = 600
    noise = correlated(np.random.default_rng(3), 300, length, memory)
    blocks = noise.reshape(300, 5, -1).mean(axis=2).std()
    found = [drift(row + np.linspace(0, 12 * blocks, length)) for row in noise]
    assert np.mean([real for _, real in found]) > 0.95
    assert np.mean([change for change, _ in found]) == pytest.approx(12 * blocks, rel=0.05)


def test_blocks_of_unequal_length_are_allowed_and_too_few_values_are_not():
    assert block_mean(np.full(13, 2.5)).mean == 2.5
    for function in (block_mean, drift):
        with pytest.raises(ValueError, match="9 values are too few for 5 blocks"):
            function(np.zeros(9))


def states(density, energy, temperature=300.0, kinetic=5000.0, scatter=1.0) -> pd.DataFrame:
    """A table of states as the stage writes it, with noise on all that is given."""
    generator = np.random.default_rng(4)
    density, energy = np.asarray(density, dtype=float), np.asarray(energy, dtype=float)
    first = pd.DataFrame({"phase": "density", "density_g_per_ml": density + generator.normal(0, 0.004, len(density))})
    last = pd.DataFrame(
        {
            "phase": "production",
            "density_g_per_ml": density[-1],
            "potential_energy_kj_per_mol": energy + generator.normal(0, 30 * scatter, len(energy)),
            "kinetic_energy_kj_per_mol": kinetic,
            "temperature_k": temperature + generator.normal(0, 5, len(energy)),
        }
    )
    return pd.concat([pd.DataFrame({"phase": ["warm-up"], "density_g_per_ml": [0.1]}), first, last])


def test_a_settled_run_is_ok():
    found = judge(states(np.full(300, 1.1), np.full(500, -9000)), 300)
    assert found["verdict"] == "ok"
    assert found["density_g_per_ml"] == pytest.approx(1.1, abs=0.001)
    assert found["density_low"] < found["density_g_per_ml"] < found["density_high"]
    assert found["temperature_k"] == pytest.approx(300, abs=1)


def test_the_first_half_of_the_density_does_not_count():
    falling = np.concatenate([np.linspace(0.5, 1.1, 150), np.full(150, 1.1)])
    found = judge(states(falling, np.full(500, -9000)), 300)
    assert found["verdict"] == "ok"
    assert found["density_g_per_ml"] == pytest.approx(1.1, abs=0.001)


def test_a_drifting_density_is_told_with_its_size():
    found = judge(states(np.linspace(1.0, 1.2, 300), np.full(500, -9000)), 300)
    assert re.fullmatch(
        r"not equilibrated: density still drifts by \+8\.\d % over the second half of NPT", found["verdict"]
    )
    assert found["density_drift_percent"] == pytest.approx(100 * 0.1 / 1.15, abs=0.3)


def test_a_drift_too_small_to_matter_is_no_fault():
    assert judge(states(np.linspace(1.1, 1.11, 300), np.full(500, -9000)), 300)["verdict"] == "ok"


def test_a_drifting_energy_is_told():
    """Judged by the kinetic energy, because the zero of the potential energy means nothing."""
    for zero in (-9000, 0, 1e6):
        found = judge(states(np.full(300, 1.1), zero + np.linspace(0, -400, 500)), 300)
        assert found["verdict"].startswith("not equilibrated: potential energy drifts by -")
    assert judge(states(np.full(300, 1.1), np.linspace(0, -30, 500), scatter=0.1), 300)["verdict"] == "ok"


@pytest.mark.parametrize(("temperature", "fault"), [(298, None), (306, "temperature is 306."), (290, "290.")])
def test_a_wrong_temperature_is_told(temperature, fault):
    verdict = judge(states(np.full(300, 1.1), np.full(500, -9000), temperature=temperature), 300)["verdict"]
    assert verdict == "ok" if fault is None else fault in verdict


def test_all_faults_are_told_together():
    verdict = judge(states(np.linspace(1, 1.2, 300), np.linspace(0, 900, 500), temperature=320), 300)["verdict"]
    assert verdict.count(";") == 2


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_the_statistical_inefficiency_of_a_chain_of_memory(memory):
    """Of AR(1) noise it is (1 + φ) / (1 - φ): 1, 3 and 19 values are worth one."""
    series = correlated(np.random.default_rng(5), 20, 20000, memory)
    found = np.mean([inefficiency(row) for row in series])
    assert found == pytest.approx((1 + memory) / (1 - memory), rel=0.08)


def test_what_counts_begins_where_the_approach_has_ended():
    """A decay of 40 values' time constant: after three to six of them it is lost in noise of a tenth of its height."""
    generator = np.random.default_rng(6)
    times = np.arange(2000)
    starts = [settle(10 * np.exp(-times / 40) + generator.normal(0, 1, 2000)).start for _ in range(50)]
    assert 80 <= np.mean(starts) <= 300
    flat = [settle(generator.normal(0, 1, 2000)) for _ in range(50)]
    assert np.mean([one.start for one in flat]) < 250
    assert np.mean([one.effective for one in flat]) == pytest.approx(1850, rel=0.1)


def test_a_mean_from_too_few_independent_values_is_not_settled():
    """AR(1) noise of 19 values' inefficiency: 200 values know their mean to about ± 0.7, and 20000 to ± 0.06."""
    generator = np.random.default_rng(7)
    short = [unsettled(row, 0, 0.2) for row in correlated(generator, 40, 200, 0.9)]
    assert np.mean([fault is not None for fault in short]) > 0.9
    assert any("only, from" in (fault or "") for fault in short)
    long = [unsettled(row, 0, 0.2) for row in correlated(generator, 20, 20000, 0.9)]
    assert np.mean([fault is None for fault in long]) > 0.9


def test_a_mean_that_holds_the_approach_is_not_settled():
    """A step at three quarters of the series: its second half is no mean of what came after."""
    generator = np.random.default_rng(8)
    series = np.concatenate([np.full(1500, 1.0), np.full(500, 1.1)]) + generator.normal(0, 0.002, 2000)
    assert unsettled(series, 1000, 0.02) is not None
    assert unsettled(series[1500:], 0, 0.02) is None


def test_few_independent_densities_are_a_verdict_of_their_own():
    slow = 1.1 + 0.05 * correlated(np.random.default_rng(9), 1, 300, 0.97)[0]
    verdict = judge(states(slow, np.full(500, -9000)), 300)["verdict"]
    assert re.match(r"not equilibrated: density (is known to ± [\d.]+ g/mL only, from|settles|still drifts)", verdict)


def test_coils_that_still_open_are_told():
    table = states(np.full(300, 1.1), np.full(500, -9000))
    table["radius_of_gyration_angstrom"] = np.linspace(8, 10, len(table))
    assert "radius of gyration of the chains drifts over production" in judge(table, 300)["verdict"]
    table["radius_of_gyration_angstrom"] = 9 + np.random.default_rng(10).normal(0, 0.3, len(table))
    found = judge(table, 300)
    assert found["verdict"] == "ok"
    assert found["radius_of_gyration_angstrom"] == pytest.approx(9, abs=0.05)


def test_a_phase_may_end_when_its_second_half_stands_still():
    flat, rising = states(np.full(300, 1.1), np.full(500, -9000)), states(np.linspace(0.9, 1.1, 300), np.zeros(500))
    for table, settled in ((flat, True), (rising, False)):
        assert settled_phase(table[table.phase == "density"], "NPT") is settled
    assert settled_phase(flat[flat.phase == "production"], "NVT")
    # Chains that still open keep a phase going, whatever density and energy say.
    flat["radius_of_gyration_angstrom"] = np.linspace(8, 14, len(flat))
    for phase, ensemble in (("density", "NPT"), ("production", "NVT")):
        assert not settled_phase(flat[flat.phase == phase], ensemble)
    heating = states(np.full(300, 1.1), np.linspace(0, 900, 500))
    assert not settled_phase(heating[heating.phase == "production"], "NVT")
