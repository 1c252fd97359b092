"""Redox: Hartree-Fock limits of atoms and H2, Born's ion, water beside experiment, runs that go on after a kill."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from quantum_helpers import changed, species

from electroscreen.quantum import redox as stage
from electroscreen.quantum.optimise import Surface
from electroscreen.quantum.redox import _broken_bonds, charged, find_redox
from electroscreen.quantum.solvent import LITHIUM_V, SODIUM_V, potential_v
from electroscreen.record import read_json, write_json
from electroscreen.settings import Quantum
from electroscreen.species import Species, solvent_label

HARTREE_EV = 27.211386245988
RECIPE = {"stage": "redox", "protocol": 1}
WATER_X = [[0, 0, 0], [0, 0.761560, -0.598720], [0, -0.761560, -0.598720]]


def redox_at(x, one: Species, quantum: Quantum, folder: Path, verdict: str = "ok") -> dict:
    """Run the stage at a given geometry; return its record."""
    rows = [f"{s} {a:.8f} {b:.8f} {c:.8f}" for s, (a, b, c) in zip(one.symbols, np.array(x, float), strict=False)]
    text = "\n".join([str(len(rows)), f"{one.name}: {verdict}", *rows]) + "\n"
    (folder / "geometry.xyz").write_text(text, encoding="utf-8")
    write_json(folder / "geometry.json", {"verdict": verdict, "level": quantum.level.label, "warnings": []})
    find_redox(one, quantum, RECIPE, folder / "geometry.json", folder / "redox.json", threads=1)
    return read_json(folder / "redox.json")


def number(record: dict, process: str, kind: str = "vertical", medium: str = "vacuum") -> dict:
    """The one row of a process."""
    (row,) = [r for r in record["rows"] if (r["process"], r["kind"], r["medium"]) == (process, kind, medium)]
    return row


@pytest.fixture(scope="module")
def limit(quick) -> Quantum:
    """Hartree-Fock near its limit."""
    level = {"functional": "hf", "basis": "aug-cc-pvqz", "cartesian": False, "density_fitting": False}
    return changed(quick, level, redox="vertical")


def test_lithium_at_the_hartree_fock_limit(limit, tmp_path):
    """-7.236415, -7.432727, -7.428232 hartree for Li+, Li, Li- (Clementi and Roetti, 1974): 5.342 and -0.122 eV."""
    lithium = changed(limit, {"basis": "cc-pvqz"})
    record = redox_at([[0, 0, 0]], species("Li", "[Li]", multiplicity=2), lithium, tmp_path)
    assert record["verdict"] == "ok"
    assert number(record, "oxidation")["energy_ev"] == pytest.approx(5.342, abs=0.005)
    added = number(record, "reduction")
    assert added["energy_ev"] < 0
    assert added["verdict"].startswith("not bound: ")
    assert [state["multiplicity"] for state in record["states"].values()] == [2, 1, 1]
    assert [state["charge_e"] for state in record["states"].values()] == [0, 1, -1]


def test_hydride_is_not_bound_in_hartree_fock(limit, tmp_path):
    """H- has -0.487930 hartree in its limit: 0.328 eV above the atom; and a proton has no electrons to compute."""
    record = redox_at([[0, 0, 0]], species("H", "[H]", multiplicity=2), limit, tmp_path)
    assert number(record, "reduction")["energy_ev"] == pytest.approx(-0.328, abs=0.01)
    assert number(record, "reduction")["verdict"].startswith("not bound")
    assert number(record, "oxidation")["verdict"] == "not computed: no electron would be left"
    assert number(record, "oxidation")["energy_ev"] is None


def test_helium_ion_takes_an_electron(limit, tmp_path):
    """From the exact -2 hartree to -2.861680 (Clementi and Roetti): 23.447 eV."""
    record = redox_at([[0, 0, 0]], species("He", "[He+]", charge=1, multiplicity=2), limit, tmp_path)
    assert number(record, "reduction")["energy_ev"] == pytest.approx(0.861680 * HARTREE_EV, abs=0.01)
    assert number(record, "reduction")["verdict"] == "ok"


@pytest.mark.slow
def test_hydrogen_molecule_vertical_and_adiabatic(limit, tmp_path):
    """H2 in Hartree-Fock -1.13363 hartree; H2+, exact: -0.56998 at 1.4 bohr and -0.60263 at its minimum of 2.0."""
    quantum = changed(limit, {"basis": "cc-pvqz"}, redox="adiabatic")
    record = redox_at([[0, 0, 0], [0, 0, 1.4 * 0.529177]], species("H2", "[H][H]"), quantum, tmp_path)
    vertical, adiabatic = (number(record, "oxidation", kind)["energy_ev"] for kind in ("vertical", "adiabatic"))
    assert vertical == pytest.approx((1.13363 - 0.56998) * HARTREE_EV, abs=0.02)
    assert adiabatic == pytest.approx((1.13363 - 0.60263) * HARTREE_EV, abs=0.02)
    ends = np.array(record["states"]["oxidation adiabatic"]["positions_angstrom"])
    assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(2.0 * 0.529177, abs=0.01)


def test_water_beside_experiment_and_koopmans(quick, tmp_path):
    """12.6 eV (photoelectron spectrum, vertical); relaxation takes 2 to 3 eV from Koopmans' in Hartree-Fock."""
    level = {"basis": "6-311++g(d,p)", "cartesian": False}
    record = redox_at(WATER_X, species("water", "O"), changed(quick, level, redox="vertical"), tmp_path)
    assert number(record, "oxidation")["energy_ev"] == pytest.approx(12.6, abs=0.3)
    assert number(record, "reduction")["verdict"].startswith("not bound")
    hartree_fock = changed(quick, level | {"functional": "hf"}, redox="vertical")
    record = redox_at(WATER_X, species("water", "O"), hartree_fock, tmp_path)
    mean_field = Surface(species("water", "O"), hartree_fock, 1).solve(np.array(WATER_X)).mean_field
    koopmans = -mean_field.mo_energy[mean_field.mo_occ > 0].max() * HARTREE_EV
    assert 2 < koopmans - number(record, "oxidation")["energy_ev"] < 3.5


