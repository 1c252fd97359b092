"""Cations beside an ether oxygen: the curve of energy against distance by the written force field and by B3LYP.

Dimethyl ether, rigid, the cation on its axis. Run by hand: `python tests/validation/contacts.py --folder contacts --csv
contacts.csv`; a minute an ion.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from torsions import HARTREE_KJ, LEVEL, Scan, written

from electroscreen.forcefield.assemble import write_forcefield
from electroscreen.record import write_json, write_text
from electroscreen.species import Species

ETHER = Scan("COC", (0, 1, 2, 0), ())
IONS = {"Li": 1, "Na": 1, "K": 1, "Zn": 2, "Sn": 2}
START_ANGSTROM = {"Li": 1.85, "Na": 2.2, "K": 2.6, "Zn": 1.85, "Sn": 2.2}
STEP_ANGSTROM = 0.06
SCALED = 0.8


def axis(x: np.ndarray) -> np.ndarray:
    """Unit vector from the oxygen (atom 1) away from its carbons (0 and 2)."""
    away = x[1] - (x[0] + x[2]) / 2
    return away / np.linalg.norm(away)


def ion(symbol: str, folder: Path) -> Path:
    """The force field of a cation."""
    charge = IONS[symbol]
    one = Species(name=symbol, title=symbol, role="cation", charge=charge, smiles=f"[{symbol}+{charge}]")
    geometry, charges, xml = (folder / f"{symbol}.{end}" for end in ("xyz", "charges.json", "xml"))
    write_text(geometry, f"1\n{symbol}\n{symbol} 0 0 0\n")
    atoms = [{"index": 0, "symbol": symbol, "resp_e": float(charge)}]
    record = {"species": symbol, "method": "formal", "atoms": atoms, "total_charge_e": charge}
    write_json(charges, record | {"verdict": "ok", "warnings": []})
    write_forcefield(one, charges, geometry, {}, xml, folder / f"{symbol}.json")
    return xml


def by_dft(symbols: list[str], x: np.ndarray, charge: int) -> float:
    """Energy in kJ/mol at the quick level."""
    from electroscreen.quantum.scf import build_mean_field, build_molecule, converge
    from electroscreen.settings import Level

    level = Level(**LEVEL)
    drawn = build_molecule(symbols, x, charge, 1, level)
    solved = converge(build_mean_field(drawn, level, grid=1, memory_mb=2000), 100, stability=False)
    return HARTREE_KJ * solved.mean_field.e_tot


def by_force_field(xmls: dict[str, Path], x: np.ndarray, scale: float) -> float:
    """Energy in kJ/mol of the cation (first) and the ether, the cation's charge scaled."""
    import openmm
    from openmm import app

    from electroscreen.forcefield.system import _template, _topology

    topology = _topology([(name, 1) for name in xmls], {n: _template(n, p) for n, p in xmls.items()}, 1000.0)
    topology.setPeriodicBoxVectors(None)
    templates = {residue: residue.name for residue in topology.residues()}
    field = app.ForceField(*(str(path) for path in xmls.values()))
    system = field.createSystem(topology, nonbondedMethod=app.NoCutoff, residueTemplates=templates)
    force = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    charge, sigma, epsilon = force.getParticleParameters(0)
    force.setParticleParameters(0, scale * charge, sigma, epsilon)
    platform = openmm.Platform.getPlatformByName("Reference")
    run = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    run.setPositions(0.1 * x)
    return run.getState(getEnergy=True).getPotentialEnergy()._value


def minimum(energy, start: float) -> tuple[float, float]:
    """Walk to the lowest of points 0.06 Å apart; distance and energy at the vertex of the parabola through three."""
    known: dict[int, float] = {}

    def at(k: int) -> float:
        if k not in known:
            known[k] = energy(start + k * STEP_ANGSTROM)
        return known[k]

    k = 0
    while at(k) > min(at(k - 1), at(k + 1)):
        k += 1 if at(k + 1) < at(k - 1) else -1
    low, mid, high = at(k - 1), at(k), at(k + 1)
    curvature = low - 2 * mid + high
    shift = 0.5 * (low - high) / curvature
    return start + (k + shift) * STEP_ANGSTROM, mid - 0.5 * curvature * shift**2


def row_of(symbol: str, folder: Path) -> dict:
    """Distances (Å) and depths (kJ/mol) of the three curves."""
    ether, x, xml = written("DimethylEther", ETHER, folder / "ether")
    own = ion(symbol, folder)
    along = axis(x)
    kept = folder / f"{symbol}_dft.json"
    done = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}

    def cluster(distance: float) -> np.ndarray:
        return np.vstack([x[1] + distance * along, x])

    def dft(distance: float) -> float:
        key = f"{distance:.3f}"
        if key not in done:
            done[key] = by_dft([symbol, *ether.symbols], cluster(distance), IONS[symbol])
            kept.write_text(json.dumps(done), encoding="utf-8")
        return done[key]

    if "apart" not in done:
        alone = by_dft([symbol], np.zeros((1, 3)), IONS[symbol])
        done["apart"] = alone + by_dft(ether.symbols, x, 0)
    wanted, depth = minimum(dft, START_ANGSTROM[symbol])
    row = {"ion": symbol, "ligand": "dimethyl ether", "dft_angstrom": wanted, "dft_kj_per_mol": depth - done["apart"]}
    xmls = {symbol: own, ether.name: xml}
    for scale in (1.0, SCALED):
        far = by_force_field(xmls, cluster(1e6), scale)
        found, low = minimum(lambda d, s=scale: by_force_field(xmls, cluster(d), s), wanted)
        row |= {f"charge_{scale:g}_angstrom": found, f"charge_{scale:g}_kj_per_mol": low - far}
    off = row["charge_1_angstrom"] - wanted
    row["verdict"] = "ok" if abs(off) <= 0.1 else f"{off:+.2f} Å at full charge"
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ions", nargs="+", choices=list(IONS), default=list(IONS))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--csv", type=Path, required=True)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    rows = [row_of(symbol, asked.folder) for symbol in asked.ions]
    with asked.csv.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()
