"""Examples of shells: which of them is shown, and that it is cut out of the trajectory as it stood there."""

from __future__ import annotations

import numpy as np
import pytest
from analysis_helpers import write_xtc
from test_solvation import ANIONS, CROWD, SOLVENT, near

from electroscreen.analysis.cut_out import cut_out
from electroscreen.analysis.layout import Layout
from electroscreen.analysis.shells import Bound, bound_atoms, shell_rows

EDGE_A = 20.0
MOLECULES = [
    {"species": "Na", "count": 2, "charge_e": 1, "symbols": ["Na"], "masses_amu": [23.0]},
    {"species": "CO", "count": 3, "charge_e": 0, "symbols": ["C", "O"], "masses_amu": [12.0, 16.0]},
]


def test_a_shell_is_shown_in_the_middle_of_its_longest_time():
    full, half = {(0, 6), (1, 8), (1, 10)}, {(1, 8), (1, 10)}
    solvent = near([half] * 3 + [full] * 7 + [half] + [full] * 2 + [half] * 7, SOLVENT)
    anion = near([{(0, 2), (0, 3)}] * 20, ANIONS)
    rows = shell_rows([bound_atoms([solvent, anion])], CROWD)
    shown = {row["structure"]: row["example"] for row in rows if row["kind"] == "shell"}
    # Replica, number of the centre, frame.
    assert shown == {"2 DOL": (0, 1, 9), "1 TFSI + 1 DOL": (0, 0, 6), "1 TFSI": (0, 0, 16)}


def test_the_longest_time_of_all_replicas_counts():
    short, long = ([{(0, 6)}] * n + [set()] * (8 - n) for n in (2, 5))
    rows = shell_rows([bound_atoms([near(frames, SOLVENT)]) for frames in (short, long)], CROWD)
    assert next(row["example"] for row in rows if row.get("structure") == "1 DOL") == (1, 0, 2)


@pytest.mark.parametrize("every", [1, 3])
def test_molecules_are_moved_whole_to_the_nearest_image(tmp_path, every):
    # The second Na stands at a corner; its molecules reach it through the faces, one of them from two boxes away.
    frames = np.random.default_rng(1).uniform(0, EDGE_A, size=(7, 8, 3))
    here = 6
    frames[here, 1] = [0.5, 19.5, 0.5]
    frames[here, 2:4] = [[16.9, 19.5, 0.5], [18.0, 19.5, 0.5]]  # O 2.5 Å to the left
    frames[here, 6:8] = [[40.5, 3.0, -19.5], [40.5, 1.9, -19.5]]  # O 2.4 Å above
    write_xtc(tmp_path / "t.xtc", frames, EDGE_A, np.arange(7.0))
    frame = here // every
    bound = Bound(np.full(2, frame), np.full(2, 1), np.array([3, 7]), 7 // every, 2, every)
    shell = cut_out(tmp_path / "t.xtc", Layout.of(MOLECULES), bound, 1, 1, frame)
    assert shell["atom"].tolist() == [1, 2, 3, 6, 7]
    assert shell["molecule"].tolist() == [1, 2, 2, 4, 4]
    assert shell["bound"].tolist() == [True, False, True, False, True]
    known = [[0, 0, 0], [-3.6, 0, 0], [-2.5, 0, 0], [0, 3.5, 0], [0, 2.4, 0]]
    assert shell["positions_angstrom"] == pytest.approx(np.array(known), abs=0.02)
