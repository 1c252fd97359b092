"""Gradients of density-fitted energies: PySCF's own beside this project's, from the same converged density.

Run by hand: `python tests/benchmarks/bench_gradient.py [SPECIES...]`. Prints processor seconds, one thread, on the grid
of the optimisations, and the largest difference between the two.
"""

from __future__ import annotations

import sys
import time

from quantum_bench import QUANTUM, mean_field_of  # first: it sets the threads

# isort: split
import numpy as np

from electroscreen.quantum.gradient import gradients_of
from electroscreen.quantum.scf import converge


def main(names: list[str]) -> None:
    """Print a line a species."""
    for name in names:
        mean_field = mean_field_of(name, QUANTUM.grid_while_moving)
        molecule = mean_field.mol
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
