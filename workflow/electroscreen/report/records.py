"""What the earlier stages wrote, looked up so that a missing or unusable number always comes with its reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electroscreen.complexes import EV_KJ_PER_MOL
from electroscreen.papers import WITH_INTERVAL, Result
from electroscreen.record import OK, read_json, usable

NOT_COMPUTED = "not computed"
VACUUM = "vacuum"
ROUNDING_EV2 = 1e-12  # a millionth of an electronvolt, squared
BINDING = ("interaction_ev", "counterpoise_ev", "deformation_ev", "binding_ev", "binding_uncorrected_ev")


@dataclass(frozen=True)
class Number:
    """One number of ours: value, 95 % interval where there is one, and whether it may be used."""

    value: float | None
    low: float | None = None
    high: float | None = None
    verdict: str = OK


def read_record(results_dir: Path, path: str) -> dict[str, Any]:
    """Return a stage's record, or one that says why there is none.

    Parameters
    ----------
    path
        Inside `results_dir`, such as 'species/LiF/orbitals.json'.
    """
    try:
        record = read_json(Path(results_dir) / path)
    except FileNotFoundError:
        return {"verdict": f"{NOT_COMPUTED}: {path} is missing"}
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        return {"verdict": f"{NOT_COMPUTED}: {path} cannot be read: {' '.join(str(error).split())}"}
    if not isinstance(record, dict) or not isinstance(record.get("verdict"), str):
        return {"verdict": f"{NOT_COMPUTED}: {path} is not a record with a verdict"}
    return record


def flaw(verdict: str) -> str:
    """Return what a verdict objects to; nothing where the number may be used."""
    return "" if usable(verdict) else verdict


def besides(verdict: str, flaw_of_all: str) -> str:
    """Return what a verdict says that the flaw of the whole box, told once, does not say already; nothing for `ok`."""
    told = flaw_of_all.split("; ")
    return "; ".join(reason for reason in verdict.split("; ") if reason not in (OK, *told))


def orbitals(results_dir: Path, species: str) -> dict[str, Any]:
    """Return the orbitals record of a species."""
    return read_record(results_dir, f"species/{species}/orbitals.json") | {"species": species}


def potential(results_dir: Path, species: str) -> dict[str, Any]:
    """Return the record of a species' electrostatic potential."""
    record = read_record(results_dir, f"species/{species}/esp.json") | {"species": species}
    # A bare ion has one potential all over its surface: what is left of the variance is rounding.
    if 0 < (record.get("variance_ev2") or 0) < ROUNDING_EV2:
        record["variance_ev2"] = 0.0
    return record


def charge_rows(results_dir: Path, species: str) -> list[dict[str, Any]]:
    """Return a row an atom with its charges by every scheme; where there are none, one row that says why."""
    record, resp = orbitals(results_dir, species), read_record(results_dir, f"species/{species}/charges.json")
    mulliken = record.get("mulliken_charges")
    if not mulliken:
        reason = f"{NOT_COMPUTED}: orbitals.json holds no charges" if usable(record["verdict"]) else record["verdict"]
        return [{"species": species, "verdict": reason}]
    iao = [atom["charge_e"] for atom in record.get("iao_charges") or []]
    fitted = [atom["resp_e"] for atom in resp.get("atoms") or []]
    remark = "" if usable(resp["verdict"]) else f" (RESP {resp['verdict']})"
    if not remark and resp.get("warnings"):
        remark = f" (RESP: {'; '.join(resp['warnings'])})"
    return [
        {
            "species": species,
            "atom": i + 1,
            "symbol": atom["symbol"],
            "mulliken_e": atom["charge_e"],
            "iao_e": iao[i] if iao else None,
            "resp_e": fitted[i] if fitted else None,
            "verdict": record["verdict"] + remark,
        }
        for i, atom in enumerate(mulliken)
    ]


def replicas(results_dir: Path, box: str) -> list[tuple[int, dict[str, Any]]]:
    """Return number and equilibration record of each replica of a box; replica 1 is always in it."""
    folders = (Path(results_dir) / "boxes" / box).glob("replica-*")
    numbers = sorted({int(folder.name[8:]) for folder in folders if folder.name[8:].isdigit()} | {1})
    return [(r, read_record(results_dir, f"boxes/{box}/replica-{r}/equilibration.json")) for r in numbers]


def analysis_rows(results_dir: Path, box: str, kind: str) -> list[dict[str, Any]]:
    """Return the rows of one kind, such as 'diffusion', of a box; where there are none, one row that says why."""
    record = read_record(results_dir, f"boxes/{box}/analysis.json")
    nothing = "the box holds no ions" if kind in ("transport", "displacement") else f"no {kind} was asked for"
    reason = f"{NOT_COMPUTED}: {nothing}" if usable(record["verdict"]) else record["verdict"]
    return record.get(kind) or [{"verdict": reason}]


