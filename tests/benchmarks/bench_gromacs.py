"""A box in OpenMM and in GROMACS (Debian: `apt install gromacs`): the same energy, and how many ns a day on one thread.

On a box that has been run: `python tests/benchmarks/bench_gromacs.py results/quick/boxes/BOX [STEPS]`.
First the energies of one frame, by terms, with Ewald sums as good as exact in both: they say that it is the same
box. Then the same steps in the same ensemble (Nosé-Hoover, constraints, cut-off, Ewald split and grid as in the stage).
Told are seconds of processor time, which a busy machine does not change, between runs of STEPS and of 3 STEPS, so that
no start-up counts.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from math import erfc
from pathlib import Path

import numpy as np

from electroscreen.dynamics.protocol import THERMOSTAT_PER_PS, build_integrator, phases
from electroscreen.dynamics.run import _carry_over
from electroscreen.record import read_json
from electroscreen.settings import read_settings

EXACT = 1e-6


def forces_of(system) -> dict:
    """Forces of a system by the names of their classes."""
    return {type(force).__name__: force for force in system.getForces()}


def topology_text(system, topology, kinds: dict[str, int]) -> str:
    """Return a GROMACS topology; `kinds` maps species to how many molecules stand in the box, in this order."""
    forces, residues = forces_of(system), list(topology.residues())
    nonbonded = forces["NonbondedForce"]
    types, blocks, first = [], [], 0
    for name, count in kinds.items():
        atoms = [atom.index for atom in residues[first].atoms()]
        own, start = set(atoms), atoms[0]
        sections = {key: [] for key in ("atoms", "bonds", "constraints", "pairs", "angles", "dihedrals")}
        for i in atoms:
            charge, sigma, epsilon = (value._value for value in nonbonded.getParticleParameters(i))
            mass, kind = system.getParticleMass(i)._value, f"{name}_{i - start}"
            types.append(f"{kind} {mass} 0 A {sigma:.10g} {epsilon:.10g}")
            k = i - start + 1
            sections["atoms"].append(f"{k} {kind} 1 {name[:4]} A{k} {k} {charge:.10g} {mass:.8g}")

        def add(section, indices, *values, own=own, start=start, sections=sections):
            if indices[0] in own:
                numbers = " ".join(str(i - start + 1) for i in indices)
                sections[section].append(f"{numbers} {' '.join(f'{v:.12g}' for v in values)}")

        every = forces["HarmonicBondForce"]
        for p in map(every.getBondParameters, range(every.getNumBonds())):
            add("bonds", p[:2], 1, p[2]._value, p[3]._value)
        for p in map(system.getConstraintParameters, range(system.getNumConstraints())):
            add("constraints", p[:2], 1, p[2]._value)
        every = forces["HarmonicAngleForce"]
        for p in map(every.getAngleParameters, range(every.getNumAngles())):
            add("angles", p[:3], 1, np.degrees(p[3]._value), p[4]._value)
        every = forces["PeriodicTorsionForce"]
        for p in map(every.getTorsionParameters, range(every.getNumTorsions())):
            add("dihedrals", p[:4], 9, np.degrees(p[5]._value), p[6]._value, p[4])
        for p in map(nonbonded.getExceptionParameters, range(nonbonded.getNumExceptions())):
            if p[2]._value or p[4]._value:
                # Type 2 takes both charges as they are given: their product, and one.
                add("pairs", p[:2], 2, 1, p[2]._value, 1, p[3]._value, p[4]._value)
        text = [f"[ moleculetype ]\n{name} 3"]
        text += [f"[ {key} ]\n" + "\n".join(lines) for key, lines in sections.items() if lines]
        blocks.append("\n".join(text))
        first += count
    # Lennard-Jones by the rules of Lorentz and Berthelot, all 1-4 pairs given one by one.
    head = "[ defaults ]\n1 2 no 1 1\n[ atomtypes ]\n" + "\n".join(types)
    tail = "[ system ]\nbox\n[ molecules ]\n" + "\n".join(f"{name} {count}" for name, count in kinds.items())
    return "\n".join([head, *blocks, tail]) + "\n"


def coordinates_text(positions_nm: np.ndarray, velocities: np.ndarray, edge_nm: float) -> str:
    """Return a .gro file with nine decimals."""
    rows = [
        f"{1:5d}{'X':<5s}{'A':>5s}{(i + 1) % 100000:5d}" + "".join(f"{v:14.9f}" for v in (*x, *u))
        for i, (x, u) in enumerate(zip(positions_nm, velocities, strict=True))
    ]
    return "\n".join(["box", str(len(rows)), *rows, " ".join(3 * [f"{edge_nm:.9f}"])]) + "\n"


def run_parameters(phase, temperature_k: float, cutoff_nm: float, grid: int, rtol: float, steps: int) -> str:
    """Return an .mdp file for the production phase."""
    return f"""
