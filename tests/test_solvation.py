"""Shells, pairs and clusters, against arrangements made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from test_residence import contacts_of

from electroscreen.analysis.association import associate, association_rows, cluster_charges
from electroscreen.analysis.shells import Crowd, Near, bound_atoms, shell_rows

# Two Na, two TFSI of two oxygens each, three DOL of two oxygens each; atoms in this order.
MOLECULE = np.array([0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6])
CROWD = Crowd(("Na", "TFSI", "DOL"), np.array([1.0, -1.0, 0.0]), np.array([0, 0, 1, 1, 2, 2, 2]), MOLECULE)
CATIONS, ANIONS, SOLVENT = np.array([0, 1]), np.arange(2, 6), np.arange(6, 12)
RADIUS_A, IN_A, SEPARATED_A, FAR_A = 3.0, 2.3, 6.0, 20.0


def near(bound: list[set[tuple[int, int]]], partners: np.ndarray, between=(), within_a: float = 10.0) -> Near:
    """Pairs (cation, atom) that touch in each frame, and those that a molecule of solvent stands between."""
    distances = np.full((len(bound), 2, len(partners)), FAR_A)
    for frame, pairs in enumerate(bound):
        for center, atom in between:
            distances[frame, center, atom - partners[0]] = SEPARATED_A
        for center, atom in pairs:
            distances[frame, center, atom - partners[0]] = IN_A
    return Near(contacts_of(distances, within_a), CATIONS, partners, RADIUS_A)


def values(rows: list[dict], kind: str) -> dict[str, float]:
    return {row["structure"]: row["value"] for row in rows if row["kind"] == kind}


def test_atoms_and_molecules_add_up_to_all():
    # First half: Na 0 holds both oxygens of TFSI 2 and one of DOL 4; Na 1 one each of DOL 5 and 6. Then Na 0 lets go.
    full, half = {(0, 6), (1, 8), (1, 10)}, {(1, 8), (1, 10)}
    solvent = near([full] * 10 + [half] * 10, SOLVENT)
    anion = near([{(0, 2), (0, 3)}] * 20, ANIONS)
    rows = shell_rows([bound_atoms([solvent, anion])], CROWD)
    assert values(rows, "atoms in shell") == pytest.approx({"TFSI": 1.0, "DOL": 1.25, "all": 2.25})
    assert values(rows, "molecules in shell") == pytest.approx({"TFSI": 0.5, "DOL": 1.25, "all": 1.75})
    assert values(rows, "held by two atoms") == {"TFSI": 1.0}
    assert values(rows, "shell") == {"2 DOL": 0.5, "1 TFSI + 1 DOL": 0.25, "1 TFSI": 0.25}


def test_an_atom_of_two_sites_counts_once():
    bound = [{(0, 6), (0, 7)}] * 4
    twice = bound_atoms([near(bound, SOLVENT), near(bound, SOLVENT)])
    assert len(twice.atom) == 8
    rows = shell_rows([twice], CROWD)
    assert values(rows, "held by two atoms") == {"DOL": 1.0}
    assert values(rows, "shell") == {"1 DOL": 0.5, "empty": 0.5}


def test_the_number_of_atoms_is_that_of_counting(monkeypatch):
    generator = np.random.default_rng(1)
    distances = generator.uniform(1, 9, size=(60, 2, 6))
    contacts = contacts_of(distances)
    rows = shell_rows([bound_atoms([Near(contacts, CATIONS, SOLVENT, RADIUS_A)])], CROWD)
    assert values(rows, "atoms in shell")["all"] == pytest.approx((distances < RADIUS_A).sum(axis=2).mean())
    # Where memory is short, every third frame is looked at.
    monkeypatch.setattr("electroscreen.analysis.contacts._KEPT_AT_MOST", -(-(distances[0] < 6.5).sum() * 60 // 3))
    thinned = contacts_of(distances)
    assert thinned.every == 3
    both = bound_atoms([Near(contacts, CATIONS, SOLVENT, RADIUS_A), Near(thinned, CATIONS, SOLVENT, RADIUS_A)])
    assert both.frames == 20
    assert len(both.atom) == (distances[::3] < RADIUS_A).sum()


def states(touching: list[set], between=()) -> tuple[dict, list]:
    one = near(touching, ANIONS, between)
    found = associate([bound_atoms([one])], [bound_atoms([one], 4.0)], [CATIONS], CROWD)
    rows = association_rows([found], CROWD)
    assert {number: sum(row["value"] for row in rows if row["center"] == number) for number in ("Na", "TFSI")} == (
        pytest.approx({"Na": 1.0, "TFSI": 1.0})
    )
    of = {(row["center"], row["structure"]): row["value"] for row in rows if row["value"]}
    return of, [found]


def test_ions_are_free_separated_paired_or_aggregated():
    apart = [set()] * 4
    of, found = states(apart)
    assert of == {("Na", "free"): 1, ("TFSI", "free"): 1, ("ions", "1 Na"): 0.5, ("ions", "1 TFSI"): 0.5}
    assert cluster_charges(found, [0, 1])[0] == pytest.approx([2, 2])
    of, _ = states(apart, between=[(0, 2)])
    assert (of["Na", "solvent-separated"], of["TFSI", "free"]) == (0.5, 0.5)
    of, found = states([{(0, 2), (0, 3)}] * 4)
    assert (of["Na", "contact pair"], of["TFSI", "contact pair"]) == (0.5, 0.5)
    assert (of["ions", "1 Na + 1 TFSI"], of["Na", "free"]) == (0.5, 0.5)
    assert cluster_charges(found, [0, 1])[0] == pytest.approx([1, 1])
    of, found = states([{(0, 2), (1, 3)}] * 4)
    assert (of["Na", "aggregate"], of["TFSI", "aggregate"], of["ions", "2 Na + 1 TFSI"]) == (1.0, 0.5, 0.75)
    # The triple ion carries one charge, a third of it by each of its ions.
    assert cluster_charges(found, [0, 1])[0] == pytest.approx([2 / 3, 1 / 3 + 1])


def test_clusters_of_different_frames_do_not_mix():
    of, found = states([{(0, 2)}, {(1, 2)}, {(0, 4), (1, 4)}, set()])
    assert of["Na", "contact pair"] == pytest.approx(0.25)
    assert of["Na", "aggregate"] == pytest.approx(0.25)
    assert found[0].size.tolist() == [[2, 1, 2, 1], [1, 2, 2, 1], [3, 3, 1, 3], [1, 1, 1, 1]]


def test_what_was_never_seen_has_a_bound():
    one = near([set()] * 4, ANIONS)
    rows = association_rows([associate([bound_atoms([one])], [bound_atoms([one])], [CATIONS], CROWD)], CROWD)
    row = next(row for row in rows if (row["center"], row["structure"]) == ("Na", "contact pair"))
    assert (row["value"], row["low"]) == (0.0, 0.0)
    assert row["high"] == 1.0  # two ions: 3.689 / 2, and a share is one at most
