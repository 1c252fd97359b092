"""A project of any size without chemistry: inputs that pass every check, and finished results that nobody computed."""

from __future__ import annotations

import io
import json
import os
import shutil
import time
from itertools import islice, product
from pathlib import Path

import numpy as np
import yaml

from electroscreen.facts import Facts
from electroscreen.memory import Memory
from electroscreen.plan import STAGES, Job
from electroscreen.project import Project
from electroscreen.recipe import as_text, digest
from electroscreen.survey import asked_jobs

ROOT = Path(__file__).parent.parent
SALT = ("Na", "TFSI", "NaTFSI")
LEFT = [f"{end}{'C' * n}" for end in ("", "F", "FC(F)", "N#C", "CO", "CC(C)") for n in range(1, 5)]
RIGHT = [f"{'C' * n}{end}" for end in ("", "F", "C(F)F", "C#N", "OC", "C(C)C") for n in range(1, 5)]
MIDDLES = ["O", "OC(=O)", "OC(=O)O", "S(=O)(=O)", "N(C)", "C(=O)", "OCCO", "OCC(F)(F)", "C=C", "S", "OP(=O)(OC)O"]
MIDDLES += [f"{middle}{'C' * n}O" for middle in ("O", "OC(=O)O") for n in range(2, 6)]


def _empty_arrays(*names: str) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **dict.fromkeys(names, np.zeros((0, 3))))
    return stream.getvalue()


SURFACE = ("vertices_angstrom", "faces", "normals", "potential_ev", "symbols", "positions_angstrom")
EMPTY = {"esp.npz": _empty_arrays(*SURFACE), "curves.npz": _empty_arrays("none")}


def grow(folder: Path, species: int, boxes: int) -> None:
    """Write a project with so many solvents and boxes of them, besides the ions of one salt."""
    for name in ("Snakefile", "profiles", "envs", "config", "workflow/rules"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / name)
    molecules = folder / "molecules"
    for kind in ("species", "boxes", "complexes", "papers"):
        (molecules / kind).mkdir(parents=True)
    for name in SALT:
        shutil.copy2(ROOT / "molecules" / "species" / f"{name}.yaml", molecules / "species")
    names = []
    for number, (left, middle, right) in enumerate(islice(product(LEFT, MIDDLES, RIGHT), species)):
        names.append(f"M{number:05d}")
        add_species(folder, names[-1], f"{left}{middle}{right}")
    for number in range(boxes):
        recipe = {names[(7 * number + i) % len(names)]: {"volume_ml": 5 + i} for i in range(2)}
        wanted = {"coordination": [{"center": "Na", "partners": ["O(TFSI)"]}], "diffusion": ["Na", "TFSI"]}
        box = {"name": f"box{number:04d}", "title": f"mixture {number}", "temperature_k": 298.15}
        box |= {"recipe": recipe | {"NaTFSI": {"mol_per_l": 0.5}}, "analysis": wanted}
        _write(molecules / "boxes" / f"{box['name']}.yaml", box)
    quick = folder / "config" / "quick.yaml"
    text = quick.read_text(encoding="utf-8")
    asked = text.replace("complexes: [Na_DOL]", "complexes: []").replace("boxes: [natfsi_dol_fec]", "boxes: all")
    assert asked.count("complexes: []") == asked.count("boxes: all") == 1
    quick.write_text(asked, encoding="utf-8")


def add_species(folder: Path, name: str, smiles: str) -> None:
    """Write one more solvent."""
    solvent = {"name": name, "title": f"solvent {name}", "role": "solvent", "smiles": smiles, "density_g_per_ml": 1.0}
    _write(folder / "molecules" / "species" / f"{name}.yaml", solvent)


def finish(folder: Path) -> int:
    """Write what all jobs would have written, and what Snakemake would remember of them; return their number."""
    project = Project(folder, "quick")
    memory, facts = Memory(folder), Facts(project)
    screened = [name for name in project.species_names if facts.is_screened(name)]
    (memory.folder / "incomplete").mkdir(parents=True, exist_ok=True)
    begin = time.time() - 3600
    jobs = list(asked_jobs(project, facts, screened))
    for job in jobs:
        when = begin + 60 * STAGES.index(job.stage)
        recipe = project.recipe(job.recipe_stage, job.subject) if job.recipe_stage else None
        outputs = _fake_files(project.results, job, recipe, when)
        _remember(memory, project, job, recipe, outputs)
    return len(jobs)


