"""Redox beside the orbitals: who is reduced or oxidised first, by differences of energies and by LUMO or HOMO."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from electroscreen.record import OK
from electroscreen.report.records import NOT_COMPUTED, orbitals, read_record, usable

NOT_ASKED_FOR = f"{NOT_COMPUTED}: not asked for in these settings"
DISAGREE = f"{OK} (orbitals give another order)"

# Levels (eV) closer than this support no order.
TIE = 0.001


def redox_rows(results_dir: Path, species: list[str]) -> list[dict[str, Any]]:
    """Return the rows of redox.csv; `rank` 1 is what is oxidised or reduced first, `orbital_rank` by HOMO or LUMO.

    Ranks are given among species of one process, kind and medium whose numbers are usable: an electron that is not
    bound has none.
    """
    if not any((Path(results_dir) / "species" / name / "redox.json").exists() for name in species):
        return [{"species": name, "verdict": NOT_ASKED_FOR} for name in species]
    rows = [row for name in species for row in _of_species(results_dir, name)]
    groups = defaultdict(list)
    for row in rows:
        if usable(row["verdict"]) and row["orbital_ev"] is not None:
            groups[row["process"], row["kind"], row["medium"]].append(row)
    for (process, _, _), members in groups.items():
        _rank(process, members)
    return rows


def _of_species(results_dir: Path, name: str) -> list[dict[str, Any]]:
    record, levels = read_record(results_dir, f"species/{name}/redox.json"), orbitals(results_dir, name)
    if not record.get("rows"):
        return [{"species": name, "verdict": record["verdict"]} | {"orbital_ev": None}]
    key = {"oxidation": "homo_ev", "reduction": "lumo_ev"}
    return [
        row
        | {"species": name, "level": record.get("level")}
        | {"orbital_ev": levels.get(key[row["process"]]) if usable(levels["verdict"]) else None}
        for row in record["rows"]
    ]


def _rank(process: str, members: list[dict[str, Any]]) -> None:
    """Number the rows in place, and say of each whom the orbitals would put before it."""
    # The easiest oxidation costs least, from the highest HOMO; the easiest reduction gains most, into the lowest LUMO.
    sign = {"oxidation": 1, "reduction": -1}[process]
    by_energy = sorted(members, key=lambda row: sign * row["energy_ev"])
    by_orbital = sorted(members, key=lambda row: -sign * row["orbital_ev"])
    for place, row in enumerate(by_energy):
        overtaken = [
            other["species"]
            for other in by_energy[place + 1 :]
            if -sign * (row["orbital_ev"] - other["orbital_ev"]) > TIE
        ]
        row |= {"rank": place + 1, "orbital_rank": by_orbital.index(row) + 1}
        if overtaken:
            orbital = {"oxidation": "higher HOMO", "reduction": "lower LUMO"}[process]
            told = f"before {', '.join(overtaken)} in spite of the {orbital} there"
            row["note"] = "; ".join(filter(None, [row.get("note"), told]))
            row["verdict"] = DISAGREE
