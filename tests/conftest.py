"""What many tests share: one thread, a project to spoil, and the command as a user calls it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from electroscreen.numerics import set_up_numerics

# Before any numerical library is loaded: threads that wait for each other make small jobs many times slower.
set_up_numerics(1)

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shipped() -> Path:
    """The project itself; only to read."""
    return ROOT


@pytest.fixture(scope="session")
def quick(shipped):
    """The shipped level of theory."""
    from electroscreen.settings import read_settings

    return read_settings(shipped / "config" / "quick.yaml").quantum


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of the shipped inputs that a test may spoil."""
    for folder in ("molecules", "config"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


@pytest.fixture
def electroscreen(capsys):
    """The command: call it with words, get the exit code, and the lines on standard output and standard error."""
    from electroscreen.cli import main
    from electroscreen.settings import read_settings

    def call(*words) -> tuple[int, list[str], list[str]]:
        read_settings.cache_clear()
        capsys.readouterr()
        code = main([str(word) for word in words])
        written = capsys.readouterr()
        return code, written.out.split("\n")[:-1], written.err.split("\n")[:-1]

    return call


@pytest.fixture
def refused(project, electroscreen):
    """Check the project; return the one line that says what is wrong with it."""

    def check(*words) -> str:
        code, out, err = electroscreen("check", "--project", project, *words)
        assert (code, out) == (2, [])
        assert len(err) == 1, err
        return err[0].replace(f"{project}{os.sep}", "")

    return check
