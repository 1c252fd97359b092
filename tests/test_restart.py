"""Restarts: whenever a run dies, the next one ends in the same files, and no two runs ever meet."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from dynamics_helpers import INPUTS, OUTPUTS, RECIPE, dynamics, files_in, run, small_box, trajectory

from electroscreen.dynamics.equilibration import read_states
from electroscreen.dynamics.restart import Progress, Restart, frame_ends
from electroscreen.dynamics.run import Run
from electroscreen.record import locked, read_json
from electroscreen.settings import Dynamics


class StoppedError(Exception):
    """As if the machine had been switched off."""


def interrupted(folder: Path, protocol: Dynamics, segments: int, monkeypatch) -> None:
    """Run until so many segments are closed, and die in the middle of the next one."""
    whole_segment = Run._segment
    done = []

    def dies(self, context, phase, steps, progress):
        done.append(phase.name)
        if len(done) > segments:
            whole_segment(self, context, phase, steps // 2, progress)
            raise StoppedError
        return whole_segment(self, context, phase, steps, progress)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "_segment", dies)
        with pytest.raises(StoppedError):
            run(folder, protocol)


TINY = {"equilibrate_npt_ps": 4, "equilibrate_nvt_ps": 0, "production_ps": 6}
# Segments of 1.5 ps: two of warm-up, three of density, then production.
PRODUCTION_BEGINS = 5


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Folder of a short run without interruption."""
    folder = small_box(tmp_path_factory.mktemp("tiny") / "replica-1")
    run(folder, dynamics(**TINY))
    return folder


def test_a_production_that_was_interrupted_is_the_same_to_the_last_digit(tiny, tmp_path, monkeypatch):
    """State and thermostat go on where they were: on a deterministic platform nothing tells the two runs apart."""
    folder = small_box(tmp_path / "replica-1")
    for segments in (PRODUCTION_BEGINS + 1, 2):
        interrupted(folder, dynamics(**TINY), segments, monkeypatch)
    run(folder, dynamics(**TINY))
    for ours, theirs in zip(trajectory(folder), trajectory(tiny), strict=True):
        assert ours == pytest.approx(theirs, abs=0.011)
    a, b = (read_states(path / "state.csv") for path in (folder, tiny))
    assert a.phase.tolist() == b.phase.tolist()
    for column in a.columns[1:]:
        assert a[column].to_numpy() == pytest.approx(b[column].to_numpy(), rel=1e-5, abs=0.01)


@pytest.mark.parametrize("segments", [0, 1, 2, 4, 5, 8])
def test_wherever_a_run_dies_the_next_one_completes_it(tiny, tmp_path, monkeypatch, segments):
    folder = small_box(tmp_path / "replica-1")
    interrupted(folder, dynamics(**TINY), segments, monkeypatch)
    assert set(files_in(folder)) == {*INPUTS, "restart"}
    run(folder, dynamics(**TINY))
    times, x, edges = trajectory(folder)
    assert times == pytest.approx(0.2 * np.arange(1, 31), abs=1e-4)
    moved = np.linalg.norm(np.diff(x, axis=0), axis=-1)
    assert moved.max() < edges.min() / 2
    assert moved.mean(axis=1).min() > 0.5 * moved.mean()
    reference = read_states(tiny / "state.csv")
    ours = read_states(folder / "state.csv")
    assert ours.phase.tolist() == reference.phase.tolist()
    assert ours.time_ps.to_numpy() == pytest.approx(reference.time_ps.to_numpy())
    assert files_in(folder) == OUTPUTS


def test_a_run_that_died_before_it_could_tell_only_tells(tiny, tmp_path, monkeypatch):
    """All segments are closed, only the outputs are missing: nothing is computed again."""
    from electroscreen.dynamics import run as stage

    folder = small_box(tmp_path / "replica-1")
    with monkeypatch.context() as patch:
        patch.setattr(stage, "judge", lambda *_: (_ for _ in ()).throw(StoppedError))
        with pytest.raises(StoppedError):
            run(folder, dynamics(**TINY))
    with monkeypatch.context() as patch:
        patch.setattr(Run, "_segment", lambda *_: pytest.fail("computed again"))
        run(folder, dynamics(**TINY))
    assert len(trajectory(folder)[0]) == 30
    assert files_in(folder) == OUTPUTS


