"""The same work on many items, in as many processes as the job has threads."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from typing import TypeVar

from electroscreen.numerics import set_up_numerics, threads_given
from electroscreen.stopping import SIGNALS

Item = TypeVar("Item")
Found = TypeVar("Found")


def each(work: Callable[[Item], Found], items: Iterable[Item]) -> list[Found]:
    """Return what the work makes of each item, in their order; as `map`, where the job has a single thread.

    For work of many seconds: processes start anew, since a fork of one that has run OpenMP may hang, and import what
    they need. Each has one thread. Work, items and results are pickled.
    """
    items = list(items)
    processes = min(threads_given(), len(items))
    if processes < 2:
        return [work(item) for item in items]
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin) as pool:
        return list(pool.map(work, items))


def end_with_parent() -> None:
    """Let this process of a pool end when the one that began it has been killed; otherwise it would wait for ever."""
    threading.Thread(target=_wait_for_parents_end, daemon=True).start()


def _wait_for_parents_end() -> None:
    parent_process().join()
    os._exit(1)


def _begin() -> None:
    end_with_parent()
    # A scheduler or a terminal signals the whole group: what then happens is for the job's own process to say.
    for name in (*SIGNALS, signal.SIGINT):
        signal.signal(name, signal.SIG_IGN)
    set_up_numerics(1)
