"""Temporary files of long jobs: the integrals of a large complex take 10 GB, and a killed process clears nothing."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "electroscreen-"
NOTE = ".scratch"


@contextmanager
def own_scratch(folder: Path) -> Iterator[Path]:
    """Within this block temporary files, PySCF's too, go to a folder of their own, which goes with the last of them.

    Where it lies is noted in `folder`, so that the next job there, which must hold its lock, removes what a killed one
    has left. TMPDIR and PYSCF_TMPDIR say where such folders are made.
    """
    from pyscf.lib import param

    note = folder / NOTE
    _clear(note)
    scratch = Path(tempfile.mkdtemp(prefix=PREFIX, dir=param.TMPDIR))
    note.write_text(f"{scratch.absolute()}\n", encoding="utf-8")
    before = param.TMPDIR, tempfile.tempdir
    param.TMPDIR = tempfile.tempdir = str(scratch)
    try:
        yield scratch
    finally:
        param.TMPDIR, tempfile.tempdir = before
        gc.collect()  # what nothing holds any more removes its file
        _forget_empty(note, scratch)
        atexit.register(_forget_empty, note, scratch)


def _forget_empty(note: Path, scratch: Path) -> None:
    with suppress(OSError):
        scratch.rmdir()
        note.unlink()


def _clear(note: Path) -> None:
    """Remove the folder of a note, and the note; a folder that is not ours stays."""
    if not note.exists():
        return
    scratch = Path(note.read_text(encoding="utf-8").strip())
    if scratch.name.startswith(PREFIX) and scratch.is_dir() and scratch.lstat().st_uid == os.getuid():
        shutil.rmtree(scratch, ignore_errors=True)
    note.unlink()
