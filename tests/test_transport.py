"""Conductivity and transference, against walkers whose Onsager coefficients are known exactly."""

from __future__ import annotations

import numpy as np
import pytest
from analysis_helpers import random_walk

from electroscreen.analysis import verdicts
from electroscreen.analysis.collective import _freedom, onsager, relative_to
from electroscreen.analysis.diffusion import diffusion
from electroscreen.analysis.transport import BARYCENTRIC, SOLVENT, Ions, transport

FRAME_PS = 2.0
VOLUME_A3 = 1.0e5
FARADAY_C_PER_MOL, GAS_J_PER_MOL_K = 96485.33212, 8.314462618


def ions(plus: int, minus: int, charges: tuple[int, int] = (1, -1)) -> Ions:
    return Ions(("Na", "TFSI"), np.array([plus, minus]), np.array(charges, float), VOLUME_A3, 298.15)


def rows_of(paths: list[np.ndarray], of: Ions, solvent=None, scale: float = 1.0) -> dict[tuple[str, str], dict]:
    """Transport of one replica: `paths` of each ion, shape (molecules, frames, 3)."""
    coefficients = [diffusion([path], FRAME_PS)[0] for path in paths]
    sums = np.array([path.sum(axis=0) for path in paths])
    found = transport(of, coefficients, [sums], None if solvent is None else [solvent], FRAME_PS, scale)
    return {(row["quantity"], row["subject"]): row for row in found}


def walkers(seed: int, plus: float, minus: float, count: int = 40, frames: int = 3000) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [random_walk(generator, count, frames, rate, FRAME_PS) for rate in (plus, minus)]


def holds(row: dict, truth: float) -> bool:
    return row["low"] <= truth <= row["high"]


def test_the_unit_is_that_of_textbooks():
    # One mole a litre of ions with D = 1e-9 m²/s each: F² c (D+ + D-) / RT.
    molar = Ions(("Na", "Cl"), np.array([1, 1]), np.array([1.0, -1.0]), 1e27 / 6.02214076e23, 298.15)
    known = FARADAY_C_PER_MOL**2 * 1000 * 2e-9 / (GAS_J_PER_MOL_K * 298.15) * 10
    assert molar.shares(np.array([100.0, 100.0])).sum() == pytest.approx(known, rel=1e-6)
    assert known == pytest.approx(75.1, abs=0.1)
    assert molar.conductivity(np.diag([0.1, 0.1])) == pytest.approx(known, rel=1e-6)


def test_independent_walkers_conduct_as_nernst_and_einstein_say():
    of = ions(40, 40)
    known = float(of.shares(np.array([300.0, 100.0])).sum())
    rows = rows_of(walkers(1, 300, 100), of)
    together, single = (rows[f"conductivity, {name}", "formal charges"] for name in ("Einstein", "Nernst-Einstein"))
    assert single["value"] == pytest.approx(known, rel=0.03)
    assert together["value"] == pytest.approx(known, rel=0.25)
    for row in (together, single):
        assert holds(row, known)
        assert row["unit"] == "mS/cm"
        assert row["flaws"] == []
    assert holds(rows["ionicity", "Einstein / Nernst-Einstein"], 1.0)
    for frame in ("self", BARYCENTRIC):
        carried = {ion: rows[f"transference number, {frame}", ion] for ion in of.names}
        assert holds(carried["Na"], 0.75)
        assert carried["Na"]["value"] + carried["TFSI"]["value"] == pytest.approx(1)
    assert holds(rows[f"Onsager coefficient e²L, {BARYCENTRIC}", "Na, TFSI"], 0.0)
    assert holds(rows[f"Onsager coefficient e²L, {BARYCENTRIC}", "Na, Na"], 0.75 * known)


