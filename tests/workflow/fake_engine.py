"""Stands in for the command `electroscreen`: computes nothing, writes small records of the right shape.

Tables, figures and report are the real ones. Each call is noted in calls.log; FAKE_KILL names a stage that kills itself
half-way, FAKE_HANG one that takes a minute the first time, FAKE_SLOW a dynamics that takes FAKE_STEP_S seconds between
its hundred checkpoints, FAKE_FAIL a species whose geometry does not converge.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import time
from pathlib import Path

import numpy as np

from electroscreen import cli
from electroscreen.damage import DamagedError, files_read, set_aside_damaged
from electroscreen.project import SPECIES_STAGES, Project
from electroscreen.recipe import digest
from electroscreen.recipes import molecules_of
from electroscreen.record import whole, write_json, write_text
from electroscreen.stopping import StoppedError, checkpoint_reached, signals_wait_for_a_checkpoint

SURFACE = ("vertices_angstrom", "faces", "normals", "potential_ev", "symbols", "positions_angstrom")
REAL = ("inventory", "tables", "figures", "report", "summary", "status")


def main() -> int:
    """Note the call and fake the stage."""
    stage, subject = sys.argv[1], sys.argv[2]
    if stage == "check":
        return cli.main(sys.argv[1:]) if os.environ.get("REAL_CHECK") else 0
    if stage in REAL:
        with Path("calls.log").open("a") as log:
            log.write(f"{stage}\n" if subject.startswith("--") else f"{stage} {subject}\n")
        return cli.main(sys.argv[1:])
    project = Project(Path(), sys.argv[sys.argv.index("--settings") + 1])
    with Path("calls.log").open("a") as log:
        log.write(f"{stage} {subject}\n")
    replica = int(sys.argv[sys.argv.index("--replica") + 1]) if "--replica" in sys.argv else None
    try:
        set_aside_damaged(files_read(project, stage, subject, replica))
    except DamagedError as error:
        sys.exit(f"electroscreen: {error}")
    record = {"verdict": "ok", "warnings": [], "provenance": {"recipe_hash": digest(project.recipe(stage, subject))}}
    if stage in SPECIES_STAGES:
        fake_species(project, stage, subject, record)
    elif stage == "binding":
        fake_complex(project, subject, record)
    else:
        fake_box(project, stage, subject, record)
    return 0


def fake_species(project: Project, stage: str, name: str, record: dict) -> None:
    """Write what a stage of a species writes."""
    folder = project.species_folder(name)
    record |= {"species": name, "level": "fake"}
    if stage == "geometry":
        write_text(folder / "geometry.xyz", "0\nfake\n")
        die_if_asked(stage, name)
        np.save(folder / "density.npy", np.zeros((0, 0)))
        if os.environ.get("FAKE_FAIL") == name:
            record["verdict"] = "not converged: as asked"
    if stage == "orbitals":
        record |= {"title": name, "formula": "X", "homo_ev": -8.0, "lumo_ev": -1.0, "gap_ev": 7.0, "dipole_debye": 1.0}
        np.save(folder / "density_final.npy", np.zeros((0, 0)))
        np.savez(folder / "frontier.npz", homo=np.zeros(0), lumo=np.zeros(0))
    if stage == "esp":
        record |= {"v_max_ev": 1.0, "v_min_ev": -1.0, "isodensity_e_per_bohr3": 0.001}
        np.savez(folder / "esp.npz", **dict.fromkeys(SURFACE, np.zeros((0, 3))))
        write_text(folder / "esp.ply", "fake\n")
        write_picture(folder / "esp.png")
    if stage == "cubes":
        for file in ("homo.cube", "lumo.cube"):
            write_text(folder / file, "fake\n")
        write_picture(folder / "orbitals.png")
    if stage == "forcefield":
        write_text(folder / "forcefield.xml", "<ForceField/>")
    write_json(folder / f"{stage}.json", record)


def fake_complex(project: Project, name: str, record: dict) -> None:
    """Write what stage binding writes."""
    folder = project.complex_folder(name)
    write_text(folder / "geometry.xyz", "0\nfake\n")
    record |= {"complex": name, "parts": project.complex(name).parts, "level": "fake", "solvents": []}
    record |= {"interaction_ev": -1.2, "counterpoise_ev": 0.1, "deformation_ev": 0.05, "binding_ev": -1.05}
    write_json(folder / "binding.json", record | {"binding_kj_per_mol": -101.3, "binding_uncorrected_ev": -1.15})


def fake_box(project: Project, stage: str, name: str, record: dict) -> None:
    """Write what a stage of a box writes."""
    folder = project.box_folder(name)
    box = project.box(name)
    record |= {"box": name}
    if stage == "composition":
        molecules = [
            {"species": species, "count": 1, "charge_e": 0, "symbols": ["H"], "masses_amu": [1.0]}
            for species in molecules_of(box, project.box_species(box))
        ]
        record |= {"title": box.title, "temperature_k": 298.15, "molecules": molecules, "atoms": len(molecules)}
        record |= {"components": [], "net_charge_e": 0, "ideal_density_g_per_ml": 1.0, "edge_angstrom": 20.0}
        write_json(folder / "composition.json", record)
    elif stage == "analysis":
        record |= {
            key: [] for key in ("coordination", "solvation", "residence", "diffusion", "displacement", "transport")
        }
        record |= {"frames": 1, "duration_ps": 1.0, "replicas": 1}
        np.savez(folder / "curves.npz")
        write_json(folder / "analysis.json", record)
    else:
        replica = folder / f"replica-{sys.argv[sys.argv.index('--replica') + 1]}"
        if stage == "packing":
            write_text(replica / "packed.pdb", "REMARK fake\nEND\n")
            write_text(replica / "system.xml", "<System>\n</System>\n")
        if stage == "dynamics":
            with whole(replica / "trajectory.xtc") as partial:
                partial.write_bytes(3 * (struct.pack(">iiif", 1995, 1, 0, 0.0) + bytes(52)))
            write_text(replica / "restart" / "progress", go_on(replica / "restart" / "progress", name))
            die_if_asked(stage, name)
            write_text(replica / "state.csv", "phase\n")
            record |= {"density_g_per_ml": 1.0, "density_low": 0.9, "density_high": 1.1, "temperature_k": 298.0}
        write_json(replica / {"packing": "packing.json", "dynamics": "equilibration.json"}[stage], record)


def go_on(progress: Path, name: str) -> str:
    """Do a hundred steps, or those that are left of them, with a checkpoint after each."""
    first = int(progress.read_text()) if progress.exists() else 0
    slowly = os.environ.get("FAKE_SLOW") == f"dynamics {name}"
    with Path("steps.log").open("a") as log:
        log.write(f"{name} from step {first}\n")
    with signals_wait_for_a_checkpoint():
        for step in range(first, 100):
            time.sleep(float(os.environ["FAKE_STEP_S"]) if slowly else 0)
            if slowly:
                write_text(progress, str(step + 1))
            checkpoint_reached()
    return "100"


def write_picture(path: Path) -> None:
    """Write one white point."""
    from PIL import Image

    with whole(path) as partial:
        Image.new("L", (1, 1), 255).save(partial)


def die_if_asked(stage: str, name: str) -> None:
    """Die as by kill -9, or take long."""
    if os.environ.get("FAKE_HANG") == f"{stage} {name}" and not Path("hung").exists():
        Path("hung").touch()
        time.sleep(60)
    if os.environ.get("FAKE_KILL") == f"{stage} {name}":
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StoppedError:
        sys.exit(5)
