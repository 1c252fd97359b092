"""Densities and heats of vaporisation of pure liquids by the written force field, beside experiment.

Run by hand, minutes to hours a liquid: `python tests/validation/liquids.py DOL THF --folder runs --csv liquids.csv`.
Each row of the table says how long and how large the run was; the next recipe of charges starts from the last box.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np

from electroscreen.boxes.packing import Part, pack
from electroscreen.forcefield.assemble import write_forcefield
from electroscreen.forcefield.charges import derive_charges
from electroscreen.forcefield.system import build_system
from electroscreen.species import Species, parse_xyz, read_species

SHIPPED = Path(__file__).parents[2] / "molecules" / "species"
ATOMS, CUTOFF_ANGSTROM, STEP_FS, SAMPLE_STEPS, BLOCKS = 800, 9.0, 4.0, 50, 6
GAS_CONSTANT = 0.00831446261815324
AVOGADRO_CM3 = 0.602214076  # g/mol and Å3 to g/cm3

# Density in g/cm3 and heat of vaporisation in kJ/mol at the temperature in K; see the sources in the README's table.
MEASURED = {
    "DOL": (298.15, 1.059, 35.6),
    "DME": (298.15, 0.861, 36.4),
    "THF": (298.15, 0.881, 32.0),
    "PC": (298.15, 1.200, None),
    "EC": (313.15, 1.321, None),
    "FEC": (298.15, 1.454, None),
    "DMC": (298.15, 1.063, 37.8),
}
RECIPES = {
    "HF/6-31G*": {"resp_basis": "6-31g(d)", "resp_conformers": 1},
    "B3LYP/6-31G(d,p), half in the liquid's continuum": {
        "resp_method": "b3lypg",
        "resp_basis": "6-31g(d,p)",
        "resp_conformers": 1,
        "resp_solvent_share": 0.5,
    },
}
COLUMNS = [
    "liquid",
    "charges",
    "temperature_k",
    "molecules",
    "production_ps",
    "density_g_per_cm3",
    "density_low",
    "density_high",
    "density_measured",
    "density_off_percent",
    "heat_of_vaporisation_kj_per_mol",
    "heat_low",
    "heat_high",
    "heat_measured",
    "heat_off_percent",
    "verdict",
]


def force_field_of(name: str, charges: str, folder: Path) -> tuple[Species, np.ndarray, Path]:
    """Species, geometry and XML; `charges` is a recipe's name, or a charges.json."""
    one = read_species(SHIPPED / f"{name}.yaml")
    x = geometry_of(one)
    folder.mkdir(parents=True, exist_ok=True)
    geometry = folder / "geometry.xyz"
    rows = [f"{s} {a:.8f} {b:.8f} {c:.8f}" for s, (a, b, c) in zip(one.symbols, x, strict=True)]
    geometry.write_text("\n".join([str(len(rows)), name, *rows]) + "\n", encoding="utf-8")
    found = Path(charges)
    if charges in RECIPES:
        found = folder / "charges.json"
        if not found.exists():
            around = {"resp_dielectric": one.dielectric_constant or one.solvent}
            derive_charges(one, geometry, RECIPES[charges] | around, found)
    xml = folder / "forcefield.xml"
    write_forcefield(one, found, geometry, {}, xml, folder / "forcefield.json")
    verdict = json.loads((folder / "forcefield.json").read_text(encoding="utf-8"))["verdict"]
    if verdict != "ok":
        raise SystemExit(f"{name}: {verdict}")
    return one, x, xml


def geometry_of(one: Species) -> np.ndarray:
    """Positions in Å: the shipped DFT geometry, or the lowest of GFN2-xTB."""
    if one.start:
        return np.array([position for _, position in parse_xyz(one.start.xyz)])
    from electroscreen.quantum.structures import starting_structures

    return starting_structures(one, 6, 1)[0].positions_angstrom


def simulation(topology, system, temperature_k: float, friction_per_ps: float, platform: str):
    import openmm
    from openmm import app, unit

    integrator = openmm.LangevinMiddleIntegrator(
        temperature_k * unit.kelvin, friction_per_ps / unit.picosecond, STEP_FS * unit.femtosecond
    )
    integrator.setRandomNumberSeed(1)
    options = {"Threads": "1"} if platform == "CPU" else {}
    return app.Simulation(topology, system, integrator, openmm.Platform.getPlatformByName(platform), options)


def liquid(
    one: Species, x: np.ndarray, xml: Path, temperature_k: float, ps: float, last: Path
) -> dict[str, np.ndarray]:
    """Potential energies (kJ/mol) and volumes (Å3) of a box in NPT, one every 0.2 ps; begins with the box in `last`."""
    import openmm
    from openmm import unit

    count = round(ATOMS / len(one.symbols))
    if last.exists():
        stored = np.load(last)
        start, edge, settle_ps = stored["x"], float(stored["edge"]), 20.0
    else:
        edge = (count * mass(one) / AVOGADRO_CM3 / (0.75 * MEASURED[one.name][1])) ** (1 / 3)
        start, settle_ps = pack([Part(one.name, one.symbols, x, count)], edge, 1), 40.0
    topology, system = build_system([(one.name, count)], {one.name: xml}, 1.0, CUTOFF_ANGSTROM, 3.0, edge)
    system.addForce(openmm.MonteCarloBarostat(1 * unit.bar, temperature_k * unit.kelvin, 25))
    run = simulation(topology, system, temperature_k, 1.0, "CPU")
    run.context.setPositions(0.1 * start)
    run.minimizeEnergy(tolerance=50.0, maxIterations=300)
    run.context.setVelocitiesToTemperature(temperature_k, 1)
    energies, volumes = [], []
    run.step(round(1000 * settle_ps / STEP_FS))
    for _ in range(round(1000 * ps / STEP_FS / SAMPLE_STEPS)):
        run.step(SAMPLE_STEPS)
        state = run.context.getState(getEnergy=True)
        energies.append(state.getPotentialEnergy()._value)
        volumes.append(1000 * state.getPeriodicBoxVolume()._value)
    state = run.context.getState(getPositions=True)
    end = 10 * state.getPositions(asNumpy=True)._value
    np.savez(last, x=end, edge=10 * state.getPeriodicBoxVectors(asNumpy=True)._value[0, 0])
    return {"energies": np.array(energies), "volumes": np.array(volumes), "count": np.array(count)}


