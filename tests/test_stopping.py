"""A signal before a time limit: the run stops at a checkpoint and says so, and the same command goes on from there."""

from __future__ import annotations

import os
import shutil
import signal

import numpy as np
import pytest
from dynamics_helpers import INPUTS, OUTPUTS, dynamics, files_in, run, small_box, trajectory

from electroscreen.dynamics.equilibration import read_states
from electroscreen.dynamics.restart import Restart
from electroscreen.dynamics.states import StateTable
from electroscreen.quantum.minimum import Progress
from electroscreen.record import read_json
from electroscreen.stopping import SIGNALS, StoppedError, signals_wait_for_a_checkpoint

# One segment each of warm-up and density, the rest production; no checkpoint is due before a phase's end.
PROTOCOL = {"equilibrate_npt_ps": 4, "equilibrate_nvt_ps": 0, "production_ps": 6, "checkpoint_ps": 100}


@pytest.fixture
def one_species(project):
    """The shipped project with lithium fluoride alone."""
    for kind in ("species", "complexes", "boxes", "papers"):
        for path in (project / "molecules" / kind).glob("*.yaml"):
            if path.stem != "LiF":
                path.unlink()
    return project


def test_dynamics_stops_within_a_frame_and_goes_on_to_the_same_trajectory(tmp_path, monkeypatch):
    whole = small_box(tmp_path / "whole")
    run(whole, dynamics(**PROTOCOL))
    folder = small_box(tmp_path / "replica-1")
    row, rows, saves = StateTable.row, [], []
    save = Restart.save

    def signalled(self, phase, steps, context):
        rows.append(phase.name)
        # In the warm-up and in production, where no checkpoint is near.
        if len(rows) in (3, 50):
            os.kill(os.getpid(), signal.SIGTERM)
        return row(self, phase, steps, context)

    def counted(self, *arguments):
        saves.append(len(rows))
        save(self, *arguments)

    monkeypatch.setattr(StateTable, "row", signalled)
    monkeypatch.setattr(Restart, "save", counted)
    for _ in range(2):
        with pytest.raises(StoppedError), signals_wait_for_a_checkpoint():
            run(folder, dynamics(**PROTOCOL))
        assert set(files_in(folder)) == {*INPUTS, "restart"}
    with signals_wait_for_a_checkpoint():
        run(folder, dynamics(**PROTOCOL))
    # The checkpoint came with the very frame, and no frame was computed twice.
    assert 3 in saves and 50 in saves
    assert rows[49] == "production"
    assert len(rows) == len(read_states(whole / "state.csv"))
    assert files_in(folder) == OUTPUTS
    ours, theirs = trajectory(folder), trajectory(whole)
    assert ours[0] == pytest.approx(theirs[0])
    assert np.abs(np.diff(ours[1], axis=0)).max() < ours[2].min() / 2


@pytest.mark.parametrize("number", SIGNALS)
def test_optimisation_stops_after_its_step_and_goes_on(one_species, electroscreen, monkeypatch, number):
    words = ("geometry", "LiF", "--project", one_species)
    save, steps = Progress.save, []

    def signalled(self, **more):
        steps.append(more)
        if len(steps) == 2:
            os.kill(os.getpid(), number)
        save(self, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "save", signalled)
        code, out, err = electroscreen(*words)
    assert (code, out) == (5, [])
    assert err[-1] == "electroscreen: stopped at a checkpoint: the same command goes on from there"
    assert len(steps) == 2
    folder = one_species / "results/quick/species/LiF"
    assert (folder / "geometry.restart.json").exists()
    assert not (folder / "geometry.json").exists()
    code, out, err = electroscreen(*words)
    assert (code, out) == (0, [])
    record = read_json(folder / "geometry.json")
    assert record["verdict"] == "ok"
    assert record["resumed"] is True
    assert not (folder / "geometry.restart.json").exists()


def test_outside_of_such_stages_signals_kill_as_ever(one_species, electroscreen, monkeypatch):
    before = [signal.getsignal(number) for number in SIGNALS]
    seen = []
    monkeypatch.setattr("electroscreen.project.Project.check", lambda self: seen.extend(map(signal.getsignal, SIGNALS)))
    shutil.rmtree(one_species / "molecules" / "boxes")
    (one_species / "config/quick.yaml").write_text(
        (one_species / "config/quick.yaml").read_text().replace("boxes: [natfsi_dol_fec]", "boxes: []")
    )
    electroscreen("check", "--project", one_species)
    assert seen == before
    assert [signal.getsignal(number) for number in SIGNALS] == before
