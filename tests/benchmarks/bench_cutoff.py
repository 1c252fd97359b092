"""What cut-off and Ewald tolerance cost, and what they are wrong by, on a box that has been run.

`python tests/benchmarks/bench_cutoff.py results/quick/boxes/BOX [STEPS]`, one thread, seconds of processor time between
runs of STEPS and of 3 STEPS. Errors beside 12 angstrom (or just below half the edge) and a tolerance of 1e-6: root mean
square of the difference of the forces on atoms, over the root mean square of the forces; and of the pressure, whose
tail beyond the cut-off the long-range correction stands for.
"""

from __future__ import annotations

import copy
import sys
import time
from pathlib import Path

import numpy as np

from electroscreen.dynamics.protocol import build_integrator, phases
from electroscreen.dynamics.run import _carry_over
from electroscreen.record import read_json
from electroscreen.settings import read_settings

REFERENCE = (12.0, 1e-6)
CUTOFFS_ANGSTROM, TOLERANCES = (8.0, 9.0, 10.0, 11.0, 12.0), (2e-3, 5e-4, 1e-4)


def prepared(system, state, integrator, cutoff_angstrom: float, tolerance: float):
    """Return a context of the box with this cut-off and this tolerance, on one thread."""
    import openmm

    system = copy.deepcopy(system)
    nonbonded = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    nonbonded.setCutoffDistance(cutoff_angstrom / 10)
    nonbonded.setPMEParameters(0, 0, 0, 0)
    nonbonded.setEwaldErrorTolerance(tolerance)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("CPU"), {"Threads": "1"})
    _carry_over(state, context)
    return context


def forces_and_virial_pressure(context) -> tuple[np.ndarray, float]:
    """Return forces, kJ/mol/nm, and what the potential adds to the pressure, bar: -dU/dV by scaling all positions."""
    state = context.getState(positions=True, forces=True)
    x, vectors = state.getPositions(asNumpy=True)._value, state.getPeriodicBoxVectors(asNumpy=True)._value
    energies, step = [], 1e-4
    for scale in (1 - step, 1 + step):
        context.setPeriodicBoxVectors(*(scale * vectors))
        context.setPositions(scale * x)
        energies.append(context.getState(energy=True).getPotentialEnergy()._value)
    context.setPeriodicBoxVectors(*vectors)
    context.setPositions(x)
    volume = np.linalg.det(vectors)
    # 1 kJ/mol/nm^3 is 16.6054 bar.
    pressure = -(energies[1] - energies[0]) / (volume * ((1 + step) ** 3 - (1 - step) ** 3)) * 16.6054
    return state.getForces(asNumpy=True)._value, pressure


def seconds_per_step(context, steps: int) -> float:
    """Return processor time of a step, without what a start costs."""
    took = []
    for count in (steps, 3 * steps):
        start = time.process_time()
        context.getIntegrator().step(count)
        context.getState(energy=True)
        took.append(time.process_time() - start)
    return (took[1] - took[0]) / (2 * steps)


def main(box: str, steps: int = 200) -> None:
    """Print a row for each choice."""
    import openmm

    box = Path(box)
    dynamics = read_settings(Path("config") / f"{box.parents[1].name}.yaml").dynamics
    composition = read_json(box / "composition.json")
    system = openmm.XmlSerializer.deserialize((box / "replica-1" / "system.xml").read_text(encoding="utf-8"))
    last = max((box / "replica-1" / "restart").glob("state-*.xml"))
    state = openmm.XmlSerializer.deserialize(last.read_text(encoding="utf-8"))
    half_edge = 10 * state.getPeriodicBoxVectors()[0][0]._value / 2
    phase = phases(dynamics)[-1]

    def integrator():
        return build_integrator(phase, composition["temperature_k"], 1)

    longest = min(REFERENCE[0], 0.98 * half_edge)
    exact, exact_bar = forces_and_virial_pressure(prepared(system, state, integrator(), longest, REFERENCE[1]))
    norm = np.sqrt(np.mean(exact**2))
    print(f"{composition['atoms']} atoms, {phase.timestep_fs:g} fs, errors beside {longest:g} Å and {REFERENCE[1]:g}")
    print("cut-off Å  tolerance  ns/day  force error  pressure error bar")
    for cutoff in (c for c in CUTOFFS_ANGSTROM if c <= longest):
        for tolerance in TOLERANCES:
            context = prepared(system, state, integrator(), cutoff, tolerance)
            forces, bar = forces_and_virial_pressure(context)
            error = np.sqrt(np.mean((forces - exact) ** 2)) / norm
            rate = 86400 * phase.timestep_fs * 1e-6 / seconds_per_step(context, steps)
            print(f"{cutoff:9.0f}  {tolerance:9.0e}  {rate:6.1f}  {error:11.1e}  {bar - exact_bar:+18.0f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