def test_pairs_that_walk_together_do_not_conduct():
    together = walkers(2, 200, 0)[0]
    of = ions(40, 40)
    rows = rows_of([together, together + np.array([2.5, 0, 0])], of)
    share = float(of.shares(np.array([200.0, 0.0])).sum())
    row = rows["conductivity, Einstein", "formal charges"]
    assert row["high"] == pytest.approx(0, abs=1e-9 * share)
    assert rows["conductivity, Nernst-Einstein", "formal charges"]["value"] == pytest.approx(2 * share, rel=0.05)
    for subject in ("Na, Na", "Na, TFSI", "TFSI, TFSI"):
        assert holds(rows[f"Onsager coefficient e²L, {BARYCENTRIC}", subject], share)
    assert rows[f"transference number, {BARYCENTRIC}", "Na"]["value"] is None
    assert rows[f"transference number, {BARYCENTRIC}", "Na"]["flaws"] == [verdicts.NOT_FROM_ZERO]


def test_partly_correlated_pairs_have_their_known_coefficients():
    generator = np.random.default_rng(3)
    shared, own, other = (random_walk(generator, 40, 6000, rate, FRAME_PS) for rate in (150.0, 50.0, 250.0))
    of = ions(40, 40)
    rows = rows_of([shared + own, shared + other], of)
    per_rate = of.unit * 40 / 1000
    known = {"Na, Na": 200 * per_rate, "TFSI, TFSI": 400 * per_rate, "Na, TFSI": 150 * per_rate}
    for subject, value in known.items():
        row = rows[f"Onsager coefficient e²L, {BARYCENTRIC}", subject]
        assert holds(row, value)
        assert row["value"] == pytest.approx(value, rel=0.35)
    assert holds(rows["conductivity, Einstein", "formal charges"], 300 * per_rate)
    assert holds(rows["ionicity", "Einstein / Nernst-Einstein"], 0.5)
    assert holds(rows[f"transference number, {BARYCENTRIC}", "Na"], (200 - 150) / 300)


def test_the_solvent_frame_takes_the_solvents_motion_off():
    generator = np.random.default_rng(4)
    plus, minus = (random_walk(generator, 40, 6000, rate, FRAME_PS) for rate in (300.0, 100.0))
    # A solvent that recoils from half of what the anions do: every cation is seen to lead by as much.
    solvent = -0.5 * minus.mean(axis=0)
    of = ions(40, 40)
    rows = rows_of([plus, minus], of, solvent)
    # With X+ + N/2N X- and 1.5 X-: L++ = 300 + 25, L+- = 75, L-- = 225, all × 40.
    for subject, value in {"Na, Na": 325, "Na, TFSI": 75, "TFSI, TFSI": 225}.items():
        assert holds(rows[f"Onsager coefficient e²L, {SOLVENT}", subject], value * of.unit * 40 / 1000)
    assert holds(rows[f"transference number, {SOLVENT}", "Na"], (325 - 75) / 400)
    assert holds(rows[f"transference number, {BARYCENTRIC}", "Na"], 0.75)
    carried = [rows[f"transference number, {SOLVENT}", ion]["value"] for ion in of.names]
    assert sum(carried) == pytest.approx(1)


def test_a_neutral_box_conducts_alike_in_every_frame():
    generator = np.random.default_rng(5)
    sums = np.cumsum(generator.normal(size=(2, 400, 3)), axis=1)
    drift = 0.3 * np.arange(400)[:, None] + np.cumsum(generator.normal(size=(400, 3)), axis=0)
    of = ions(7, 7)
    seen = relative_to(sums, of.counts, drift)
    here, there = (of.conductivity(onsager([one], 3, FRAME_PS).slopes) for one in (sums, seen))
    assert there == pytest.approx(here, rel=1e-9)


def test_rattling_in_cages_leaves_the_slope_alone():
    generator = np.random.default_rng(6)
    walk = np.cumsum(generator.normal(size=(1, 60000, 3)), axis=1)
    shaken = walk + 3.0 * generator.normal(size=walk.shape)
    assert onsager([shaken], 20, 1.0).slopes[0, 0] == pytest.approx(0.5, rel=0.12)
    assert onsager([shaken], 20, 1.0).ceiling[0, 0] == pytest.approx(0.5 + 18 * 3 / (6 * 40), rel=0.12)


