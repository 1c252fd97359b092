"""Explosions: what was good before is a result, and all that says why it is no more."""

from __future__ import annotations

import numpy as np
import pytest
from dynamics_helpers import dynamics, run, small_box, trajectory

from electroscreen.dynamics.equilibration import read_states
from electroscreen.dynamics.run import Run

TINY = {"equilibrate_npt_ps": 4, "equilibrate_nvt_ps": 0, "production_ps": 6}


def test_an_explosion_of_a_longer_production_leaves_what_was_good(tmp_path, monkeypatch):
    """Four picoseconds made into six break at five: those are a whole result, and the verdict says why no more."""
    import openmm

    unbroken = small_box(tmp_path / "unbroken" / "replica-1")
    run(unbroken, dynamics(**TINY))
    folder = small_box(tmp_path / "broken" / "replica-1")
    assert run(folder, dynamics(**TINY | {"production_ps": 4}))["verdict"]
    whole_step = Run._step

    def breaks(self, context, phase, steps, good):
        if good.step * phase.timestep_fs >= 5000:
            broken = 1e30 * np.ones((self.system.getNumParticles(), 3))
            context.setPositions(broken * openmm.unit.nanometer)
        whole_step(self, context, phase, steps, good)

    (folder / "trajectory.xtc").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Run, "_step", breaks)
        record = run(folder, dynamics(**TINY))
    assert record["verdict"].startswith("not equilibrated: exploded in phase 'production' ")
    assert "production ends at 5 of 6 ps" in record["verdict"]
    assert record["production_ps"] == 5
    times, x, _ = trajectory(folder)
    assert times == pytest.approx(0.2 * np.arange(1, 26), abs=1e-4)
    assert x == pytest.approx(trajectory(unbroken)[1][:25], abs=0.011)
    states = read_states(folder / "state.csv")
    assert (states.phase == "production").sum() == 25
    # And what it ended with is a good state to go on from.
    longer = run(folder, dynamics(**TINY))
    assert longer["production_ps"] == 6
    assert "exploded" not in longer["verdict"]
    assert trajectory(folder)[1] == pytest.approx(trajectory(unbroken)[1], abs=0.011)