def test_checkpoints_that_fall_between_frames_lose_none(tmp_path, monkeypatch):
    """A checkpoint every 0.28 ps and a frame every 0.2 ps; some segments hold one frame, some two."""
    protocol = dynamics(**TINY | {"checkpoint_ps": 0.28})
    folder = small_box(tmp_path / "replica-1")
    interrupted(folder, protocol, 33, monkeypatch)
    run(folder, protocol)
    times, x, edges = trajectory(folder)
    assert times == pytest.approx(0.2 * np.arange(1, 31), abs=1e-4)
    assert np.abs(np.diff(x, axis=0)).max() < edges.min() / 2
    assert (read_states(folder / "state.csv").phase == "production").sum() == 30


def test_checkpoints_more_often_than_frames_lose_none(tmp_path, monkeypatch):
    protocol = dynamics(**TINY | {"checkpoint_ps": 0.12})
    folder = small_box(tmp_path / "replica-1")
    interrupted(folder, protocol, 75, monkeypatch)
    run(folder, protocol)
    assert trajectory(folder)[0] == pytest.approx(0.2 * np.arange(1, 31), abs=1e-4)


def test_another_recipe_starts_afresh(tmp_path, monkeypatch):
    folder = small_box(tmp_path / "replica-1")
    interrupted(folder, dynamics(**TINY), PRODUCTION_BEGINS + 1, monkeypatch)
    begun = []
    whole_segment = Run._segment

    def watched(self, context, phase, steps, progress):
        begun.append((phase.name, progress.segments))
        return whole_segment(self, context, phase, steps, progress)

    monkeypatch.setattr(Run, "_segment", watched)
    run(folder, dynamics(**TINY | {"production_ps": 3}), RECIPE | {"production_ps": 3})
    assert begun[0] == ("warm-up", 0)
    assert len(trajectory(folder)[0]) == 15


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _one_digit(path: Path) -> None:
    """A bit that a disk has lost: still XML, and numbers."""
    at = path.read_bytes().index(b".") + 1
    content = bytearray(path.read_bytes())
    content[at] = ord("1") if content[at] != ord("1") else ord("2")
    path.write_bytes(content)


