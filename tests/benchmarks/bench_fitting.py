"""Coulomb and exchange matrices by density fitting: PySCF's way beside this project's.

Run by hand: `python tests/benchmarks/bench_fitting.py [SPECIES...]`. Prints processor seconds, one thread, of the
matrices of a converged density with and without its orbitals (as a guess comes), and the largest difference.
"""

from __future__ import annotations

import sys
import time

from quantum_bench import mean_field_of  # first: it sets the threads

# isort: split
import numpy as np
from pyscf import df

from electroscreen.quantum.scf import converge


def main(names: list[str]) -> None:
    """Print two lines a species."""
    for name in names:
        mean_field = mean_field_of(name, 0)
        molecule = mean_field.mol
        density = converge(mean_field, 100, None, stability=False).mean_field.make_rdm1()
        ours, theirs = mean_field.with_df, df.DF(molecule)
        theirs._cderi = np.concatenate(list(ours.loop()))
        print(f"{name}: {molecule.nao} functions, {molecule.nelectron // 2} occupied")
        for what, asked in (("with its orbitals", density), ("without", np.array(density))):
            found_s, found = timed(ours.get_jk, asked)
            known_s, known = timed(theirs.get_jk, asked)
            difference = max(np.abs(a - b).max() for a, b in zip(found, known, strict=True))
            print(
                f"  {what}: PySCF {known_s:.2f} s, ours {found_s:.2f} s, ratio {known_s / found_s:.1f}, "
                f"difference {difference:.0e}"
            )


def timed(work, density) -> tuple:
    """Return processor seconds, the least of three, and result."""
    least = np.inf
    for _ in range(3):
        began = time.process_time()
        found = work(density, hermi=1)
        least = min(least, time.process_time() - began)
    return least, found


if __name__ == "__main__":
    main(sys.argv[1:] or ["LEDC-extended", "o-carborane", "TFSI"])
