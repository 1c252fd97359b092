"""How an ion comes near to small molecules: by B3LYP/6-31G(d,p), by GFN2-xTB, and with the wall that searches add.

Run by hand: `python tests/validation/ion_approach.py Na K`. Prints for each molecule the energy in eV at each distance
from the nearest atom, parts apart being zero, and where each curve has its minimum.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from electroscreen.complexes import Cluster
from electroscreen.quantum.energies import Method, single_point
from electroscreen.quantum.structures import GFN2, WALLED_GFN2, Structure, embedded_conformers, relax, xtb_atoms
from electroscreen.settings import read_settings
from electroscreen.species import Species

ROOT = Path(__file__).parents[2]
METHOD = Method(read_settings(ROOT / "config" / "quick.yaml").quantum, "none")
HARTREE_EV = 27.211386245988

# SMILES, and the element that turns to the ion.
MOLECULES = {
    "water": ("O", "O"),
    "dimethyl ether": ("COC", "O"),
    "formaldehyde": ("C=O", "O"),
    "acetonitrile": ("CC#N", "N"),
    "fluoromethane": ("CF", "F"),
    "BF4-": ("F[B-](F)(F)F", "F"),
    "methane": ("C", "H"),
}
# Angstrom: near where DFT has its minimum beside oxygen, and the distances from there.
USUAL = {"Li": 1.9, "Na": 2.2, "K": 2.6, "Mg": 2.0, "Ca": 2.3, "Zn": 1.9}
FROM_THERE = (-0.35, -0.2, -0.05, 0.1, 0.25, 0.4, 0.8, 1.2)


def main(ions: list[str]) -> None:
    """Print a block for each ion."""
    for ion in ions:
        for name, (smiles, element) in MOLECULES.items():
            distances = USUAL[ion] + np.array(FROM_THERE)
            curves = approach(ion, smiles, element, distances)
            print(f"{ion} to {element} of {name}")
            print("  angstrom    " + "".join(f"{r:8.2f}" for r in distances))
            for label, energies in curves.items():
                print(f"  {label:10s}  " + "".join(f"{e:8.3f}" for e in energies) + f"   {lowest(distances, energies)}")


def approach(ion: str, smiles: str, element: str, distances_angstrom: np.ndarray) -> dict[str, list[float]]:
    """Energies of the pair less those of its parts, eV, by each method; the molecule as GFN2-xTB relaxes it."""
    molecule = Species(name="molecule", title="molecule", role="solvent", smiles=smiles)
    bare = relax(molecule, Structure("start", embedded_conformers(molecule, 1)[0])).positions_angstrom
    near = molecule.symbols.index(element)
    bonded = [i for i in range(len(bare)) if i != near and np.linalg.norm(bare[i] - bare[near]) < 1.6]
    outwards = bare[near] - bare[bonded].mean(axis=0)
    outwards /= np.linalg.norm(outwards)
    charge = 2 if ion in ("Mg", "Ca", "Zn") else 1
    alone = Cluster(ion, [ion], charge, 1, [])
    pair = Cluster("pair", [*molecule.symbols, ion], charge + molecule.charge, 1, [])
    places = [np.vstack([bare, bare[near] + r * outwards]) for r in distances_angstrom]
    curves = {}
    for label, energy in (("B3LYP", _dft), (GFN2, _xtb(GFN2)), ("with wall", _xtb(WALLED_GFN2))):
        apart = energy(molecule, bare) + energy(alone, np.zeros((1, 3)))
        curves[label] = [energy(pair, place) - apart for place in places]
    return curves


def lowest(distances: np.ndarray, energies: list[float]) -> str:
    """The minimum of the parabola through the lowest point and its neighbours."""
    k = int(np.argmin(energies))
    if k in (0, len(energies) - 1):
        return "minimum outside"
    a, b, _ = np.polyfit(distances[k - 1 : k + 2], energies[k - 1 : k + 2], 2)
    return f"minimum at {-b / (2 * a):.2f}"


def _dft(system, positions: np.ndarray) -> float:
    return single_point(system, positions, METHOD).energy_hartree * HARTREE_EV


def _xtb(method: str):
    return lambda system, positions: xtb_atoms(system, positions, method).get_potential_energy()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ions", nargs="+", choices=USUAL)
    main(parser.parse_args().ions)
