"""Products of the Hessian in the turns of orbitals: as PySCF makes them, and from the occupied orbitals alone.

Run by hand: `python tests/benchmarks/bench_stability.py [SPECIES...]`. Prints the processor seconds of the SCF, of one
product in each way, and of asking for stability in each way; one thread.
"""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext

from quantum_bench import QUANTUM, mean_field_of  # first: it sets the threads

# isort: split
from electroscreen.quantum import stability
from electroscreen.quantum.response import quick_turns
from electroscreen.quantum.scf import converge


def main(names: list[str]) -> None:
    """Print a block a species."""
    for name in names:
        mean_field = mean_field_of(name, QUANTUM.grid_final)
        molecule = mean_field.mol
        scf_s, solved = timed(converge, mean_field, 100, None, False)
        print(f"{name}: {molecule.nao} functions, {molecule.nelectron // 2} occupied, SCF {scf_s:.1f} s")
        seconds = []
        for way, products in (("PySCF's products", lambda _: nullcontext()), ("from orbitals", quick_turns)):
            stability.quick_turns = products
            taken_s, (curvature, _) = timed(lowest, solved.mean_field)
            seconds.append(taken_s)
            print(f"  {way}: {taken_s:.1f} s, lowest curvature {curvature:.6f} hartree")
        print(f"  ratio {seconds[0] / seconds[1]:.1f}")


def lowest(mean_field) -> tuple:
    """Ask for the lowest curvature on the coarse grid of the response."""
    with stability._coarse_grid(mean_field):
        return stability._lowest_curvature(mean_field)


def timed(work, *arguments) -> tuple:
    """Return processor seconds and result."""
    began = time.process_time()
    found = work(*arguments)
    return time.process_time() - began, found


if __name__ == "__main__":
    main(sys.argv[1:] or ["LMC", "TFSI", "o-carborane"])
