"""Coulomb and exchange matrices by density fitting: PySCF's way beside this project's.

Run by hand: `python tests/benchmarks/bench_fitting.py [SPECIES...]`. Prints processor seconds, one thread, of the
matrices of a converged density with and without its orbitals (as a guess comes), and the largest difference.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from electroscreen.numerics import set_up_numerics

set_up_numerics(1)

import numpy as np  # noqa: E402 -- after the threads are set
from pyscf import df  # noqa: E402

from electroscreen.quantum.scf import build_mean_field, build_molecule, converge  # noqa: E402
from electroscreen.settings import read_settings  # noqa: E402
from electroscreen.species import parse_xyz, read_species  # noqa: E402

ROOT = Path(__file__).parents[2]


def main(names: list[str]) -> None:
    """Print two lines a species."""
    quantum = read_settings(ROOT / "config" / "quick.yaml").quantum
    for name in names:
        species = read_species(ROOT / "molecules" / "species" / f"{name}.yaml")
        positions = np.array([position for _, position in parse_xyz(species.start.xyz)])
        molecule = build_molecule(list(species.symbols), positions, species.charge, species.multiplicity, quantum.level)
        mean_field = build_mean_field(molecule, quantum.level, 0, quantum.memory_mb)
        density = converge(mean_field, 100, None, stability=False).mean_field.make_rdm1()
        ours, theirs = mean_field.with_df, df.DF(molecule)
        theirs._cderi = ours._cderi
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
