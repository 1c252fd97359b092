"""SCFs that begin with exchange in single precision, beside the same in double precision throughout.

Run by hand: `python tests/benchmarks/bench_precision.py [SPECIES...]`. Prints processor seconds, one thread, of one
exchange matrix and of a whole SCF from PySCF's guess in both ways (integrals made before), and the differences.
"""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from unittest.mock import patch

from quantum_bench import QUANTUM, mean_field_of  # first: it sets the threads

# isort: split
import numpy as np

from electroscreen.quantum import scf
from electroscreen.quantum.integrals import LastIntegrals
from electroscreen.quantum.scf import converge


def main(names: list[str]) -> None:
    """Print three lines a species."""
    for name in names:
        integrals = LastIntegrals()
        fitting = mean_field_of(name, QUANTUM.grid_while_moving, integrals).with_df.build()
        with patch.object(scf, "single_until_near", lambda _: nullcontext()):
            double_s, plain = timed(scf_of, name, integrals)
        begun_single_s, mean_field = timed(scf_of, name, integrals)
        density = mean_field.make_rdm1()
        print(f"{name}: {mean_field.mol.nao} functions, {mean_field.mol.nelectron // 2} occupied")
        print(
            f"  SCF: double precision {double_s:.1f} s, begun in single {begun_single_s:.1f} s, "
            f"ratio {double_s / begun_single_s:.2f}, difference {mean_field.e_tot - plain.e_tot:.0e} hartree"
        )
        exact_s, (_, exact) = timed(fitting.get_jk, density)
        fitting.single = True
        single_s, (_, single) = timed(fitting.get_jk, density)
        wrong_by = abs(np.sum((single - exact) * density)) / 4
        print(
            f"  Coulomb and exchange matrix: {exact_s:.2f} and {single_s:.2f} s, ratio {exact_s / single_s:.2f}, "
            f"exchange energy wrong by {wrong_by:.0e} hartree"
        )


def scf_of(name: str, integrals: LastIntegrals):
    """Return a converged mean field; PySCF would start one that has converged before from where it ended."""
    return converge(mean_field_of(name, QUANTUM.grid_while_moving, integrals), 100, None, False).mean_field


def timed(work, *arguments) -> tuple:
    """Return processor seconds and result."""
    began = time.process_time()
    found = work(*arguments)
    return time.process_time() - began, found


if __name__ == "__main__":
    main(sys.argv[1:] or ["LEDC-extended", "o-carborane", "TFSI", "PDOL3"])
