"""Gradients of density-fitted energies: PySCF's own beside this project's, from the same converged density.

Run by hand: `python tests/benchmarks/bench_gradient.py [SPECIES...]`. Prints processor seconds, one thread, on the grid
of the optimisations, and the largest difference between the two.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from electroscreen.numerics import set_up_numerics

set_up_numerics(1)

import numpy as np  # noqa: E402 -- after the threads are set

from electroscreen.quantum.gradient import gradients_of  # noqa: E402
from electroscreen.quantum.scf import build_mean_field, build_molecule, converge  # noqa: E402
from electroscreen.settings import read_settings  # noqa: E402
from electroscreen.species import parse_xyz, read_species  # noqa: E402

ROOT = Path(__file__).parents[2]


def main(names: list[str]) -> None:
    """Print a line a species."""
    quantum = read_settings(ROOT / "config" / "quick.yaml").quantum
    for name in names:
        species = read_species(ROOT / "molecules" / "species" / f"{name}.yaml")
        positions = np.array([position for _, position in parse_xyz(species.start.xyz)])
        molecule = build_molecule(list(species.symbols), positions, species.charge, species.multiplicity, quantum.level)
        mean_field = build_mean_field(molecule, quantum.level, quantum.grid_while_moving, quantum.memory_mb)
        solved = converge(mean_field, 100, None, stability=False).mean_field
        theirs = solved.nuc_grad_method()
        theirs.grid_response = True
        (ours_s, ours), (theirs_s, expected) = timed(gradients_of(solved).kernel), timed(theirs.kernel)
        difference = np.abs(ours - expected).max()
        print(
            f"{name}: {molecule.natm} atoms, {molecule.nao} functions; PySCF {theirs_s:.1f} s, ours {ours_s:.1f} s, "
            f"ratio {theirs_s / ours_s:.1f}, difference {difference:.0e} hartree/bohr",
            flush=True,
        )


def timed(work) -> tuple:
    """Return processor seconds and result."""
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


if __name__ == "__main__":
    main(sys.argv[1:] or ["LMC", "LEDC-extended", "o-carborane"])
