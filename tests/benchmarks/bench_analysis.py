"""One pass over a trajectory against MDAnalysis' InterRDF and EinsteinMSD, pair by pair.

Run by hand: `python tests/benchmarks/bench_analysis.py [ATOMS] [FRAMES] [THREADS] [ROUNDS]`. Prints the seconds of the
fastest of some rounds, those that passed and those of all cores together, which other work on the machine changes less;
and the ratios of both.
"""

from __future__ import annotations

import importlib
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from analysis_helpers import write_json

from electroscreen.analysis.run import analyse

for package in (
    "kinisi.diffusion",
    "scipy.sparse",
    "scipy.signal",
    "MDAnalysis.analysis.rdf",
    "MDAnalysis.analysis.msd",
):
    importlib.import_module(package)  # not part of the work

FRAME_PS = 1.0
WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
SPECIES = {"Na": ["Na"], "TFSI": ["N", "O", "F"], "DOL": ["C", "C", "C", "O", "O", *"HHHHHH"], "FEC": ["O", "F", "C"]}
PER_UNIT = {"Na": 20, "TFSI": 20, "DOL": 570, "FEC": 55}
PARTNERS = ["O(DOL)", "O(TFSI)", "O(FEC)", "F(TFSI)", "F(FEC)", "N(TFSI)", "C(DOL)", "C(FEC)", "O", "F"]


def main(atoms: int = 10_000, frames: int = 2_000, threads: int = 2, rounds: int = 3) -> None:
    """Make a trajectory, analyse it in both ways, print the times."""
    counts = {name: max(1, round(n * atoms / 6515)) for name, n in PER_UNIT.items()}
    molecules = [
        {
            "species": name,
            "count": count,
            "charge_e": {"Na": 1, "TFSI": -1}.get(name, 0),
            "symbols": SPECIES[name],
            "masses_amu": [12.0] * len(SPECIES[name]),
        }
        for name, count in counts.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        box = Path(folder)
        edge_a = made(box, molecules, frames)
        asked = {"coordination": [{"center": "Na", "partners": PARTNERS}], "diffusion": ["Na", "TFSI"]}
        recipe = {"protocol": 1, "temperature_k": 300.0, **asked}
        write_json(box / "composition.json", {"box": "b", "verdict": "ok", "molecules": molecules})
        write_json(box / "replica-1" / "equilibration.json", {"verdict": "ok"})
        path = box / "replica-1" / "trajectory.xtc"
        found = box / "a.json", box / "c.npz"
        works = {
            "reading alone": lambda: read_only(path),
            "ours": lambda: analyse(box / "composition.json", [box / "replica-1"], recipe, *found, threads),
            "MDAnalysis": lambda: with_mdanalysis(path, molecules, edge_a),
        }
        times = {
            name: [timed(work) for _ in range(rounds if name != "MDAnalysis" else 1)] for name, work in works.items()
        }
    best = {name: np.min(of, axis=0) for name, of in times.items()}
    print(f"{sum(len(m['symbols']) * m['count'] for m in molecules)} atoms, {frames} frames, {threads} threads")
    for name, (passed, used) in best.items():
        print(f"{name:14} {passed:8.2f} s passed, {used:8.2f} s of cores")
    for first, second in (("ours", "reading alone"), ("MDAnalysis", "ours")):
        passed, used = best[first] / best[second]
        print(f"{first} / {second}: {passed:.2f} passed, {used:.2f} of cores")


def made(box: Path, molecules: list[dict], frames: int) -> float:
    """Write a trajectory of random walkers; the edge of the box in Å."""
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    generator = np.random.default_rng(1)
    sizes = np.concatenate([[len(m["symbols"])] * m["count"] for m in molecules])
    edge_a = float((sizes.sum() / 0.1) ** (1 / 3))
    centres = generator.uniform(0, edge_a, size=(len(sizes), 3))
    inside = generator.normal(scale=1.5, size=(sizes.sum(), 3))
    (box / "replica-1").mkdir(parents=True)
    cell = np.diag([edge_a / 10] * 3).astype(np.float32)
    with XTCFile(str(box / "replica-1" / "trajectory.xtc"), "w") as file:
        for i in range(frames):
            centres += generator.normal(scale=0.3, size=centres.shape)
            positions = np.repeat(centres, sizes, axis=0) + inside
            file.write((positions / 10).astype(np.float32), cell, i, i * FRAME_PS, 1000)
    return edge_a


def read_only(path: Path) -> None:
    """Read every frame and do nothing."""
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    with XTCFile(str(path)) as file:
        for _ in file:
            pass


def with_mdanalysis(path: Path, molecules: list[dict], edge_a: float) -> None:
    """Ten RDFs and two MSDs as MDAnalysis computes them: a pass for each."""
    import MDAnalysis
    from MDAnalysis.analysis.msd import EinsteinMSD
    from MDAnalysis.analysis.rdf import InterRDF

    symbols = [s for m in molecules for _ in range(m["count"]) for s in m["symbols"]]
    species = np.repeat([m["species"] for m in molecules], [m["count"] * len(m["symbols"]) for m in molecules])
    universe = MDAnalysis.Universe.empty(len(symbols), trajectory=True)
    universe.add_TopologyAttr("names", [f"{s}_{name}" for s, name in zip(symbols, species, strict=True)])
    universe.load_new(str(path))
    center = universe.select_atoms("name Na_Na")
    for partner in PARTNERS:
        element, _, name = partner.rstrip(")").partition("(")
        InterRDF(center, universe.select_atoms(f"name {element}_{name or '*'}"), 500, (0.0, edge_a / 2)).run()
    for name in ("Na_Na", "N_TFSI"):
        EinsteinMSD(universe, select=f"name {name}", msd_type="xyz", fft=False).run()


def timed(work) -> tuple[float, float]:
    """Return the seconds that passed during some work, and those of all cores together, its processes included."""
    before, started = [resource.getrusage(who) for who in WHO], time.perf_counter()
    work()
    passed = time.perf_counter() - started
    after = [resource.getrusage(who) for who in WHO]
    used = [b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime for a, b in zip(before, after, strict=True)]
    return passed, sum(used)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
