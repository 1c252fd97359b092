"""Why a run exploded: the last steps once more, one by one, with each term of the energy apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TERMS = {
    "NonbondedForce": "non-bonded",
    "HarmonicBondForce": "bond",
    "HarmonicAngleForce": "angle",
    "PeriodicTorsionForce": "torsion",
}


@dataclass(frozen=True)
class Moment:
    """A state of the run that is still good, and the step of its phase."""

    state: object
    step: int


def explain(system, integrator, platform, properties, topology, good: Moment, steps: int) -> str:
    """Say at which step after a good moment the energy stops being finite, by which term and on which atoms.

    Parameters
    ----------
    system, integrator
        As in the run; the integrator is a fresh one.
    steps
        How many to go at most.
    """
    import openmm

    openmm_forces = [force for force in system.getForces() if not isinstance(force, openmm.CMMotionRemover)]
    # Group 31 is left to what has no energy of its own, such as a barostat.
    for group, force in enumerate(openmm_forces[:31]):
        force.setForceGroup(group)
    context = openmm.Context(system, integrator, platform, properties)
    context.setPeriodicBoxVectors(*good.state.getPeriodicBoxVectors())
    context.setPositions(good.state.getPositions())
    context.setVelocities(good.state.getVelocities())
    groups = range(len(openmm_forces[:31]))
    names = [TERMS.get(type(force).__name__, type(force).__name__) for force in openmm_forces[:31]]
    first = last = _energies(context, groups)
    # Forces before each step: those of the step that broke it are no longer numbers.
    forces = _forces(context)
    for step in range(1, steps + 1):
        try:
            integrator.step(1)
            energies = _energies(context, groups)
        except openmm.OpenMMException:
            energies = np.full(len(names), np.nan)
        if not np.isfinite(energies).all():
            worst = int(np.argmax(np.where(np.isfinite(energies), last - first, np.inf)))
            if not np.isfinite(energies).any():
                worst = int(np.argmax(last - first))
            return (
                f"at step {good.step + step}, when the {names[worst]} energy had gone from {first[worst]:.4g} to "
                f"{last[worst]:.4g} kJ/mol; the largest forces were on {_worst_atoms(forces, topology)}"
            )
        last, forces = energies, _forces(context)
    return f"between the steps {good.step} and {good.step + steps}, but not again when these were repeated"


def _energies(context, groups) -> np.ndarray:
    from openmm import unit

    states = (context.getState(energy=True, groups={group}) for group in groups)
    return np.array([state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole) for state in states])


def _forces(context) -> np.ndarray:
    from openmm import unit

    forces = context.getState(forces=True).getForces(asNumpy=True)
    return np.linalg.norm(forces.value_in_unit(unit.kilojoule_per_mole / unit.nanometer), axis=1)


def _worst_atoms(forces: np.ndarray, topology, count: int = 2) -> str:
    atoms = list(topology.atoms())
    order = np.argsort(np.nan_to_num(forces, nan=np.inf))[::-1][:count]
    return " and ".join(
        f"atom {i + 1} ({atoms[i].name} of {atoms[i].residue.name} {atoms[i].residue.id})" for i in order
    )
