"""Integrals of the density fitting are computed once for all that has the same functions at the same places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyscf import gto
from quantum_helpers import RELAXED_WATER, SODIUM, WATER, changed, complex_of

from electroscreen.complexes import cluster_of
from electroscreen.quantum import integrals as module
from electroscreen.quantum.bonds import bonds_of
from electroscreen.quantum.energies import Ledger, Method
from electroscreen.quantum.fitting import OrbitalFitting
from electroscreen.quantum.integrals import LastIntegrals, _same_functions
from electroscreen.quantum.interaction import Parts, binding_energy, binding_in_solvent
from electroscreen.quantum.optimise import Surface
from electroscreen.quantum.redox import charged
from electroscreen.scratch import own_scratch

X = np.vstack([[[0, 0, -2.2]], RELAXED_WATER])


@pytest.fixture
def built(monkeypatch):
    """How many basis functions each set of integrals has that is computed."""
    found, build = [], OrbitalFitting.build
    monkeypatch.setattr(OrbitalFitting, "build", lambda self: (found.append(self.mol.nao), build(self))[1])
    return found


# wB97X has integrals of its own for the part of its exchange that depends on the range.
@pytest.mark.parametrize(("functional", "sets"), [("b3lypg", 1), ("wb97x", 2)])
def test_the_cluster_its_parts_among_ghosts_and_the_solvent_have_one_set(quick, built, monkeypatch, functional, sets):
    """The energies are those that each with integrals of its own gives."""
    wanted, every = complex_of([SODIUM, WATER], Na=1, water=1)
    at = {"Na": np.zeros((1, 3)), "water": RELAXED_WATER}
    parts = Parts(every, at, {name: bonds_of(every[name], x) for name, x in at.items()}, [])
    level = {"functional": functional, "basis": "3-21g"}
    method = Method(changed(quick, level, stability="none", grid_final=0), "none")
    cluster = cluster_of(wanted, every)

    def energies() -> dict[str, float]:
        ledger = Ledger({}, lambda _: None)
        found = binding_energy(cluster, parts, X, method, ledger)
        binding_in_solvent(7.1, cluster, parts, X, method, ledger, found["counterpoise_ev"])
        return ledger.known

    shared, functions = energies(), max(built)
    assert built.count(functions) == sets
    built.clear()
    monkeypatch.setattr(module, "_same_functions", lambda *_: False)
    apart = energies()
    assert built.count(functions) == 4 * sets
    assert list(shared) == list(apart)
    for name, energy in apart.items():
        assert shared[name] == pytest.approx(energy, abs=2e-8), name


def test_charged_forms_share_those_of_the_species(quick, built):
    integrals = LastIntegrals()
    for form in [WATER, *charged(WATER, +1)]:
        Surface(form, changed(quick, stability="none"), 1, integrals=integrals).solve(RELAXED_WATER)
    assert len(built) == 1


def test_a_walk_holds_one_set_on_disk(quick, tmp_path, monkeypatch):
    """Of every step before, some ten gigabytes of a large complex, nothing stays."""
    monkeypatch.setattr("pyscf.lib.param.TMPDIR", str(tmp_path))
    (tmp_path / "job").mkdir()
    with own_scratch(tmp_path / "job") as scratch:
        monkeypatch.setattr("pyscf.lib.current_memory", lambda: (500, 500))  # none is left: PySCF writes to disk
        surface = Surface(WATER, changed(quick, stability="none", memory_mb=500), 1)
        for stretched in (1.0, 1.01, 1.02, 1.03):
            surface.energy_and_gradient(stretched * RELAXED_WATER)
            assert len([file for file in Path(scratch).iterdir() if file.stat().st_size > 10_000]) == 1
        surface.integrals.release()
        assert not [file for file in Path(scratch).iterdir() if file.stat().st_size]


def test_who_still_needs_what_was_given_back_computes_it_again(quick, built):
    surface = Surface(WATER, changed(quick, stability="none"), 1)
    mean_field = surface.solve(RELAXED_WATER).mean_field
    before = mean_field.get_jk()
    surface.solve(1.01 * RELAXED_WATER)
    assert len(built) == 2
    for one, other in zip(mean_field.get_jk(), before, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)
    assert len(built) == 3


@pytest.mark.parametrize(
    ("atoms", "basis", "same"),
    [
        ("He 0 0 0; He 0 0 40", "6-31g", True),
        ("He 0 0 0; He 0 0 41", "6-31g", False),  # no functions overlap, here and there
        ("He 0 0 0; He 0 40 0", "6-31g", False),
        ("He 0 0 0; ghost-He 0 0 40", "6-31g", True),
        ("ghost-He 0 0 0; He 0 0 40", "6-31g", True),
        ("He 0 0 0; He 0 0 40", "3-21g", False),
        ("He 0 0 0; He 0 0 40", "cc-pvdz", False),
    ],
)
def test_which_functions_are_the_same(atoms, basis, same):
    def molecule(atoms: str, basis: str) -> gto.Mole:
        return gto.M(atom=atoms, basis=basis, spin=None, verbose=0)

    assert _same_functions(molecule("He 0 0 0; He 0 0 40", "6-31g"), molecule(atoms, basis)) == same
