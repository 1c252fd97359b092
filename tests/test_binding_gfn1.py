"""Complexes too large for an optimisation by DFT keep GFN1-xTB's geometries."""

from __future__ import annotations

import json

import numpy as np
import pytest
from quantum_helpers import SODIUM, WATER, complex_of
from test_binding import RELAXED_WATER

from electroscreen.complexes import cluster_of
from electroscreen.quantum import binding as stage
from electroscreen.quantum.binding import find_binding
from electroscreen.quantum.energies import Method
from electroscreen.quantum.minimum import Progress
from electroscreen.quantum.placement import NoPlacementError
from electroscreen.quantum.structures import Structure
from electroscreen.settings import Binding


def test_geometries_of_gfn1_are_those_of_complex_and_parts(quick, tmp_path):
    """Sodium and water again; at GFN1-xTB's geometry its forces vanish, and no part's geometry is read."""
    from electroscreen.quantum.geometry import read_xyz
    from electroscreen.quantum.structures import GFN1, xtb_atoms

    wanted, every = complex_of([SODIUM, WATER], Na=1, water=1)
    search, output = Binding(placements=6, geometry="gfn1"), tmp_path / "C"
    find_binding(wanted, every, Method(quick, "none"), search, {"stage": "x"}, {}, output, 1)
    record = json.loads((output / "binding.json").read_text())
    assert (record["verdict"], record["optimisation_steps"]) == ("ok", 0)
    assert record["level"].endswith(" // GFN1-xTB")
    assert record["binding_ev"] == pytest.approx(-1.04, abs=0.2)
    # GFN1-xTB's water is not B3LYP's lowest: bent by the ion it may come nearer to that.
    assert -0.02 < record["deformation_ev"] < 0.02
    atoms = xtb_atoms(cluster_of(wanted, every), read_xyz(output / "geometry.xyz"), GFN1)
    assert np.abs(atoms.get_forces()).max() < 0.02


def test_what_reacts_wherever_it_is_put_says_so_in_place_of_numbers(quick, tmp_path, monkeypatch):
    """What a search tells of most placements is the verdict, and not a failure of the SCF."""
    from collections import Counter

    def nothing_left(*_):
        raise NoPlacementError(2, Counter(["fell apart: water touches the rest no more", *2 * ["reacted: it broke"]]))

    monkeypatch.setattr(stage, "lowest_placements", nothing_left)
    wanted, every = complex_of([SODIUM, WATER], Na=1, water=1)
    search, output = Binding(placements=2, geometry="gfn1"), tmp_path / "C"
    find_binding(wanted, every, Method(quick, "none"), search, {"stage": "x"}, {}, output, 1)
    record = json.loads((output / "binding.json").read_text())
    told = "by GFN2-xTB it broke (2 times); water touches the rest no more (1 times)"
    assert record["verdict"] == f"reacted: no way to put the parts together is left of 2: {told}"
    assert record["binding_ev"] is None


def test_geometries_of_gfn1_are_found_once(quick, tmp_path, monkeypatch):
    """On other threads xTB's last digits are others: a restart that asked for the same ones would count for nothing."""
    _, every = complex_of([SODIUM, WATER], Na=1, water=1)
    found = stage._kept_gfn1_parts(every, quick, Progress(tmp_path / "restart.json", {"stage": "x"}))
    monkeypatch.setattr(stage, "gfn1_parts", lambda *_: pytest.fail("the parts were searched once more"))
    again = stage._kept_gfn1_parts(every, quick, Progress(tmp_path / "restart.json", {"stage": "x"}))
    assert again.bonds == found.bonds and again.faults == found.faults == []
    for name in every:
        assert np.array_equal(again.positions[name], found.positions[name]), name
    assert np.linalg.norm(again.positions["water"][1] - again.positions["water"][0]) == pytest.approx(0.96, abs=0.02)


def test_a_given_complex_is_compared_at_its_minimum_of_gfn1_too():
    """Na+ and water, given 3 Å apart, with the minimum of GFN2-xTB that its search has found."""
    wanted, every = complex_of([SODIUM, WATER], Na=1, water=1)
    cluster = cluster_of(wanted, every)
    ion = cluster.symbols.index("Na")
    positions = np.array([[0.0, 0.0, -3.0], *RELAXED_WATER]) if ion == 0 else np.array([*RELAXED_WATER, [0, 0, -3.0]])
    (found,) = stage._by_gfn1(cluster, [Structure("species file", positions, -1.0, positions)])
    oxygen = cluster.symbols.index("O")
    assert found.minimum_angstrom is None
    assert np.linalg.norm(found.positions_angstrom[ion] - found.positions_angstrom[oxygen]) < 2.5


def test_the_complex_starts_from_its_candidates_density_of_which_nobody_knows_whether_it_is_stable(
    quick, tmp_path, monkeypatch
):
    from electroscreen.quantum import interaction
    from electroscreen.quantum.energies import single_point

    wanted, every = complex_of([SODIUM, WATER], Na=1, water=1)
    starts = []

    def watched(system, *arguments, **more):
        starts.append((len(system.symbols), more.get("guess") is not None, more.get("known_stable", True)))
        return single_point(system, *arguments, **more)

    two = [np.array([[0.0, 0.0, height], *RELAXED_WATER]) for height in (-2.4, -2.3)]
    monkeypatch.setattr(interaction, "single_point", watched)
    monkeypatch.setattr(stage, "_by_gfn1", lambda *_: [Structure(str(i), x) for i, x in enumerate(two)])
    search, output = Binding(placements=2, geometry="gfn1"), tmp_path / "C"
    find_binding(wanted, every, Method(quick, "none"), search, {"stage": "x"}, {}, output, 1)
    assert [start for start in starts if start[0] == 4] == [(4, True, False)]
    assert json.loads((output / "binding.json").read_text())["verdict"] == "ok"
