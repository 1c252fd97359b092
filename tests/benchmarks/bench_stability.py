"""Products of the Hessian in the turns of orbitals: as PySCF makes them, and from the occupied orbitals alone.

Run by hand: `python tests/benchmarks/bench_stability.py [SPECIES...]`. Prints the processor seconds of the SCF, of one
product in each way, and of asking for stability in each way; one thread.
"""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from pathlib import Path

from electroscreen.numerics import set_up_numerics

set_up_numerics(1)

import numpy as np  # noqa: E402 -- after the threads are set

from electroscreen.quantum import stability  # noqa: E402
from electroscreen.quantum.response import quick_turns  # noqa: E402
from electroscreen.quantum.scf import build_mean_field, build_molecule, converge  # noqa: E402
from electroscreen.settings import read_settings  # noqa: E402
from electroscreen.species import parse_xyz, read_species  # noqa: E402

ROOT = Path(__file__).parents[2]


def main(names: list[str]) -> None:
    """Print a block a species."""
    quantum = read_settings(ROOT / "config" / "quick.yaml").quantum
    for name in names:
        species = read_species(ROOT / "molecules" / "species" / f"{name}.yaml")
        positions = np.array([position for _, position in parse_xyz(species.start.xyz)])
        molecule = build_molecule(list(species.symbols), positions, species.charge, species.multiplicity, quantum.level)
        mean_field = build_mean_field(molecule, quantum.level, quantum.grid_final, quantum.memory_mb)
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
