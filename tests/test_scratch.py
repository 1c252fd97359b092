"""Temporary files of a job: gone at its end, and those of a killed one when the next begins."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from pyscf import df, gto
from pyscf.lib import H5TmpFile, param

from electroscreen.scratch import NOTE, own_scratch

KILLED = """
import os, signal, sys
from pathlib import Path
from pyscf.lib import H5TmpFile
from electroscreen.scratch import own_scratch
with own_scratch(Path(sys.argv[1])) as scratch:
    left = H5TmpFile()
    left["integrals"] = list(range(1000))
    left.flush()
    print(scratch, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The folder of all temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(param, "TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_pyscfs_files_lie_there_and_are_gone_at_the_end(temporary, tmp_path):
    molecule = gto.M(atom="O 0 0 0; H 0 0.76 0.59; H 0 -0.76 0.59", basis="6-31g", verbose=0)
    with own_scratch(tmp_path) as scratch:
        fitting = df.DF(molecule)
        fitting.max_memory = 0  # keeps its integrals on disk
        fitting.build()
        assert list(scratch.iterdir())
        assert Path(tempfile.gettempdir()) == scratch
        assert np.isfinite(fitting.get_jk(np.eye(13))[0]).all()
        del fitting
    assert not list(temporary.iterdir())
    assert not (tmp_path / NOTE).exists()
    assert param.TMPDIR == tempfile.gettempdir() == str(temporary)


def test_they_are_gone_after_a_failure(temporary, tmp_path):
    with pytest.raises(ValueError, match="broken"), own_scratch(tmp_path):
        H5TmpFile().close()
        raise ValueError("broken")
    assert not list(temporary.iterdir())
    assert str(temporary) == param.TMPDIR


HELD = """
import sys
from pathlib import Path
from pyscf.lib import H5TmpFile, NamedTemporaryFile
from electroscreen.scratch import own_scratch
def job():
    with own_scratch(Path(sys.argv[1])):
        files = H5TmpFile(), NamedTemporaryFile()
    return files
held = job()
files = held[0].filename, held[1].name
assert all(Path(file).exists() for file in files)
if sys.argv[2] == "let go":
    del held
"""


@pytest.mark.parametrize("then", ["let go", "keep"])
def test_a_file_that_is_still_open_stays_until_it_is_closed(temporary, tmp_path, then):
    """And makes no noise; at the latest the next job removes the folder."""
    environment = os.environ | {"PYSCF_TMPDIR": str(temporary)}
    command = [sys.executable, "-c", HELD, str(tmp_path), then]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not [file for file in temporary.rglob("*") if file.is_file()]
    if then == "let go":
        assert not list(temporary.iterdir()) and not (tmp_path / NOTE).exists()


def test_what_a_killed_job_left_is_cleared_by_the_next(temporary, tmp_path):
    environment = os.environ | {"PYSCF_TMPDIR": str(temporary)}
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    killed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = Path(killed.stdout.strip())
    assert left.parent == temporary and sum(file.stat().st_size for file in left.iterdir()) > 8000
    with own_scratch(tmp_path) as scratch:
        assert list(temporary.iterdir()) == [scratch]
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("named", ["results", "electroscreen-gone", ""])
def test_a_note_of_a_folder_that_is_not_ours_removes_nothing(temporary, tmp_path, named):
    theirs = temporary / "results"
    theirs.mkdir()
    (theirs / "kept").touch()
    (tmp_path / NOTE).write_text(str(temporary / named) if named else "", encoding="utf-8")
    with own_scratch(tmp_path):
        pass
    assert (theirs / "kept").exists()
