"""Binding energies: against other programs, against arithmetic that needs no program, and against experiment."""

from __future__ import annotations

import functools
import json
from dataclasses import replace

import numpy as np
import pytest
from quantum_helpers import DIMER, RELAXED_WATER, SODIUM, WATER, changed, complex_of, species

from electroscreen.complexes import Complex, cluster_of
from electroscreen.quantum import binding as stage
from electroscreen.quantum import energies, interaction
from electroscreen.quantum.binding import find_binding
from electroscreen.quantum.bonds import bonds_of, loose_part
from electroscreen.quantum.energies import (
    Among,
    Ledger,
    Method,
    density_of_part,
    dispersion_hartree,
    single_point,
)
from electroscreen.quantum.interaction import Parts, binding_energy, binding_in_solvent, gfn2_binding_ev
from electroscreen.quantum.optimise import Surface
from electroscreen.quantum.placement import lowest_placements, placements
from electroscreen.quantum.scf import HARTREE_EV, SCFNotConvergedError, build_molecule
from electroscreen.settings import Binding
from electroscreen.species import Species


def parts_of(every: dict[str, Species], **positions: np.ndarray) -> Parts:
    """Parts whose relaxed geometries are given."""
    at = {name: np.array(x, dtype=float) for name, x in positions.items()}
    return Parts(every, at, {name: bonds_of(every[name], x) for name, x in at.items()}, [])


def terms(wanted: Complex, parts: Parts, positions: np.ndarray, method: Method) -> dict:
    """The terms of the binding energy."""
    return binding_energy(cluster_of(wanted, parts.every), parts, positions, method, Ledger({}, lambda _: None))


def energy(*arguments, **more) -> float:
    """Of a single point, hartree."""
    return single_point(*arguments, **more).energy_hartree


@pytest.fixture(scope="module")
def hf(quick):
    """Hartree-Fock in a basis, without density fitting."""

    def method(basis: str, functional: str = "hf", cartesian: bool = False, **more) -> Method:
        level = {"functional": functional, "basis": basis, "cartesian": cartesian, "density_fitting": False} | more
        return Method(changed(quick, level), "none")

    return method


@pytest.fixture(scope="module")
def dimer() -> tuple[Complex, Parts]:
    """Two waters; the relaxed one is the donor as it is in the dimer."""
    wanted, every = complex_of([WATER], water=2)
    return wanted, parts_of(every, water=DIMER[:3])


def test_counterpoise_corrected_water_dimer(hf, dimer):
    """HF/aug-cc-pVDZ: -5.68663 mEh, "Total HF" of the water dimer in Psi4's manual (chapter SAPT), which is that."""
    found = terms(*dimer, DIMER, hf("aug-cc-pvdz"))
    corrected = (found["interaction_ev"] + found["counterpoise_ev"]) / HARTREE_EV * 1000
    assert corrected == pytest.approx(-5.68663, abs=0.005)
    assert 0.1 < found["counterpoise_ev"] / HARTREE_EV * 1000 < 1.0
    assert found["binding_ev"] == pytest.approx(corrected * HARTREE_EV / 1000 + found["deformation_ev"], abs=1e-9)
    assert found["binding_kj_per_mol"] == pytest.approx(found["binding_ev"] * 96.485, rel=1e-5)


def test_uncorrected_water_dimer(hf, dimer):
    """B3LYP/6-31G without counterpoise: -14.5307 mEh by Q-Chem, -14.5297 by Psi4 (its test dft-bench-interaction)."""
    found = terms(*dimer, DIMER, hf("6-31g", "b3lypg"))
    assert found["interaction_ev"] / HARTREE_EV * 1000 == pytest.approx(-14.530, abs=0.02)
    assert found["binding_uncorrected_ev"] == pytest.approx(found["interaction_ev"] + found["deformation_ev"])


