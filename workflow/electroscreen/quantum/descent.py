"""Down the energy of xTB to the next minimum: in Cartesian coordinates, or in those of molecules side by side."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from electroscreen.complexes import ATOMS_IN_CARTESIANS

# Five in chains and rings, 37 in a carborane, whose every bond has twenty torsions: keeping account of them then costs
# seconds a step.
MOST_COORDINATES_PER_ATOM = 10

# ASE's atoms, which are moved; the force in eV/angstrom that no atom may exceed; steps at most. Whether it got there.
Descent = Callable[..., bool]


def descent_of(atoms: int) -> Descent:
    """Return how a cluster of so many atoms walks."""
    return in_cartesians if atoms <= ATOMS_IN_CARTESIANS else in_internals


def in_cartesians(atoms, force_ev_per_angstrom: float, steps: int) -> bool:
    """Walk by BFGS.

    Raises
    ------
    ase.calculators.calculator.CalculationFailed
        If xTB does not converge on the way.
    """
    from ase.optimize import BFGS

    return bool(BFGS(atoms, logfile=None).run(fmax=force_ev_per_angstrom, steps=steps))


def in_internals(atoms, force_ev_per_angstrom: float, steps: int) -> bool:
    """Walk by geomeTRIC in bonds, angles, torsions, and translations and rotations of each molecule of a cluster.

    An ion and a chain that wraps it need 30 to 80 evaluations instead of 200 to 800, and its longer steps pass over
    shallow minima. Cages, and what has no such coordinates, go in Cartesian coordinates all the same. Coordinates: Wang
    and Song, J. Chem. Phys. 144, 214108 (2016). Where the walk breaks off, the atoms stay at its lowest point.

    Raises
    ------
    ase.calculators.calculator.CalculationFailed
        If xTB does not converge at the very first point.
    """
    from geometric.errors import Error

    with quiet(), tempfile.TemporaryDirectory() as scratch:
        walk, found = None, False
        try:
            walk = _walk(atoms, force_ev_per_angstrom, steps, scratch)
            if walk:
                walk.optimizeGeometry()
                found = True
        except (Error, RuntimeError, np.linalg.LinAlgError):
            # CalculationFailed is a RuntimeError, and so is an angle that is no number.
            pass
    if walk is None or not walk.progress.qm_energies:
        return in_cartesians(atoms, force_ev_per_angstrom, steps)
    atoms.positions = walk.progress.xyzs[int(np.argmin(walk.progress.qm_energies))]
    return found


def _walk(atoms, force_ev_per_angstrom: float, steps: int, scratch: str):
    """geomeTRIC's optimizer at its start; None for what has too many internal coordinates."""
    from ase.units import Bohr, Hartree
    from geometric.ase_engine import EngineASE
    from geometric.internal import DelocalizedInternalCoordinates
    from geometric.molecule import Molecule
    from geometric.optimize import Optimizer
    from geometric.params import OptParams

    molecule = Molecule()
    molecule.elem, molecule.xyzs = atoms.get_chemical_symbols(), [atoms.positions.copy()]
    molecule.build_topology()
    coordinates = DelocalizedInternalCoordinates(molecule, build=True, connect=False, addcart=False)
    if len(coordinates.Prims.Internals) > MOST_COORDINATES_PER_ATOM * len(atoms):
        return None
    # Forces alone decide: the other four criteria are set to what every step meets.
    criteria = {f"convergence_{name}": np.inf for name in ("energy", "grms", "drms", "dmax")}
    criteria["convergence_gmax"] = force_ev_per_angstrom * Bohr / Hartree
    return Optimizer(
        atoms.positions.ravel() / Bohr,
        molecule,
        coordinates,
        EngineASE(molecule, atoms.calc),
        scratch,
        OptParams(maxiter=steps, **criteria),
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep geomeTRIC, which narrates every step at length, from talking."""
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
