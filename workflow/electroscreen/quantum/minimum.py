"""From a start to a minimum, proven by a Hessian where one is asked for; resumable after a kill at any step."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.quantum.kept_density import KeptDensity
from electroscreen.quantum.optimise import Optimised, Surface, optimise
from electroscreen.quantum.scf import SCFNotConvergedError
from electroscreen.quantum.structures import hessian_guess
from electroscreen.quantum.vibrations import HESSIAN_GRID, Vibrations, dft_hessian, vibrations
from electroscreen.recipe import digest
from electroscreen.record import read_json, write_json
from electroscreen.stopping import checkpoint_reached


class Progress:
    """What an interrupted run had reached, kept in a file; a file of another recipe counts for nothing.

    Beside it, `density`: the last one of whatever is under way.
    """

    def __init__(self, path: Path, recipe: dict[str, Any]):
        self.path, self.recipe_hash = path, digest(recipe)
        self.density = KeptDensity(path.with_suffix(".npz"), self.recipe_hash)
        try:
            saved = read_json(path)
        except (OSError, ValueError):
            saved = {}
        self.state: dict[str, Any] = saved if saved.pop("recipe_hash", None) == self.recipe_hash else {}

    def save(self, **more: Any) -> None:
        """Add to the state and write it; None takes a key out.

        Raises
        ------
        StoppedError
            If a signal has asked for it.
        """
        self.state = {key: value for key, value in (self.state | more).items() if value is not None}
        write_json(self.path, {"recipe_hash": self.recipe_hash, **self.state})
        checkpoint_reached()

    def forget(self) -> None:
        """Remove the files: the run has come to its end."""
        self.path.unlink(missing_ok=True)
        self.density.forget()


@dataclass(frozen=True)
class Minimum:
    """Where a descent ended, its vibrations or why there are none, and the imaginary mode that was followed, if any."""

    optimised: Optimised
    vibrations: Vibrations | None
    followed_per_cm: float | None = None
    failure: str | None = None


def hessian_wanted(surface: Surface) -> bool:
    """Whether the settings ask for a Hessian of this species."""
    return surface.quantum.hessian == "dft" and len(surface.species.symbols) <= surface.quantum.hessian_atoms_limit


def find_minimum(surface: Surface, progress: Progress, rough: bool = False) -> Minimum:
    """Go downhill from `progress.state["positions_angstrom"]`; follow an imaginary mode once, then look again.

    Of a rough minimum no Hessian is made: its forces are not gone.

    Raises
    ------
    SCFNotConvergedError
        At the very first point.
    """
    if len(surface.species.symbols) == 1:
        return _atom(surface)
    result = _optimised(surface, progress, rough)
    if rough or not (result.converged and hessian_wanted(surface)):
        return Minimum(result, None)
    followed = progress.state.get("followed_per_cm")
    try:
        hessian, found = _vibrations(surface, result, progress)
    except SCFNotConvergedError as failure:
        return Minimum(result, None, followed, str(failure))
    if followed or not found.imaginary_per_cm:
        return Minimum(result, found, followed)
    say(surface, f"imaginary mode of {found.imaginary_per_cm[0]:.0f}i cm-1, followed downhill")
    downhill = found.downhill(result.positions_angstrom)
    fresh = {"optimised": None, "steps": None, "hessian": None, "hessian_rows": None}
    progress.save(positions_angstrom=downhill, followed_per_cm=found.imaginary_per_cm[0], guess=hessian, **fresh)
    return find_minimum(surface, progress)


def _atom(surface: Surface) -> Minimum:
    solved = surface.solve(np.zeros((1, 3)))
    energy = float(solved.mean_field.e_tot)
    result = Optimised(np.zeros((1, 3)), energy, 0.0, solved.density, solved.rung, steps=0, converged=True)
    return Minimum(result, vibrations(solved.mean_field.mol, np.zeros((3, 3))) if hessian_wanted(surface) else None)


def _optimised(surface: Surface, progress: Progress, rough: bool) -> Optimised:
    """Optimise from the last point; where that was done before the kill, only the density is computed again."""
    start = np.array(progress.state["positions_angstrom"])
    done = progress.state.get("optimised")
    if done:
        return Optimised(**done | {"positions_angstrom": start, "density": surface.solve(start).density})

    before = progress.state.get("steps", 0)

    def after_step(step: int, energy: float, gradient: float, positions: np.ndarray) -> None:
        say(surface, f"step {before + step}, {energy:.6f} hartree, largest gradient {gradient:.5f} hartree/bohr")
        progress.save(positions_angstrom=positions, steps=before + step)

    guess = progress.state.get("guess")
    guess = hessian_guess(surface.species, start) if guess is None else np.array(guess)
    result = optimise(surface, start, guess, after_step, rough)
    result = replace(result, steps=before + result.steps)
    if not rough and result.converged and hessian_wanted(surface):
        kept = {key: value for key, value in asdict(result).items() if key not in ("positions_angstrom", "density")}
        progress.save(positions_angstrom=result.positions_angstrom, optimised=kept)
    return result


def _vibrations(surface: Surface, result: Optimised, progress: Progress) -> tuple[np.ndarray, Vibrations]:
    fine = Surface(surface.species, surface.quantum, max(surface.grid, HESSIAN_GRID))
    fine.density, fine.stability_due = result.density, False
    hessian = progress.state.get("hessian")
    if hessian is None:
        rows = progress.state.get("hessian_rows", [])
        hessian = dft_hessian(fine, result.positions_angstrom, rows, lambda done: progress.save(hessian_rows=done))
        progress.save(hessian=hessian)
    return np.array(hessian), vibrations(fine.molecule(result.positions_angstrom), np.array(hessian))


def say(surface: Surface, what: str) -> None:
    """Tell whoever waits how far a species or a complex is."""
    print(f"{surface.species.name}: {what}", file=sys.stderr, flush=True)
