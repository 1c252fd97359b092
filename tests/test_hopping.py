"""Moves of ions in polymers, of trajectories made so that each move is known."""

from __future__ import annotations

import numpy as np
import pytest
from analysis_helpers import write_json, write_xtc

from electroscreen.analysis.hopping import ALONG, BETWEEN, KINDS, WITH, Moves, hopping, moves
from electroscreen.analysis.residence import Spells
from electroscreen.analysis.run import analyse
from electroscreen.record import read_json

CHAIN_OF = np.array([0] * 10 + [1] * 10 + [2] * 10)  # three chains of ten atoms


def moves_of(script: list[tuple[set[int], float]]) -> dict[str, int]:
    """Moves of one ion of which each frame says which atoms hold it, and where on a line it is."""
    stays = []
    for atom in sorted(set().union(*(holding for holding, _ in script))):
        inside = np.array([False, *(atom in holding for holding, _ in script), False])
        starts, ends = np.flatnonzero(inside[1:] > inside[:-1]), np.flatnonzero(inside[1:] < inside[:-1]) - 1
        stays += [(0, first, last, atom) for first, last in zip(starts, ends, strict=True)]
    center, first, last, atom = np.array(stays, dtype=int).reshape(-1, 4).T
    path = np.zeros((1, len(script), 3))
    path[0, :, 0] = [place for _, place in script]
    found = moves(Spells(center, first, last, len(script), atom), CHAIN_OF, path)
    return dict(zip(KINDS, found.events[0].tolist(), strict=True))


def test_atom_by_atom_along_a_chain_is_one_move_for_each_complete_exchange():
    sliding = [{k, k + 1, k + 2} for k in range(7)]  # from {0, 1, 2} by {3, 4, 5} to {6, 7, 8}
    assert moves_of([(holding, 0.0) for holding in sliding]) == {ALONG: 2, BETWEEN: 0, WITH: 0}
    # 3.5 Å further with two of three is with the chain, with one of three is not.
    assert moves_of([(holding, 3.5 * k) for k, holding in enumerate(sliding)]) == {ALONG: 2, BETWEEN: 0, WITH: 2}


def test_from_chain_to_chain_by_way_of_both_is_a_move_between_them():
    assert moves_of([({0, 1, 2}, 0), ({1, 2, 12}, 1), ({12, 13}, 2), ({12, 13, 14}, 2)])[BETWEEN] == 1
    # Back again is another one; a third chain as well.
    there_and_back = [({0, 1}, 0), ({12, 13}, 0), ({0, 1}, 0), ({25}, 0)]
    assert moves_of(there_and_back) == {ALONG: 0, BETWEEN: 3, WITH: 0}


def test_with_the_chain_is_a_move_each_three_angstrom_without_exchange():
    assert moves_of([({4, 5}, 0.5 * k) for k in range(15)]) == {ALONG: 0, BETWEEN: 0, WITH: 2}
    assert moves_of([({4, 5}, 1.4 * (k % 2)) for k in range(50)])[WITH] == 0


def test_an_ion_that_leaves_its_chain_is_judged_by_where_it_comes_back():
    away = [(set(), 5.0)] * 3
    assert moves_of([({0, 1}, 0), *away, ({7, 8}, 9)]) == {ALONG: 1, BETWEEN: 0, WITH: 0}
    assert moves_of([({0, 1}, 0), *away, ({17, 18}, 9)]) == {ALONG: 0, BETWEEN: 1, WITH: 0}
    assert moves_of([({0, 1}, 0), *away, ({0, 1}, 0)]) == dict.fromkeys(KINDS, 0)
    assert moves_of([(set(), 0.0)] * 4 + [({3}, 0)]) == dict.fromkeys(KINDS, 0)


def rows_of(events, held, frames: int, frame_ps: float = 1.0) -> dict[str, dict]:
    return {row["kind"]: row for row in hopping([Moves(np.array(events), np.array(held), frames)], frame_ps)}


