"""Who goes first: orders whose every measure is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from electroscreen.record import write_json
from electroscreen.report.ranking import ranking_rows

LEVELS = {  # HOMO, LUMO
    "A": (-7.0, -3.0),
    "B": (-8.0, -2.0),
    "C": (-9.0, -1.0),
    "D": (-9.02, 0.5),
}


def write(folder: Path, name: str, further: dict | None = None, redox: list | None = None, verdict: str = "ok") -> None:
    home = folder / "species" / name
    homo, lumo = LEVELS[name]
    write_json(home / "orbitals.json", {"verdict": verdict, "level": "x", "homo_ev": homo, "lumo_ev": lumo})
    if further:
        rows = [
            {"scan": scan, "level": scan, "purpose": "scan", "verdict": "ok", "homo_ev": h, "lumo_ev": lu}
            for scan, (h, lu) in further.items()
        ]
        write_json(home / "levels.json", {"verdict": "ok", "levels": rows})
    if redox:
        rows = [
            {"process": process, "kind": "vertical", "medium": "vacuum", "energy_ev": energy, "verdict": told}
            for process, energy, told in redox
        ]
        write_json(home / "redox.json", {"verdict": "ok", "rows": rows})


def ranked(folder: Path, electrode: str) -> dict[str, dict]:
    return {row["species"]: row for row in ranking_rows(folder, sorted(LEVELS)) if row["electrode"] == electrode}


def test_the_lowest_lumo_is_reduced_first_and_the_highest_homo_oxidised_first(tmp_path):
    for name in LEVELS:
        write(tmp_path, name)
    anode, cathode = ranked(tmp_path, "anode"), ranked(tmp_path, "cathode")
    assert [anode[name]["rank"] for name in "ABCD"] == [1, 2, 3, 4]
    assert list(anode) == list("ABCD") and list(cathode) == list("ABCD")
    assert anode["A"]["energy_ev"] == -3.0 and cathode["A"]["energy_ev"] == -7.0
    assert anode["B"]["step_ev"] == pytest.approx(1.0) and cathode["B"]["step_ev"] == pytest.approx(1.0)
    assert anode["A"]["verdict"] == "ok (one measure: not known how sure)"
    assert cathode["C"]["verdict"] == "tie with D"  # 0.02 eV
    assert anode["D"]["verdict"] == "ok (last)"


def test_further_levels_and_energies_say_how_sure_a_place_is(tmp_path):
    # Another level keeps A before B and puts C before B; electron affinities keep all three, D holds no electron.
    write(tmp_path, "A", {"y": (-8.0, -4.0)}, [("reduction", 2.0, "ok"), ("oxidation", 9.0, "ok")])
    write(tmp_path, "B", {"y": (-9.0, -1.0)}, [("reduction", 1.0, "ok"), ("oxidation", 8.0, "ok")])
    write(tmp_path, "C", {"y": (-9.5, -1.5)}, [("reduction", 0.5, "ok"), ("oxidation", 10.0, "ok")])
    write(tmp_path, "D", redox=[("reduction", -0.5, "not bound: ...")])
    anode, cathode = ranked(tmp_path, "anode"), ranked(tmp_path, "cathode")
    a, b, c = (anode[name] for name in "ABC")
    assert (a["measures"], a["holds"], a["verdict"]) == (2, 2, "ok (holds by every measure)")
    assert a["smallest_step_ev"] == pytest.approx(1.0)
    assert (b["measures"], b["holds"]) == (2, 1)
    assert b["verdict"] == "ok (uncertain: C does not come after it in 1 of 2)"
    assert b["smallest_step_ev"] == pytest.approx(-0.5)
    assert (b["first_rank"], b["last_rank"]) == (2, 3)
    assert (c["first_rank"], c["last_rank"]) == (2, 3)
    assert c["measures"] == 0
    # B costs less to oxidise than A, in spite of its lower HOMO.
    assert cathode["A"]["verdict"] == "ok (uncertain: B does not come after it in 1 of 2)"
    assert (cathode["A"]["first_rank"], cathode["A"]["last_rank"]) == (1, 2)


def test_species_without_numbers_and_ions_have_no_place(tmp_path):
    for name in "ABD":
        write(tmp_path, name)
    write(tmp_path, "C", verdict="not converged")
    assert list(ranked(tmp_path, "anode")) == ["A", "B", "D"]
    assert ranking_rows(tmp_path / "nowhere", ["A"]) == []
    ion = {"verdict": "ok", "homo_ev": -40.0, "lumo_ev": -7.0, "charge_e": 1}
    write_json(tmp_path / "species" / "C" / "orbitals.json", ion)
    assert list(ranked(tmp_path, "anode")) == ["A", "B", "D"]
