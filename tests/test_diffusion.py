"""Diffusion coefficients, against walks whose coefficient is known and motions that have none."""

from __future__ import annotations

import numpy as np
import pytest
from analysis_helpers import random_walk

from electroscreen.analysis import verdicts
from electroscreen.analysis.diffusion import _line, covariance_a4, diffusion
from electroscreen.analysis.walk import (
    local_exponents,
    mean_squared_displacement,
    overlap_factor,
    squared_displacements,
)


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(42)


def velocities(generator: np.random.Generator, molecules: int, frames: int, memory: float) -> np.ndarray:
    """Velocities of unit variance that forget themselves as memory**frames (Ornstein-Uhlenbeck)."""
    kicks = generator.normal(size=(molecules, frames, 3)) * np.sqrt(1 - memory**2)
    values = np.empty_like(kicks)
    values[:, 0] = generator.normal(size=(molecules, 3))
    for i in range(1, frames):
        values[:, i] = memory * values[:, i - 1] + kicks[:, i]
    return values


def test_the_msd_is_that_of_counting_all_origins(generator):
    paths = random_walk(generator, 3, 60, 500, 1.0) + 4000.0
    naive = [
        [np.mean([((path[j + lag] - path[j]) ** 2).sum() for j in range(60 - lag)]) for lag in range(31)]
        for path in paths
    ]
    assert mean_squared_displacement(paths) == pytest.approx(np.array(naive), rel=1e-9)


def test_the_msd_of_a_steady_motion_is_the_square_of_its_way():
    path = np.arange(41)[None, :, None] * np.array([0.3, -0.2, 0.6])
    assert mean_squared_displacement(path)[0] == pytest.approx(0.49 * np.arange(21) ** 2, abs=1e-9)