def test_rates_count_the_time_on_chains_only_and_say_who_did_not_move():
    rows = rows_of([[4, 0, 10]] * 3 + [[0, 0, 10]], [1000] * 4, frames=2000, frame_ps=2.0)
    assert rows[ALONG]["rate_per_ns"] == pytest.approx(12 / 8)
    assert rows[WITH]["rate_per_ns"] == pytest.approx(40 / 8)
    assert rows[ALONG]["ions_without"] == 0.25
    assert "8 ns of ions on chains, 50 % of the time on none" in rows[ALONG]["note"]
    # Of twelve events a Poisson process tells 6.2 to 21.0.
    assert rows[ALONG]["low"] == pytest.approx(6.20 / 8, rel=0.01)
    assert rows[ALONG]["high"] == pytest.approx(20.96 / 8, rel=0.01)
    # No event in 8 ns: at most 3.69 of them, and no number.
    assert rows[BETWEEN]["rate_per_ns"] is None
    assert rows[BETWEEN]["high"] == pytest.approx(3.69 / 8, rel=0.01)
    assert rows[BETWEEN]["flaws"] == ["none seen"]
    assert rows[BETWEEN]["ions_without"] == 1.0


def test_ions_that_differ_widen_the_interval():
    alike, unlike = [[10, 0, 0]] * 8, [[40, 0, 0], [38, 0, 0], [2, 0, 0], *[[0, 0, 0]] * 5]
    calm, wild = (rows_of(events, [1000] * 8, 1000)[ALONG] for events in (alike, unlike))
    assert calm["rate_per_ns"] == wild["rate_per_ns"]
    assert wild["high"] > 1.5 * calm["high"] and wild["low"] < 0.5 * calm["low"]


def test_an_ion_on_no_chain_and_frames_too_far_apart_are_told():
    assert {row["flaws"][0] for row in rows_of([[0, 0, 0]], [0], 100).values()} == {"never entered"}
    assert rows_of([[30, 0, 0]], [100], 100)[ALONG]["flaws"] == ["frames too far apart"]


def test_intervals_hold_the_rate_of_a_poisson_process():
    generator, held, true_per_ns = np.random.default_rng(1), np.full(12, 2000), 1.5
    inside = 0
    for _ in range(300):
        events = np.zeros((12, 3), dtype=int)
        events[:, 0] = generator.poisson(true_per_ns * 2, 12)
        row = rows_of(events, held, 2000)[ALONG]
        inside += row["low"] < true_per_ns < row["high"]
    assert 0.93 <= inside / 300 <= 1.0


def test_a_box_with_chains_has_rows_and_one_without_has_none(tmp_path):
    """Two straight chains of eight oxygens, 4 Å apart in a chain, 20 Å between them; an ion that is made to move."""
    chains = np.array([[4.0 * k, 20.0 * row, 0.0] for row in range(2) for k in range(8)])
    generator, frames = np.random.default_rng(2), 200
    ion = np.zeros((frames, 3))
    for frame in range(frames):
        # Sits between two neighbours: at 0|1, from frame 50 at 4|5, from frame 120 on the other chain, at 4|5.
        k, row = (0, 0) if frame < 50 else (4, 0) if frame < 120 else (4, 1)
        ion[frame] = [4.0 * k + 2, 20.0 * row + 1, 0]
    positions = np.concatenate([ion[:, None], np.broadcast_to(chains, (frames, 16, 3))], axis=1)
    positions = positions + generator.normal(scale=0.1, size=positions.shape)
    (tmp_path / "replica-1").mkdir()
    write_xtc(tmp_path / "replica-1" / "trajectory.xtc", positions, 60.0, np.arange(frames) * 2.0)
    write_json(tmp_path / "replica-1" / "equilibration.json", {"verdict": "ok"})
    recipe = {"temperature_k": 300.0, "coordination": [{"center": "Na", "partners": ["O(P)"]}], "diffusion": ["Na"]}
    for role in ("polymer", "solvent"):
        molecules = [
            {"species": "Na", "count": 1, "charge_e": 1, "role": "ion", "symbols": ["Na"], "masses_amu": [23.0]},
            {"species": "P", "count": 2, "charge_e": 0, "role": role, "symbols": ["O"] * 8, "masses_amu": [1000.0] * 8},
        ]
        composition = write_json(tmp_path / "c.json", {"box": "b", "verdict": "ok", "molecules": molecules})
        analyse(composition, [tmp_path / "replica-1"], recipe, tmp_path / "a.json", tmp_path / "c.npz")
        rows = read_json(tmp_path / "a.json")["hopping"]
        if role == "polymer":
            assert {row["kind"]: row["events"] for row in rows} == {ALONG: 1, BETWEEN: 1, WITH: 0}
            assert {row["center"] for row in rows} == {"Na"}
            assert rows[0]["rate_per_ns"] == pytest.approx(1 / 0.398)
            assert rows[0]["verdict"] == "ok (one box)"
            assert rows[2]["verdict"] == "none seen; one box"
        else:
            assert rows == []
