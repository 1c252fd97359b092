"""Optimisation of a geometry with PySCF gradients and geomeTRIC, resumable after a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from electroscreen.quantum.descent import quiet
from electroscreen.quantum.integrals import LastIntegrals
from electroscreen.quantum.kept_density import KeptDensity
from electroscreen.quantum.scf import (
    ENERGY_TOLERANCE_HARTREE,
    Converged,
    SCFNotConvergedError,
    build_mean_field,
    build_molecule,
    converge,
)
from electroscreen.quantum.solvent import in_solvent
from electroscreen.quantum.stability import NOT_ASKED_FOR
from electroscreen.quantum.structures import System
from electroscreen.settings import Quantum

SOFTEST_HARTREE_PER_SQUARE_BOHR = 0.001
RIGID_HARTREE_PER_SQUARE_BOHR = 0.05

# Where a rough minimum is enough: a step gains less than 5 meV while forces are below 0.15 eV/angstrom (geomeTRIC's
# keywords, atomic units).
ROUGH = {"convergence_energy": 2e-4, "convergence_grms": 3e-3}
# As near SCFs may end where energies are only compared, or forces lead to a rough minimum: 0.03 meV.
ROUGH_SCF_HARTREE = 1e-6


@dataclass(frozen=True)
class Optimised:
    """Where an optimisation ended."""

    positions_angstrom: np.ndarray
    energy_hartree: float
    largest_gradient_hartree_per_bohr: float
    density: np.ndarray
    rung: str
    steps: int
    converged: bool
    failure: str | None = None


class Surface:
    """Energies and gradients of one system at one level; each SCF starts from the density of the one before.

    So one analysis of stability holds for all that follow: it is made where `stability_due` says so, which it then
    no longer does. The first starts from what `kept` has, which is also told of every density found.
    """

    def __init__(
        self,
        species: System,
        quantum: Quantum,
        grid: int,
        solvent: float | str | None = None,
        integrals: LastIntegrals | None = None,
        kept: KeptDensity | None = None,
    ):
        self.species, self.quantum, self.grid, self.solvent = species, quantum, grid, solvent
        self.integrals, self.kept = LastIntegrals() if integrals is None else integrals, kept
        self.density: np.ndarray | None = None
        self.stability_due, self.stability = quantum.stability != "none", NOT_ASKED_FOR
        self.tolerance_hartree = ENERGY_TOLERANCE_HARTREE

    @contextmanager
    def roughly(self, rough: bool = True) -> Iterator[None]:
        """Let SCFs end at `ROUGH_SCF_HARTREE` within."""
        kept = self.tolerance_hartree
        self.tolerance_hartree = ROUGH_SCF_HARTREE if rough else kept
        try:
            yield
        finally:
            self.tolerance_hartree = kept

    def molecule(self, positions_angstrom: np.ndarray):
        """Return the PySCF molecule at a geometry."""
        species = self.species
        return build_molecule(
            species.symbols, positions_angstrom, species.charge, species.multiplicity, self.quantum.level
        )

    def solve(self, positions_angstrom: np.ndarray) -> Converged:
        """Return the converged mean field at a geometry.

        Raises
        ------
        SCFNotConvergedError
        """
        quantum, pyscf_molecule = self.quantum, self.molecule(positions_angstrom)
        mean_field = build_mean_field(pyscf_molecule, quantum.level, self.grid, quantum.memory_mb, self.integrals)
        mean_field = in_solvent(mean_field, self.solvent)
        mean_field.conv_tol = self.tolerance_hartree
        if self.kept is not None:
            self._take_up(positions_angstrom)
            mean_field.callback = self.kept.during(self.species, positions_angstrom, self.stability)
        fits = self.density is not None and self.density.shape[-1] == pyscf_molecule.nao
        solved = converge(mean_field, quantum.scf_limit, self.density if fits else None, self.stability_due)
        if self.stability_due:
            self.stability_due, self.stability = False, solved.stability
        self.density = solved.density
        if self.kept is not None:
            self.kept.save(self.species, positions_angstrom, self.density, self.stability)
        return solved

    def _take_up(self, positions_angstrom: np.ndarray) -> None:
        """Start from the density that a killed job has left, and from what it knew of that."""
        kept = self.kept.near(self.species, positions_angstrom) if self.density is None else None
        if kept is not None:
            self.density, stability = kept
            if stability != NOT_ASKED_FOR:
                self.stability_due, self.stability = False, stability

    def energy_and_gradient(self, positions_angstrom: np.ndarray) -> tuple[float, np.ndarray, Converged]:
        """Return hartree, hartree/bohr (N, 3), and the mean field."""
        from electroscreen.quantum.gradient import gradients_of

        solved = self.solve(positions_angstrom)
        gradient = gradients_of(solved.mean_field).kernel()
        return float(solved.mean_field.e_tot), np.asarray(gradient), solved


def optimise(
    surface: Surface,
    start_angstrom: np.ndarray,
    hessian_guess: np.ndarray | None,
    after_step: Callable[[int, float, float, np.ndarray], None],
    rough: bool = False,
) -> Optimised:
    """Walk downhill until the rms gradient is below 3e-4 hartree/bohr and the last step changed next to nothing.

    Next to nothing is 1e-6 hartree, or a rms displacement of 1.2e-3 angstrom. A rough walk ends earlier, see `ROUGH`.

    An SCF that fails on the way ends the walk at the last point that had one, with `failure` saying so.

    Parameters
    ----------
    hessian_guess
        (3N, 3N), hartree/bohr^2: a cheap Hessian saves about half of the steps; None for geomeTRIC's own guess.
    after_step
        Called with step number, energy (hartree), largest gradient (hartree/bohr), positions (angstrom).

    Raises
    ------
    SCFNotConvergedError
        At the very first point.
    """
    from pyscf.data.nist import BOHR
    from pyscf.geomopt import as_pyscf_method, geometric_solver

    last: dict = {"step": 0}

    def evaluate(pyscf_molecule) -> tuple[float, np.ndarray]:
        positions = pyscf_molecule.atom_coords() * BOHR
        energy, gradient, solved = surface.energy_and_gradient(positions)
        last.update(
            step=last["step"] + 1,
            energy=energy,
            gradient=float(np.linalg.norm(gradient, axis=1).max()),
            positions=positions,
            solved=solved,
        )
        after_step(last["step"], energy, last["gradient"], positions)
        return energy, gradient

    failure = None
    try:
        with surface.roughly(rough), quiet():  # `after_step` says what matters
            converged, _ = geometric_solver.kernel(
                as_pyscf_method(surface.molecule(start_angstrom), evaluate),
                maxsteps=surface.quantum.steps_limit,
                # A list, because geomeTRIC asks for its truth value, which an array does not have.
                hess_data=None if hessian_guess is None else _usable_guess(hessian_guess, start_angstrom).tolist(),
                frequency=False,
                # Q-Chem's rule: rms gradient, and either displacement or energy. Gaussian's, which wants all of them,
                # walks ten steps and more along a soft torsion (Na+ over TFSI-) for millionths of a hartree.
                qccnv=True,
                **(ROUGH if rough else {}),
            )
    except SCFNotConvergedError as error:
        if not last["step"]:
            raise
        converged, failure = False, str(error)
    return Optimised(
        positions_angstrom=last["positions"],
        energy_hartree=last["energy"],
        largest_gradient_hartree_per_bohr=last["gradient"],
        density=last["solved"].density,
        rung=last["solved"].rung,
        steps=last["step"],
        converged=bool(converged),
        failure=failure,
    )


def _usable_guess(hessian: np.ndarray, positions_angstrom: np.ndarray) -> np.ndarray:
    """Make a Hessian positive definite: geomeTRIC drops a guess that has a zero or negative eigenvalue.

    Translations and rotations get the stiffness that geomeTRIC itself gives them; soft and negative modes a small one.
    """
    rigid = _rigid_motions(positions_angstrom)
    outside = np.eye(len(hessian)) - rigid @ rigid.T
    values, modes = np.linalg.eigh(outside @ hessian @ outside)
    stiff = (modes * np.maximum(values, SOFTEST_HARTREE_PER_SQUARE_BOHR)) @ modes.T
    return outside @ stiff @ outside + RIGID_HARTREE_PER_SQUARE_BOHR * rigid @ rigid.T


def _rigid_motions(positions_angstrom: np.ndarray) -> np.ndarray:
    """Orthonormal columns, (3N, 5 or 6): translations and rotations of a molecule."""
    centred = positions_angstrom - positions_angstrom.mean(axis=0)
    axes = np.eye(3)
    translations = [np.tile(axis, len(centred)) for axis in axes]
    rotations = [np.cross(axis, centred).ravel() for axis in axes]
    left, sizes, _ = np.linalg.svd(np.array(translations + rotations).T, full_matrices=False)
    return left[:, sizes > 1e-6 * sizes[0]]
