"""An xTB Hessian by threads of xTB itself, and by as many processes of one thread.

Run by hand on idle cores: `python tests/benchmarks/bench_workers.py [THREADS [COMPLEX...]]`. Prints seconds by the
clock at a published geometry, their ratio, and the largest difference.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from electroscreen.numerics import set_up_numerics

ROOT = Path(__file__).resolve().parents[2]


def main(threads: int, names: list[str]) -> None:
    """Print a line a complex."""
    set_up_numerics(threads)
    import numpy as np

    from electroscreen.complexes import cluster_of
    from electroscreen.project import Project
    from electroscreen.quantum import structures
    from electroscreen.quantum.geometry import read_xyz

    project = Project(ROOT, "complexes")
    for name in names:
        wanted = project.complex(name)
        cluster = cluster_of(wanted, {part: project.species(part) for part in wanted.parts})
        positions = read_xyz(ROOT / "results/published/complexes/complexes" / name / "geometry.xyz")
        taken_s, found = [], []
        for atoms_in_one_process in (len(cluster.symbols), 0):
            structures.ATOMS_IN_ONE_PROCESS = atoms_in_one_process
            began = time.perf_counter()
            found.append(structures.xtb_hessian(cluster, positions))
            taken_s.append(time.perf_counter() - began)
        difference = np.abs(found[0] - found[1]).max()
        print(
            f"{name}: {len(cluster.symbols)} atoms, {threads} threads {taken_s[0]:.1f} s, {threads} processes "
            f"{taken_s[1]:.1f} s, ratio {taken_s[0] / taken_s[1]:.2f}, difference {difference:.0e}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 2, sys.argv[2:] or ["Na_TFSI", "Na_PDOL3"])