def binding(
    results_dir: Path, name: str, groups: Mapping[str, int] | None = None, solvent: str = VACUUM
) -> dict[str, Any]:
    """Return the binding energy of a complex against groups of its parts, with the verdict of all that went in.

    Against its single parts (`groups` None) that is the record's. A group that is a complex itself keeps its own
    binding energy: what is left is that of the complex less those of the groups, each corrected for the superposition
    error of its own parts. Only the sum is defined then, so interaction and deformation stay empty.

    Parameters
    ----------
    groups
        Names of species and complexes, with counts, that hold the same parts together.
    solvent
        'vacuum', or the label of a solvent that the record holds.
    """
    whole = _in_solvent(results_dir, name, solvent)
    others = {other: count for other, count in (groups or {}).items() if other not in (whole.get("parts") or {})}
    parts = {other: _in_solvent(results_dir, other, solvent) for other in others}
    row = {"level": whole.get("level"), "solvent": solvent, "verdict": whole["verdict"]}
    for other, record in parts.items():
        if not usable(record["verdict"]) and usable(row["verdict"]):
            row["verdict"] = f"{other}: {record['verdict']}"
        elif usable(row["verdict"]) and record.get("level") != whole.get("level"):
            row["verdict"] = f"not comparable: {other} was computed at {record.get('level')}"
        elif row["verdict"] == OK and usable(record["verdict"]) and record["verdict"] != OK:
            row["verdict"] = f"{OK} ({other}: {record['verdict'].removeprefix(OK).strip(' ()')})"
    if not others:
        return row | {key: whole.get(key) for key in (*BINDING, "binding_kj_per_mol")}
    for key in ("binding_ev", "binding_uncorrected_ev"):
        terms = [(1, whole.get(key)), *((-count, parts[other].get(key)) for other, count in others.items())]
        known = all(term is not None for _, term in terms) and not row["verdict"].startswith("not comparable")
        row[key] = sum(factor * term for factor, term in terms) if known else None
    row["binding_kj_per_mol"] = None if row["binding_ev"] is None else row["binding_ev"] * EV_KJ_PER_MOL
    return row


def _in_solvent(results_dir: Path, name: str, solvent: str) -> dict[str, Any]:
    """Return a complex's record; in a solvent, with the numbers of that solvent in place of those in vacuum."""
    record = read_record(results_dir, f"complexes/{name}/binding.json")
    if solvent == VACUUM:
        return record
    nothing = dict.fromkeys((*BINDING, "binding_kj_per_mol"))
    found = [entry for entry in record.get("solvents") or [] if entry["solvent"] == solvent]
    if found:
        return record | nothing | found[0]
    missing = f"{NOT_COMPUTED}: {name} was not put in {solvent}"
    return record | nothing | {"verdict": missing if usable(record["verdict"]) else record["verdict"]}


def number(results_dir: Path, result: Result) -> Number:
    """Return the number of ours that a paper's value is set beside."""
    if result.orbital:
        record = orbitals(results_dir, result.orbital.species)
        return Number(record.get(result.orbital.key), verdict=record["verdict"])
    if result.coordination:
        asked = result.coordination
        wanted = {"center": asked.center, "partner": asked.partner}
        return _row_number(results_dir, asked.box, "coordination", wanted, asked.key)
    if result.diffusion:
        asked = result.diffusion
        return _row_number(results_dir, asked.box, "diffusion", {"species": asked.species}, asked.key)
    if result.transport:
        asked = result.transport
        wanted = {"quantity": asked.key, "subject": asked.subject}
        return _row_number(results_dir, asked.box, "transport", wanted, "value")
    if result.binding:
        asked = result.binding
        row = binding(results_dir, asked.complex, asked.compared_with, asked.solvent)
        return Number(row.get(asked.key), verdict=row["verdict"])
    return Number(None, verdict=f"{NOT_COMPUTED}: {result.not_computed}")


def _row_number(results_dir: Path, box: str, kind: str, wanted: dict[str, str], key: str) -> Number:
    rows = analysis_rows(results_dir, box, kind)
    found = [row for row in rows if all(row.get(name) == name_wanted for name, name_wanted in wanted.items())]
    if not found:
        # A box without any number has one reason; so has one of which nothing of this kind was asked.
        nothing = len(rows) == 1 and not rows[0].keys() - {"verdict"}
        nothing = nothing or all(row["verdict"].startswith(NOT_COMPUTED) for row in rows)
        alone = rows[0]["verdict"] if nothing else None
        missing = f"{NOT_COMPUTED}: boxes/{box}/analysis.json has no {kind} of {'-'.join(wanted.values())}"
        return Number(None, verdict=alone or missing)
    row = found[0]
    ends = ("at_radius_low", "at_radius_high") if key == "number_at_radius" else ("low", "high")
    interval = tuple(row.get(end) for end in ends) if key in (*WITH_INTERVAL, "value") else (None, None)
    return Number(row.get(key), *interval, verdict=row["verdict"])