def _fake_files(results: Path, job: Job, recipe: dict | None, when: float) -> list[str]:
    if recipe is None:
        files = [f"{job.record}/.snakemake_timestamp", f"{job.record}/msd_{job.subject}.svg"]
        files += [f"{job.record}/msd_{job.subject}.png"]
    else:
        files = [job.record, *job.others]
    for file in files:
        path = results / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if file == job.record:
            path.write_text(json.dumps(_record(job, recipe), indent=1), encoding="utf-8")
        else:
            path.write_bytes(EMPTY.get(path.name, b"<svg/>\n"))
        os.utime(path, (when, when))
    return [job.record] if recipe is None else files


def _remember(memory: Memory, project: Project, job: Job, recipe: dict | None, outputs: list[str]) -> None:
    prefix = f"results/{project.settings_name}/"
    inputs = [prefix + path for path in job.inputs]
    inputs += [job.yaml] if job.yaml else []
    inputs += [f"molecules/species/{job.subject}.yaml"] if job.stage == "geometry" else []
    params = [repr(project.settings_name)] + ([repr(as_text(recipe))] if recipe else [])
    record = {"rule": job.stage, "input": sorted(inputs), "params": sorted(params), "record_format_version": 6}
    record |= {"log": [prefix + job.log], "incomplete": False, "input_checksums": {}}
    text = json.dumps(record)
    for output in outputs:
        path = memory.path("metadata", prefix + output)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _record(job: Job, recipe: dict) -> dict:
    """Return what the tables read of a record, with as many atoms and rows as a small molecule or box has."""
    level, number = "b3lypg/6-31g(d,p) cartesian", sum(map(ord, job.subject)) % 97 / 100
    made = {"versions": {"electroscreen": "0.1.0", "pyscf": "2.14.0"}, "python": "3.11.7", "threads": 1}
    made |= {"recipe_hash": digest(recipe), "wall_seconds": 12.5}
    told = {"verdict": "ok", "warnings": [], "level": level, "title": job.subject, "formula": "C4H8O2"}
    atoms = [{"symbol": symbol, "charge_e": number, "resp_e": number} for symbol in "CCCCHHHHHHHHOO"]
    positions = [[0.123456 * i, number, -0.654321 * i] for i in range(len(atoms))]
    of_stage = {
        "geometry": {"candidates": [{"origin": "RDKit", "positions_angstrom": positions}] * 3},
        "orbitals": {"homo_ev": -8 + number, "lumo_ev": number, "gap_ev": 8.0, "dipole_debye": 2.5}
        | {"mulliken_charges": atoms, "iao_charges": atoms},
        "esp": {"v_max_ev": 1.0 + number, "v_min_ev": -1.5, "v_max_atom": "H5", "isodensity_e_per_bohr3": 0.001},
        "charges": {"atoms": atoms},
        "composition": {"temperature_k": 298.15, "edge_angstrom": 25.0, "atoms": 1500, "ideal_density_g_per_ml": 1.1}
        | {"molecules": [{"species": name, "count": 4, "charge_e": 0} for name in ("Na", "TFSI")]},
        "dynamics": {"density_g_per_ml": 1.1 + number, "density_low": 1.0, "density_high": 1.3, "production_ps": 150.0},
        "analysis": {"frames": 500, "duration_ps": 150.0, "replicas": 1, "temperature_k": 298.15}
        | {"coordination": [_row(center="Na", partner="O(TFSI)", coordination_number=4 + number)]}
        | {"diffusion": [_row(species=ion, d_a2_per_ns=3 + number) for ion in ("Na", "TFSI")]}
        | {"transport": [_row(quantity=f"conductivity {i}", subject="x", unit="mS/cm", value=1.0) for i in range(13)]}
        | {"solvation": [_row(center="Na", kind="shell", structure=f"{i} O", value=number) for i in range(28)]}
        | {"residence": [], "displacement": []},
    }
    return told | of_stage.get(job.stage, {}) | {"provenance": made}


def _row(**cells: object) -> dict:
    return cells | {"low": 0.5, "high": 9.5, "verdict": "ok (one box)"}


def _write(path: Path, content: dict) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
