"""Parts alone: computed once for all complexes that hold them, and again where anything differs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from quantum_helpers import SODIUM, WATER, changed, complex_of
from test_binding import RELAXED_WATER, parts_of

from electroscreen.complexes import cluster_of
from electroscreen.quantum.energies import Ledger, Method, SharedPoints, single_point
from electroscreen.quantum.interaction import binding_energy, binding_in_solvent


@pytest.fixture
def hf(quick):
    """Hartree-Fock in a basis, without density fitting."""

    def method(basis: str) -> Method:
        level = {"functional": "hf", "basis": basis, "cartesian": False, "density_fitting": False}
        return Method(changed(quick, level), "none")

    return method


@pytest.fixture
def counted(monkeypatch):
    """The single points that are computed, one by one."""
    found = []

    def count(system, positions, method, solvent=None, **more):
        found.append((list(system.symbols), solvent))
        return single_point(system, positions, method, solvent, **more)

    monkeypatch.setattr("electroscreen.quantum.energies.single_point", count)
    return found


def test_parts_alone_are_computed_once_for_all_complexes(hf, tmp_path, counted):
    method, shared = hf("3-21g"), SharedPoints(tmp_path)
    first = shared.point(WATER, RELAXED_WATER, method)
    assert first.density is not None
    assert shared.point(WATER, RELAXED_WATER + 1e-9, method).energy_hartree == first.energy_hartree
    assert len(counted) == 1
    # All that changes the energy makes it another.
    bent = RELAXED_WATER * [1, 1.01, 1]
    ion = WATER.model_copy(update={"charge": 1, "multiplicity": 2})
    others = [
        (WATER, bent, method, None),
        (WATER, RELAXED_WATER, hf("6-31g"), None),
        (WATER, RELAXED_WATER, method, 7.1),
        (ion, RELAXED_WATER, method, None),
    ]
    found = {first.energy_hartree, *(shared.point(*other).energy_hartree for other in others)}
    assert (len(found), len(counted)) == (5, 5)
    assert found == {first.energy_hartree, *(shared.point(*other).energy_hartree for other in others)}
    assert len(counted) == 5


@pytest.mark.parametrize("text", ["", "{", "[]", '{"energy_hartree": null}'])
def test_a_damaged_energy_of_a_part_is_computed_again(hf, tmp_path, counted, text):
    method, shared = hf("3-21g"), SharedPoints(tmp_path)
    energy_hartree = shared.point(WATER, RELAXED_WATER, method).energy_hartree
    (file,) = tmp_path.iterdir()
    file.write_text(text, encoding="utf-8")
    assert shared.point(WATER, RELAXED_WATER, method).energy_hartree == pytest.approx(energy_hartree, abs=1e-9)
    assert len(counted) == 2
    assert json.loads(file.read_text(encoding="utf-8"))["energy_hartree"] == pytest.approx(energy_hartree, abs=1e-9)


def test_what_another_complex_left_changes_no_binding_energy(hf, tmp_path, counted):
    wanted, every = complex_of([WATER, SODIUM], Na=1, water=1)
    wanted = wanted.model_copy(update={"solvent": 7.1})
    water = np.array([[0, 0, 2.25], [0, 0.757, 2.85], [0, -0.757, 2.85]])
    parts, method = parts_of(every, Na=[[0, 0, 0]], water=RELAXED_WATER), hf("3-21g")
    cluster, x = cluster_of(wanted, every), np.concatenate([[[0, 0, 0]], water])
    found = []
    for folder in (None, tmp_path, tmp_path):
        counted.clear()
        ledger = Ledger({}, lambda _: None, SharedPoints(folder))
        vacuum = binding_energy(cluster, parts, x, method, ledger)
        wet = binding_in_solvent(wanted.solvent, cluster, parts, x, method, ledger, vacuum["counterpoise_ev"])
        found.append((len(counted), vacuum["binding_ev"], vacuum["deformation_ev"], wet["binding_ev"]))
    assert [numbers[0] for numbers in found] == [4, 4, 0]  # both parts, in vacuum and in the continuum
    for numbers in found[1:]:
        assert numbers[1:] == pytest.approx(found[0][1:], abs=1e-6)