def test_multivalent_ions_count_with_the_square_of_their_charge():
    of = ions(20, 40, (2, -1))
    generator = np.random.default_rng(7)
    paths = [random_walk(generator, count, 3000, 200.0, FRAME_PS) for count in (20, 40)]
    rows = rows_of(paths, of)
    known = of.unit * (20 * 4 + 40) * 0.2
    assert rows["conductivity, Nernst-Einstein", "formal charges"]["value"] == pytest.approx(known, rel=0.05)
    assert holds(rows["conductivity, Einstein", "formal charges"], known)
    assert holds(rows["transference number, self", "Na"], 80 / 120)


def test_scaled_charges_carry_the_square_of_their_factor():
    rows = rows_of(walkers(8, 300, 100, frames=800), ions(40, 40), scale=0.8)
    for name in ("Einstein", "Nernst-Einstein"):
        formal, scaled = (rows[f"conductivity, {name}", subject] for subject in ("formal charges", "charges × 0.8"))
        for key in ("value", "low", "high"):
            assert scaled[key] == pytest.approx(0.64 * formal[key])


def test_ions_that_do_not_diffuse_give_a_bound_and_no_number():
    rows = rows_of(walkers(9, 2.0, 100, frames=300), ions(40, 40))
    assert {row["value"] for row in rows.values()} == {None}
    assert {tuple(row["flaws"]) for row in rows.values()} == {("not diffusive: Na",)}
    single = rows["conductivity, Nernst-Einstein", "formal charges"]
    assert single["high"] is None or single["high"] > float(ions(40, 40).shares(np.array([2.0, 100.0])).sum())


def test_degrees_of_freedom_are_those_of_the_scatter():
    generator = np.random.default_rng(10)
    lag, steps = 4, 120
    drawn = [onsager([np.cumsum(generator.normal(size=(1, steps + 1, 3)), axis=1)], lag, 1.0) for _ in range(3000)]
    slopes = np.array([one.slopes[0, 0] for one in drawn])
    assert slopes.mean() == pytest.approx(0.5, rel=0.03)
    assert 2 * slopes.mean() ** 2 / slopes.var() == pytest.approx(_freedom(steps, lag), rel=0.15)


@pytest.mark.parametrize("frames", [120, 400])
def test_intervals_hold_the_truth(frames):
    generator = np.random.default_rng(frames)
    of = ions(1, 1)
    held, runs = np.zeros(3), 200
    for _ in range(runs):
        common, plus, minus = np.cumsum(generator.normal(size=(3, frames, 3)), axis=1)
        slopes = onsager([np.array([common + plus, common + minus])], 4, 1.0)
        truths = {of.conductivity: of.unit * 1.0, (lambda m: of.unit * m[..., 0, 1]): of.unit * 0.5}
        truths[lambda m: of.transference(m, 0)] = 0.5
        for i, (quantity, truth) in enumerate(truths.items()):
            _, low, high = slopes.estimate(quantity)
            held[i] += low <= truth <= high
    assert (held / runs >= 0.9).all()


def test_replicas_that_differ_widen_the_interval():
    generator = np.random.default_rng(12)
    alike, unlike = [], []
    for factor in (0.5, 1.0, 1.5):
        walk = np.cumsum(generator.normal(size=(1, 4000, 3)), axis=1)
        alike.append(walk)
        unlike.append(walk * np.sqrt(factor))
    ends = [onsager(sums, 4, 1.0).estimate(lambda m: m[..., 0, 0])[1:] for sums in (alike, unlike)]
    assert ends[1][1] - ends[1][0] > 3 * (ends[0][1] - ends[0][0])
