"""The energies of a binding energy with one set of integrals for all that has the cluster's functions, and with many.

Run by hand: `python tests/benchmarks/bench_interaction.py [COMPLEX...]`, of those in `results/published/complexes`.
Prints processor seconds, one thread, of all single points in vacuum and in the solvent, and the largest difference.
"""

from __future__ import annotations

import sys
import time

from quantum_bench import QUANTUM, ROOT  # first: it sets the threads

# isort: split
from electroscreen.complexes import cluster_of, read_complex
from electroscreen.quantum import integrals
from electroscreen.quantum.energies import Ledger, Method
from electroscreen.quantum.geometry import read_xyz
from electroscreen.quantum.interaction import binding_energy, binding_in_solvent, read_parts
from electroscreen.species import read_species

PUBLISHED = ROOT / "results" / "published" / "complexes"


def main(names: list[str]) -> None:
    """Print a line a complex."""
    same = integrals._same_functions
    for name in names:
        apart_s, apart = energies(name, lambda *_: False)
        shared_s, shared = energies(name, same)
        difference = max(abs(apart[key] - shared[key]) for key in apart)
        print(
            f"{name}: each its own {apart_s:.0f} s, one for all {shared_s:.0f} s, ratio {apart_s / shared_s:.2f}, "
            f"difference {difference:.0e} hartree",
            flush=True,
        )


def energies(name: str, same_functions) -> tuple[float, dict[str, float]]:
    """Return processor seconds, and every energy by its name."""
    integrals._same_functions = same_functions
    wanted = read_complex(ROOT / "molecules" / "complexes" / f"{name}.yaml")
    every = {part: read_species(ROOT / "molecules" / "species" / f"{part}.yaml") for part in wanted.parts}
    parts = read_parts(every, {part: PUBLISHED / "species" / part for part in every})
    cluster, positions = cluster_of(wanted, every), read_xyz(PUBLISHED / "complexes" / name / "geometry.xyz")
    method, ledger = Method(QUANTUM, "d3bj"), Ledger({}, lambda _: None)
    began = time.process_time()
    found = binding_energy(cluster, parts, positions, method, ledger)
    binding_in_solvent(7.1, cluster, parts, positions, method, ledger, found["counterpoise_ev"])
    return time.process_time() - began, ledger.known


if __name__ == "__main__":
    main(sys.argv[1:] or ["Na_DOL", "Na_DOL2"])