def test_three_parts_each_in_the_basis_of_all(hf):
    """He, Ar and Ne at HF/cc-pVDZ by Psi4 (its test nbody-intermediates): its gains in the basis of all three, Eh."""
    gases = [species(name, xyz=f"{name} 0 0 0") for name in ("He", "Ar", "Ne")]
    wanted, every = complex_of(gases, He=1, Ar=1, Ne=1)
    parts = parts_of(every, He=[[0, 0, 0]], Ar=[[0, 0, 0]], Ne=[[0, 0, 0]])
    found = terms(wanted, parts, np.array([[0, 0, 0], [0, 0, 4.0], [0, 4.0, 0]]), hf("cc-pvdz"))
    gain = {f["species"]: f["counterpoise_ev"] / HARTREE_EV for f in found["fragments"]}
    assert gain["He"] == pytest.approx(-2.855188398727 + 2.855193382488, abs=5e-7)
    assert gain["Ar"] == pytest.approx(-526.799868279148 + 526.799874020110, abs=5e-7)
    assert found["deformation_ev"] == 0


def test_ghosts_lend_functions_and_nothing_else(hf):
    """Written out in plain PySCF; tin's ghost has no core potential."""
    from pyscf import gto, scf

    method = hf("6-31g")
    lithium, x = species("Li", "[Li+]", charge=1), np.array([[0, 0, 0.0]])
    among = Among(["F", "Li", "H"], np.array([[0, 0, 1.5], [0, 0, 0], [0, 1.0, 2.0]]), [1])
    ours = energy(lithium, x, method, among=among)
    plain = gto.M(atom="Li 0 0 0; X-F 0 0 1.5; X-H 0 1 2", basis="6-31g", charge=1, verbose=0)
    assert ours == pytest.approx(scf.RHF(plain).kernel(), abs=1e-7)
    assert ours < energy(lithium, x, method) - 1e-6

    tin = build_molecule(["Li", "Sn"], [[0, 0, 0], [0, 0, 2.5]], 1, 1, method.quantum.level, ghosts=[1])
    assert tin.nelectron == 2
    assert tin.atom_charges().tolist() == [3, 0]
    assert len(tin._ecpbas) == 0


def test_ghosts_are_fitted_as_the_atoms_that_they_stand_for(hf):
    """Density fitting changes a counterpoise correction by less than 3 %. (Na is fitted by even-tempered functions.)"""
    together = ["Na", *WATER.symbols], np.vstack([np.zeros((1, 3)), RELAXED_WATER + np.array([0, 0, 2.2])])
    gains = []
    for density_fitting in (False, True):
        method = hf("6-31g(d,p)", cartesian=True, density_fitting=density_fitting)
        for part, own in ((SODIUM, [0]), (WATER, [1, 2, 3])):
            x, among = together[1][own], Among(*together, own)
            gains.append(energy(part, x, method) - energy(part, x, method, among=among))
    assert gains[2:] == pytest.approx(gains[:2], rel=0.03, abs=2e-6)
    assert gains[1] > 1e-5


def test_far_apart_is_nothing_but_the_deformation(hf, dimer):
    """The sum rule: 100 Å away, no interaction, no superposition; what is left is what bending one water costs."""
    x = np.concatenate([DIMER[:3], DIMER[:3] + np.array([0, 0, 100.0])])
    x[5] += [0.1, 0, 0]
    found = terms(*dimer, x, hf("6-31g"))
    assert found["interaction_ev"] == pytest.approx(0, abs=2e-5)
    assert found["counterpoise_ev"] == pytest.approx(0, abs=2e-6)
    assert [f["deformation_ev"] for f in found["fragments"]] == pytest.approx([0, found["deformation_ev"]], abs=1e-6)
    assert found["deformation_ev"] > 0.1
    assert found["binding_ev"] == pytest.approx(found["deformation_ev"], abs=2e-5)


