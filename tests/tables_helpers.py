"""A small screening that was never run: records of species and of a box, as the stages write them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

PAPERS = sorted((Path(__file__).parents[1] / "molecules" / "papers").glob("*.yaml"))

PROVENANCE = {
    "recipe_hash": "0123456789abcdef",
    "versions": {"electroscreen": "0.1.0", "pyscf": "2.9.0"},
    "python": "3.12.1",
    "threads": 1,
    "wall_seconds": 1800.0,
    "seed": 20260101,
}

# Name -> title, formula, HOMO, LUMO (eV), dipole (D). Invented, but near what the level of theory gives.
ORBITALS = {
    "LiF": ("lithium fluoride", "FLi", -6.98, -1.3421, 5.9),
    "LiOH": ("lithium hydroxide", "HLiO", -5.61, -1.1450, 3.7),
    "Li2O": ("lithium oxide", "Li2O", -4.10, -0.7342, 0.0),
    "Li2CO3": ("lithium carbonate", "CLi2O3", -6.20, -0.8380, 3.1),
    "LMC": ("lithium methyl carbonate, CH3OCO2Li", "C2H3LiO3", -6.90, -0.9391, 4.6),
    "LEDC": ("dilithium ethylene dicarbonate", "C4H4Li2O6", -6.95, -0.9702, 1.2),
    "LEDC-extended": ("the same, extended", "C4H4Li2O6", -6.97, -0.9202, 1.1),
    "o-carborane": ("o-carborane", "C2H12B10", -8.60, -0.2541, 4.3),
    "DOL": ("1,3-dioxolane", "C3H6O2", -6.80, 1.95, 1.3),
    "FEC": ("fluoroethylene carbonate", "C3H3FO3", -8.40, 0.70, 4.5),
    "NaTFSI": ("sodium bis(trifluoromethanesulfonyl)imide", "C2F6NNaO4S2", -7.70, -1.32, 9.1),
    "NaDFOB": ("sodium difluoro(oxalato)borate", "C2BF2NaO4", -7.30, -2.41, 8.2),
    "Sn_OTf2": ("tin(II) triflate", "C2F6O6S2Sn", -7.60, -4.02, 2.2),
    "Na": ("sodium ion", "Na", -39.6, -6.13, 0.0),
}


def write_json(path: Path, record: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record), encoding="utf-8")


def write_orbitals(results: Path, name: str, homo_ev=None, lumo_ev=None, verdict="ok", **more) -> None:
    gap = None if None in (homo_ev, lumo_ev) else lumo_ev - homo_ev
    record = {
        "species": name,
        "title": name,
        "formula": name,
        "level": "b3lypg/6-31g(d,p) cartesian",
        "homo_ev": homo_ev,
        "lumo_ev": lumo_ev,
        "gap_ev": gap,
        "dipole_debye": None,
        "verdict": verdict,
        "warnings": [],
        "provenance": PROVENANCE,
    }
    write_json(results / "species" / name / "orbitals.json", record | more)


def write_box(results: Path, box: str, **analysis) -> None:
    """Write a box of 10 NaTFSI whose Na has one oxygen shell and whose diffusion is told by `analysis`."""
    folder = results / "boxes" / box
    molecules = [
        {"species": "Na", "count": 4, "charge_e": 1.0, "requested": "1.5 g", "rounding_percent": 0.4},
        {"species": "TFSI", "count": 4, "charge_e": -1.0, "requested": "1.5 g", "rounding_percent": 0.4},
        {"species": "DOL", "count": 117, "charge_e": 0.0, "requested": "10 mL", "rounding_percent": 1.2},
        {"species": "FEC", "count": 11, "charge_e": 0.0, "requested": "1.0 mL", "rounding_percent": -0.9},
    ]
    composition = {
        "box": box,
        "title": "NaTFSI in DOL with FEC",
        "verdict": "ok",
        "warnings": [],
        "temperature_k": 298.15,
        "molecules": molecules,
        "atoms": 1451,
        "net_charge_e": 0.0,
        "ideal_density_g_per_ml": 1.134,
        "edge_angstrom": 25.1,
        "provenance": PROVENANCE,
    }
    equilibration = {
        "verdict": "ok",
        "warnings": ["the last 30 ps only count as equilibrated"],
        "density_g_per_ml": 1.1525,
        "density_low": 1.149,
        "density_high": 1.156,
        "temperature_k": 298.4,
        "platform": "CPU",
        "ns_per_day": 21.4,
        "production_ps": 150.0,
        "provenance": PROVENANCE,
    }
    record = {
        "box": box,
        "verdict": "ok (one box)",
        "warnings": [],
        "frames": 500,
        "duration_ps": 150.0,
        "replicas": 1,
        "coordination": [
            coordination("O(DOL)", 2.36, 21.0, 4.6, 4.1, 5.1),
            coordination("O(TFSI)", 2.31, 45.0, 1.1, 0.6, 1.6),
        ],
        "diffusion": [diffusion(3.1, 0.4, 8.2)],
        "provenance": PROVENANCE,
    }
    write_json(folder / "composition.json", composition)
    write_json(folder / "replica-1" / "equilibration.json", equilibration)
    write_json(folder / "analysis.json", record | analysis)
    np.savez(folder / "curves.npz", **box_curves())


def coordination(partner: str, peak: float, height: float, count: float, low: float, high: float) -> dict:
    return {
        "center": "Na",
        "partner": partner,
        "first_peak_angstrom": peak,
        "peak_height": height,
        "cutoff_angstrom": 3.24,
        "coordination_number": count,
        "low": low,
        "high": high,
        "verdict": "ok (one box)",
    }


def diffusion(d, low, high, verdict="ok (one box)") -> dict:
    return {
        "species": "Na",
        "d_a2_per_ns": d,
        "low": low,
        "high": high,
        "d_corrected_a2_per_ns": None,
        "window_start_ps": 15.0,
        "window_end_ps": 50.0,
        "replicas": 1,
        "verdict": verdict,
    }


def box_curves() -> dict[str, np.ndarray]:
    r = np.linspace(0.05, 10, 200)
    curves = {}
    for partner, peak, height, density in (("O(DOL)", 2.36, 20.0, 0.0115), ("O(TFSI)", 2.31, 44.0, 0.001)):
        g = height * np.exp(-((r - peak) ** 2) / (2 * 0.12**2)) + 1 / (1 + np.exp(-(r - 4.2) * 4))
        curves[f"rdf|Na|{partner}|r_angstrom"] = r
        curves[f"rdf|Na|{partner}|g"] = g
        curves[f"rdf|Na|{partner}|n"] = np.cumsum(4 * np.pi * density * g * r**2) * (r[1] - r[0])
    lag_ps = np.arange(0, 75, 0.3)
    for species, d in (("Na", 3.1e-3), ("TFSI", 5e-3)):
        curves[f"msd|{species}|lag_ps"] = lag_ps
        curves[f"msd|{species}|msd_a2"] = 0.4 * (1 - np.exp(-lag_ps / 2)) + 6 * d * lag_ps
    return curves


def write_results(results: Path) -> None:
    """Write what a whole run leaves behind, with one species that did not converge."""
    for name, (title, formula, homo_ev, lumo_ev, dipole) in ORBITALS.items():
        write_orbitals(results, name, homo_ev, lumo_ev, title=title, formula=formula, dipole_debye=dipole)
        geometry = {"species": name, "level": "b3lypg/6-31g(d,p) cartesian", "verdict": "ok", "warnings": []}
        write_json(results / "species" / name / "geometry.json", geometry | {"provenance": PROVENANCE})
    write_orbitals(results, "TFSI", verdict="not converged: the SCF energy still moved after 300 cycles")
    write_box(results, "natfsi_dol_fec")
