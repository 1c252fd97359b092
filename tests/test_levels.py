"""Further levels: the same numbers as the orbitals stage gives at that level, each level once, and a scan's closest."""

from __future__ import annotations

import numpy as np
import pytest
from quantum_helpers import changed, species

from electroscreen.quantum import levels as stage
from electroscreen.quantum.levels import effective_label, find_levels
from electroscreen.quantum.orbitals import solve_orbitals
from electroscreen.quantum.scf import build_mean_field, build_molecule
from electroscreen.record import read_json, write_json, write_text
from electroscreen.settings import Level

RECIPE = {"stage": "levels", "protocol": 1}
LIF = species("LiF", "[Li+].[F-]")
X = np.array([[0, 0, 0], [0, 0, 1.56]])


def level(**changes) -> Level:
    plain = {"functional": "hf", "basis": "6-31g", "cartesian": True, "heavy_basis": "def2-svp"}
    return Level(**plain | changes)


DIFFUSE = level(functional="hyb_gga_xc_wb97x_d", basis="6-311++g(d,p)", cartesian=False)


@pytest.fixture
def with_levels(quick):
    data = {"second_level": DIFFUSE.model_dump(), "scan_species": ["LiF"]}
    heavier = level(heavy_basis="lanl2dz")
    return changed(quick, **data, scan_levels=[level().model_dump(), heavier.model_dump(), quick.level.model_dump()])


def run(quantum, folder, verdict="ok") -> dict:
    write_text(folder / "geometry.xyz", "2\nLiF\nLi 0 0 0\nF 0 0 1.56\n" if verdict == "ok" else "0\nLiF\n")
    write_json(folder / "geometry.json", {"verdict": verdict, "level": quantum.level.label, "warnings": []})
    find_levels(LIF, quantum, RECIPE, folder / "geometry.json", folder / "levels.json", threads=1)
    return read_json(folder / "levels.json")


def test_each_level_gives_what_the_orbitals_stage_would(with_levels, tmp_path, monkeypatch):
    solved = []
    monkeypatch.setattr(stage, "solve_orbitals", lambda *a, **k: solved.append(1) or solve_orbitals(*a, **k))
    record = run(with_levels, tmp_path)
    assert record["verdict"] == "ok"
    assert [row["purpose"] for row in record["levels"]] == ["second level", "scan", "scan"]
    for row, at in zip(record["levels"], (DIFFUSE, level(), level()), strict=True):
        alone = solve_orbitals(LIF, changed(with_levels, at.model_dump()), X, None)[0]
        assert (row["homo_ev"], row["lumo_ev"]) == pytest.approx((alone["homo_ev"], alone["lumo_ev"]), abs=1e-4)
    # LiF has no heavy element: the two scanned levels are one to it.
    assert [row["level"] for row in record["levels"][1:]] == ["hf/6-31g cartesian"] * 2
    assert record["levels"][2]["scan"] == "hf/6-31g cartesian, heavy elements lanl2dz"
    assert len(solved) == 2


def test_diffuse_functions_on_hydrogen_are_none_where_there_is_no_hydrogen(quick, tmp_path, monkeypatch):
    """6-311++G is 6-311+G for LiF: one SCF, two rows; for water they are two levels."""
    levels = [level(basis=basis, cartesian=False) for basis in ("6-311+g", "6-311++g")]
    solved = []
    monkeypatch.setattr(stage, "solve_orbitals", lambda *a, **k: solved.append(1) or solve_orbitals(*a, **k))
    record = run(changed(quick, scan_species=["LiF"], scan_levels=[x.model_dump() for x in levels]), tmp_path)
    one, other = record["levels"]
    assert (one["level"], other["level"]) == ("hf/6-311+g", "hf/6-311++g")
    assert one["lumo_ev"] == other["lumo_ev"] and len(solved) == 1
    water = species("water", "O")
    assert len({stage._same_numbers(water, x) for x in levels}) == 2
    assert len({stage._same_numbers(LIF, x) for x in (*levels, level(basis="6-311+g"))}) == 2


def test_a_density_of_another_level_shortens_the_way(quick):
    small, large = level(), level(basis="6-31g(d,p)")
    first = solve_orbitals(LIF, changed(quick, small.model_dump()), X, None)[1].density
    guess = stage._projected(LIF, small, large, X, first)
    mean_field = build_mean_field(build_molecule(["Li", "F"], X, 0, 1, large), large, 1, 1000)
    cycles = {}
    for name, start in (("afresh", None), ("projected", guess)):
        count = cycles[name] = []
        mean_field.callback = lambda _, count=count: count.append(1)
        mean_field.kernel(dm0=start)
    assert len(cycles["projected"]) < len(cycles["afresh"])
    assert np.einsum("ij,ji", guess, mean_field.get_ovlp()) == pytest.approx(12, abs=0.1)


def test_no_guess_from_a_level_with_another_core():
    tin = species("tin", "[Sn+2]", charge=2)
    def2, lanl2dz = level(), level(heavy_basis="lanl2dz")
    density = np.zeros((build_molecule(["Sn"], [[0, 0, 0]], 2, 1, def2).nao,) * 2)
    assert stage._projected(tin, def2, lanl2dz, np.zeros((1, 3)), density) is None


def test_the_heavy_basis_is_named_where_it_counts():
    assert effective_label(["O", "Sn"], level()) == "hf/6-31g cartesian, def2-svp on Sn"
    assert effective_label(["O", "H", "H"], level()) == "hf/6-31g cartesian"
    assert effective_label(["O", "Sn"], level(basis="def2-tzvp", cartesian=False)) == "hf/def2-tzvp"


def test_levels_of_a_species(with_levels):
    assert with_levels.further_levels("LiF") == [DIFFUSE, level(), level(heavy_basis="lanl2dz")]
    assert with_levels.further_levels("FEC") == [DIFFUSE]


def test_a_killed_run_keeps_the_levels_that_are_done(with_levels, tmp_path, monkeypatch):
    calls = []

    def stopped(*words, **more):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return solve_orbitals(*words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(stage, "solve_orbitals", stopped)
        with pytest.raises(KeyboardInterrupt):
            run(with_levels, tmp_path)
    monkeypatch.setattr(stage, "solve_orbitals", lambda *a, **k: calls.append(2) or solve_orbitals(*a, **k))
    assert run(with_levels, tmp_path)["verdict"] == "ok"
    assert calls == [1, 1, 2]


def test_no_geometry_no_levels(with_levels, tmp_path):
    record = run(with_levels, tmp_path, verdict="not converged: x")
    assert record["verdict"] == "3 of 3 levels: not computed: geometry not converged: x"
    assert record["levels"][0]["lumo_ev"] is None