def gas(one: Species, x: np.ndarray, xml: Path, temperature_k: float, ps: float = 1500.0) -> np.ndarray:
    """Potential energies (kJ/mol) of one molecule alone, with the constraints and masses of the liquid."""
    from openmm import app, unit

    from electroscreen.forcefield.system import _template, _topology

    topology = _topology([(one.name, 1)], {one.name: _template(one.name, xml)}, 1000.0)
    topology.setPeriodicBoxVectors(None)
    system = app.ForceField(str(xml)).createSystem(
        topology,
        nonbondedMethod=app.NoCutoff,
        constraints=app.HBonds,
        hydrogenMass=3.0 * unit.amu,
        removeCMMotion=False,
        residueTemplates={residue: residue.name for residue in topology.residues()},
    )
    run = simulation(topology, system, temperature_k, 5.0, "Reference")
    run.context.setPositions(0.1 * x)
    run.minimizeEnergy()
    run.context.setVelocitiesToTemperature(temperature_k, 1)
    run.step(5000)
    energies = []
    for _ in range(round(1000 * ps / STEP_FS / SAMPLE_STEPS)):
        run.step(SAMPLE_STEPS)
        energies.append(run.context.getState(getEnergy=True).getPotentialEnergy()._value)
    return np.array(energies)


def mass(one: Species) -> float:
    from rdkit import Chem

    return sum(Chem.GetPeriodicTable().GetAtomicWeight(symbol) for symbol in one.symbols)


def block_interval(values: np.ndarray) -> tuple[float, float]:
    """Mean and half the 95 % interval of it, from the scatter of blocks (Student's t)."""
    from scipy.stats import t

    means = np.array([block.mean() for block in np.array_split(values, BLOCKS)])
    return float(values.mean()), float(t.ppf(0.975, BLOCKS - 1) * means.std(ddof=1) / np.sqrt(BLOCKS))


def row_of(name: str, charges: str, found: dict[str, np.ndarray], alone: np.ndarray, ps: float) -> dict:
    """One row of the table; the heat is <U of a molecule alone> - <U of the box>/N + RT."""
    temperature, measured_density, measured_heat = MEASURED[name]
    count = int(found["count"])
    one = read_species(SHIPPED / f"{name}.yaml")
    density, spread = block_interval(count * mass(one) / AVOGADRO_CM3 / found["volumes"])
    in_liquid, liquid_spread = block_interval(found["energies"] / count)
    in_gas, gas_spread = block_interval(alone)
    heat, heat_spread = in_gas - in_liquid + GAS_CONSTANT * temperature, float(np.hypot(liquid_spread, gas_spread))
    density_off = 100 * (density / measured_density - 1)
    heat_off = None if measured_heat is None else 100 * (heat / measured_heat - 1)
    faults = [f"density off by {density_off:+.1f} %"] if abs(density_off) > 3 else []
    faults += [f"heat off by {heat_off:+.0f} %"] if heat_off is not None and abs(heat_off) > 10 else []
    numbers = [
        temperature, count, ps, density, density - spread, density + spread, measured_density, density_off,
        heat, heat - heat_spread, heat + heat_spread, measured_heat, heat_off,
    ]  # fmt: skip
    cells = ["" if n is None else f"{n:.4g}" for n in numbers]
    return dict(zip(COLUMNS, [name, charges, *cells, "; ".join(faults) or "ok"], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("liquids", nargs="+", choices=list(MEASURED))
    parser.add_argument("--charges", default="HF/6-31G*", help=f"{', '.join(RECIPES)}, or a charges.json")
    parser.add_argument("--called", help="what the table calls these charges")
    parser.add_argument("--ps", type=float, default=120.0, help="length of the sampled part")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--csv", type=Path, required=True)
    asked = parser.parse_args()
    called = asked.called or asked.charges
    for name in asked.liquids:
        home = asked.folder / name / "".join(c if c.isalnum() else "_" for c in called)
        one, x, xml = force_field_of(name, asked.charges, home)
        temperature = MEASURED[name][0]
        alone = gas(one, x, xml, temperature)
        found = liquid(one, x, xml, temperature, asked.ps, asked.folder / name / "last.npz")
        np.savez(home / "series.npz", gas=alone, **found)
        row = row_of(name, called, found, alone, asked.ps)
        fresh = not asked.csv.exists()
        with asked.csv.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS)
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        print(row, flush=True)


if __name__ == "__main__":
    main()
