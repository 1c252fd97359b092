"""How long an SCF in a solvent takes with the integrals kept, and as PySCF does it: processor time, one run.

    python tests/benchmarks/bench_continuum.py [SPECIES...]

Energies must agree within 1e-7 hartree. For the geometry the start structures of the species files are taken.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from electroscreen.project import Project
from electroscreen.quantum.scf import build_mean_field, build_molecule
from electroscreen.quantum.solvent import in_solvent
from electroscreen.species import parse_xyz

EPSILON = 7.1


def timed(mean_field) -> tuple[float, float]:
    begin = time.process_time()
    energy = mean_field.kernel()
    return energy, time.process_time() - begin


def main(names: list[str]) -> None:
    project = Project(Path(__file__).parents[2], "quick")
    quantum = project.settings.quantum
    print("species  functions  vacuum s  ours s  PySCF s  ratio  difference hartree")
    for name in names:
        species = project.species(name)
        symbols, x = list(species.symbols), np.array([x for _, x in parse_xyz(species.start.xyz)])

        def mean_field(symbols=symbols, x=x, species=species):
            molecule = build_molecule(symbols, x, species.charge, species.multiplicity, quantum.level)
            return build_mean_field(molecule, quantum.level, quantum.grid_final, quantum.memory_mb)

        _, vacuum_s = timed(mean_field())
        ours, ours_s = timed(in_solvent(mean_field(), EPSILON))
        plain = mean_field().PCM()
        plain.with_solvent.method, plain.with_solvent.eps = "IEF-PCM", EPSILON
        theirs, theirs_s = timed(plain)
        ratio, functions = theirs_s / ours_s, plain.mol.nao
        print(f"{name}  {functions}  {vacuum_s:.1f}  {ours_s:.1f}  {theirs_s:.1f}  {ratio:.1f}  {ours - theirs:.1e}")
        if abs(ours - theirs) > 1e-7:
            raise SystemExit("the energies differ")


if __name__ == "__main__":
    main(sys.argv[1:] or ["LMC", "FEC"])
