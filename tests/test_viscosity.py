"""Viscosity from processes whose correlation is known, and what it does to diffusion coefficients."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from electroscreen.analysis.diffusion import corrected
from electroscreen.analysis.request import Replicas, Request
from electroscreen.analysis.viscosity import Pressure, read_pressure, viscosity
from electroscreen.analysis.viscosity_rows import known_viscosity, viscosity_rows
from electroscreen.dynamics.pressure import write_pressure

VOLUME_A3, TEMPERATURE_K, EVERY_PS = 15_000.0, 300.0, 0.06
BOLTZMANN = 1.380649e-23
FAST, SLOW = (0.1, 400.0), (2.0, 150.0)  # memory in ps and fluctuation in bar


def remembering(generator, memory_ps: float, size_bar: float, shape: tuple[int, int]) -> np.ndarray:
    """A stationary Gaussian process whose correlation is size² exp(-t / memory)."""
    decay = np.exp(-EVERY_PS / memory_ps)
    kicks = generator.normal(scale=size_bar * np.sqrt(1 - decay**2), size=shape)
    kicks[:, 0] /= np.sqrt(1 - decay**2)
    return lfilter([1], [1, -decay], kicks, axis=1)


def pressure(seed: int, total_ps: float, *processes: tuple[float, float]) -> Pressure:
    """A replica whose pressure fluctuates as the sum of such processes."""
    generator = np.random.default_rng(seed)
    shape = (5, round(total_ps / EVERY_PS))
    return Pressure(sum(remembering(generator, *one, shape) for one in processes), EVERY_PS, VOLUME_A3)


def true_mpa_s(*processes: tuple[float, float]) -> float:
    """The same as a sum over what is sampled: V / kT size² Δt (1 + a) / 2 (1 - a), in SI units."""
    decays = [(np.exp(-EVERY_PS / memory), size) for memory, size in processes]
    integral = sum((1e5 * size) ** 2 * EVERY_PS * 1e-12 / 2 * (1 + a) / (1 - a) for a, size in decays)
    return 1e3 * VOLUME_A3 * 1e-30 / (BOLTZMANN * TEMPERATURE_K) * integral


def test_white_noise_has_the_viscosity_of_half_its_variance_times_the_step():
    generator = np.random.default_rng(1)
    row = viscosity([Pressure(generator.normal(scale=300.0, size=(5, 20_000)), 0.05, 8000.0)], 350.0)
    expected = 8000e-30 / (1.380649e-23 * 350) * (300e5) ** 2 * 0.05e-12 / 2 * 1e3
    assert row["value"] == pytest.approx(expected, rel=0.05)
    assert row["unit"] == "mPa s"
    assert row["flaws"] == []


def test_fast_and_slow_memory_add_up():
    replicas = [pressure(seed, 6000, FAST, SLOW) for seed in range(6)]
    row = viscosity(replicas, TEMPERATURE_K)
    truth = true_mpa_s(FAST, SLOW)
    assert true_mpa_s(SLOW) / truth > 0.6  # both matter
    assert row["value"] == pytest.approx(truth, rel=0.05)
    assert row["low"] < truth < row["high"]
    # An integral up to a picosecond would have found much less.
    assert row["low"] > 0.8 * truth


def test_longer_runs_and_more_replicas_narrow_the_interval():
    def width(*replicas: Pressure) -> float:
        row = viscosity(replicas, TEMPERATURE_K)
        return np.log(row["high"] / row["low"])

    runs = [pressure(seed, 2000, FAST, SLOW) for seed in range(8)]
    assert width(*runs) < width(runs[0])
    assert width(pressure(1, 16_000, FAST, SLOW)) < 0.5 * width(pressure(1, 1000, FAST, SLOW))


def test_replicas_that_differ_widen_the_interval():
    thin, thick = pressure(1, 2000, SLOW), pressure(2, 2000, (SLOW[0], 2 * SLOW[1]))
    alike = viscosity([thin, pressure(3, 2000, SLOW)], TEMPERATURE_K)
    row = viscosity([thin, thick], TEMPERATURE_K)
    assert np.log(row["high"] / row["low"]) > 2 * np.log(alike["high"] / alike["low"])


def test_memory_longer_than_the_run_is_a_bound_and_no_number():
    slow = (400.0, 200.0)
    row = viscosity([pressure(4, 600, FAST, slow)], TEMPERATURE_K)
    assert row["value"] is None and row["high"] is None
    assert 0 < row["low"] < true_mpa_s(FAST, slow)
    assert row["flaws"][0].startswith("not converged: above")


def test_a_handful_of_samples_is_no_viscosity():
    row = viscosity([pressure(5, 1.5, FAST)], TEMPERATURE_K)
    assert row["value"] is None
    assert row["flaws"] == ["not computed: 25 samples of the pressure are too few"]


def test_own_viscosity_goes_before_a_given_one_which_is_marked(tmp_path):
    shear = pressure(6, 3000, SLOW).shear_bar.astype(np.float32)
    write_pressure(tmp_path / "pressure.npz", shear, EVERY_PS)
    write_pressure(tmp_path / "empty.npz")
    assert read_pressure(tmp_path / "empty.npz", VOLUME_A3) == []
    paper = {"mpa_s": 7.5, "source": "a handbook"}
    request = Request([], {}, [], TEMPERATURE_K, viscosity=paper, own_viscosity=True)
    replicas = Replicas(harvests=[None], pressures=read_pressure(tmp_path / "pressure.npz", VOLUME_A3))
    rows = viscosity_rows(request, replicas)
    assert [row["verdict"] for row in rows] == ["ok (one box)", "given, not computed"]
    assert known_viscosity(rows) == {
        "mpa_s": rows[0]["value"], "low": rows[0]["low"], "high": rows[0]["high"], "source": "the box's own"
    }  # fmt: skip
    rows = viscosity_rows(request, Replicas(harvests=[None]))
    assert rows[0]["verdict"] == "not computed: the pressure was not sampled"
    assert known_viscosity(rows) == {"mpa_s": 7.5, "source": "given: a handbook"}
    assert known_viscosity(viscosity_rows(Request([], {}, [], TEMPERATURE_K), replicas)) is None


def test_the_interval_of_the_viscosity_is_in_that_of_the_corrected_coefficient():
    row = {"d_a2_per_ns": 100.0, "low": 90.0, "high": 110.0}
    of = {"mpa_s": 2.0, "low": 1.0, "high": 4.0, "source": "the box's own"}
    found = corrected(row, 300.0, 25.0, of)
    # ξ kT / 6 π η L = 2.837297 * 4.142e-21 J / (6 π * 2e-3 Pa s * 25e-10 m) = 1.247e-10 m²/s
    assert found["d_corrected_a2_per_ns"] == pytest.approx(112.47, abs=0.01)
    assert found["corrected_low"] == pytest.approx(90 + 12.47 / 2, abs=0.01)
    assert found["corrected_high"] == pytest.approx(110 + 2 * 12.47, abs=0.01)
    assert "12.5 Å²/ns" in found["note"] and "the box's own" in found["note"]


@pytest.mark.slow
@pytest.mark.parametrize(("total_ps", "replicas"), [(500, 1), (2000, 1), (700, 3)])
def test_intervals_hold_the_truth(total_ps, replicas):
    truth, runs, found, held = true_mpa_s(FAST, SLOW), 200, 0, 0
    for run in range(runs):
        seeds = range(replicas * run, replicas * (run + 1))
        row = viscosity([pressure(seed, total_ps, FAST, SLOW) for seed in seeds], TEMPERATURE_K)
        found += row["value"] is not None
        held += row["value"] is not None and row["low"] < truth < row["high"]
    print(f"{total_ps} ps, {replicas} replicas: {held} of {found} intervals, {runs - found} bounds")
    assert found >= 0.8 * runs
    assert 0.90 <= held / found <= 0.99
