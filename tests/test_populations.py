"""Charges of atoms: sums, PySCF's own code, stability against the basis, core potentials and Cartesian functions."""

from __future__ import annotations

import numpy as np
import pytest
from quantum_helpers import changed, species
from test_esp import WATER, potential_at

from electroscreen.quantum.optimise import Surface
from electroscreen.quantum.populations import iao_charges, mulliken_charges
from electroscreen.record import read_json, write_json
from electroscreen.report.records import charge_rows

LIF = [[0, 0, 0], [0, 0, 1.57]]
SNCL = [[0, 0, 0], [0, 0, 2.3]]


def mean_field(x, one, quantum):
    return Surface(one, quantum, 2).solve(np.array(x, dtype=float)).mean_field


@pytest.mark.parametrize(
    ("x", "smiles", "charge", "multiplicity"),
    [
        (WATER, "O", 0, 1),
        (LIF, "[Li+].[F-]", 0, 1),
        ([[0, 0, 0], [0, 0, 0.98]], "[OH]", 0, 2),
        ([[0, 0, 0], [0, 0, 0.98]], "[OH-]", -1, 1),
        ([[0, 0, 0]], "[Sn+2]", 2, 1),
        (SNCL, "[Sn+2].[Cl-]", 1, 1),  # a core potential and Cartesian d functions
    ],
)
def test_charges_add_up(quick, x, smiles, charge, multiplicity):
    solved = mean_field(x, species("A", smiles, charge=charge, multiplicity=multiplicity), quick)
    for charges in (iao_charges(solved), mulliken_charges(solved)):
        assert len(charges) == len(x)
        assert charges.sum() == pytest.approx(charge, abs=1e-6)


def test_as_pyscfs_own_where_that_is_right(quick):
    """Spherical functions, no core potential."""
    from pyscf.lo.iao import fast_iao_mullikan_pop, iao
    from pyscf.lo.orth import vec_lowdin

    solved = mean_field(WATER, species("water", "O"), changed(quick, {"cartesian": False}))
    occupied = solved.mo_coeff[:, solved.mo_occ > 0]
    orbitals = vec_lowdin(iao(solved.mol, occupied), solved.mol.intor("int1e_ovlp"))
    _, theirs = fast_iao_mullikan_pop(solved.mol, solved.make_rdm1(), orbitals, verbose=0)
    np.testing.assert_allclose(iao_charges(solved), theirs, atol=1e-8)


def test_the_basis_moves_mulliken_and_hardly_iao(quick):
    small = changed(quick, {"basis": "6-31g(d,p)"})
    large = changed(quick, {"basis": "def2-tzvpp", "cartesian": False})
    one = species("water", "O")
    fields = [mean_field(WATER, one, quantum) for quantum in (small, large)]
    intrinsic, mulliken = ([scheme(field)[0] for field in fields] for scheme in (iao_charges, mulliken_charges))
    assert abs(intrinsic[0] - intrinsic[1]) < 0.05
    assert abs(mulliken[0] - mulliken[1]) > 0.1
    assert -0.9 < intrinsic[1] < -0.6


def test_tin_with_its_core_potential_hardly_depends_on_the_basis_either(quick):
    """All three have the core potential: def2 as the main basis, not only for heavy elements."""
    one = species("SnCl", "[Sn+2].[Cl-]", charge=1)
    fields = [
        mean_field(SNCL, one, changed(quick, {"basis": basis, "cartesian": cartesian}))
        for basis, cartesian in (("def2-svp", True), ("def2-svp", False), ("def2-tzvp", False))
    ]
    assert [field.mol.atom_nelec_core(0) for field in fields] == [28, 28, 28]
    six, five, larger = (iao_charges(field)[0] for field in fields)
    assert six == pytest.approx(five, abs=0.005)
    assert five == pytest.approx(larger, abs=0.08)
    assert 1.0 < larger < 1.4


def test_a_bare_ion_has_its_charge(quick):
    for smiles, charge in (("[Na+]", 1), ("[Sn+2]", 2), ("[F-]", -1)):
        solved = mean_field([[0, 0, 0]], species("A", smiles, charge=charge), quick)
        assert iao_charges(solved) == pytest.approx([charge], abs=1e-9)


def test_the_record_holds_both(quick, tmp_path):
    potential_at(LIF, species("LiF", "[Li+].[F-]"), quick, tmp_path)
    record = read_json(tmp_path / "orbitals.json")
    for key in ("mulliken_charges", "iao_charges"):
        assert [atom["symbol"] for atom in record[key]] == ["Li", "F"]
        assert sum(atom["charge_e"] for atom in record[key]) == pytest.approx(0, abs=1e-6)
    assert record["iao_charges"][0]["charge_e"] > record["mulliken_charges"][0]["charge_e"] > 0.4


def write_species(folder, orbitals: dict, charges: dict | None = None) -> None:
    write_json(folder / "species" / "LiF" / "orbitals.json", orbitals)
    if charges:
        write_json(folder / "species" / "LiF" / "charges.json", charges)


def test_charges_stand_side_by_side(tmp_path):
    def by_atom(*values):
        return [{"symbol": symbol, "charge_e": q} for symbol, q in zip(("Li", "F"), values, strict=True)]

    both = {"verdict": "ok", "mulliken_charges": by_atom(0.5, -0.5), "iao_charges": by_atom(0.9, -0.9)}
    write_species(tmp_path, both, {"verdict": "ok", "atoms": [{"resp_e": 0.8}, {"resp_e": -0.8}]})
    first, second = charge_rows(tmp_path, "LiF")
    assert first == {
        "species": "LiF",
        "atom": 1,
        "symbol": "Li",
        "mulliken_e": 0.5,
        "iao_e": 0.9,
        "resp_e": 0.8,
        "verdict": "ok",
    }
    assert (second["atom"], second["symbol"], second["resp_e"]) == (2, "F", -0.8)
    doubtful = {"verdict": "ok", "atoms": [{"resp_e": 0.8}, {"resp_e": -0.8}], "warnings": ["a dipole", "a misfit"]}
    write_species(tmp_path, both, doubtful)
    row = charge_rows(tmp_path, "LiF")[0]
    assert (row["resp_e"], row["verdict"]) == (0.8, "ok (RESP: a dipole; a misfit)")
    write_species(tmp_path, both, {"verdict": "not computed: no radius of Li", "atoms": []})
    row = charge_rows(tmp_path, "LiF")[0]
    assert (row["resp_e"], row["verdict"]) == (None, "ok (RESP not computed: no radius of Li)")


def test_no_orbitals_no_charges_but_a_reason(tmp_path):
    write_species(tmp_path, {"verdict": "not converged: SCF", "mulliken_charges": []})
    assert charge_rows(tmp_path, "LiF") == [{"species": "LiF", "verdict": "not converged: SCF"}]
