"""The search for the lowest placement of a complex, walking in Cartesian and in internal coordinates.

Run by hand: `python tests/benchmarks/bench_descent.py [COMPLEX...]`. Prints for each way the processor seconds, how
often GFN2-xTB was asked, and the lowest energies found; one thread.
"""

from __future__ import annotations

import sys
import time

from quantum_bench import ROOT  # first: it sets the threads

# isort: split
import numpy as np

from electroscreen.complexes import cluster_of
from electroscreen.project import Project
from electroscreen.quantum import structures
from electroscreen.quantum.descent import in_cartesians, in_internals
from electroscreen.quantum.placement import placements

PROJECT = Project(ROOT, "complexes")
build = structures.xtb_atoms


def main(names: list[str]) -> None:
    """Print a block a complex."""
    for name in names:
        wanted = PROJECT.complex(name)
        every = {part: PROJECT.species(part) for part in wanted.parts}
        alone = {part: lowest(species) for part, species in every.items()}
        cluster = cluster_of(wanted, every)
        starts = placements(cluster, every, alone, PROJECT.settings.binding.placements)
        print(f"{name}: {len(cluster.symbols)} atoms, {len(starts)} placements")
        for way in (in_cartesians, in_internals):
            began, asked = time.process_time(), count_evaluations()
            found = structures.minima(cluster, starts, lambda _: True, way)
            energies = ", ".join(f"{one.energy_gfn2_ev:.3f}" for one in found[:4])
            print(
                f"  {way.__name__}: {time.process_time() - began:.0f} s, {len(asked)} evaluations; {energies} eV",
                flush=True,
            )


def lowest(species) -> np.ndarray:
    """Positions of a part alone, (N, 3) in angstrom."""
    return structures.starting_structures(species, 6, 2)[0].positions_angstrom


def count_evaluations() -> list[int]:
    """Count the xTB energies of all that is computed from now on."""
    asked: list[int] = []

    def counting(*arguments, **named):
        atoms = build(*arguments, **named)
        calculate = atoms.calc.calculate

        def count(*inner, **options):
            asked.append(1)
            return calculate(*inner, **options)

        atoms.calc.calculate = count
        return atoms

    structures.xtb_atoms = counting
    return asked


if __name__ == "__main__":
    main(sys.argv[1:] or ["Na_DOL2", "Na_PDOL3"])
