"""First shells of a few ions that differ, as small boxes have them: found where they are, and not where none is."""

from __future__ import annotations

import numpy as np
import pytest
from analysis_helpers import count

from electroscreen.analysis import verdicts
from electroscreen.analysis.coordination import coordination

EDGE_A, IONS, PARTNERS, FRAMES = 24.0, 4, 16, 60


def box(generator: np.random.Generator, bound: list[int], partners: int = PARTNERS, rattle_a: float = 0.1):
    """Four ions of which each holds so many partners near 2.4 Å; the others lie anywhere beyond 3.8 Å, frozen.

    All rattle about their places, so that frames tell no more than one of them would.
    """
    ions = 12.0 * np.array([[0, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1]]) + 3.0
    places = []
    for ion, number in zip(ions, bound, strict=True):
        directions = generator.normal(size=(number, 3))
        places += list(ion + 2.4 * directions / np.linalg.norm(directions, axis=1)[:, None])
    while len(places) < partners:
        point = generator.uniform(0, EDGE_A, size=3)
        apart = point - ions
        if np.linalg.norm(apart - EDGE_A * np.round(apart / EDGE_A), axis=1).min() > (3.8 if sum(bound) else 0.0):
            places.append(point)
    frozen = np.concatenate([ions, places])
    frames = frozen + generator.normal(scale=rattle_a, size=(FRAMES, *frozen.shape))
    return count(list(frames), 3 * [EDGE_A], range(IONS), range(IONS, len(frozen)), blocks=10)


@pytest.mark.parametrize("bound", [[2, 2, 1, 0], [4, 0, 0, 0], [3, 1, 0, 1]])
def test_a_shell_that_only_some_ions_have_ends_where_it_ends(bound):
    row = coordination([box(np.random.default_rng(1), bound)], contact_a=3.8)
    assert row["coordination_number"] == pytest.approx(sum(bound) / IONS)
    assert row["first_peak_angstrom"] == pytest.approx(2.4, abs=0.1)
    assert 2.7 < row["cutoff_angstrom"] < 3.9
    assert verdicts.SPARSE_SHELL in row["flaws"] and verdicts.NO_EXCHANGE in row["flaws"]
    # What ions differ by is in the interval, not in whether there is a shell.
    assert row["low"] == 0.0 and row["high"] > 1.5 * row["coordination_number"]


def test_ions_that_are_alike_need_no_leniency():
    row = coordination([box(np.random.default_rng(2), [3, 3, 3, 3], 60)], contact_a=3.8)
    assert verdicts.SPARSE_SHELL not in row["flaws"]
    assert row["coordination_number"] == pytest.approx(3)


@pytest.mark.parametrize("partners", [16, 100])
def test_a_frozen_ideal_gas_has_no_shell(partners):
    """Its lumps look the same in every frame; of a hundred such boxes one at most is taken for a shell."""
    generator = np.random.default_rng(3)
    rows = [coordination([box(generator, [0] * IONS, partners)], contact_a=3.8) for _ in range(100)]
    shells = [row for row in rows if row["cutoff_angstrom"] and verdicts.SPARSE_SHELL in row["flaws"]]
    assert len(shells) <= 1


def test_one_contact_that_chance_may_make_is_no_shell_and_told():
    row = coordination([box(np.random.default_rng(4), [1, 0, 0, 0], 60)], contact_a=3.8)
    assert row["cutoff_angstrom"] is None
    assert row["flaws"] == ["shell not defined: too few contacts"]
