"""What a job wrote: JSON with verdict and provenance, and files that appear whole or not at all."""

from __future__ import annotations

import fcntl
import glob
import json
import math
import os
import platform
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from electroscreen.recipe import digest

OK = "ok"


def usable(verdict: str) -> bool:
    """Return whether a number may be used: its verdict is 'ok', or 'ok' with a remark such as 'ok (one box)'."""
    return verdict == OK or verdict.startswith(f"{OK} (")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a path to write to; it becomes `path` when the block ends well, and vanishes when not."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last because writers (ASE, matplotlib) choose the format by it.
    node, own = platform.node(), os.getpid()
    partial = path.with_name(f".{path.stem}.{node}-{own}.partial{path.suffix}")
    for leftover in path.parent.glob(f".{glob.escape(path.stem)}.*.partial{glob.escape(path.suffix)}"):
        writer = leftover.name.removesuffix(f".partial{path.suffix}").rpartition("-")
        # A job of a Snakemake that was killed may still write the same; only what nobody writes any more is swept away.
        if writer[0].endswith(f".{node}") and writer[2].isdigit() and not _runs(int(writer[2])):
            leftover.unlink(missing_ok=True)
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that two jobs never write one result.

    A job outlives a Snakemake that is killed, and the next call starts it again.

    Raises
    ------
    BlockingIOError
        If another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def locked_files() -> set[int]:
    """Return the inodes of all files that a process holds locked, without touching a lock; none where Linux is not."""
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return set()
    # 1: FLOCK  ADVISORY  WRITE 4711 08:01:123456 0 EOF; a process that waits has '->' after its number.
    return {int(words[-3].rpartition(":")[2]) for line in lines if (words := line.split())[1] == "FLOCK"}


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write a record; numpy values become plain ones, numbers that are not finite become null."""
    with whole(path) as partial:
        partial.write_text(json.dumps(_plain(record), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a record written by `write_json`."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_text(path: Path, text: str) -> None:
    """Write text that appears whole or not at all."""
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def provenance(
    recipe: dict[str, Any], packages: tuple[str, ...], started: float, threads: int = 1, **more: Any
) -> dict[str, Any]:
    """Return who made a record and how.

    Parameters
    ----------
    recipe
        What the job was asked to do, see `electroscreen.recipe`.
    packages
        Distributions whose version decides the numbers.
    started
        `time.time()` at the start of the job.
    """
    return {
        "recipe_hash": digest(recipe),
        "versions": installed_versions(("electroscreen", *packages)),
        "python": platform.python_version(),
        "threads": threads,
        "wall_seconds": round(time.time() - started, 1),
        **more,
    }


def installed_versions(names: Iterable[str]) -> dict[str, str | None]:
    """Return the version of each distribution, None where it is not installed."""
    return {name: _version(name) for name in names}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return value.as_posix()
    return value