def test_alike_parts_have_alike_terms(hf):
    """Na+ between two waters, mirrored: both lose and borrow the same; superposition only ever lowers."""
    wanted, every = complex_of([WATER, SODIUM], Na=1, water=2)
    water = np.array([[0, 0, 2.3], [0, 0.757, 2.9], [0, -0.757, 2.9]])
    x = np.concatenate([[[0, 0, 0]], water, -water])
    found = terms(wanted, parts_of(every, Na=[[0, 0, 0]], water=water), x, hf("3-21g"))
    sodium, one, other = found["fragments"]
    assert one["counterpoise_ev"] == pytest.approx(other["counterpoise_ev"], abs=1e-6)
    assert min(f["counterpoise_ev"] for f in found["fragments"]) > 0
    assert [sodium["atoms"], one["atoms"], other["atoms"]] == [[0], [1, 2, 3], [4, 5, 6]]
    assert sodium["deformation_ev"] == 0


def test_born_energy_of_an_ion_in_a_continuum(hf):
    """-(1 - 1/eps) q²/2R with PySCF's radius of Na, 1.2 times 2.27 Å; and SMD's water in water."""
    bohr, method, x = 0.529177210903, hf("6-31g"), np.zeros((1, 3))
    vacuum = energy(SODIUM, x, method)
    for dielectric in (2.0, 80.0):
        born = -(1 - 1 / dielectric) / (2 * 1.2 * 2.27 / bohr)
        gained = energy(SODIUM, x, method, dielectric) - vacuum
        assert gained == pytest.approx(born, rel=0.01)
    method = hf("6-31g(d,p)", "b3lypg")
    wet = energy(WATER, RELAXED_WATER, method, "water")
    hydration = (wet - energy(WATER, RELAXED_WATER, method)) * HARTREE_EV
    assert hydration == pytest.approx(-6.3 * 0.0433641, abs=0.09)  # experiment, kcal/mol


def test_a_continuum_weakens_what_an_ion_holds(hf):
    wanted, every = complex_of([WATER, SODIUM], Na=1, water=1)
    wanted = wanted.model_copy(update={"solvent": 7.1})
    water = np.array([[0, 0, 2.25], [0, 0.757, 2.85], [0, -0.757, 2.85]])
    parts, method = parts_of(every, Na=[[0, 0, 0]], water=water), hf("3-21g")
    cluster, x, ledger = cluster_of(wanted, every), np.concatenate([[[0, 0, 0]], water]), Ledger({}, lambda _: None)
    vacuum = binding_energy(cluster, parts, x, method, ledger)
    wet = binding_in_solvent(wanted.solvent, cluster, parts, x, method, ledger, vacuum["counterpoise_ev"])
    assert wet["solvent"] == "PCM 7.1"
    assert vacuum["binding_ev"] + 0.2 < wet["binding_ev"] < 0
    assert wet["binding_ev"] - wet["binding_uncorrected_ev"] == pytest.approx(vacuum["counterpoise_ev"])


def test_dispersion_falls_with_the_sixth_power(quick):
    """Argon's C6 in D3 is 64.65 atomic units (Grimme et al., J. Chem. Phys. 2010, 132, 154104); C8 is fitted away."""
    pytest.importorskip("dftd3")
    method, bohr = Method(quick, "d3bj"), 0.529177210903
    assert method.label.endswith("cartesian, D3(BJ)")

    def times_r6(r: float) -> float:
        x = np.array([[0, 0, 0], [0, 0, r * bohr]])
        return -(r**6) * dispersion_hartree(["Ar", "Ar"], x, method)

    near, far = 25.0, 40.0
    c6 = (far**2 * times_r6(far) - near**2 * times_r6(near)) / (far**2 - near**2)
    assert c6 == pytest.approx(64.65, rel=0.01)
    assert dispersion_hartree(["Ar", "Ar"], np.array([[0, 0, 0], [0, 0, 3.8]]), Method(quick, "none")) == 0


