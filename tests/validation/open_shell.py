"""Does a metal ion in a complex take an electron from its neighbours? Its closed shell beside the triplet, by DFT.

Run by hand: `python tests/validation/open_shell.py Zn_PC` at the complex's published geometry, or
`python tests/validation/open_shell.py Zn_TPB --like Li_TPB --distance 1.95` at that of another ion, whose place the
metal takes, at this distance (Å) from its two nearest atoms. Prints both energies, where they converge, and the metal's
Mulliken charge and spin: about 1 where an electron has gone over.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from electroscreen.numerics import set_up_numerics

ROOT = Path(__file__).parents[2]
HARTREE_EV = 27.211386245988
CLOSED, TRIPLET = 1, 3


def main(name: str, like: str | None, distance_angstrom: float, threads: int) -> None:
    """Print a line for each spin."""
    set_up_numerics(threads)
    from pyscf import lib

    from electroscreen.complexes import cluster_of
    from electroscreen.project import Project
    from electroscreen.quantum.geometry import read_xyz
    from electroscreen.quantum.scf import SCFNotConvergedError, build_mean_field, build_molecule, converge

    lib.num_threads(threads)
    project = Project(ROOT, "complexes")
    wanted, quantum = project.complex(name), project.settings.quantum
    cluster = cluster_of(wanted, project.complex_species(wanted))
    positions = read_xyz(ROOT / "results/published/complexes/complexes" / (like or name) / "geometry.xyz")
    if like:
        positions = moved(positions, distance_angstrom)
    energies_hartree = {}
    for multiplicity in (TRIPLET, CLOSED):
        molecule = build_molecule(cluster.symbols, positions, cluster.charge, multiplicity, quantum.level)
        mean_field = build_mean_field(molecule, quantum.level, threads, 8000)
        try:
            found = converge(mean_field, quantum.scf_limit, stability=False).mean_field
        except SCFNotConvergedError as failure:
            print(f"2S + 1 = {multiplicity}: not converged: {failure}", flush=True)
            continue
        energies_hartree[multiplicity] = found.e_tot
        charge, spin = of_metal(found)
        print(f"2S + 1 = {multiplicity}: {found.e_tot:.6f} hartree, metal {charge:+.2f} e, spin {spin:.2f}", flush=True)
    if len(energies_hartree) == 2:
        above_ev = (energies_hartree[TRIPLET] - energies_hartree[CLOSED]) * HARTREE_EV
        print(f"the triplet lies {above_ev:+.2f} eV from the closed shell")


def moved(positions: np.ndarray, distance_angstrom: float) -> np.ndarray:
    """Return positions with the first atom moved, on its side of them, to one distance from its two nearest."""
    first, second = positions[1 + np.argsort(np.linalg.norm(positions[1:] - positions[0], axis=1))[:2]]
    middle, half = (first + second) / 2, np.linalg.norm(first - second) / 2
    outward = positions[0] - middle
    outward -= (first - second) * (outward @ (first - second)) / (2 * half) ** 2
    rise = np.sqrt(max(distance_angstrom**2 - half**2, 0.0))
    return np.vstack([middle + rise * outward / np.linalg.norm(outward), positions[1:]])


def of_metal(mean_field) -> tuple[float, float]:
    """Return Mulliken's charge and spin of the first atom."""
    from electroscreen.quantum.populations import mulliken_charges

    densities, overlap = mean_field.make_rdm1(), mean_field.get_ovlp()
    start, end = mean_field.mol.aoslice_by_atom()[0, 2:]
    by_function = np.einsum("ij,ji->i", densities[0] - densities[1], overlap) if densities.ndim == 3 else np.zeros(end)
    return float(mulliken_charges(mean_field)[0]), float(by_function[start:end].sum())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("complex")
    parser.add_argument("--like", help="complex whose geometry is taken")
    parser.add_argument("--distance", type=float, default=1.95, help="angstrom")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    main(asked.complex, asked.like, asked.distance, asked.threads)
