"""A box of argon and stiff nitrogen that runs in seconds, and what a run wrote, read without the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from electroscreen.dynamics.run import run_dynamics
from electroscreen.record import read_json, write_json
from electroscreen.settings import Dynamics

RECIPE = {"stage": "dynamics", "protocol": 1}


def dynamics(**changes) -> Dynamics:
    """A protocol of picoseconds."""
    short = {
        "timestep_fs": 4,
        "cutoff_angstrom": 8,
        "equilibrate_npt_ps": 8,
        "equilibrate_nvt_ps": 1,
        "equilibrate_limit": 1,
        "production_ps": 16,
        "frame_ps": 0.2,
        "checkpoint_ps": 1.5,
        "replicas": 1,
        "seed": 1,
        "platform": "Reference",
    }
    return Dynamics(**(short | changes))


def write_box(folder: Path, argon=20, nitrogen=40, edge=17.0, temperature_k=150.0, pressure_bar=500.0, **particle):
    """Write a packed box of argon and stiff nitrogen as the packing stage does, with the records that it needs.

    Nearly half of the molecules have a constraint, so that a thermometer which forgets constraints is 15 % off.
    """
    import openmm
    from openmm import app, unit

    particle = {"mass_amu": {"Ar": 39.948, "N": 14.007}, "epsilon": 1.0} | particle
    folder.mkdir(parents=True, exist_ok=True)
    vectors = 0.1 * edge * np.eye(3)
    system, force, topology = openmm.System(), openmm.NonbondedForce(), app.Topology()
    system.setDefaultPeriodicBoxVectors(*vectors)
    topology.setPeriodicBoxVectors(vectors * unit.nanometer)
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(0.035 * edge)
    chain, positions = topology.addChain(), []
    side = int(np.ceil((argon + nitrogen) ** (1 / 3)))
    half = np.array([0, 0, 0.55])
    sites = (np.stack(np.unravel_index(np.arange(argon + nitrogen), 3 * (side,)), axis=-1) + 0.5) * edge / side

    def add(name: str, residue, position):
        symbol = name.rstrip("12")
        system.addParticle(particle["mass_amu"][symbol])
        force.addParticle(0, 0.33, particle["epsilon"])
        positions.append(position)
        return topology.addAtom(name, app.Element.getBySymbol(symbol), residue)

    for k, site in enumerate(sites):
        residue = topology.addResidue("AR" if k < argon else "N2", chain)
        if k < argon:
            add("Ar", residue, site)
            continue
        first, second = add("N1", residue, site - half), add("N2", residue, site + half)
        topology.addBond(first, second)
        system.addConstraint(first.index, second.index, 0.11)
        force.addException(first.index, second.index, 0, 1, 0)
    if not particle["epsilon"]:
        # An ideal gas; a force that uses the periodic box and does nothing, because barostats ask for one.
        force = openmm.HarmonicBondForce()
        force.setUsesPeriodicBoundaryConditions(True)
    system.addForce(force)
    system.addForce(openmm.CMMotionRemover())
    with (folder / "packed.pdb").open("w", encoding="utf-8") as file:
        app.PDBFile.writeFile(topology, np.array(positions) * unit.angstrom, file)
    (folder / "system.xml").write_text(openmm.XmlSerializer.serialize(system), encoding="utf-8")
    packing = {"box": "Y", "replica": 1, "verdict": "ok", "warnings": [], "seed": 11, "edge_angstrom": edge}
    write_json(folder / "packing.json", packing)
    conditions = {"box": "Y", "verdict": "ok", "temperature_k": temperature_k, "pressure_bar": pressure_bar}
    write_json(folder.parent / "composition.json", conditions)
    return folder


def small_box(folder: Path, **changes) -> Path:
    """A box for tests of what is written, not of what is simulated."""
    return write_box(folder, **{"argon": 8, "nitrogen": 12, "edge": 12.5} | changes)


def run(folder: Path, protocol: Dynamics, recipe: dict = RECIPE) -> dict:
    """Run the stage; return its record."""
    run_dynamics(folder / "packing.json", folder.parent / "composition.json", protocol, recipe, threads=1)
    return read_json(folder / "equilibration.json")


def trajectory(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times in ps, positions (frames, atoms, 3) in Å and edges (frames, 3) in Å."""
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    with XTCFile(str(folder / "trajectory.xtc")) as file:
        frames = [(frame.time, 10 * frame.x, 10 * np.diag(frame.box)) for frame in file]
    times, positions, edges = zip(*frames, strict=True)
    return np.array(times), np.array(positions, dtype=float), np.array(edges)


def files_in(folder: Path) -> list[str]:
    """What lies in a folder, without what marks the lock."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


INPUTS = ["packed.pdb", "packing.json", "system.xml"]
OUTPUTS = sorted([*INPUTS, "equilibration.json", "restart", "state.csv", "trajectory.xtc"])
