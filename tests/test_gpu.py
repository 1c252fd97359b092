"""The GPU's way into an SCF, with a stand-in for the package: no machine that runs these tests need have a GPU."""

from __future__ import annotations

import numpy as np
import pytest
from pyscf.df import DF
from pyscf.dft.numint import NumInt
from quantum_helpers import changed

from electroscreen.quantum import gpu
from electroscreen.quantum.fitting import OrbitalFitting
from electroscreen.quantum.integration import PatchwiseIntegration
from electroscreen.quantum.scf import build_mean_field, build_molecule, converge


@pytest.fixture
def lithium_fluoride(quick):
    """An unconverged mean field in a small basis, made anew at each call."""

    def fresh():
        level = changed(quick, {"functional": "hf", "basis": "3-21g", "density_fitting": False}).level
        return build_mean_field(build_molecule(["Li", "F"], [[0, 0, 0], [0, 0, 1.56]], 0, 1, level), level, 1, 1000)

    return fresh


def cycles_of(mean_field) -> list[int]:
    """Counts the CPU's cycles in a list of one."""
    count = [0]

    def one_more(_) -> None:
        count[0] += 1

    mean_field.callback = one_more
    return count


def test_what_the_gpu_converged_is_confirmed_in_a_cycle_or_two(lithium_fluoride, monkeypatch):
    plain = lithium_fluoride()
    alone = cycles_of(plain)
    energy = converge(plain, 50, stability=False).mean_field.e_tot

    def to_gpu():
        fast = lithium_fluoride()
        fast.to_cpu = lambda: fast
        return fast

    monkeypatch.setattr(gpu, "gpu_at_hand", lambda: True)
    helped = lithium_fluoride()
    helped.to_gpu, count = to_gpu, cycles_of(helped)
    assert converge(helped, 50, stability=False).mean_field.e_tot == pytest.approx(energy, abs=1e-8)
    assert count[0] <= 2 < alone[0]


@pytest.mark.parametrize("fault", [RuntimeError("out of memory"), NotImplementedError("ECP")])
def test_a_gpu_that_fails_leaves_it_to_the_cpu_and_says_so(lithium_fluoride, monkeypatch, capsys, fault):
    def failing():
        raise fault

    monkeypatch.setattr(gpu, "gpu_at_hand", lambda: True)
    mean_field = lithium_fluoride()
    mean_field.to_gpu = failing
    solved = converge(mean_field, 50, stability=False)
    assert solved.mean_field.converged and np.isfinite(solved.mean_field.e_tot)
    assert f"GPU not used for this SCF: {type(fault).__name__}: {fault}" in capsys.readouterr().err


def test_a_state_that_only_the_gpu_believes_in_does_not_count(lithium_fluoride, monkeypatch):
    """A wrong density that is called converged: the CPU goes on from it to its own state."""
    energy = converge(lithium_fluoride(), 50, stability=False).mean_field.e_tot

    def to_gpu():
        fast = lithium_fluoride()
        fast.conv_tol, fast.to_cpu = 10.0, lambda: fast
        return fast

    monkeypatch.setattr(gpu, "gpu_at_hand", lambda: True)
    mean_field = lithium_fluoride()
    mean_field.to_gpu = to_gpu
    assert converge(mean_field, 50, stability=False).mean_field.e_tot == pytest.approx(energy, abs=1e-7)


def test_the_package_is_given_pyscfs_own_integrator_and_fitting(quick):
    molecule = build_molecule(["Li", "F"], [[0, 0, 0], [0, 0, 1.56]], 0, 1, quick.level)
    mean_field = build_mean_field(molecule, quick.level, 0, 1000)
    plain = gpu._with_its_own_parts(mean_field)
    assert type(plain._numint) is NumInt and type(plain.with_df) is DF
    assert type(mean_field._numint) is PatchwiseIntegration and type(mean_field.with_df) is OrbitalFitting
    assert plain.with_df.auxbasis == mean_field.with_df.auxbasis
