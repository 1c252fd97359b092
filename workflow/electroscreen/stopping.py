"""Stop at the next checkpoint: what a scheduler's signal before the time limit asks for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

# Schedulers send SIGTERM before SIGKILL, at a limit, a cancelled job or a drained node; some sites send SIGUSR1.
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)

_asked = False


class StoppedError(Exception):
    """The run was asked to stop and has done so at a checkpoint, from which the same command goes on."""


@contextmanager
def signals_wait_for_a_checkpoint() -> Iterator[None]:
    """Within this block the signals no longer kill at once: they ask to stop at the next checkpoint.

    Only for stages that have checkpoints; the others have nothing to save, so the signal may kill them.
    """
    global _asked
    _asked = False
    before = {name: signal.signal(name, _ask) for name in SIGNALS}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
        _asked = False


def stop_is_asked() -> bool:
    """Whether a signal has come."""
    return _asked


def checkpoint_reached() -> None:
    """Call it where everything so far lies on disk.

    Raises
    ------
    StoppedError
        If a signal has come.
    """
    if _asked:
        raise StoppedError


def _ask(number: int, frame: object) -> None:
    global _asked
    _asked = True
    # Not print: the signal may have come in the middle of one.
    os.write(2, f"electroscreen: {signal.Signals(number).name}: goes on to the next checkpoint and stops\n".encode())