@pytest.mark.parametrize(
    ("smiles", "charge", "dielectric"), [("[Na+]", 1, 7.1), ("[Na+]", 1, 80.0), ("[Mg+2]", 2, 7.1)]
)
def test_an_ion_in_the_solvent_is_borns(quick, smiles, charge, dielectric):
    """-q²/2R (1 - 1/ε) (Born, Z. Phys. 1, 45, 1920), R the radius of PySCF's cavity."""
    from pyscf.data import elements
    from pyscf.solvent.pcm import modified_Bondi

    one = species("ion", smiles, charge=charge)
    vacuum, solvated = (
        Surface(one, quick, 3, solvent).solve(np.zeros((1, 3))).mean_field.e_tot for solvent in (None, dielectric)
    )
    radius = 1.2 * modified_Bondi[elements.charge(one.symbols[0])]
    assert solvated - vacuum == pytest.approx(-(charge**2) / (2 * radius) * (1 - 1 / dielectric), rel=0.01)


def test_the_solvent_makes_volts_and_vacuum_none(quick, tmp_path):
    """Chloride holds its electron better in a solvent, chlorine takes one more easily; volts against Li and Na."""
    quantum = changed(quick, redox="vertical")
    record = redox_at([[0, 0, 0]], species("Cl", "[Cl-]", charge=-1, solvent=7.1), quantum, tmp_path)
    vacuum, solvated = (number(record, "oxidation", medium=medium) for medium in ("vacuum", "PCM 7.1"))
    assert solvated["energy_ev"] > vacuum["energy_ev"] + 1.5
    assert (vacuum["potential_v_li"], vacuum["potential_v_na"]) == (None, None)
    # 4.44 V for hydrogen, less 3.04 or 2.71.
    assert solvated["potential_v_li"] == pytest.approx(solvated["energy_ev"] - 1.40)
    assert solvated["potential_v_na"] == pytest.approx(solvated["energy_ev"] - 1.73)
    assert potential_v(1.40, LITHIUM_V) == pytest.approx(0)
    assert potential_v(1.73, SODIUM_V) == pytest.approx(0)


