"""The question whether an SCF is stable, with PySCF's matrices of turned orbitals, ours, and those of turns only.

Run by hand: `python tests/benchmarks/bench_stability.py [SPECIES...]`. Prints the processor seconds of the SCF and of
the question in each way; one thread.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager, nullcontext
from unittest.mock import patch

from quantum_bench import QUANTUM, mean_field_of  # first: it sets the threads

# isort: split
import numpy as np
from pyscf import df

from electroscreen.quantum import response, stability
from electroscreen.quantum.scf import converge


def main(names: list[str]) -> None:
    """Print a block a species."""
    for name in names:
        mean_field = mean_field_of(name, QUANTUM.grid_final)
        molecule = mean_field.mol
        scf_s, solved = timed(converge, mean_field, 100, None, False)
        print(f"{name}: {molecule.nao} functions, {molecule.nelectron // 2} occupied, SCF {scf_s:.1f} s")
        seconds = []
        ways = [("PySCF's matrices", pyscfs), ("from few orbitals", whole), ("of turns only", nullcontext)]
        for way, matrices in ways:
            with matrices(solved.mean_field):
                taken_s, (curvature, _) = timed(lowest, solved.mean_field)
            seconds.append(taken_s)
            print(f"  {way}: {taken_s:.1f} s, lowest curvature {curvature:.6f} hartree")
        print(f"  ratios {seconds[0] / seconds[2]:.1f} and {seconds[1] / seconds[2]:.1f}")


@contextmanager
def pyscfs(mean_field):
    """Let a mean field with density fitting answer with PySCF's own matrices of the same integrals."""
    ours, theirs = mean_field.with_df, df.DF(mean_field.mol)
    theirs._cderi, theirs.auxmol = np.concatenate(list(ours.loop())), ours.auxmol
    mean_field.with_df = theirs
    try:
        yield
    finally:
        mean_field.with_df = ours


@contextmanager
def whole(mean_field):
    """Leave our density fitting in its place: exchange matrices of whole densities."""
    with patch.object(response, "turns_only", nullcontext):
        yield


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