def test_a_functional_without_dispersion_is_said(quick):
    pytest.importorskip("dftd3")
    method = Method(changed(quick, {"functional": "lda,vwn"}), "d3bj")
    with pytest.raises(ValueError, match=r"D3\(BJ\) has no parameters for the functional 'lda,vwn'"):
        dispersion_hartree(["Ar"], np.zeros((1, 3)), method)


def folder_of(tmp_path, name: str, positions: np.ndarray, symbols: list[str], verdict: str = "ok"):
    """What stage geometry leaves of a species."""
    folder = tmp_path / "species" / name
    folder.mkdir(parents=True)
    rows = [f"{s} {x:.8f} {y:.8f} {z:.8f}" for s, (x, y, z) in zip(symbols, positions, strict=False)]
    (folder / "geometry.xyz").write_text("\n".join([str(len(rows)), name, *rows]) + "\n")
    (folder / "geometry.json").write_text(json.dumps({"verdict": verdict, "warnings": []}))
    return folder


@pytest.fixture(scope="module")
def sodium_and_water(quick, tmp_path_factory):
    """Call it with the setting `geometry` to run the stage; returns its folder."""

    def run(geometry: str):
        here = tmp_path_factory.mktemp("binding")
        wanted, every = complex_of([SODIUM, WATER], Na=1, water=1)
        folders = {"Na": folder_of(here, "Na", np.zeros((1, 3)), ["Na"])}
        folders["water"] = folder_of(here, "water", RELAXED_WATER, WATER.symbols)
        search = Binding(placements=4, geometry=geometry)
        find_binding(wanted, every, Method(quick, "none"), search, {"stage": "x"}, folders, here / "C", 1)
        return here / "C"

    return functools.cache(run)


def test_sodium_and_water_near_experiment(sodium_and_water):
    """The whole stage. Experiment: -24.0 kcal/mol = -1.04 eV (Dzidic, Kebarle, J. Phys. Chem. 1970, 74, 1466)."""
    output = sodium_and_water("dft")
    record = json.loads((output / "binding.json").read_text())
    assert record["verdict"] == "ok"
    assert record["binding_ev"] == pytest.approx(-1.04, abs=0.2)
    assert record["binding_ev"] == pytest.approx(
        record["interaction_ev"] + record["counterpoise_ev"] + record["deformation_ev"], abs=1e-9
    )
    assert 0 <= record["deformation_ev"] < 0.03
    assert 0 < record["counterpoise_ev"] < 0.3
    assert record["gfn2_binding_ev"] == pytest.approx(-1.04, abs=0.3)
    (around,) = record["contacts"]
    assert around["nearest"][0]["atom"] == "O1 of water"
    assert around["nearest"][0]["distance_angstrom"] == pytest.approx(2.2, abs=0.1)
    assert {path.name for path in output.iterdir()} == {"geometry.xyz", "binding.json", ".lock"}


@pytest.fixture
def pair(quick, tmp_path):
    """LiF of its ions in a small basis: call it to run the stage; returns its record."""
    fluoride, lithium = species("F", "[F-]", charge=-1), species("Li", "[Li+]", charge=1)
    wanted, every = complex_of([lithium, fluoride], Li=1, F=1)
    method = Method(changed(quick, {"functional": "hf", "basis": "3-21g"}), "none")
    folders = {name: folder_of(tmp_path, name, np.zeros((1, 3)), [name]) for name in ("Li", "F")}

    def run() -> dict:
        find_binding(wanted, every, method, Binding(placements=2), {"stage": "x"}, folders, tmp_path / "C", 1)
        return json.loads((tmp_path / "C" / "binding.json").read_text())

    return run