def test_a_solvent_by_name(quick, tmp_path):
    assert solvent_label("tetrahydrofuran") == "SMD tetrahydrofuran"
    quantum = changed(quick, redox="vertical")
    record = redox_at([[0, 0, 0]], species("Cl", "[Cl-]", charge=-1, solvent="tetrahydrofuran"), quantum, tmp_path)
    by_name = number(record, "oxidation", medium="SMD tetrahydrofuran")["energy_ev"]
    assert by_name > number(record, "oxidation")["energy_ev"] + 1.5
    with pytest.raises(ValueError, match="did you mean 'tetrahydrofuran'"):
        species("Cl", "[Cl-]", charge=-1, solvent="tetrahydrofurane")


@pytest.mark.slow
def test_relaxation_only_helps(quick, tmp_path):
    """LiF: an adiabatic oxidation costs less than a vertical one, an adiabatic reduction gains more."""
    quantum = changed(quick, {"functional": "hf"}, redox="adiabatic")
    record = redox_at([[0, 0, 0], [0, 0, 1.56]], species("LiF", "[Li+].[F-]"), quantum, tmp_path)
    for process, sign in (("oxidation", -1), ("reduction", 1)):
        vertical, adiabatic = (number(record, process, kind)["energy_ev"] for kind in ("vertical", "adiabatic"))
        assert sign * (adiabatic - vertical) > 0.01
    assert "no solvent is given" in record["warnings"][0]


def test_charged_forms_have_the_spins_that_one_electron_can_make():
    def spins(one: Species, change: int) -> list[int]:
        return [form.multiplicity for form in charged(one, change)]

    assert spins(species("water", "O"), 1) == spins(species("water", "O"), -1) == [2]
    assert spins(species("OH", "[OH]", multiplicity=2), -1) == [1, 3]
    assert spins(species("O2", "[O][O]", multiplicity=3), 1) == [2, 4]
    assert [form.charge for form in charged(species("O2", "[O][O]", multiplicity=3), -1)] == [-1, -1]
    assert spins(species("H", "[H]", multiplicity=2), 1) == []
    assert spins(species("He", "[He]"), 1) == [2]


def test_a_bond_that_breaks_is_named():
    before = np.array([[0, 0, 0], [0, 0, 1.43], [0, 0.9, -0.3]])
    after = before + np.array([[0, 0, 0], [0, 0, 0.9], [0, 0, 0]])
    assert _broken_bonds(["C", "O", "H"], before, after) == ["C1-O2"]
    assert _broken_bonds(["C", "O", "H"], before, before) == []


def test_a_killed_run_goes_on_with_what_is_done(quick, tmp_path, monkeypatch):
    quantum = changed(quick, {"functional": "hf"}, redox="vertical")
    whole = redox_at([[0, 0, 0]], species("Na", "[Na+]", charge=1), quantum, tmp_path)
    (tmp_path / "redox.json").unlink()
    with monkeypatch.context() as patch:

        def stopped(*_):
            raise KeyboardInterrupt

        patch.setattr(stage._States, "_vertical", stopped)
        with pytest.raises(KeyboardInterrupt):
            redox_at([[0, 0, 0]], species("Na", "[Na+]", charge=1), quantum, tmp_path)
    assert list(read_json(tmp_path / "redox.restart.json")["states"]) == ["species"]
    solved = []
    solve = Surface.solve
    monkeypatch.setattr(Surface, "solve", lambda self, x: solved.append(self.species.charge) or solve(self, x))
    resumed = redox_at([[0, 0, 0]], species("Na", "[Na+]", charge=1), quantum, tmp_path)
    assert sorted(solved) == [0, 2]
    assert resumed["rows"] == whole["rows"]
    assert not (tmp_path / "redox.restart.json").exists()


def test_without_a_geometry_there_is_a_verdict(quick, tmp_path):
    record = redox_at([], species("LiF", "[Li+].[F-]"), changed(quick, redox="vertical"), tmp_path, "not converged: x")
    assert record["verdict"] == "not computed: geometry not converged: x"
    assert record["rows"] == []


def test_an_scf_that_fails_is_a_verdict_of_its_rows(quick, tmp_path):
    quantum = changed(quick, redox="vertical", scf_limit=1)
    record = redox_at([[0, 0, 0], [0, 0, 1.56]], species("LiF", "[Li+].[F-]"), quantum, tmp_path)
    assert record["verdict"].startswith("not converged: SCF")
    assert all(row["energy_ev"] is None for row in record["rows"])
