"""Time of an SCF with the functional integrated patch by patch, beside PySCF's own integrator.

Run by hand: `python tests/benchmarks/bench_integration.py [SPECIES ...]`, species with a start in molecules/species.
Prints processor seconds of one thread, those of them in the functional, energies and their difference.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from electroscreen.numerics import set_up_numerics

set_up_numerics(1)  # before numpy is loaded

import numpy as np  # noqa: E402
from pyscf import lib  # noqa: E402
from pyscf.dft.numint import NumInt  # noqa: E402

from electroscreen.quantum.scf import build_mean_field, build_molecule  # noqa: E402
from electroscreen.settings import read_settings  # noqa: E402
from electroscreen.species import parse_xyz, read_species  # noqa: E402

PROJECT = Path(__file__).parents[2]
MEMORY_MB = 8000


def main(names: list[str]) -> None:
    """Compare both integrators for some species."""
    lib.num_threads(1)
    quantum = read_settings(PROJECT / "config" / "quick.yaml").quantum
    for name in names:
        species = read_species(PROJECT / "molecules" / "species" / f"{name}.yaml")
        atoms = parse_xyz(species.start.xyz)
        molecule = build_molecule(
            [symbol for symbol, _ in atoms],
            np.array([x for _, x in atoms]),
            species.charge,
            species.multiplicity,
            quantum.level,
        )
        energies = {}
        for whose in ("ours", "PySCF's"):
            mean_field = build_mean_field(molecule, quantum.level, quantum.grid_final, MEMORY_MB)
            if whose != "ours":
                mean_field._numint = NumInt()
            spent = timed(mean_field._numint, "nr_rks")
            started = time.process_time()
            energies[whose] = mean_field.kernel()
            total = time.process_time() - started
            print(f"{name}, {molecule.nao} functions, {whose}: {total:.1f} s, {spent[0]:.1f} s in the functional")
        print(f"{name}: energies differ by {np.ptp(list(energies.values())):.1e} hartree")


def timed(owner: object, method: str) -> list[float]:
    """Replace a method by one that adds up its processor seconds, in a list of one."""
    plain, spent = getattr(owner, method), [0.0]

    def counting(*arguments, **more):
        started = time.process_time()
        try:
            return plain(*arguments, **more)
        finally:
            spent[0] += time.process_time() - started

    setattr(owner, method, counting)
    return spent


if __name__ == "__main__":
    main(sys.argv[1:] or ["o-carborane"])
