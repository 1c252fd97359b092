"""Further levels of theory: rows for the orbital table, and which level comes closest to a paper that names none."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from electroscreen.papers import Paper
from electroscreen.record import OK
from electroscreen.report.records import NOT_COMPUTED, orbitals, read_record, usable

KEYS = ("homo_ev", "lumo_ev")
OF_SETTINGS = "level of these settings"


def second_level_rows(results_dir: Path, species: str) -> list[dict[str, Any]]:
    """Return the rows of frontier_orbitals.csv at the second level; none where there is none."""
    return [row | {"species": species} for row in _rows(results_dir, species) if row["purpose"] == "second level"]


def scan_rows(results_dir: Path, papers: list[Paper], species: list[str]) -> list[dict[str, Any]]:
    """Return the rows of level_scan.csv: each paper, level and species, with the paper's values where it prints them.

    `rms_ev` is the root mean square over all values of HOMO and LUMO that the paper prints of scanned species; the
    level where it is least says so in its verdict, which makes no claim that the paper used it. Another conformer or
    site of a species (`variant_of`) has its rows beside the same values of the paper, and no part in the mean.
    """
    scanned = {name: rows for name in species if (rows := _rows(results_dir, name))}
    variants = {name: _variant_of(results_dir, name) for name in scanned}
    main = {name: orbitals(results_dir, name) for name in scanned}
    rows = []
    for paper in papers:
        named = [name for name in scanned if variants[name] in _named(paper)]
        printed = {key: value for key, value in _printed(paper).items() if key[0] in variants.values()}
        if named and printed:
            rows += _of_paper(paper, {name: variants[name] for name in named}, printed, scanned, main)
    return rows


def at_further_levels(results_dir: Path, species: list[str], key: str) -> dict[str, dict[str, float]]:
    """Return an orbital energy (eV) of each species by level of theory, of the further levels at which all have one."""
    found = at_each_further_level(results_dir, species, key)
    return {level: levels for level, levels in found.items() if len(levels) == len(species)}


def at_each_further_level(results_dir: Path, species: list[str], key: str) -> dict[str, dict[str, float]]:
    """Return the same of the species that have one, for every further level."""
    found: dict[str, dict[str, float]] = {}
    for name in species:
        for row in _rows(results_dir, name):
            if usable(row["verdict"]) and row.get(key) is not None:
                found.setdefault(row["scan"], {})[name] = row[key]
    return found


def with_variants(results_dir: Path, species: list[str], members: list[str], key: str) -> dict[str, dict[str, dict]]:
    """Return, for each other conformer or site among the species, the levels of `members` with it in place.

    Words such as 'B2 in place of B', then levels of theory, that of the settings among them, then energies (eV) of
    the members by their own names; only levels at which all have one.
    """
    found = {}
    for name in species:
        base = _variant_of(results_dir, name)
        if base == name or base not in members:
            continue
        present = [name if member == base else member for member in members]
        main = {member: orbitals(results_dir, member) for member in present}
        levels = at_further_levels(results_dir, present, key)
        if all(usable(row["verdict"]) and row.get(key) is not None for row in main.values()):
            levels = {OF_SETTINGS: {member: row[key] for member, row in main.items()}} | levels
        named = {label: dict(zip(members, (of[m] for m in present), strict=True)) for label, of in levels.items()}
        if named:
            found[f"{name} in place of {base}"] = named
    return found


def _of_paper(
    paper: Paper,
    named: dict[str, str],
    printed: dict[tuple[str, str], float],
    scanned: dict[str, list[dict[str, Any]]],
    main: dict[str, dict[str, Any]],
) -> list[dict[str, Any]]:
    levels = {OF_SETTINGS: {name: main[name] for name in named}}
    for name in named:
        for row in scanned[name]:
            levels.setdefault(row["scan"], {})[name] = row
    # A second level is computed for every species, so it stands in the comparison too.
    distances = {label: _distance(found, printed) for label, found in levels.items()}
    measured = [distance for distance in distances.values() if distance is not None]
    rows = []
    for label, found in levels.items():
        closest = measured and distances[label] == min(measured)
        for name, row in found.items():
            told = f"{OK} (closest of {len(measured)} levels)" if closest and usable(row["verdict"]) else row["verdict"]
            rows.append(
                {
                    "paper": paper.name,
                    "scan": label,
                    "species": name,
                    "level": row.get("level"),
                    **{key: row.get(key) for key in KEYS},
                    **{f"paper_{key}": printed.get((named[name], key)) for key in KEYS},
                    "rms_ev": distances[label],
                    "verdict": told,
                }
            )
    return rows


def _rows(results_dir: Path, species: str) -> list[dict[str, Any]]:
    path = f"species/{species}/levels.json"
    if not (Path(results_dir) / path).exists():
        return []
    record = read_record(results_dir, path)
    return record.get("levels") or []


def _variant_of(results_dir: Path, species: str) -> str:
    """The species whose other conformer or site this is, else itself."""
    return read_record(results_dir, f"species/{species}/levels.json").get("variant_of") or species


def _named(paper: Paper) -> set[str]:
    of_values = {value.result.orbital.species for value in paper.values if value.result.orbital}
    return of_values | {member for order in paper.orders for group in order.subjects for member in group}


def _printed(paper: Paper) -> dict[tuple[str, str], float]:
    found = [(value.result.orbital, value.value) for value in paper.values if value.result.orbital]
    return {(orbital.species, orbital.key): value for orbital, value in found if orbital.key in KEYS}


def _distance(found: dict[str, dict[str, Any]], printed: dict[tuple[str, str], float]) -> float | None:
    """Root mean square difference, None unless every printed value has a usable one of ours."""
    differences = []
    for (name, key), value in printed.items():
        row = found.get(name, {"verdict": NOT_COMPUTED})
        if not usable(row["verdict"]) or row.get(key) is None:
            return None
        differences.append(row[key] - value)
    return math.sqrt(sum(d * d for d in differences) / len(differences))