DAMAGES = {
    "torn": ("progress.json", _half),
    "empty": ("progress.json", lambda path: path.write_text("")),
    "a list": ("progress.json", lambda path: path.write_text("[1]")),
    "without a key": ("progress.json", lambda path: path.write_text('{"segments": 3}')),
    "of another time": ("progress.json", lambda path: path.write_text(path.read_text().replace("segments", "pieces"))),
    "no state": ("state-*.xml", Path.unlink),
    "half a state": ("state-*.xml", _half),
    "a digit of the state": ("state-*.xml", _one_digit),
    "half the rows": ("rows-*.csv", _half),
    "half the frames": ("frames-*.xtc", _half),
    "no frames": ("frames-*.xtc", Path.unlink),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_restart_data_that_are_damaged_are_not_trusted(tmp_path, monkeypatch, capsys, damage):
    """Whatever is broken, one line says so, and the run is that of one which was never interrupted."""
    folder = small_box(tmp_path / "replica-1")
    interrupted(folder, dynamics(**TINY), PRODUCTION_BEGINS + 1, monkeypatch)
    pattern, spoil = DAMAGES[damage]
    path = sorted((folder / "restart").glob(pattern))[0]
    spoil(path)
    capsys.readouterr()
    run(folder, dynamics(**TINY))
    said = [line for line in capsys.readouterr().err.splitlines() if "damaged" in line]
    assert said == [f"restart data are damaged ({path}): the run starts afresh"]
    assert len(read_states(folder / "state.csv")) == 15 + 20 + 30
    assert trajectory(folder)[0] == pytest.approx(0.2 * np.arange(1, 31), abs=1e-4)


SCRIPT = """
import json, sys
from pathlib import Path
from electroscreen.dynamics.run import run_dynamics
from electroscreen.settings import Dynamics
folder = Path(sys.argv[1])
recipe = json.loads(sys.argv[3])
protocol = Dynamics(**json.loads(sys.argv[2]))
run_dynamics(folder / "packing.json", folder.parent / "composition.json", protocol, recipe, 1)
"""


def in_another_process(folder: Path, protocol: Dynamics) -> subprocess.Popen:
    """Start a run that can be killed."""
    words = [sys.executable, "-c", SCRIPT, str(folder), protocol.model_dump_json(), json.dumps(RECIPE)]
    return subprocess.Popen(words, stderr=subprocess.DEVNULL)


def segments_on_disk(folder: Path) -> int:
    """How many segments are closed."""
    try:
        return read_json(folder / "restart" / "progress.json")["segments"]
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize("kills", [3, pytest.param(24, marks=pytest.mark.slow)])
def test_kills_at_any_moment_leave_a_whole_trajectory(tmp_path, kills):
    """SIGKILL at random moments all over the run; meanwhile no second process may touch it."""
    protocol = dynamics(**TINY | {"checkpoint_ps": 0.5, "production_ps": 24})  # 6 + 8 + 48 segments
    folder, dice = small_box(tmp_path / "replica-1"), random.Random(2026)
    for kill in range(kills):
        process = in_another_process(folder, protocol)
        aim = segments_on_disk(folder) + dice.randint(1, 24 if kills < 4 else 3)
        while segments_on_disk(folder) < aim:
            assert process.poll() is None, "ended before it was killed"
            time.sleep(0.002)
        if kill == 0:
            with pytest.raises(BlockingIOError):
                run(folder, protocol)
        time.sleep(dice.uniform(0, 0.02))
        process.kill()
        process.wait()
        assert set(files_in(folder)) == {*INPUTS, "restart"}
    before = segments_on_disk(folder)
    assert kills <= before < 62
    run(folder, protocol)
    times, x, edges = trajectory(folder)
    assert times == pytest.approx(0.2 * np.arange(1, 121), abs=1e-4)
    moved = np.linalg.norm(np.diff(x, axis=0), axis=-1)
    assert moved.max() < edges.min() / 2
    assert moved.mean(axis=1).min() > 0.5 * moved.mean()
    states = read_states(folder / "state.csv")
    assert states.groupby("phase").size().to_dict() == {"warm-up": 15, "density": 20, "production": 120}
    for _, rows in states.groupby("phase"):
        assert rows.time_ps.to_numpy() == pytest.approx(0.2 * np.arange(1, len(rows) + 1))
    assert files_in(folder) == OUTPUTS


def test_two_runs_at_once_are_refused_and_nothing_is_touched(tiny, electroscreen, project):
    before = {path.name: path.stat().st_mtime_ns for path in tiny.iterdir() if path.name != ".lock"}
    with locked(tiny), pytest.raises(BlockingIOError):
        run(tiny, dynamics(**TINY))
    assert {path.name: path.stat().st_mtime_ns for path in tiny.iterdir() if path.name != ".lock"} == before
    box = project / "results" / "quick" / "boxes" / "natfsi_dol_fec"
    small_box(box / "replica-1")
    with locked(box / "replica-1"):
        code, _, err = electroscreen("dynamics", "natfsi_dol_fec", "--project", project)
    assert (code, err) == (3, ["electroscreen: another process works on this already: wait for it, or stop it"])


def test_rows_and_frames_of_segments_join_in_order_without_those_after_the_last_checkpoint(tmp_path):
    restart = Restart(tmp_path / "restart", "hash")
    progress = restart.load()
    assert progress == Progress()
    for k in (1, 2, 3):
        restart.frames(k).write_bytes(bytes([k]) * k)
        if k < 3:
            restart.save(progress, "<State/>", [f"row {k}\n"])
    assert restart.join_rows(progress) == ["row 1", "row 2"]
    restart.merge(progress)
    assert restart.merged_frames(2).read_bytes() == b"\x01\x02\x02"
    assert restart.join_rows(progress) == ["row 1", "row 2"]
    assert Restart(tmp_path / "restart", "hash").load() == progress
    assert Restart(tmp_path / "restart", "other").load() == Progress()
    assert list((tmp_path / "restart").iterdir()) == []


def test_a_longer_production_goes_on_and_is_the_same_to_the_last_digit(tiny, tmp_path, monkeypatch):
    """Four picoseconds made into six are six: nothing is computed twice, and no seam is seen."""
    folder = small_box(tmp_path / "replica-1")
    short = run(folder, dynamics(**TINY | {"production_ps": 4}))
    assert (short["production_ps"], len(trajectory(folder)[0])) == (4, 20)
    begun = []
    whole_segment = Run._segment

    def watched(self, context, phase, steps, progress):
        begun.append((phase.name, round(progress.phase_steps * phase.timestep_fs / 1000, 3)))
        return whole_segment(self, context, phase, steps, progress)

    (folder / "trajectory.xtc").unlink()  # as Snakemake does before it calls the stage again
    monkeypatch.setattr(Run, "_segment", watched)
    longer = run(folder, dynamics(**TINY))
    assert begun == [("production", 4.0), ("production", 5.5)]
    assert longer["production_ps"] == 6
    for ours, theirs in zip(trajectory(folder), trajectory(tiny), strict=True):
        assert ours == pytest.approx(theirs, abs=0.011)
    a, b = (read_states(path / "state.csv") for path in (folder, tiny))
    for column in a.columns[1:]:
        assert a[column].to_numpy() == pytest.approx(b[column].to_numpy(), rel=1e-5, abs=0.01)


def test_the_recipe_of_a_longer_production_is_taken_for_the_same_run(tmp_path, monkeypatch):
    """The stage's own recipe holds the length: that alone must not start a run anew, another seed must."""
    folder = small_box(tmp_path / "replica-1")
    recipes = [RECIPE | {"dynamics": {"production_ps": ps, "seed": seed}} for ps, seed in ((2, 1), (4, 1), (4, 2))]
    begun = []
    whole_segment = Run._segment

    def watched(self, context, phase, steps, progress):
        begun.append(phase.name)
        return whole_segment(self, context, phase, steps, progress)

    monkeypatch.setattr(Run, "_segment", watched)
    for recipe in recipes:
        run(folder, dynamics(**TINY | {"production_ps": recipe["dynamics"]["production_ps"]}), recipe)
        begun.append("|")
    runs = "".join(name[0] for name in begun).split("|")[:-1]
    assert runs == ["wwdddpp", "pp", "wwdddppp"]


def test_a_shorter_production_is_cut_and_what_there_was_is_kept(tiny, tmp_path, monkeypatch):
    folder = small_box(tmp_path / "replica-1")
    run(folder, dynamics(**TINY))
    monkeypatch.setattr(Run, "_segment", lambda *_: pytest.fail("computed again"))
    record = run(folder, dynamics(**TINY | {"production_ps": 3}))
    times, x, _ = trajectory(folder)
    assert record["production_ps"] == 3
    assert times == pytest.approx(0.2 * np.arange(1, 16), abs=1e-4)
    assert x == pytest.approx(trajectory(tiny)[1][:15], abs=0.011)
    assert (read_states(folder / "state.csv").phase == "production").sum() == 15
    run(folder, dynamics(**TINY))
    assert len(trajectory(folder)[0]) == 30


def test_frames_of_an_xtc_file_are_found_and_a_torn_one_is_not_counted(tiny, tmp_path):
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    with XTCFile(str(tiny / "trajectory.xtc")) as file:
        offsets = file.offsets
    ends = frame_ends(tiny / "trajectory.xtc")
    assert ends[:-1] == offsets[1:].tolist()
    content = (tiny / "trajectory.xtc").read_bytes()
    assert ends[-1] == len(content)
    for cut, whole_frames in ((len(content) - 1, 29), (ends[3] + 50, 4), (ends[3] + 200, 4), (10, 0), (0, 0)):
        (tmp_path / "torn.xtc").write_bytes(content[:cut])
        assert len(frame_ends(tmp_path / "torn.xtc")) == whole_frames


def test_a_trajectory_that_somebody_spoilt_is_computed_again(tmp_path):
    """The kept data share their bytes with the trajectory: written over, they are not trusted."""
    folder = small_box(tmp_path / "replica-1")
    run(folder, dynamics(**TINY))
    with (folder / "trajectory.xtc").open("r+b") as file:
        file.truncate(1000)
    run(folder, dynamics(**TINY))
    assert len(trajectory(folder)[0]) == 30


def test_killed_between_merging_and_removing_nothing_is_doubled(tmp_path, monkeypatch):
    folder = small_box(tmp_path / "replica-1")
    with monkeypatch.context() as patch:
        patch.setattr(Restart, "_tidy", lambda *_: (_ for _ in ()).throw(StoppedError))
        with pytest.raises(StoppedError):
            run(folder, dynamics(**TINY))
    assert list((folder / "restart").glob("frames-*"))
    run(folder, dynamics(**TINY | {"production_ps": 8}))
    assert trajectory(folder)[0] == pytest.approx(0.2 * np.arange(1, 41), abs=1e-4)
    assert not list((folder / "restart").glob("frames-*"))


FULL = """
import resource, sys
from electroscreen.cli import main
folder, limit = sys.argv[1], int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.exit(main(["dynamics", "natfsi_dol_fec", "--project", folder]))
"""


def test_a_full_disk_is_one_line_and_the_same_command_goes_on(project, monkeypatch):
    """Files may grow to so many bytes and no further, as on a full disk; frames are torn without a word there."""
    replica = small_box(project / "results" / "quick" / "boxes" / "natfsi_dol_fec" / "replica-1")
    settings = project / "config" / "quick.yaml"
    content = yaml.safe_load(settings.read_text(encoding="utf-8"))
    content["dynamics"] = dynamics(**TINY | {"production_ps": 20, "checkpoint_ps": 20}).model_dump()
    settings.write_text(yaml.safe_dump(content), encoding="utf-8")
    state_size = 15_000  # the state of 28 atoms fits, the frames of 20 ps do not
    words = [sys.executable, "-c", FULL, str(project)]
    stopped = subprocess.run([*words, str(state_size)], capture_output=True, text=True, check=False)
    *_, line = stopped.stderr.splitlines()
    assert stopped.returncode == 4, stopped.stderr
    assert line.startswith("electroscreen: the disk is full (")
    assert "Traceback" not in stopped.stderr
    assert not (replica / "trajectory.xtc").exists()
    assert segments_on_disk(replica) == 2
    went_on = subprocess.run([*words, str(10**9)], capture_output=True, text=True, check=False)
    assert went_on.returncode == 0
    assert trajectory(replica)[0] == pytest.approx(0.2 * np.arange(1, 101), abs=1e-4)


def test_a_checkpoint_is_written_by_the_clock_too(tmp_path):
    folder = small_box(tmp_path / "replica-1")
    protocol = dynamics(**TINY | {"checkpoint_ps": 1000, "checkpoint_minutes": 1e-9})
    saved = []
    save = Restart.save

    def watched(self, progress, state, rows):
        saved.append(len(rows))
        save(self, progress, state, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Restart, "save", watched)
        run(folder, protocol)
    assert saved == (15 + 20 + 30) * [1]
    assert len(trajectory(folder)[0]) == 30


# Defects found here: one still marked must fail until it is mended, and then loses its mark.


@pytest.mark.parametrize("change", [{"temperature_k": 200.0}, {"pressure_bar": 900.0}, {"edge": 12.6}])
def test_other_conditions_or_another_packing_start_afresh(tmp_path, monkeypatch, change):
    """A user corrects the temperature of a box whose run was interrupted: half of it must not be at the old one."""
    folder = small_box(tmp_path / "replica-1")
    interrupted(folder, dynamics(**TINY), PRODUCTION_BEGINS + 1, monkeypatch)
    small_box(tmp_path / "replica-1", **change)
    begun = []
    whole_segment = Run._segment

    def watched(self, context, phase, steps, progress):
        begun.append(phase.name)
        return whole_segment(self, context, phase, steps, progress)

    monkeypatch.setattr(Run, "_segment", watched)
    run(folder, dynamics(**TINY))
    assert begun[0] == "warm-up"
