"""SCFs of contenders and of rough walks end early, and near enough."""

from __future__ import annotations

import numpy as np
import pytest
from quantum_helpers import RELAXED_WATER, WATER, changed

from electroscreen.quantum.geometry import choose_start
from electroscreen.quantum.minimum import Progress
from electroscreen.quantum.optimise import ROUGH_SCF_HARTREE, Surface, optimise
from electroscreen.quantum.scf import ENERGY_TOLERANCE_HARTREE
from electroscreen.quantum.structures import Structure

STRETCHED = RELAXED_WATER * 1.03


@pytest.fixture
def surface(quick):
    return Surface(WATER, changed(quick, stability="none"), 1)


def test_rough_energies_and_forces_are_near(surface):
    exact, slope, solved = surface.energy_and_gradient(STRETCHED)
    surface.density = None
    with surface.roughly():
        energy, gradient, rough = surface.energy_and_gradient(STRETCHED)
    assert rough.mean_field.cycles < solved.mean_field.cycles
    assert 0 < abs(energy - exact) < ROUGH_SCF_HARTREE
    assert np.abs(gradient - slope).max() < 3e-4 < np.abs(slope).max() / 50


def test_it_is_rough_within_only(surface):
    with pytest.raises(KeyError), surface.roughly():
        assert surface.tolerance_hartree == ROUGH_SCF_HARTREE
        raise KeyError
    assert surface.tolerance_hartree == ENERGY_TOLERANCE_HARTREE
    with surface.roughly(False):
        assert surface.tolerance_hartree == ENERGY_TOLERANCE_HARTREE


@pytest.mark.parametrize("rough", [True, False])
def test_walks_are_as_rough_as_they_are_asked_to_be(rough, surface):
    asked = []
    optimise(surface, STRETCHED, None, lambda *_: asked.append(surface.tolerance_hartree), rough)
    assert set(asked) == {ROUGH_SCF_HARTREE if rough else ENERGY_TOLERANCE_HARTREE}


def test_contenders_are_compared_roughly(surface, tmp_path):
    asked, solve = [], surface.solve
    surface.solve = lambda x: (asked.append(surface.tolerance_hartree), solve(x))[1]
    progress = Progress(tmp_path / "restart.json", {})
    structures = [Structure(name, x) for name, x in (("a", STRETCHED), ("b", RELAXED_WATER))]
    choose_start(structures, 2, surface, progress)
    assert asked == [ROUGH_SCF_HARTREE] * 2
    ranked = {one["origin"]: one["dft_relative_ev"] for one in progress.state["candidates"]}
    assert ranked["b"] == 0 < ranked["a"]
