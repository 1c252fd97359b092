"""The analysis stage: from the trajectories of a box to analysis.json and curves.npz."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.analysis import rows, verdicts
from electroscreen.analysis.association import cluster_charges
from electroscreen.analysis.hopping_rows import hopping_rows
from electroscreen.analysis.request import Replicas, Request
from electroscreen.analysis.solvation import residence_row, shell_radii, solvation
from electroscreen.analysis.trajectory import UnusableTrajectoryError, read_trajectory
from electroscreen.analysis.transport_rows import transport_rows
from electroscreen.analysis.viscosity import read_pressure
from electroscreen.analysis.viscosity_rows import known_viscosity, viscosity_rows
from electroscreen.record import OK, provenance, read_json, whole, write_json

PACKAGES = ("MDAnalysis", "kinisi", "numpy", "scipy")
NOT_RUN = "not run"


def analyse(
    composition_path: Path,
    replica_folders: Sequence[Path],
    recipe: Mapping[str, Any],
    analysis_path: Path,
    curves_path: Path,
    threads: int = 1,
) -> None:
    """Analyse all replicas of a box together and write analysis.json and curves.npz.

    Parameters
    ----------
    composition_path
        composition.json of the box, with the molecules in the order of the trajectories.
    replica_folders
        Folders with trajectory.xtc and equilibration.json.
    recipe
        What was asked for: `coordination`, a list of {center, partners}, and `diffusion`, a list of species.
    analysis_path, curves_path
        Where to write. Curves have flat keys such as 'rdf|Na|O(DOL)|g' and 'msd|Na|msd_a2'.

    Raises
    ------
    ValueError
        If the recipe names a site or species that the box does not know, or files do not fit each other.

    Notes
    -----
    A box or a replica that failed is a result: every row asked for is written, with its verdict (see `verdicts`).
    In the record, `frames`, `far_frames` (those in which pairs beyond 6.5 Å, or 10 Å of opposite ions, were counted
    too, see `contacts.far_every`) and `duration_ps` are sums over replicas, `centers` and `particles` those of one box.
    """
    started = time.time()
    composition = read_json(composition_path)
    request = Request.of(recipe, composition.get("molecules") or [])
    replicas = _read(replica_folders, request, threads)
    if composition["verdict"] != OK:
        replicas.flaws.insert(0, composition["verdict"])
    curves: rows.Curves = {}
    if replicas.harvests:
        content = _content(request, replicas, curves)
    else:
        content = rows.nothing(request, "; ".join(replicas.flaws or replicas.missing) or "there is no replica")
    record = {
        "box": composition["box"],
        "series": recipe.get("series"),
        "temperature_k": recipe["temperature_k"],
        "verdict": content.pop("verdict"),
        "warnings": replicas.warnings,
        "frames": sum(harvest.frames for harvest in replicas.harvests),
        "far_frames": sum(harvest.far_frames for harvest in replicas.harvests),
        "duration_ps": sum((harvest.frames - 1) * harvest.frame_ps for harvest in replicas.harvests),
        "replicas": len(replicas.harvests),
        "volume_a3": replicas.volume_a3 if replicas.harvests else None,
        **content,
        "provenance": provenance(dict(recipe), PACKAGES, started, threads),
    }
    with whole(curves_path) as partial:
        np.savez(partial, **curves)
    write_json(analysis_path, record)


def _content(request: Request, replicas: Replicas, curves: rows.Curves) -> dict[str, Any]:
    """Return what the trajectories say; the ends of shells, known only from g(r), are needed for what comes after."""
    fluid = viscosity_rows(request, replicas)
    request = replace(request, viscosity=known_viscosity(fluid))
    shells = [rows.coordination_row(pair, request, replicas, curves) for pair in request.pairs]
    radii = shell_radii(request, shells)
    solvated, associations = solvation(request, replicas, radii, curves)
    in_clusters = None
    if associations is not None:
        in_clusters = cluster_charges(associations, [request.number_of(name) for name in request.ions])
    return {
        "verdict": replicas.verdict([] if replicas.followed else [verdicts.WRAPPED]),
        "coordination": shells,
        "residence": [residence_row(pair, radii, request, replicas, curves) for pair in request.pairs],
        "solvation": solvated,
        "diffusion": [rows.diffusion_row(name, request, replicas, curves) for name in request.species],
        "hopping": hopping_rows(request, replicas, radii),
        "displacement": [rows.displacement_row(name, request, replicas, curves) for name in request.ions],
        "transport": [*transport_rows(request, replicas, in_clusters), *fluid],
    }


def _read(folders: Sequence[Path], request: Request, threads: int) -> Replicas:
    replicas = Replicas()
    pairs = [pair for pair in request.pairs.values() if request.without_atoms(pair) is None]
    for folder in map(Path, folders):
        equilibration = read_json(folder / "equilibration.json")
        verdict = equilibration["verdict"]
        replicas.warnings += [f"{folder.name}: {warning}" for warning in equilibration.get("warnings", [])]
        try:
            if verdict.startswith(NOT_RUN) or not request.molecules:
                raise UnusableTrajectoryError(verdict)
            path = folder / "trajectory.xtc"
            replicas.harvests.append(read_trajectory(path, request.molecules, pairs, request.followed, threads))
            if request.own_viscosity:
                replicas.pressures += read_pressure(folder / "pressure.npz", replicas.harvests[-1].volume_a3)
        except UnusableTrajectoryError as reason:
            replicas.missing.append(f"{folder.name}: {reason}")
            continue
        if verdict != OK:
            replicas.flaws.append(verdict)
    spacings = {round(harvest.frame_ps, 4) for harvest in replicas.harvests}
    if len(spacings) > 1:
        raise ValueError(f"the replicas' frames are {sorted(spacings)} ps apart: they cannot be analysed together")
    if replicas.harvests:
        replicas.warnings += [f"left out: {reason}" for reason in replicas.missing]
    if len(replicas.harvests) == 2:
        replicas.warnings.append("two boxes tell little about how boxes differ: intervals are wide, run three or more")
    return replicas
