"""Sampling of the pressure: the stress by sums over pairs, going on after a kill, and a liquid of known viscosity."""

from __future__ import annotations

import dataclasses

import numpy as np
import openmm
import pytest
from dynamics_helpers import dynamics, run, small_box, write_box
from openmm import unit

from electroscreen.analysis.viscosity import Pressure, viscosity
from electroscreen.dynamics.pressure import (
    NoPressureError,
    Sampling,
    pressure_context,
    sample_pressure,
    shear_components,
    stress_bar,
)
from electroscreen.dynamics.protocol import Phase
from electroscreen.stopping import StoppedError

PHASE = Phase("production", "NVT", "Nose-Hoover", 1.0, 2.0)
REFERENCE = openmm.Platform.getPlatformByName("Reference")
BAR_NM3 = 16.6053907  # bar in kJ/mol/nm³


def test_stress_is_the_sum_over_molecules_and_pairs():
    """A rigid dimer and two atoms: momenta of the molecules, and forces between them times their centres' distance."""
    generator = np.random.default_rng(2)
    positions = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 1.12], [1.35, 1.1, 0.9], [0.8, 1.3, 1.3]])
    masses, molecules = np.array([14.0, 16.0, 40.0, 40.0]), [[0, 1], [2], [3]]
    edge, sigma, epsilon = 4.0, 0.33, 2.0
    system, force = openmm.System(), openmm.NonbondedForce()
    system.setDefaultPeriodicBoxVectors(*edge * np.eye(3))
    for mass in masses:
        system.addParticle(mass)
        force.addParticle(0, sigma, epsilon)
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(1.9)
    force.setUseDispersionCorrection(False)
    force.addException(0, 1, 0, 1, 0)
    system.addConstraint(0, 1, 0.12)
    system.addForce(force)
    context, barostat = pressure_context(system, PHASE, 300.0, 1, REFERENCE, {})
    assert system.getNumForces() == 1  # the barostat is in a copy
    context.setPositions(positions)
    velocities = generator.normal(scale=0.5, size=(4, 3))
    context.setVelocities(velocities)

    centre = [positions[of].mean(axis=0) for of in molecules]
    expected = np.zeros((3, 3))
    for of in molecules:
        momentum = masses[of] @ velocities[of]
        expected += np.outer(momentum, momentum) / masses[of].sum()
    for a, first in enumerate(molecules):
        for b in range(a):
            for i in first:
                for j in molecules[b]:
                    apart = positions[i] - positions[j]
                    r = np.linalg.norm(apart)
                    pull = 24 * epsilon * (2 * (sigma / r) ** 12 - (sigma / r) ** 6) / r**2 * apart
                    expected += np.outer(centre[a] - centre[b], pull)
    expected *= -BAR_NM3 / edge**3  # tension is positive
    found = stress_bar(context, barostat)
    # That of molecules is not symmetric; OpenMM pushes the force along z, y, or x with the distance along the other.
    off = [expected[1, 0], expected[2, 0], expected[2, 1]]
    assert abs(expected[1, 2] - expected[2, 1]) > 0.05
    np.testing.assert_allclose(found, [*np.diag(expected), *off], rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    state = context.getState(positions=True)
    np.testing.assert_array_equal(state.getPositions(asNumpy=True).value_in_unit(unit.nanometer), positions)


def test_the_five_components_fluctuate_alike_whichever_way_the_box_is_turned():
    generator = np.random.default_rng(3)
    parts = generator.normal(size=(40_000, 3, 3))
    symmetric = parts + parts.swapaxes(1, 2)  # diagonal 2, off it √2: isotropic
    xx, yy, zz = np.einsum("nii->in", symmetric)
    stress = np.array([xx, yy, zz, symmetric[:, 0, 1], symmetric[:, 0, 2], symmetric[:, 1, 2]])
    np.testing.assert_allclose(np.cov(shear_components(stress)), 2 * np.eye(5), atol=0.08)


@pytest.fixture
def liquid(tmp_path):
    """A context of some argon and nitrogen, and a state to start from."""
    write_box(tmp_path)
    system = openmm.XmlSerializer.deserialize((tmp_path / "system.xml").read_text())
    context, barostat = pressure_context(system, PHASE, 150.0, 1, REFERENCE, {})
    positions = openmm.app.PDBFile(str(tmp_path / "packed.pdb")).getPositions()
    context.setPositions(positions)
    openmm.LocalEnergyMinimizer.minimize(context, 10)
    context.setVelocitiesToTemperature(150.0, 1)
    return context, barostat, context.getState(positions=True, velocities=True), tmp_path / "saved.npz"


def test_sampling_goes_on_where_it_was_stopped(liquid, monkeypatch):
    context, barostat, start, saved = liquid
    sampling = Sampling(PHASE, 0.08, 5, 0.02)
    assert (sampling.samples, sampling.every_ps) == (8, 0.01)
    whole = sample_pressure(context, barostat, sampling, start, saved, "a", "box")
    assert whole.shape == (5, 8)
    assert whole.std() > 1
    saved.unlink()

    def stop():
        raise StoppedError

    monkeypatch.setattr("electroscreen.dynamics.pressure.checkpoint_reached", stop)
    with pytest.raises(StoppedError):
        sample_pressure(context, barostat, sampling, start, saved, "a", "box")
    monkeypatch.undo()
    with np.load(saved) as file:
        np.testing.assert_allclose(file["shear_bar"], whole[:, :2], rtol=1e-3, atol=0.1)
    steps = context.getStepCount()
    longer = sample_pressure(context, barostat, dataclasses.replace(sampling, length_ps=0.1), start, saved, "a", "box")
    assert longer.shape == (5, 10)
    assert context.getStepCount() - steps == 8 * 5
    np.testing.assert_allclose(longer[:, :2], whole[:, :2], rtol=1e-3, atol=0.1)


def test_what_another_run_saved_or_a_disk_has_torn_is_not_used(liquid, capsys):
    context, barostat, start, saved = liquid
    sampling = Sampling(PHASE, 0.03, 5, 0.02)
    first = sample_pressure(context, barostat, sampling, start, saved, "a", "box")
    again = sample_pressure(context, barostat, sampling, start, saved, "b", "box")
    np.testing.assert_allclose(again, first, rtol=1e-2, atol=1)
    steps = context.getStepCount()
    saved.write_bytes(saved.read_bytes()[:500])
    sample_pressure(context, barostat, sampling, start, saved, "b", "box")
    assert context.getStepCount() - steps == 15
    assert "are damaged" in capsys.readouterr().err


def test_a_stress_that_is_not_finite_is_told():
    class Torn:
        def computeStressTensor(self, context, kinetic):  # noqa: N802
            return [np.nan] * 6 * unit.bar

    with pytest.raises(NoPressureError, match="no longer finite"):
        stress_bar(None, Torn())
    with pytest.raises(NoPressureError, match=r"OpenMM 8\.6"):
        stress_bar(None, object())


def test_run_samples_the_pressure_after_production_and_goes_on_without_doing_it_again(tmp_path):
    folder = small_box(tmp_path / "replica-1")
    asked = dynamics(equilibrate_npt_ps=4, production_ps=2, viscosity_ps=0.4, pressure_every_fs=20)
    assert run(folder, asked)["pressure"] == {"samples": 20, "every_ps": 0.02, "verdict": "ok"}
    with np.load(folder / "pressure.npz") as file:
        first = file["shear_bar"]
    frames = (folder / "trajectory.xtc").read_bytes()
    run(folder, asked.model_copy(update={"viscosity_ps": 0.6}))
    with np.load(folder / "pressure.npz") as file:
        assert file["shear_bar"].shape == (5, 30)
        np.testing.assert_array_equal(file["shear_bar"][:, :20], first)
    assert (folder / "trajectory.xtc").read_bytes() == frames


@pytest.mark.slow
def test_lennard_jones_near_its_triple_point_has_the_viscosity_of_the_literature():
    """ρ* 0.8442, T* 0.722, cut at 2.5 σ: η* 3.2 to 3.3 (Meier, Laesecke, Kabelac, J. Chem. Phys. 2004, 121, 3671)."""
    sigma_nm, epsilon, mass, cells = 0.34, 0.99607, 39.948, 4  # argon: 119.8 K
    edge = sigma_nm * (4 * cells**3 / 0.8442) ** (1 / 3)
    corners = np.stack(np.meshgrid(*3 * [np.arange(cells)], indexing="ij"), axis=-1).reshape(-1, 1, 3)
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    system, force = openmm.System(), openmm.NonbondedForce()
    system.setDefaultPeriodicBoxVectors(*edge * np.eye(3))
    for _ in range(4 * cells**3):
        system.addParticle(mass)
        force.addParticle(0, sigma_nm, epsilon)
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(2.5 * sigma_nm)
    force.setUseSwitchingFunction(True)
    force.setSwitchingDistance(2.3 * sigma_nm)
    system.addForce(force)
    temperature_k = 0.722 * 119.8
    phase = Phase("production", "NVT", "Nose-Hoover", 1.0, 10.0)
    platform = openmm.Platform.getPlatformByName("CPU")
    context, barostat = pressure_context(system, phase, temperature_k, 1, platform, {"Threads": "1"})
    context.setPositions(edge / cells * (corners + basis).reshape(-1, 3))
    context.setVelocitiesToTemperature(temperature_k, 1)
    context.getIntegrator().step(3000)
    shear = []
    for _ in range(4000):
        context.getIntegrator().step(6)
        shear.append(shear_components(stress_bar(context, barostat)))
    row = viscosity([Pressure(np.transpose(shear), 0.06, (10 * edge) ** 3)], temperature_k)
    unit_mpa_s = 1e3 * np.sqrt(mass * 1.66054e-27 * epsilon * 1e3 / 6.02214e23) / (sigma_nm * 1e-9) ** 2
    print(row["value"] / unit_mpa_s, row["low"] / unit_mpa_s, row["high"] / unit_mpa_s)
    assert row["low"] < 3.3 * unit_mpa_s
    assert row["high"] > 3.1 * unit_mpa_s
    assert row["high"] < 2 * row["low"]