def test_a_killed_job_goes_on_at_its_last_energy(pair, tmp_path, monkeypatch):
    """Killed in the third of four energies: the next call optimises nothing and computes two."""
    calls, true_single_point = [], single_point

    def dying(system, *arguments, **more):
        calls.append(system.name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return true_single_point(system, *arguments, **more)

    for module in (interaction, energies):
        monkeypatch.setattr(module, "single_point", dying)
    with pytest.raises(KeyboardInterrupt):
        pair()
    assert not (tmp_path / "C" / "binding.json").exists()
    monkeypatch.setattr(stage, "find_minimum", None)
    resumed = pair()
    assert resumed["verdict"] == "ok"
    assert len(calls) == 3 + 3
    monkeypatch.undo()
    afresh = pair()
    assert resumed["binding_ev"] == pytest.approx(afresh["binding_ev"], abs=1e-5)
    assert afresh["binding_ev"] == pytest.approx(-8.0, abs=1.0)  # ions: experiment about -7.9 eV


def test_placements_are_searched_once(pair, monkeypatch):
    """Killed among the contenders: the next call starts from the minima that the first one found."""

    def dying(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(stage, "choose_start", dying)
    with pytest.raises(KeyboardInterrupt):
        pair()
    monkeypatch.undo()
    monkeypatch.setattr(stage, "lowest_placements", None)
    assert pair()["verdict"] == "ok"


def test_each_contender_is_computed_once(pair, monkeypatch, capfd):
    """Killed at the second of two: the next call computes that one alone, and chooses as if nothing had been."""
    solve, solved = Surface.solve, []

    def counting(surface, positions):
        if len(solved) == 1 and dying:
            raise KeyboardInterrupt
        solved.append(positions)
        return solve(surface, positions)

    def two(*arguments):
        (lowest,) = lowest_placements(*arguments)
        return [replace(lowest, origin="squeezed", positions_angstrom=0.8 * lowest.positions_angstrom), lowest]

    monkeypatch.setattr(stage, "lowest_placements", two)
    monkeypatch.setattr(Surface, "solve", counting)
    dying = True
    with pytest.raises(KeyboardInterrupt):
        pair()
    dying = False
    resumed = pair()
    assert resumed["verdict"] == "ok"
    first, second = (one["dft_relative_ev"] for one in resumed["candidates"])
    assert first > 0.01 and second == 0.0
    assert solved[1] == pytest.approx(solved[2], abs=1e-9)  # the contender, then the start of the walk
    assert "squeezed, -" in capfd.readouterr().err


def test_an_scf_that_fails_is_a_verdict_that_names_the_piece(pair, monkeypatch):
    def failing(system, *arguments, among=None, **more):
        if among is not None:
            raise SCFNotConvergedError("SCF not converged: three ways")
        return single_point(system, *arguments, **more)

    monkeypatch.setattr(interaction, "single_point", failing)
    record = pair()
    assert record["verdict"] == "not converged: part 1 (Li) in the basis of all: SCF not converged: three ways"
    assert record["binding_ev"] is None


def test_a_part_without_geometry_is_said(quick, tmp_path):
    wanted, every = complex_of([SODIUM, WATER], Na=1, water=1)
    folders = {"Na": folder_of(tmp_path, "Na", np.zeros((1, 3)), ["Na"])}
    folders["water"] = folder_of(tmp_path, "water", [], [], "not converged: nothing found")
    find_binding(wanted, every, Method(quick, "none"), Binding(), {"stage": "x"}, folders, tmp_path / "C", 1)
    record = json.loads((tmp_path / "C" / "binding.json").read_text())
    assert record["verdict"] == "not converged: the geometry of water: not converged: nothing found"


def test_placements_touch_everywhere_and_are_the_same_every_time():
    wanted, every = complex_of([SODIUM, WATER], Na=1, water=3)
    cluster, geometries = cluster_of(wanted, every), {"Na": np.zeros((1, 3)), "water": RELAXED_WATER}
    found = placements(cluster, every, geometries, 24)
    for structure in found:
        x = structure.positions_angstrom
        assert loose_part(cluster, x) is None
        between = np.linalg.norm(x[:, None] - x[None], axis=-1)
        apart = [between[np.ix_(a, b)].min() for n, (_, a) in enumerate(cluster.copies) for _, b in cluster.copies[:n]]
        assert min(apart) > 1.3
        for _, atoms in cluster.copies[1:]:
            assert between[np.ix_(atoms, atoms)] == pytest.approx(
                np.linalg.norm(RELAXED_WATER[:, None] - RELAXED_WATER[None], axis=-1), abs=1e-9
            )
    again = placements(cluster, every, geometries, 24)
    assert all((a.positions_angstrom == b.positions_angstrom).all() for a, b in zip(found, again, strict=True))
    to_oxygen = np.array([s.positions_angstrom[1] - s.positions_angstrom[0] for s in found])
    sides = to_oxygen / np.linalg.norm(to_oxygen, axis=1, keepdims=True)
    assert np.linalg.norm(sides.mean(axis=0)) < 0.5


def test_gfn2_alone_agrees_on_the_water_dimer(dimer):
    """Its own minima; experiment and theory agree on about -5 kcal/mol = -0.22 eV."""
    wanted, parts = dimer
    assert gfn2_binding_ev(cluster_of(wanted, parts.every), parts, DIMER) == pytest.approx(-0.22, abs=0.05)


def test_a_rough_minimum_is_nearly_as_low(sodium_and_water):
    """Fewer steps, and an energy within the 5 meV that it promises."""
    tight, rough = (
        json.loads((sodium_and_water(geometry) / "binding.json").read_text()) for geometry in ("dft", "dft-rough")
    )
    assert (tight["verdict"], rough["verdict"]) == ("ok", "ok")
    assert rough["level"] == tight["level"] + " // rough"
    assert rough["optimisation_steps"] < tight["optimisation_steps"]
    assert tight["energy_hartree"] < rough["energy_hartree"] < tight["energy_hartree"] + 0.005 / HARTREE_EV
    assert rough["binding_ev"] == pytest.approx(tight["binding_ev"], abs=0.005)


def test_an_embedded_guess_changes_the_way_and_not_the_end(hf):
    """Among ghosts before and behind; and an unrestricted density is embedded in both spins."""
    method, x = hf("3-21g"), RELAXED_WATER
    ghosts = np.array([[0, 0, 2.3], [0, 0, -2.3]])
    among = Among(["Na", *WATER.symbols, "He"], np.vstack([ghosts[:1], x, ghosts[1:]]), [1, 2, 3])
    plain = single_point(WATER, x, method)
    fresh, guessed = (energy(WATER, x, method, among=among, guess=g) for g in (None, plain.density))
    assert guessed == pytest.approx(fresh, abs=1e-7)
    cation = WATER.model_copy(update={"charge": 1, "multiplicity": 2})
    radical = single_point(cation, x, method)
    assert radical.density.shape[0] == 2
    fresh, guessed = (energy(cation, x, method, among=among, guess=g) for g in (None, radical.density))
    assert guessed == pytest.approx(fresh, abs=1e-6)


def test_the_share_of_a_part_in_a_far_cluster_is_its_own_density(hf):
    """Two waters, turned against each other, and Na+ at the end of a line, 30 Å apart."""
    method, turned = hf("3-21g"), RELAXED_WATER[:, [1, 2, 0]]
    wanted, every = complex_of([WATER, SODIUM], water=2, Na=1)
    cluster = cluster_of(wanted, every)
    x = np.concatenate([np.add(RELAXED_WATER, (60, 0, 0)), np.add(turned, (30, 0, 0)), np.zeros((1, 3))])
    density = single_point(cluster, x, method).density
    for (name, atoms), tolerance in zip(cluster.copies, (1e-4, 3e-3, 1e-4), strict=True):
        own = single_point(every[name], x[atoms], method).density
        assert density_of_part(cluster, density, atoms, method) == pytest.approx(own, abs=tolerance), name
    own = single_point(WATER, RELAXED_WATER, method).density
    assert np.abs(own - single_point(WATER, turned, method).density).max() > 0.1, "a turned guess would be no guess"
    assert density_of_part(cluster, np.array([density, density]) / 2, cluster.copies[0][1], method) is None
