"""Boxes that differ in temperature only: what their transport says together."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from electroscreen.analysis.temperature import ARRHENIUS, EMPTY_ROW, VFT, arrhenius, error_of_logarithm, vft
from electroscreen.record import OK
from electroscreen.report.records import read_record, usable

CONDUCTIVITIES = ("conductivity, Einstein", "conductivity, Nernst-Einstein")
FORMAL = "formal charges"

Points = dict[tuple[str, str, str], list[dict[str, Any]]]


def series_points(results_dir: Path, boxes: list[str]) -> Points:
    """Return the usable numbers of boxes that share a series: (series, quantity, unit) to temperatures and values."""
    points: Points = defaultdict(list)
    for box in boxes:
        record = read_record(results_dir, f"boxes/{box}/analysis.json")
        if not record.get("series"):
            continue
        found = [
            (f"diffusion coefficient of {row['species']}", "Å²/ns", row["d_a2_per_ns"], row)
            for row in record.get("diffusion") or []
        ]
        found += [
            (row["quantity"], row["unit"], row["value"], row)
            for row in record.get("transport") or []
            if row["quantity"] in CONDUCTIVITIES and row["subject"] == FORMAL
        ]
        for quantity, unit, value, row in found:
            # Without a positive lower end there is no logarithm, hence no weight.
            fit = usable(row["verdict"]) and value and (row.get("low") or 0) > 0 and row.get("high")
            point = {"box": box, "temperature_k": record["temperature_k"]}
            ends = {"value": value, "low": row.get("low"), "high": row.get("high")} if fit else {}
            points[record["series"], quantity, unit].append(point | ends)
    return points


def temperature_rows(results_dir: Path, boxes: list[str]) -> list[dict[str, Any]]:
    """Return a row a quantity and model, with what was left out in its note."""
    rows = []
    for (series, quantity, unit), every in series_points(results_dir, boxes).items():
        used = [point for point in every if "value" in point]
        lost = [point["box"] for point in every if "value" not in point]
        data = [[point["temperature_k"] for point in used], [point["value"] for point in used]]
        data.append([error_of_logarithm(point["low"], point["high"]) for point in used])
        for model, fit in ((ARRHENIUS, arrhenius), (VFT, vft)):
            found = EMPTY_ROW | fit(*data)
            verdict = "; ".join(found.pop("flaws")) or OK
            note = f"left out, without a usable number: {', '.join(lost)}" if lost else ""
            head = {"series": series, "quantity": quantity, "model": model, "unit": unit}
            rows.append(head | found | {"verdict": verdict, "note": note})
    return rows
