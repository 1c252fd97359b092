"""Who is reduced first at the anode and who is oxidised first at the cathode, and how sure that order is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from electroscreen.record import OK
from electroscreen.report.records import orbitals, read_record, usable
from electroscreen.report.scan import at_each_further_level

# What is reduced first has the lowest LUMO and gains most by an electron; what is oxidised first has the highest HOMO
# and costs least to take one from. Times the sign the orbital energy ascends, times the last the energy of the process.
ELECTRODES = {"anode": ("lumo_ev", 1, "reduction", -1), "cathode": ("homo_ev", -1, "oxidation", 1)}
ONE_MEASURE = f"{OK} (one measure: not known how sure)"
LAST = f"{OK} (last)"
HOLDS = f"{OK} (holds by every measure)"

# Steps (eV) smaller than this support no order.
TIE_EV = 0.05


def ranking_rows(results_dir: Path, species: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of ranking.csv: for each electrode the neutral species in order, those without numbers left out.

    Ions are left out too: in vacuum their own charge shifts their orbitals by volts.

    The order is that of the orbitals at the level of the settings. `measures` counts the further ones that know a
    species and the next one (levels of theory, electron affinities or ionisation energies in a medium); in `holds` of
    these the next comes after it. `first_rank` and `last_rank` are its best and worst place among the ranked species
    that a measure knows, over all measures that know at least half of them.
    """
    records = {name: orbitals(results_dir, name) for name in species}
    rows: list[dict[str, Any]] = []
    for electrode, (key, sign, process, direction) in ELECTRODES.items():
        main = {
            name: sign * record[key]
            for name, record in records.items()
            if usable(record["verdict"]) and record.get(key) is not None and not record.get("charge_e")
        }
        others = _measures(results_dir, list(main), key, sign, process, direction)
        rows += [{"electrode": electrode} | row for row in _ranked(main, others, sign, key)]
    return rows


def _ranked(
    main: Mapping[str, float], others: Sequence[Mapping[str, float]], sign: int, key: str
) -> list[dict[str, Any]]:
    order = sorted(main, key=main.__getitem__)
    rows = []
    for place, name in enumerate(order):
        row = {
            "rank": place + 1,
            "species": name,
            "by": key.removesuffix("_ev").upper(),
            "energy_ev": sign * main[name],
            **_place_in(name, order, [main, *others]),
        }
        rows.append(
            row | (_step(name, order[place + 1], main, others) if place + 1 < len(order) else {"verdict": LAST})
        )
    return rows


def _step(
    name: str, following: str, main: Mapping[str, float], others: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    """What is known of the order of two neighbours."""
    step = main[following] - main[name]
    further = [one[following] - one[name] for one in others if name in one and following in one]
    holds = sum(other > TIE_EV for other in further)
    row = {"step_ev": step, "measures": len(further), "holds": holds, "smallest_step_ev": min([step, *further])}
    if step <= TIE_EV:
        return row | {"verdict": f"tie with {following}"}
    if not further:
        return row | {"verdict": ONE_MEASURE}
    if holds == len(further):
        return row | {"verdict": HOLDS}
    return row | {
        "verdict": f"{OK} (uncertain: {following} does not come after it in {len(further) - holds} of {len(further)})"
    }


def _place_in(name: str, order: Sequence[str], measures: Sequence[Mapping[str, float]]) -> dict[str, int]:
    broad = [one for one in measures if name in one and 2 * sum(other in one for other in order) >= len(order)]
    places = [1 + sum(one[other] < one[name] for other in order if other in one) for one in broad]
    return {"first_rank": min(places), "last_rank": max(places)}


def _measures(
    results_dir: Path, species: list[str], key: str, sign: int, process: str, direction: int
) -> list[dict[str, float]]:
    """Further measures of who comes first, ascending: of each the species that it knows."""
    levels = at_each_further_level(results_dir, species, key)
    found = [{name: sign * energy for name, energy in of.items()} for of in levels.values()]
    by_energy: dict[tuple[str, str], dict[str, float]] = {}
    for name in species:
        for row in read_record(results_dir, f"species/{name}/redox.json").get("rows") or []:
            if row["process"] == process and usable(row["verdict"]) and row.get("energy_ev") is not None:
                by_energy.setdefault((row["kind"], row["medium"]), {})[name] = direction * row["energy_ev"]
    return [of for of in [*found, *by_energy.values()] if len(of) > 1]
