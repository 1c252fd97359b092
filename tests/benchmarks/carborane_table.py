"""The o-carborane paper's orbital table by this project, by plain PySCF as its manual shows it, and by Psi4, timed.

    python tests/benchmarks/carborane_table.py                          the whole table: half a day on two cores
    python tests/benchmarks/carborane_table.py LiF LMC --programs ours pyscf
    python tests/benchmarks/carborane_table.py o-carborane --single     one energy and gradient, no descent

All programs start from the same geometry and use the same threads, one after the other, each in a process of its own.
Psi4 is left out where there is none (Debian: psi4). A program that fails says so; what it fails at counts for none of
the totals.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ["LiF", "LiOH", "Li2O", "Li2CO3", "LMC", "LEDC-extended", "o-carborane"]
PROGRAMS = ["ours", "pyscf", "psi4"]
HARTREE_EV = 27.211386245988
PSI4_INPUT = """
import json
molecule one {{
{charge} {multiplicity}
{atoms}
units angstrom
symmetry c1
no_reorient
no_com
}}
set basis 6-31g**
set puream false
result, wavefunction = {command}('b3lyp', return_wfn=True)
levels = wavefunction.epsilon_a_subset('AO', 'ALL').np
occupied = wavefunction.nalpha()
found = {{'energy_hartree': wavefunction.energy()}}
found.update(homo_ev=levels[occupied - 1] * {ev}, lumo_ev=levels[occupied] * {ev})
with open('found.json', 'w') as stream:
    json.dump(found, stream)
"""


def start_of(name: str):
    """Species and positions (angstrom): those of its file, else the lowest GFN2-xTB structure."""
    from electroscreen.quantum.structures import starting_structures
    from electroscreen.species import read_species

    species = read_species(ROOT / "molecules" / "species" / f"{name}.yaml")
    return species, starting_structures(species, 6, 12)[0].positions_angstrom


def ours(species, positions, threads: int, single: bool) -> dict:
    """As the stages geometry and orbitals do it, without the search for conformers."""
    from electroscreen.numerics import set_up_numerics

    set_up_numerics(threads)
    from pyscf import lib

    from electroscreen.quantum.optimise import Surface, optimise
    from electroscreen.quantum.orbitals import solve_orbitals
    from electroscreen.quantum.structures import xtb_hessian
    from electroscreen.settings import read_settings

    lib.num_threads(threads)
    quantum = read_settings(ROOT / "config" / "quick.yaml").quantum.model_copy(update={"stability": "none"})
    surface = Surface(species, quantum, quantum.grid_while_moving)
    if single:
        surface.energy_and_gradient(positions)
    else:
        positions = optimise(surface, positions, xtb_hessian(species, positions), lambda *_: None).positions_angstrom
    found, _ = solve_orbitals(species, quantum, positions, surface.density)
    return {key: found[key] for key in ("energy_hartree", "homo_ev", "lumo_ev")}


def plain_pyscf(species, positions, threads: int, single: bool) -> dict:
    """As PySCF's manual does it."""
    from pyscf import dft, gto, lib
    from pyscf.geomopt.geometric_solver import optimize

    lib.num_threads(threads)
    molecule = gto.M(
        atom=list(zip(species.symbols, positions.tolist(), strict=True)),
        basis="6-31g(d,p)",
        charge=species.charge,
        spin=species.multiplicity - 1,
        cart=True,
        verbose=0,
    )
    mean_field = dft.RKS(molecule, xc="b3lypg")
    if single:
        mean_field.kernel()
        mean_field.nuc_grad_method().kernel()
    else:
        mean_field = dft.RKS(optimize(mean_field), xc="b3lypg")
        mean_field.kernel()
    levels = mean_field.mo_energy * HARTREE_EV
    occupied = molecule.nelectron // 2
    return {"energy_hartree": mean_field.e_tot, "homo_ev": levels[occupied - 1], "lumo_ev": levels[occupied]}


def psi4(species, positions, threads: int, single: bool) -> dict:
    """As Psi4's manual does it."""
    rows = zip(species.symbols, positions, strict=True)
    text = PSI4_INPUT.format(
        charge=species.charge,
        multiplicity=species.multiplicity,
        atoms="\n".join(f"{symbol} {x:.8f} {y:.8f} {z:.8f}" for symbol, (x, y, z) in rows),
        command="gradient" if single else "optimize",
        ev=HARTREE_EV,
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "one.in").write_text(text, encoding="utf-8")
        words = ["psi4", "-n", str(threads), "one.in", "one.out"]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"psi4: {done.stderr[-400:]} {(Path(folder) / 'one.out').read_text()[-400:]}")
        return json.loads((Path(folder) / "found.json").read_text(encoding="utf-8"))


def run_one(program: str, name: str, start: Path, threads: int, single: bool) -> None:
    """Print what one program finds for one species, as JSON."""
    import numpy as np

    from electroscreen.species import read_species

    species = read_species(ROOT / "molecules" / "species" / f"{name}.yaml")
    positions = np.load(start)
    began = time.perf_counter()
    found = {"ours": ours, "pyscf": plain_pyscf, "psi4": psi4}[program](species, positions, threads, single)
    print(json.dumps(found | {"seconds": time.perf_counter() - began}))


def timed(program: str, name: str, start: Path, options: argparse.Namespace) -> dict | None:
    """Run one program on one species in a process of its own; None if it fails, with its last words on stderr."""
    words = [sys.executable, __file__, name, "--one", program, "--start", str(start), "--threads", str(options.threads)]
    environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
    words += ["--single"] if options.single else []
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        print(f"{program}, {name}: {done.stderr[-400:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print a row a species: seconds, ratios to ours, and the largest difference of HOMO and LUMO from ours."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("species", nargs="*", default=TABLE)
    parser.add_argument("--programs", nargs="+", default=PROGRAMS, choices=PROGRAMS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--single", action="store_true")
    parser.add_argument("--one", choices=PROGRAMS, help=argparse.SUPPRESS)
    parser.add_argument("--start", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_one(options.one, options.species[0], options.start, options.threads, options.single)
        return
    programs = [program for program in options.programs if program != "psi4" or shutil.which("psi4")]
    print(f"{'species':15s}", *(f"{p + ' (s)':>11s} {'ratio':>6s} {'dLUMO (eV)':>11s}" for p in programs), flush=True)
    totals = dict.fromkeys(programs, 0.0)
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        for name in options.species:
            start = Path(folder) / f"{name}.npy"
            np.save(start, start_of(name)[1])
            found = {program: timed(program, name, start, options) for program in programs}
            first = found[programs[0]]
            print(f"{name:15s}", *(row(found[p], first) for p in programs), flush=True)
            if all(found.values()):
                totals = {p: totals[p] + found[p]["seconds"] for p in programs}
    first = totals[programs[0]]
    print(f"{'all, by all':15s}", *(f"{totals[p]:11.1f} {totals[p] / first:6.1f} {'':11s}" for p in programs))


def row(found: dict | None, first: dict | None) -> str:
    """Seconds, ratio, difference of LUMO."""
    if found is None or first is None:
        return f"{'fails' if found is None else format(found['seconds'], '.1f'):>11s} {'':6s} {'':11s}"
    difference = found["lumo_ev"] - first["lumo_ev"]
    return f"{found['seconds']:11.1f} {found['seconds'] / first['seconds']:6.1f} {difference:+11.4f}"


if __name__ == "__main__":
    main()
