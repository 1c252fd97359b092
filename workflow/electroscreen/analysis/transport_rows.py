"""Rows of analysis.json on the transport of ions: what `transport` needs, gathered from the replicas."""

from __future__ import annotations

from typing import Any

import numpy as np

from electroscreen.analysis import diffusion, verdicts
from electroscreen.analysis.request import Replicas, Request
from electroscreen.analysis.transport import EMPTY_ROW, Ions, transport


def transport_rows(request: Request, replicas: Replicas, in_clusters: np.ndarray | None) -> list[dict[str, Any]]:
    """Return the rows of `transport.transport`; one row with a verdict where there can be none, none without ions."""
    if not request.ions:
        return []
    if not replicas.followed:
        return [no_conductivity(replicas.verdict([verdicts.WRAPPED]))]
    frame_ps = replicas.harvests[0].frame_ps
    followed = {name: replicas.motion(name)[0] for name in request.ions}
    edge_a = replicas.volume_a3 ** (1 / 3)
    for row in followed.values():
        row |= diffusion.corrected(row, request.temperature_k, edge_a, request.viscosity)
    of = {entry["species"]: entry for entry in request.molecules}
    ions = Ions(
        request.ions,
        np.array([of[name]["count"] for name in request.ions]),
        np.array([of[name]["charge_e"] for name in request.ions], dtype=float),
        replicas.volume_a3,
        request.temperature_k,
    )
    sums_a = [np.array([harvest.sums_a[name] for name in request.ions]) for harvest in replicas.harvests]
    still = {name: float(sum(of[name]["masses_amu"])) for name in of if not of[name]["charge_e"] and of[name]["count"]}
    solvent_a = None
    if still:
        mass = sum(of[name]["count"] * amu for name, amu in still.items())
        solvent_a = [
            sum(amu * harvest.sums_a[name] for name, amu in still.items()) / mass for harvest in replicas.harvests
        ]
    found = transport(ions, list(followed.values()), sums_a, solvent_a, frame_ps, request.charge_scale, in_clusters)
    return [row | {"verdict": replicas.verdict(row.pop("flaws"))} for row in found]


def no_conductivity(verdict: str) -> dict[str, Any]:
    """Return the row that stands for all where nothing of the ions' motion is known."""
    row = {"quantity": "conductivity, Einstein", "subject": "formal charges", "unit": "mS/cm", "note": ""}
    return row | EMPTY_ROW | {"verdict": verdict}
