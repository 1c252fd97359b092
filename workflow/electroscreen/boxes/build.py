"""Stages composition and packing: from a recipe to molecules in a periodic cube with its OpenMM system."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.boxes.chains import Chain, grow_chains, summary
from electroscreen.boxes.composition import Composition, chain_counts, compose, concentrations, conversion_percent
from electroscreen.boxes.cost import expected_cost
from electroscreen.boxes.packing import PackingError, Part, check_length, pack
from electroscreen.boxes.piercing import Bonded, piercing_fault
from electroscreen.boxes.screening import ion_charge_scale
from electroscreen.conversions import mean_and_polydispersity
from electroscreen.quantum.geometry import read_xyz
from electroscreen.recipes import BoxRecipe, end_groups
from electroscreen.record import OK, provenance, read_json, write_json, write_text
from electroscreen.settings import Settings
from electroscreen.species import Species

# Packings with a bond through a ring that are thrown away before giving up; and how far their seeds lie apart, so that
# no replica gets the packing of another one.
PIERCED_LIMIT = 5
SEEDS_APART = 1_000_000


def write_composition(
    box: BoxRecipe,
    every: Mapping[str, Species],
    settings: Settings,
    forcefield_records: Mapping[str, Path],
    recipe: dict[str, Any],
    output: Path,
) -> None:
    """Write `composition.json`: whole molecules, what rounding did, and whether each has a force field."""
    started = time.time()
    composition = compose(box, every, settings.box.atoms)
    missing = _without_force_field(forcefield_records)
    density = box.density_g_per_ml or composition.ideal_density_g_per_ml
    edge = composition.edge_angstrom(density)
    record = {
        "box": box.name,
        "title": box.title,
        "verdict": OK if not missing else f"not built: {'; '.join(missing)}",
        "warnings": composition.warnings,
        "temperature_k": box.temperature_k,
        "pressure_bar": box.pressure_bar,
        "components": [
            component.__dict__ | concentration
            for component, concentration in zip(
                composition.components, concentrations(composition, every, density), strict=True
            )
        ],
        "conversions": _conversion_records(box, composition, every),
        "molecules": [_molecule_record(name, n, every[name]) for name, n in composition.molecules.items()],
        "atoms": composition.atoms,
        "net_charge_e": composition.net_charge_e,
        "ion_charge_scale": ion_charge_scale(box, every, settings.forcefield.ion_charge_scale),
        "ideal_density_g_per_ml": composition.ideal_density_g_per_ml,
        "edge_angstrom": edge,
        "packing_edge_angstrom": box.edge_angstrom or edge / settings.box.packing_density_fraction ** (1 / 3),
        "provenance": provenance(recipe, ("rdkit",), started),
    }
    write_json(output, record)
    for line in describe(record):
        print(line)
    print(f"  cost: {expected_cost(composition.atoms, settings.dynamics, output.parents[2])}")


def describe(record: dict[str, Any]) -> list[str]:
    """Say in lines of text what a composition holds."""
    lines = [
        f"{record['box']}: {record['atoms']} atoms, net charge {record['net_charge_e']:+d} e, "
        f"ideal density {record['ideal_density_g_per_ml']:.3f} g/mL, edge {record['edge_angstrom']:.1f} Å"
    ]
    lines += [
        f"  {c['species']:12s} {c['written']:>10s} -> {c['count']:5d} (rounding {c['rounding_percent']:+.1f} %): "
        f"{c['mol_per_l']:.3g} mol/L instead of {c['mol_per_l_before_rounding']:.3g}, {c['wt_percent']:.3g} wt %"
        for c in record["components"]
    ]
    lines += [
        f"  {c['monomer']} -> {', '.join(c['chain'])}: {c['percent_asked']:g} % asked, {c['percent']:.1f} % in "
        f"{' + '.join(map(str, c['chains']))} chains of {', '.join(map(str, c['units']))}; their ends, "
        f"{c['end_groups']}, come on top"
        for c in record["conversions"]
    ]
    lines += [
        f"  chains of {c['monomer']}: mean of {c['mean_units']:.3g} units instead of {c['mean_units_asked']:.3g} "
        f"(Mn {c['mn_g_per_mol']:.4g} g/mol), PDI {c['polydispersity']:.3f} instead of {c['polydispersity_asked']:.3f}"
        for c in record["conversions"]
        if len(c["chain"]) > 1
    ]
    return [*lines, *(f"  warning: {text}" for text in record["warnings"])]


def write_packing(
    composition_record: Path,
    geometries: Mapping[str, Path],
    forcefields: Mapping[str, Path],
    settings: Settings,
    replica: int,
    recipe: dict[str, Any],
    folder: Path,
) -> None:
    """Write `packed.pdb`, `system.xml` and `packing.json` of one replica.

    A box that cannot be built leaves empty files and a verdict that says why.
    """
    started = time.time()
    composition = read_json(composition_record)
    record: dict[str, Any] = {"box": composition["box"], "replica": replica, "warnings": []}
    files = {"packed.pdb": "", "system.xml": ""}
    try:
        if composition["verdict"] != OK:
            raise PackingError(composition["verdict"])
        files, found = _build(composition, geometries, forcefields, settings, settings.dynamics.seed + replica)
        record |= {"verdict": OK, "edge_angstrom": composition["packing_edge_angstrom"]} | found
    except (PackingError, ValueError) as failure:
        reason = str(failure)
        record["verdict"] = reason if reason.startswith("not built") else f"not built: {reason}"
    for name, text in files.items():
        write_text(folder / name, text)
    electrostatics = f"particle-mesh Ewald, relative error of forces {settings.dynamics.pme_tolerance:g}"
    cutoff = settings.dynamics.cutoff_angstrom
    record["provenance"] = provenance(
        recipe,
        ("packmol", "openmm"),
        started,
        electrostatics=electrostatics,
        lennard_jones=f"cut off at {cutoff:g} Å, energy and pressure corrected for what lies beyond",
    )
    write_json(folder / "packing.json", record)


def _build(
    composition: dict[str, Any],
    geometries: Mapping[str, Path],
    forcefields: Mapping[str, Path],
    settings: Settings,
    seed: int,
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the files of a replica, and what its record says of the seed and of the chains."""
    import io

    import openmm
    from openmm import app, unit

    from electroscreen.forcefield.system import build_system

    edge, molecules = composition["packing_edge_angstrom"], composition["molecules"]
    parts = [Part(m["species"], m["symbols"], read_xyz(geometries[m["species"]]), m["count"]) for m in molecules]
    topology, system = build_system(
        [(part.species, part.count) for part in parts],
        forcefields,
        charge_scale=composition["ion_charge_scale"],
        cutoff_angstrom=settings.dynamics.cutoff_angstrom,
        hydrogen_mass_amu=settings.dynamics.hydrogen_mass_amu,
        edge_angstrom=edge,
        pme_tolerance=settings.dynamics.pme_tolerance,
    )
    bonded = Bonded.of(system)
    chains = Chain.of(system, bonded.bonds, molecules, parts, composition.get("temperature_k"))
    for part in parts:
        if part.species not in chains:
            check_length(part, edge)
    positions, grown, seed = _pack_unpierced(parts, chains, edge, seed, bonded, molecules)
    text = io.StringIO()
    app.PDBFile.writeFile(topology, positions * unit.angstrom, text, keepIds=False)
    files = {"packed.pdb": text.getvalue(), "system.xml": openmm.XmlSerializer.serialize(system)}
    rows, warnings = summary(chains, grown, edge)
    return files, {"seed": seed, "chains": rows, "warnings": warnings}