integrator = md
nsteps = {steps}
dt = {phase.timestep_fs / 1000}
continuation = yes
cutoff-scheme = Verlet
coulombtype = PME
rcoulomb = {cutoff_nm}
rvdw = {cutoff_nm}
vdw-modifier = None
DispCorr = AllEnerPres
pme-order = {6 if rtol <= EXACT else 5}
ewald-rtol = {rtol}
fourier-nx = {grid}
fourier-ny = {grid}
fourier-nz = {grid}
constraint-algorithm = lincs
tcoupl = {"no" if steps == 0 else "nose-hoover"}
tc-grps = System
tau-t = {2 * np.pi / THERMOSTAT_PER_PS:.4f}
ref-t = {temperature_k}
nstenergy = {100 if steps else 1}
nstcalcenergy = 100
nstlog = 0
"""


def gromacs(folder: Path, parameters: str, name: str) -> float:
    """Run GROMACS on one thread; return seconds of processor time."""
    (folder / f"{name}.mdp").write_text(parameters, encoding="utf-8")
    prepare = f"gmx -quiet grompp -f {name}.mdp -c box.gro -p box.top -o {name}.tpr -po {name}.out.mdp -maxwarn 9"
    subprocess.run(prepare.split(), cwd=folder, check=True, capture_output=True)
    before = os.times()
    command = f"gmx -quiet mdrun -s {name}.tpr -deffnm {name} -nt 1 -notunepme -pin off"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def gromacs_energies(folder: Path, name: str) -> dict[str, float]:
    """Return the energies of the first frame, kJ/mol."""
    terms = "\n".join(["Bond", "Angle", "Proper-Dih.", "LJ-14", "Coulomb-14", "LJ-(SR)", "Disper.-corr."])
    terms += "\nCoulomb-(SR)\nCoul.-recip.\nPotential\n\n"
    command = f"gmx -quiet energy -f {name}.edr -o {name}.xvg"
    subprocess.run(command.split(), cwd=folder, input=terms, text=True, check=True, capture_output=True)
    text = (folder / f"{name}.xvg").read_text(encoding="utf-8")
    names = re.findall(r'@ s\d+ legend "(.+)"', text)
    values = next(line for line in text.splitlines() if line[:1] not in "#@").split()[1:]
    return dict(zip(names, map(float, values), strict=True))


def openmm_energies(system, state, platform, properties) -> dict[str, float]:
    """Return the energy of each force, kJ/mol, at a state, with Ewald sums as good as exact."""
    import copy

    import openmm

    exact = copy.deepcopy(system)
    forces_of(exact)["NonbondedForce"].setPMEParameters(0, 0, 0, 0)
    forces_of(exact)["NonbondedForce"].setEwaldErrorTolerance(EXACT)
    for group, force in enumerate(exact.getForces()):
        force.setForceGroup(group)
    context = openmm.Context(exact, openmm.VerletIntegrator(0.001), platform, properties)
    _carry_over(state, context)
    return {
        type(force).__name__: context.getState(energy=True, groups={group}).getPotentialEnergy()._value
        for group, force in enumerate(exact.getForces())
    }


def main(box: str, steps: int = 300) -> None:
    """Compare energies, then times."""
    import openmm
    from openmm import app

    box = Path(box)
    dynamics = read_settings(Path("config") / f"{box.parents[1].name}.yaml").dynamics
    composition = read_json(box / "composition.json")
    system = openmm.XmlSerializer.deserialize((box / "replica-1" / "system.xml").read_text(encoding="utf-8"))
    topology = app.PDBFile(str(box / "replica-1" / "packed.pdb")).topology
    last = max((box / "replica-1" / "restart").glob("state-*.xml"))
    state = openmm.XmlSerializer.deserialize(last.read_text(encoding="utf-8"))
    platform, properties = openmm.Platform.getPlatformByName("CPU"), {"Threads": "1"}
    edge = state.getPeriodicBoxVectors()[0][0]._value
    cutoff, phase = dynamics.cutoff_angstrom / 10, phases(dynamics)[-1]
    temperature = composition["temperature_k"]

    # The rule by which OpenMM itself turns its tolerance into a split and a grid, so that both have the same.
    tolerance = dynamics.pme_tolerance
    alpha = np.sqrt(-np.log(2 * tolerance)) / cutoff
    grid = int(np.ceil(2 * alpha * edge / (3 * tolerance**0.2)))
    forces_of(system)["NonbondedForce"].setPMEParameters(alpha, grid, grid, grid)
    integrator = build_integrator(phase, temperature, 1)
    context = openmm.Context(system, integrator, platform, properties)
    _carry_over(state, context)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kinds = {m["species"]: m["count"] for m in composition["molecules"]}
        (folder / "box.top").write_text(topology_text(system, topology, kinds), encoding="utf-8")
        x, v = (values._value for values in (state.getPositions(asNumpy=True), state.getVelocities(asNumpy=True)))
        (folder / "box.gro").write_text(coordinates_text(x, v, edge), encoding="utf-8")
        gromacs(folder, run_parameters(phase, temperature, cutoff, 96, EXACT, 0), "energy")
        theirs, ours = gromacs_energies(folder, "energy"), openmm_energies(system, state, platform, properties)
        print(f"{composition['atoms']} atoms; GROMACS: {theirs}")
        print(f"OpenMM: {ours}")
        total = sum(ours.values())
        print(
            f"potential energy: OpenMM {total:.2f}, GROMACS {theirs['Potential']:.2f} kJ/mol, "
            f"relative difference {theirs['Potential'] / total - 1:.1e}"
        )

        def parameters(count):
            return run_parameters(phase, temperature, cutoff, grid, erfc(alpha * cutoff), count)

        short, long = (gromacs(folder, parameters(n), f"run{n}") for n in (steps, 3 * steps))
    integrator.step(50)
    began = time.process_time()
    integrator.step(2 * steps)
    context.getState(positions=True)
    bare = time.process_time() - began
    for name, seconds in (("OpenMM, bare loop", bare), ("GROMACS", long - short)):
        speed = 86400 * 2 * steps * phase.timestep_fs * 1e-6 / seconds
        print(f"{name}: {2 * steps} steps in {seconds:.2f} s of processor time, {speed:.1f} ns/day")
    print(f"ratio OpenMM by GROMACS: {(long - short) / bare:.2f}")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:3]))
