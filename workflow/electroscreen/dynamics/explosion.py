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
    names = [TERMS.get(type(force).__name__, type(force).__name__) for force in openmm_forces[:31]]
    scale, first = _kinetic(context), _energies(context, len(names))
    last, culprit = first, None
    for step in range(1, steps + 1):
        # Those of a step before: of the one that breaks it they are no longer numbers.
        worst = int(np.argmax(last - first))
        if culprit is None:
            atoms = _worst_atoms(context, worst, topology)
        try:
            integrator.step(1)
            energies = _energies(context, len(names))
        except openmm.OpenMMException:
            energies = np.full(len(names), np.nan)
        broken = not np.isfinite(energies).all()
        if culprit is None and (broken or (energies - first).max() > scale):
            # The first term to rise by as much as all motion there was: what flies apart afterwards hits the others.
            if not broken:
                worst = int(np.argmax(energies - first))
                atoms = _worst_atoms(context, worst, topology)
            culprit = f"first the {names[worst]} energy rose, at step {good.step + step}, with most force on {atoms}"
        if broken:
            return f"at step {good.step + step}: {culprit}"
        last = energies
    return f"between the steps {good.step} and {good.step + steps}, but not again when these were repeated"


def _kinetic(context) -> float:
    from openmm import unit

    return context.getState(energy=True).getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)


def _energies(context, count: int) -> np.ndarray:
    from openmm import unit

    states = (context.getState(energy=True, groups={group}) for group in range(count))
    return np.array([state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole) for state in states])


def _worst_atoms(context, group: int, topology, count: int = 2) -> str:
    from openmm import unit

    forces = context.getState(forces=True, groups={group}).getForces(asNumpy=True)
    sizes = np.linalg.norm(forces.value_in_unit(unit.kilojoule_per_mole / unit.nanometer), axis=1)
    atoms = list(topology.atoms())
    order = np.argsort(sizes)[::-1][:count]
    return " and ".join(
        f"atom {i + 1} ({atoms[i].name} of {atoms[i].residue.name} {atoms[i].residue.id})" for i in order
    )
