"""Coverage: over many synthetic runs, 95 % intervals hold the truth in 90 to 99 % of cases.

A few dozen runs at every test, with limits that chance alone passes in all but one of a thousand cases; hundreds with
`pytest -m slow`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from analysis_helpers import count, random_walk
from scipy import stats
from test_residence import measured, two_state

from electroscreen.analysis.coordination import coordination
from electroscreen.analysis.diffusion import diffusion
from electroscreen.analysis.transport import Ions, transport

QUICK, LONG = 20, 250
FRAME_PS = 5.0


Found = dict[str, tuple[dict, float]]  # a row with its interval, and the truth


def of_diffusion(generator: np.random.Generator) -> Found:
    """Six walkers for 400 frames."""
    return {"D": (diffusion([random_walk(generator, 6, 400, 500.0, FRAME_PS)], FRAME_PS)[0], 500.0)}


def of_diffusion_in_replicas(generator: np.random.Generator) -> Found:
    """Three boxes of ten walkers whose rates differ by a fifth between boxes."""
    rates = generator.normal(500, 100, size=3)
    row, _ = diffusion([random_walk(generator, 10, 250, rate, FRAME_PS) for rate in rates], FRAME_PS)
    return {"D of replicas": (row, 500.0)}


def of_conductivity(generator: np.random.Generator) -> Found:
    """Ten ion pairs, of which a share of the motion is common: L++ 300, L-- 500, L+- 100."""
    shared, plus, minus = (random_walk(generator, 10, 500, rate, FRAME_PS) for rate in (100.0, 200.0, 400.0))
    paths = [shared + plus, shared + minus]
    ions = Ions(("Na", "TFSI"), np.array([10, 10]), np.array([1.0, -1.0]), 2e4, 300.0)
    coefficients = [diffusion([path], FRAME_PS)[0] for path in paths]
    rows = transport(ions, coefficients, [np.array([path.sum(axis=0) for path in paths])], None, FRAME_PS)
    of = {(row["quantity"], row["subject"]): row for row in rows}
    per_rate = 10 * ions.unit / 1000
    return {
        "conductivity": (of["conductivity, Einstein", "formal charges"], 600 * per_rate),
        "Nernst-Einstein": (of["conductivity, Nernst-Einstein", "formal charges"], 800 * per_rate),
        "ionicity": (of["ionicity", "Einstein / Nernst-Einstein"], 0.75),
        "transference number": (of["transference number, barycentric frame", "Na"], 1 / 3),
    }


def of_coordination(generator: np.random.Generator) -> Found:
    """Eight ions whose six sites are filled for a while each, with probability 3/4, some always more than others."""
    centers = 18.0 * np.stack(np.meshgrid(*3 * [np.arange(2)], indexing="ij"), axis=-1).reshape(-1, 3)
    likely = np.clip(generator.normal(0.75, 0.1, size=8), 0, 1)
    filled = generator.random((10, 8, 6)) < likely[None, :, None]
    sites = 2.3 * np.concatenate([np.eye(3), -np.eye(3)])
    frames = []
    for block in np.repeat(filled, 2, axis=0):
        near = centers[:, None] + sites + generator.normal(scale=0.05, size=(8, 6, 3))
        away = centers[:, None] + 3.0 * sites + generator.normal(scale=0.3, size=(8, 6, 3))
        partners = np.where(block[..., None], near, away).reshape(-1, 3)
        frames.append(np.concatenate([centers, partners]))
    row = coordination([count(frames, 3 * [36.0], range(8), range(8, 56), blocks=10)], None, radius_a=3.4)
    return {"coordination number": ({"low": row["at_radius_low"], "high": row["at_radius_high"]}, 6 * 0.75)}


def of_residence(generator: np.random.Generator) -> Found:
    """Stays of 25 frames on average, seen for 200."""
    return {"residence time": (measured(two_state(generator, 200, 6, 3, 25.0)), 25.0)}


def of_unequal_walkers(generator: np.random.Generator) -> Found:
    """Ten walkers whose rates differ by a tenth, about as much as one run of each is uncertain by."""
    rates = np.maximum(generator.normal(500, 50, size=10), 1)
    paths = np.concatenate([random_walk(generator, 1, 400, rate, FRAME_PS) for rate in rates])
    return {"D of unequal walkers": (diffusion([paths], FRAME_PS)[0], 500.0)}


CASES = [of_diffusion, of_unequal_walkers, of_diffusion_in_replicas, of_conductivity, of_coordination, of_residence]


def coverage(case: Callable[[np.random.Generator], Found], runs: int) -> dict[str, tuple[int, int]]:
    """Return in how many runs each interval holds the truth, and how many gave one."""
    generator = np.random.default_rng(2026)
    counts: dict[str, list[bool]] = {}
    for _ in range(runs):
        for name, (row, known) in case(generator).items():
            told = counts.setdefault(name, [])
            if row["low"] is not None and row["high"] is not None:
                told.append(row["low"] <= known <= row["high"])
    return {name: (sum(told), len(told)) for name, told in counts.items()}


@pytest.mark.parametrize("case", CASES)
def test_intervals_hold_the_truth_in_few_runs(case):
    for held, given in coverage(case, QUICK).values():
        assert given >= 0.85 * QUICK
        # At a true coverage of 0.90 the count is lower than this once in a thousand times.
        assert held >= stats.binom.ppf(0.001, given, 0.90)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_intervals_hold_the_truth_in_90_to_99_percent(case):
    for name, (held, given) in coverage(case, LONG).items():
        print(f"{name}: {held} of {given}")
        assert given >= 0.9 * LONG
        assert 0.90 <= held / given <= 0.99, f"{name}: {held} of {given}"