def test_the_msd_agrees_with_mdanalysis(generator):
    import MDAnalysis
    from MDAnalysis.analysis.msd import EinsteinMSD

    paths = random_walk(generator, 5, 80, 300, 1.0)
    universe = MDAnalysis.Universe.empty(5, trajectory=True)
    universe.load_new(np.swapaxes(paths, 0, 1).astype(np.float32), order="fac")
    theirs = EinsteinMSD(universe, select="all", msd_type="xyz", fft=False).run().results.timeseries
    assert mean_squared_displacement(paths).mean(axis=0) == pytest.approx(theirs[:41], rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_exponents_of_power_laws_are_their_powers(power):
    lags = np.unique(np.geomspace(1, 300, 40).astype(int)) * 0.5
    assert local_exponents(lags, 3 * lags**power) == pytest.approx(power)


@pytest.mark.parametrize("frame_ps", [0.5, 20.0])
def test_a_walk_gives_back_its_coefficient_in_square_angstrom_per_ns(generator, frame_ps):
    known = 1500.0 / frame_ps
    row, curve = diffusion([random_walk(generator, 200, 600, known, frame_ps)], frame_ps)
    assert row["d_a2_per_ns"] == pytest.approx(known, rel=0.02)
    assert row["low"] < known < row["high"]
    assert row["high"] / row["low"] < 1.1
    assert row["window_start_ps"] >= 9.0 / (6 * known / 1000) * 0.9
    assert row["window_end_ps"] == 199 * frame_ps
    assert row["slope_exponent"] == pytest.approx(1, abs=0.1)
    assert row["non_gaussian_parameter"] == pytest.approx(0, abs=0.05)
    assert row["flaws"] == []
    assert curve.msd_a2[1:6] == pytest.approx(6 * known / 1000 * curve.lag_ps[1:6], rel=0.03)
    assert (curve.low <= curve.msd_a2).all()
    assert (curve.msd_a2 <= curve.high).all()


def test_the_interval_holds_the_truth_in_95_percent_of_short_runs(generator):
    known, runs = 500.0, 100
    rows = [diffusion([random_walk(generator, 8, 300, known, 5.0)], 5.0)[0] for _ in range(runs)]
    rows = [row for row in rows if row["d_a2_per_ns"] is not None]
    held = np.mean([row["low"] <= known <= row["high"] for row in rows])
    assert len(rows) > 0.95 * runs
    assert held > 0.92
    # Not by being vague: the estimates themselves scatter by a third of the half-widths or more.
    half = np.median([(row["high"] - row["low"]) / 2 for row in rows])
    assert np.std([row["d_a2_per_ns"] for row in rows]) > half / 3


def test_trapped_and_free_molecules_widen_the_interval(generator):
    runs, held, narrow = 80, 0, 0
    for _ in range(runs):
        rates = generator.choice([150.0, 850.0], size=12)
        paths = np.concatenate([random_walk(generator, 1, 300, rate, 10.0) for rate in rates])
        row, _ = diffusion([paths], 10.0)
        held += row["low"] <= 500 <= row["high"]
        walk = squared_displacements([paths], [mean_squared_displacement(paths)], 10.0)
        weights, error = _line(walk)
        narrow += abs(weights @ walk.msd_a2 / 6 * 1000 - 500) <= 1.96 * error / 6 * 1000
    assert held / runs > 0.88
    assert narrow / runs < 0.7


def test_boxes_that_differ_widen_the_interval(generator):
    runs = 60
    held = 0
    for _ in range(runs):
        rates = generator.normal(500, 100, size=3)
        row, _ = diffusion([random_walk(generator, 20, 200, rate, 10.0) for rate in rates], 10.0)
        held += row["low"] <= 500 <= row["high"]
    assert row["replicas"] == 3
    assert row["particles"] == 20
    assert held / runs > 0.88


def test_ballistic_beginnings_are_left_out(generator):
    # D = <v²> τ / 3 for velocities that forget themselves with time τ; τ = 10 frames, <v²> = 3.
    memory = np.exp(-1 / 10)
    paths = np.cumsum(velocities(generator, 100, 2000, memory), axis=1)
    known = (0.5 + memory / (1 - memory)) * 1000  # of the sum, frame by frame
    row, _ = diffusion([paths], 1.0)
    assert row["flaws"] == []
    assert row["window_start_ps"] > 20
    assert row["d_a2_per_ns"] == pytest.approx(known, rel=0.08)
    assert row["low"] < known < row["high"]


def test_a_cage_gives_no_number_but_a_bound(generator):
    cage = 6.0 * velocities(generator, 20, 600, 0.8)
    row, _ = diffusion([cage], 1.0)
    assert row["d_a2_per_ns"] is None
    assert row["low"] is None
    assert row["flaws"] == [verdicts.not_diffusive(row["high"])]
    assert row["slope_exponent"] == pytest.approx(0, abs=0.15)
    assert row["high"] == pytest.approx(6 * 36 / (6 * 199) * 1000, rel=0.25)


def test_molecules_that_have_hardly_moved_give_a_bound_that_holds(generator):
    # Rattling in a cage that itself wanders slowly, as an ion in a viscous liquid.
    known = 2.8
    for _ in range(20):
        walk = random_walk(generator, 4, 500, known, 0.3) + 0.5 * velocities(generator, 4, 500, 0.3)
        row, _ = diffusion([walk], 0.3)
        assert row["d_a2_per_ns"] is None
        assert known < row["high"] < 20 * known


def test_bounds_of_walks_too_short_to_judge_hold(generator):
    known, runs = 20.0, 150
    rows = [diffusion([random_walk(generator, 10, 200, known, 1.0)], 1.0)[0] for _ in range(runs)]
    bounds = [row["high"] for row in rows if row["d_a2_per_ns"] is None and row["high"] is not None]
    assert len(bounds) > 0.9 * runs
    assert np.mean(np.array(bounds) >= known) > 0.93
    assert np.median(bounds) < 2 * known


def test_a_ballistic_motion_is_bounded_by_nothing(generator):
    row, _ = diffusion([np.arange(200)[None, :, None] * generator.normal(size=(20, 1, 3))], 1.0)
    assert row["flaws"] == [verdicts.BALLISTIC]
    assert row["slope_exponent"] == pytest.approx(2, abs=0.01)
    assert (row["d_a2_per_ns"], row["low"], row["high"]) == (None, None, None)


def test_molecules_that_do_not_move_do_not_diffuse():
    row, _ = diffusion([np.ones((3, 60, 3))], 1.0)
    assert row["d_a2_per_ns"] is None
    assert row["high"] == pytest.approx(0, abs=1e-9)


def test_our_line_is_the_mean_and_width_of_kinisis_posterior(generator):
    import scipp as sc
    from kinisi.diffusion import Diffusion

    paths = random_walk(generator, 10, 200, 500, 2.0)
    walk = squared_displacements([paths], [mean_squared_displacement(paths)], 2.0)
    weights, error = _line(walk)
    over = ["time interval"]
    msd = sc.array(dims=over, values=walk.msd_a2, variances=walk.variance_a4 / walk.samples, unit="angstrom**2")
    times, samples = (sc.array(dims=over, values=v, unit=u) for v, u in ((walk.lag_ps, "ps"), (walk.samples, "one")))
    data = sc.DataArray(msd, coords={"time interval": times, "n_samples": samples})
    theirs = Diffusion(sc.DataGroup(da=data, dimensionality=sc.scalar(3)))
    theirs.bayesian_regression(times[0], progress=False, random_state=np.random.RandomState(1))
    assert covariance_a4(walk) == pytest.approx(theirs.covariance_matrix.values, rel=1e-6)
    assert weights @ walk.msd_a2 == pytest.approx(theirs.gradient.values.mean(), abs=0.2 * error)
    assert error == pytest.approx(theirs.gradient.values.std(), rel=0.1)


def test_the_error_of_the_slope_is_that_of_many_runs(generator):
    slopes, ours, theirs = [], [], []
    for _ in range(150):
        paths = random_walk(generator, 20, 241, 500, 1.0)
        walk = squared_displacements([paths], [mean_squared_displacement(paths)], 1.0).since(4)
        weights, error = _line(walk)
        slopes.append(weights @ walk.msd_a2)
        theirs.append(error)
        ours.append(error * overlap_factor(walk, weights))
    assert np.mean(ours) == pytest.approx(np.std(slopes), rel=0.15)
    assert np.mean(theirs) > 1.05 * np.std(slopes)


def test_one_lag_of_one_frame_overlaps_with_nothing(generator):
    paths = random_walk(generator, 2, 100, 500, 1.0)
    walk = squared_displacements([paths], [mean_squared_displacement(paths)], 1.0)
    single = np.zeros(len(walk.lag_ps))
    single[0] = 1.0
    assert overlap_factor(walk, single) == pytest.approx(1, rel=0.02)


def test_kinisis_variances_are_ours(generator):
    import scipp as sc
    from kinisi.displacement import calculate_msd

    class Parsed:
        """What kinisi's function wants of a parsed trajectory."""

        displacements = sc.array(dims=["particle", "obs", "dimension"], values=np.zeros((1, 1, 3)), unit="angstrom")
        dt_index = sc.array(dims=["time interval"], values=np.arange(1, 101))
        dt = sc.array(dims=["time interval"], values=np.arange(1.0, 101.0), unit="ps")
        dimensionality = sc.scalar(3)

    paths = random_walk(generator, 6, 101, 500, 1.0)
    Parsed.displacements = sc.array(
        dims=["particle", "obs", "dimension"], values=paths[:, 1:] - paths[:, :1], unit="angstrom"
    )
    theirs = calculate_msd(Parsed, progress=False)["da"]
    walk = squared_displacements([paths], [mean_squared_displacement(paths)], 1.0)
    lags = walk.lag_ps.astype(int) - 1
    assert walk.msd_a2 == pytest.approx(theirs.values[lags], rel=1e-9)
    assert walk.variance_a4 / walk.samples == pytest.approx(theirs.variances[lags], rel=1e-9)
    assert walk.samples == pytest.approx(theirs.coords["n_samples"].values[lags])