def _pack_unpierced(
    parts: list[Part],
    chains: Mapping[str, Chain],
    edge_angstrom: float,
    seed: int,
    bonded: Bonded,
    molecules: list[dict[str, Any]],
) -> tuple[np.ndarray, dict[str, np.ndarray], int]:
    """Return positions without a bond through a ring, the chains among them, and the seed that gave them."""
    others = [part for part in parts if part.species not in chains]
    for one in range(seed, seed + PIERCED_LIMIT * SEEDS_APART, SEEDS_APART):
        grown = grow_chains(chains, edge_angstrom, one)
        standing = np.concatenate([np.zeros((0, 3)), *(x.reshape(-1, 3) for x in grown.values())])
        packed = pack(others, edge_angstrom, one, standing) if others else np.zeros((0, 3))
        positions = _in_order(parts, grown, packed)
        fault = piercing_fault(positions, edge_angstrom, bonded, molecules)
        if fault is None:
            return positions, grown, one
        print(f"packed with seed {one}: {fault}: packing once more", file=sys.stderr, flush=True)
    raise PackingError(f"{fault}, in each of {PIERCED_LIMIT} packings: lower box.packing_density_fraction")


def _in_order(parts: list[Part], grown: Mapping[str, np.ndarray], packed: np.ndarray) -> np.ndarray:
    found, first = [], 0
    for part in parts:
        if part.species in grown:
            found.append(grown[part.species].reshape(-1, 3))
            continue
        last = first + part.count * len(part.symbols)
        found.append(packed[first:last])
        first = last
    return np.concatenate(found)


def _conversion_records(box: BoxRecipe, composition: Composition, every: Mapping[str, Species]) -> list[dict[str, Any]]:
    percents = conversion_percent(box, composition.components, every)
    records = []
    for monomer, chains in chain_counts(box, composition.components, every).items():
        lengths, counts = zip(*chains, strict=True)
        names, units, shares = ([getattr(n, key) for n in lengths] for key in ("species", "units", "share"))
        mean_asked, polydispersity_asked = mean_and_polydispersity(units, shares)
        mean, polydispersity = mean_and_polydispersity(units, counts)
        masses = [every[name].molar_mass_g_per_mol for name in names]
        records.append(
            {
                "monomer": monomer,
                "chain": names,
                "units": units,
                "chains": counts,
                "percent_asked": box.conversion[monomer].percent,
                "percent": percents[monomer],
                "mean_units_asked": mean_asked,
                "mean_units": mean,
                "mn_g_per_mol": float(np.average(masses, weights=counts)),
                "polydispersity_asked": polydispersity_asked,
                "polydispersity": polydispersity,
                "end_groups": end_groups(every[monomer], every[names[0]], units[0]),
            }
        )
    return records


def _molecule_record(name: str, count: int, species: Species) -> dict[str, Any]:
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    return {
        "species": name,
        "count": count,
        "charge_e": species.charge,
        "role": species.role,
        "symbols": species.symbols,
        "masses_amu": [table.GetAtomicWeight(symbol) for symbol in species.symbols],
    }


def _without_force_field(records: Mapping[str, Path]) -> list[str]:
    verdicts = {name: read_json(path)["verdict"] for name, path in records.items()}
    return [f"{name}: {verdict}" for name, verdict in verdicts.items() if verdict != OK]
