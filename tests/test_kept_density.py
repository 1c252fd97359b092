"""A killed SCF or optimisation goes on from its last density, and from what was known of its stability."""

from __future__ import annotations

import numpy as np
import pytest
from quantum_helpers import RELAXED_WATER, SODIUM, WATER, changed

from electroscreen import stopping
from electroscreen.quantum import kept_density, optimise
from electroscreen.quantum.kept_density import KeptDensity
from electroscreen.quantum.optimise import Surface
from electroscreen.quantum.scf import _climb
from electroscreen.quantum.stability import NOT_ASKED_FOR, STABLE
from electroscreen.stopping import StoppedError

DENSITY = np.diag([2.0, 1.0])


@pytest.fixture
def kept(tmp_path):
    return KeptDensity(tmp_path / "geometry.restart.npz", "hash")


def test_it_is_of_one_system_near_one_geometry_by_one_recipe(kept):
    assert kept.near(WATER, RELAXED_WATER) is None
    kept.save(WATER, RELAXED_WATER, DENSITY, STABLE)
    density, stability = kept.near(WATER, RELAXED_WATER + np.array([0, 0, 0.4]))
    assert (density == DENSITY).all() and stability == STABLE
    assert kept.near(WATER, RELAXED_WATER + np.array([0, 0, 0.6])) is None
    assert kept.near(WATER.model_copy(update={"charge": 1, "multiplicity": 2}), RELAXED_WATER) is None
    assert kept.near(WATER.model_copy(update={"multiplicity": 3}), RELAXED_WATER) is None
    assert kept.near(SODIUM, np.zeros((1, 3))) is None
    assert KeptDensity(kept.path, "other").near(WATER, RELAXED_WATER) is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"no archive at all"])
def test_a_file_that_cannot_be_read_is_none(kept, content):
    kept.path.write_bytes(content)
    assert kept.near(WATER, RELAXED_WATER) is None


@pytest.mark.parametrize("missing", ["density", "stability", "symbols"])
def test_a_file_that_lacks_something_is_none(kept, missing):
    kept.save(WATER, RELAXED_WATER, DENSITY, STABLE)
    with np.load(kept.path) as stored:
        rest = {name: stored[name] for name in stored.files if name != missing}
    np.savez(kept.path, **rest)
    assert kept.near(WATER, RELAXED_WATER) is None


@pytest.fixture
def cycles(monkeypatch):
    """How many cycles each SCF took."""
    found = []

    def counting(mean_field, limit, guess):
        solved = _climb(mean_field, limit, guess)
        found.append(mean_field.cycles)
        return solved

    monkeypatch.setattr("electroscreen.quantum.scf._climb", counting)
    return found


def test_a_killed_scf_goes_on_from_its_last_cycle(quick, kept, cycles, monkeypatch):
    """Killed after its seventh cycle it needs few more; the energy is that of an SCF that nobody disturbed."""
    quiet = changed(quick, stability="none")
    afresh = Surface(WATER, quiet, 1).solve(RELAXED_WATER)
    monkeypatch.setattr(kept_density, "EVERY_S", 0.0)
    seen, save = [], KeptDensity.save

    def dying(self, *of):
        save(self, *of)
        seen.append(of[-1])
        if len(seen) == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(KeptDensity, "save", dying)
    with pytest.raises(KeyboardInterrupt):
        Surface(WATER, quiet, 1, kept=kept).solve(RELAXED_WATER)
    assert set(seen) == {NOT_ASKED_FOR}
    monkeypatch.undo()
    monkeypatch.setattr("electroscreen.quantum.scf._climb", lambda *of: cycles.append(of[2]) or _climb(*of))
    solved = Surface(WATER, quiet, 1, kept=kept).solve(RELAXED_WATER)
    assert np.shape(cycles[-1]) == np.shape(solved.density)
    assert solved.mean_field.cycles <= afresh.mean_field.cycles - 4
    assert solved.mean_field.e_tot == pytest.approx(afresh.mean_field.e_tot, abs=1e-7)


def test_what_is_known_of_the_stability_is_not_asked_again(quick, kept, monkeypatch):
    asked, settle = [], optimise.converge

    def counting(*arguments):
        asked.append(arguments[-1])
        return settle(*arguments)

    monkeypatch.setattr(optimise, "converge", counting)
    first = Surface(WATER, quick, 1, kept=kept)
    first.solve(RELAXED_WATER)
    again = Surface(WATER, quick, 1, kept=kept)
    again.solve(1.01 * RELAXED_WATER)
    assert asked == [True, False]
    assert again.stability == first.stability == STABLE
    # Of a contender nobody has asked.
    kept.save(WATER, RELAXED_WATER, again.density, NOT_ASKED_FOR)
    Surface(WATER, quick, 1, kept=kept).solve(RELAXED_WATER)
    assert asked == [True, False, True]


def test_a_contender_starts_from_nothing_far_away(quick, kept, monkeypatch):
    guesses, converge = [], optimise.converge
    monkeypatch.setattr(optimise, "converge", lambda *of: guesses.append(of[2]) or converge(*of))
    surface = Surface(WATER, changed(quick, stability="none"), 0, kept=kept)
    for x in (RELAXED_WATER, RELAXED_WATER[:, ::-1]):
        surface.density = None
        surface.solve(x)
    assert guesses == [None, None]


def test_a_signal_stops_within_an_scf(quick, kept, monkeypatch):
    """A large complex takes ten minutes for one; schedulers wait for one or two."""
    monkeypatch.setattr(stopping, "_asked", True)
    with pytest.raises(StoppedError):
        Surface(WATER, quick, 1, kept=kept).solve(RELAXED_WATER)
    monkeypatch.setattr(stopping, "_asked", False)
    density, stability = kept.near(WATER, RELAXED_WATER)
    assert density.shape[0] > 20 and stability == NOT_ASKED_FOR


def test_a_signal_on_a_walk_leaves_what_is_known_of_the_state(quick, kept, monkeypatch):
    """Asking again takes a large complex as long as half a step."""
    surface = Surface(WATER, quick, 1, kept=kept)
    surface.solve(RELAXED_WATER)
    monkeypatch.setattr(stopping, "_asked", True)
    with pytest.raises(StoppedError):
        surface.solve(1.02 * RELAXED_WATER)
    density, stability = kept.near(WATER, 1.02 * RELAXED_WATER)
    assert stability == STABLE and not np.allclose(density, surface.density)
