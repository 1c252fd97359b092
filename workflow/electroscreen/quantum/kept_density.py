"""The density of an unfinished SCF or optimisation, in a file, for the job that goes on after a kill."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from electroscreen.quantum.stability import NOT_ASKED_FOR
from electroscreen.quantum.structures import System
from electroscreen.record import whole
from electroscreen.stopping import checkpoint_reached, stop_is_asked

EVERY_S = 60.0
# As far as an atom may have moved in the step that the kill has cut short.
NEAR_ANGSTROM = 0.5


@dataclass
class KeptDensity:
    """A guess, which saves time and decides nothing: what cannot be read, or is of something else, is none."""

    path: Path
    recipe_hash: str

    def save(self, system: System, positions_angstrom: np.ndarray, density: np.ndarray, stability: str) -> None:
        """Keep a density matrix and what is known of its stability, in place of the one before."""
        of = {**self._signature(system), "positions_angstrom": positions_angstrom, "stability": stability}
        with whole(self.path) as partial, partial.open("wb") as stream:
            np.savez(stream, density=np.asarray(density), **of)

    def near(self, system: System, positions_angstrom: np.ndarray) -> tuple[np.ndarray, str] | None:
        """Return the density kept of this system near this geometry, and what is known of its stability."""
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                kept = {name: stored[name] for name in stored.files}
            same = all(str(kept[name]) == value for name, value in self._signature(system).items())
            moved = np.linalg.norm(kept["positions_angstrom"] - positions_angstrom, axis=-1)
            return (kept["density"], str(kept["stability"])) if same and moved.max() < NEAR_ANGSTROM else None
        except (OSError, ValueError, LookupError, EOFError, BadZipFile):
            return None

    def during(
        self, system: System, positions_angstrom: np.ndarray, stability: str = NOT_ASKED_FOR
    ) -> Callable[[dict[str, Any]], None]:
        """Return what PySCF is to call after each cycle of an SCF: it saves once a minute, and before a stop.

        Parameters
        ----------
        stability
            What is known of the state that the SCF began from, as the one before it on a walk.

        Raises
        ------
        StoppedError
            When called, if a signal has asked for it.
        """
        saved = time.monotonic()

        def after_cycle(state: dict[str, Any]) -> None:
            nonlocal saved
            if time.monotonic() - saved < EVERY_S and not stop_is_asked():
                return
            self.save(system, positions_angstrom, state["dm"], stability)
            checkpoint_reached()
            saved = time.monotonic()

        return after_cycle

    def forget(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)

    def _signature(self, system: System) -> dict[str, str]:
        return {
            "recipe_hash": self.recipe_hash,
            "symbols": " ".join(system.symbols),
            "charge_e": str(system.charge),
            "multiplicity": str(system.multiplicity),
        }
