"""What the earlier stages wrote, looked up so that a missing or unusable number always comes with its reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electroscreen.papers import WITH_INTERVAL, Result
from electroscreen.record import OK, read_json

NOT_COMPUTED = "not computed"


@dataclass(frozen=True)
class Number:
    """One number of ours: value, 95 % interval where there is one, and whether it may be used."""

    value: float | None
    low: float | None = None
    high: float | None = None
    verdict: str = OK


def usable(verdict: str) -> bool:
    """Return whether a number may be used: its verdict is 'ok', or 'ok' with a remark such as 'ok (one box)'."""
    return verdict == OK or verdict.startswith(f"{OK} (")


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


def orbitals(results_dir: Path, species: str) -> dict[str, Any]:
    """Return the orbitals record of a species."""
    return read_record(results_dir, f"species/{species}/orbitals.json") | {"species": species}


def potential(results_dir: Path, species: str) -> dict[str, Any]:
    """Return the record of a species' electrostatic potential."""
    return read_record(results_dir, f"species/{species}/esp.json") | {"species": species}


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
    """Return the rows 'coordination' or 'diffusion' of a box; where there are none, one row that says why."""
    record = read_record(results_dir, f"boxes/{box}/analysis.json")
    reason = f"{NOT_COMPUTED}: no {kind} was asked for" if usable(record["verdict"]) else record["verdict"]
    return record.get(kind) or [{"verdict": reason}]


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
    return Number(None, verdict=f"{NOT_COMPUTED}: {result.not_computed}")


def _row_number(results_dir: Path, box: str, kind: str, wanted: dict[str, str], key: str) -> Number:
    rows = analysis_rows(results_dir, box, kind)
    found = [row for row in rows if all(row.get(name) == name_wanted for name, name_wanted in wanted.items())]
    if not found:
        alone = rows[0]["verdict"] if len(rows) == 1 and not rows[0].keys() - {"verdict"} else None
        missing = f"{NOT_COMPUTED}: boxes/{box}/analysis.json has no {kind} of {'-'.join(wanted.values())}"
        return Number(None, verdict=alone or missing)
    row = found[0]
    interval = (row.get("low"), row.get("high")) if key in WITH_INTERVAL else (None, None)
    return Number(row.get(key), *interval, verdict=row["verdict"])
