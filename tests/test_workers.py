"""Work in several processes: the same results, one thread each, and no process that outlives its job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from quantum_helpers import species

from electroscreen import numerics
from electroscreen.quantum import structures
from electroscreen.quantum.structures import GFN2, Structure, minima, relaxed, xtb_hessian
from electroscreen.workers import each

# A job and its two processes, which sleep; all say their numbers, the job how long was slept in all.
SLEEPERS = """
import os, sys, time
from electroscreen import numerics
from electroscreen.workers import each

def say(what):
    os.write(1, f"{what}\\n".encode())  # in one piece: several processes talk

def sleep(seconds):
    say(os.getpid())
    time.sleep(seconds)
    return seconds

if __name__ == "__main__":
    numerics.set_up_numerics(2)
    say(os.getpid())
    say(sum(each(sleep, [float(sys.argv[1])] * 2)))
"""


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.setattr(numerics, "_threads", 2)


def who(item: int) -> tuple[int, int, str | None]:
    return item, os.getpid(), os.environ.get("OMP_NUM_THREADS")


def fails(item: int) -> int:
    raise ValueError(f"item {item}")


def test_with_one_thread_nothing_begins():
    assert {pid for _, pid, _ in each(who, range(3))} == {os.getpid()}


def test_items_keep_their_order_and_each_process_has_one_thread(two_threads):
    found = each(who, range(7))
    assert [item for item, _, _ in found] == list(range(7))
    assert os.getpid() not in {pid for _, pid, _ in found}
    assert {threads for _, _, threads in found} == {"1"}


def test_a_single_item_needs_no_process(two_threads):
    assert each(who, [5])[0][:2] == (5, os.getpid())
    assert each(who, []) == []


def test_what_fails_there_fails_here(two_threads):
    with pytest.raises(ValueError, match="item 0"):
        each(fails, range(2))


def sleepers(tmp_path, seconds: float) -> tuple[subprocess.Popen, list[int]]:
    """A job in a group of its own, and the numbers of its processes, its own first."""
    script = tmp_path / "sleepers.py"
    script.write_text(SLEEPERS, encoding="utf-8")
    job = subprocess.Popen(
        [sys.executable, str(script), str(seconds)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    return job, [int(job.stdout.readline()) for _ in range(3)]


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_processes_end_with_a_job_that_is_killed(tmp_path):
    job, pids = sleepers(tmp_path, 600)
    assert all(map(alive, pids))
    job.kill()
    job.wait()
    deadline = time.monotonic() + 30
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = [pid for pid in pids if alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


def test_a_signal_to_the_whole_group_is_for_the_job_to_answer(tmp_path):
    job, pids = sleepers(tmp_path, 2)
    for pid in pids[1:]:
        for name in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
            os.kill(pid, name)
    assert job.communicate()[0].split() == ["4.0"]
    assert job.returncode == 0


def test_xtb_finds_the_same_in_several_processes(two_threads, monkeypatch):
    water = species("water", "O")
    generator = np.random.default_rng(1)
    bent = np.array([[0, 0, 0], [0, 0.8, 0.55], [0, -0.75, 0.6]])
    starts = [Structure(str(k), bent + generator.normal(scale=0.05, size=(3, 3))) for k in range(3)]
    found = {}
    for in_one in (30, 0):
        monkeypatch.setattr(structures, "ATOMS_IN_ONE_PROCESS", in_one)
        lowest = minima(water, starts, lambda positions: True)
        hessian = xtb_hessian(water, bent)
        found[in_one] = lowest, relaxed(water, starts, GFN2), hessian
    (lowest, tight, hessian), (lowest_there, tight_there, hessian_there) = found.values()
    assert len(lowest) == len(lowest_there) == 1 and lowest[0].origin == lowest_there[0].origin
    assert [s.energy_gfn2_ev for s in tight] == pytest.approx([s.energy_gfn2_ev for s in tight_there], abs=1e-8)
    np.testing.assert_allclose(hessian_there, hessian, atol=1e-8)
