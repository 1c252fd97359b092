"""Rows of analysis.json on the viscosity of a box, and which one corrects diffusion for the size of the box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from electroscreen.analysis import verdicts
from electroscreen.analysis.request import Replicas, Request
from electroscreen.analysis.viscosity import EMPTY_ROW, viscosity
from electroscreen.record import usable

OWN, GIVEN = EMPTY_ROW["subject"], "given by the box file"


def viscosity_rows(request: Request, replicas: Replicas) -> list[dict[str, Any]]:
    """Return the row of the box's own viscosity where it is asked for, and of the one that the box file gives."""
    rows = []
    if request.own_viscosity and replicas.pressures:
        found = viscosity(replicas.pressures, request.temperature_k)
        rows.append(found | {"verdict": replicas.verdict(found.pop("flaws"))})
    elif request.own_viscosity:
        rows.append(EMPTY_ROW | {"verdict": verdicts.not_computed("the pressure was not sampled")})
    if request.viscosity is not None:
        of = {"subject": GIVEN, "value": request.viscosity["mpa_s"], "note": request.viscosity["source"]}
        rows.append(EMPTY_ROW | of | {"verdict": verdicts.GIVEN})
    return rows


def known_viscosity(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the viscosity to correct with: the box's own, else the given one, else None."""
    for row in rows:
        if row["subject"] == OWN and usable(row["verdict"]):
            return {"mpa_s": row["value"], "low": row["low"], "high": row["high"], "source": "the box's own"}
    for row in rows:
        if row["subject"] == GIVEN:
            return {"mpa_s": row["value"], "source": f"given: {row['note']}"}
    return None
