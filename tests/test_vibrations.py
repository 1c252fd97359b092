"""Hessians: frequencies that slopes of forces give too, Gibbs energies of another program, minima told from saddles."""

from __future__ import annotations

import numpy as np
import pytest
from quantum_helpers import changed, species

from electroscreen.quantum.optimise import Surface
from electroscreen.quantum.vibrations import Vibrations, _by_differences, dft_hessian, symmetry_number, vibrations

BOHR = 0.529177210903
CM_EV = 1.239841984e-4  # h c in eV cm
WATER, FLUORIDE = species("water", "O"), species("HF", "F")
# Minima of B3LYP/6-31G(d) (Gaussian 16) and, of hydrogen fluoride, of a scan at the quick level.
WATER_X = np.array([[0, 0, 0], [0, 0.761560, -0.598720], [0, -0.761560, -0.598720]])


def never(rows: list) -> None:
    """An analytic Hessian has no rows to keep."""
    raise AssertionError("by differences")


def analytic(surface: Surface, x: np.ndarray) -> Vibrations:
    return vibrations(surface.molecule(x), dft_hessian(surface, x, [], never))


@pytest.fixture(scope="module")
def water(quick) -> tuple[Surface, np.ndarray, Vibrations]:
    surface = Surface(WATER, changed(quick, {"basis": "6-31g(d)"}), 3)
    hessian = dft_hessian(surface, WATER_X, [], never)
    return surface, hessian, vibrations(surface.molecule(WATER_X), hessian)


def test_water_vibrates_as_gaussian_has_it(water):
    """B3LYP/6-31G(d): 1713, 3727, 3849 cm-1 (Computational Chemistry Comparison and Benchmark Database, NIST)."""
    assert water[2].frequencies_per_cm == pytest.approx([1713, 3727, 3849], abs=6)


def test_differences_of_forces_give_the_same_frequencies(water):
    surface, _, found = water
    by_forces = vibrations(surface.molecule(WATER_X), _by_differences(surface, WATER_X, [], lambda rows: None))
    assert by_forces.frequencies_per_cm == pytest.approx(found.frequencies_per_cm, abs=6)


def test_differences_go_on_where_they_were_stopped(quick):
    surface = Surface(FLUORIDE, changed(quick, {"functional": "hf", "basis": "sto-3g"}), 1)
    x, kept = np.array([[0, 0, 0], [0, 0, 0.95]]), []
    whole = _by_differences(surface, x, [], lambda rows: kept.append(list(rows)))
    assert [len(rows) for rows in kept] == [1, 2, 3, 4, 5, 6]
    again = []
    assert _by_differences(surface, x, kept[3], lambda rows: again.append(1)) == pytest.approx(whole, abs=1e-4)
    assert len(again) == 2


@pytest.mark.parametrize(
    ("one", "x", "masses"),
    [
        (species("OH", "[OH]", multiplicity=2), [[0, 0, 0], [0, 0, 0.983]], (15.999, 1.008)),
        pytest.param(
            species("SnO", "[Sn]=O"), [[0, 0, 0], [0, 0, 1.82]], (118.71, 15.999), marks=pytest.mark.slow, id="SnO"
        ),
    ],
)
def test_one_bond_is_a_spring(quick, one, x, masses):
    """ω = sqrt(k/μ), k by differences of energies: open shell; core potential with Cartesian functions and fitting."""
    surface, x = Surface(one, quick, 3), np.array(x)
    step, pull = 0.02, np.array([[0, 0, 0], [0, 0, BOHR]])
    energies = [surface.solve(x + k * step * pull).mean_field.e_tot for k in (-2, -1, 0, 1, 2)]
    spring = np.array([-1, 16, -30, 16, -1]) @ energies / (12 * step**2)
    reduced = masses[0] * masses[1] / sum(masses) * 1822.888486
    wavenumber = np.sqrt(spring / reduced) * 219474.63
    assert analytic(surface, x).frequencies_per_cm == pytest.approx([wavenumber], rel=0.01)


def test_zero_point_energy_is_half_the_sum(water):
    assert water[2].zero_point_energy_ev == pytest.approx(water[2].frequencies_per_cm.sum() / 2 * CM_EV, rel=1e-6)


def ideal_gas(surface: Surface, x, wavenumbers, geometry: str, symmetry: int, spin: float) -> float:
    """Gibbs energy (eV) by ASE, of an electronic energy of zero."""
    from ase import Atoms
    from ase.thermochemistry import IdealGasThermo

    gas = IdealGasThermo(
        vib_energies=np.asarray(wavenumbers) * CM_EV,
        geometry=geometry,
        atoms=Atoms(surface.species.symbols, x),
        symmetrynumber=symmetry,
        spin=spin,
    )
    return gas.get_gibbs_energy(298.15, 101325.0, verbose=False)


def test_gibbs_correction_is_that_of_an_ideal_gas(water, quick):
    """ASE's IdealGasThermo: bent, linear, open shell, atom."""
    surface, _, found = water
    assert found.symmetry_number == 2
    expected = ideal_gas(surface, WATER_X, found.frequencies_per_cm, "nonlinear", 2, 0)
    assert found.gibbs_correction_ev == pytest.approx(expected, abs=5e-4)
    x = np.array([[0, 0, 0], [0, 0, 0.983]])
    surface = Surface(species("OH", "[OH]", multiplicity=2), quick, 1)
    found = analytic(surface, x)
    expected = ideal_gas(surface, x, found.frequencies_per_cm, "linear", 1, 0.5)
    assert found.gibbs_correction_ev == pytest.approx(expected, abs=5e-4)
    surface = Surface(species("Ne", "[Ne]"), quick, 1)
    found = vibrations(surface.molecule(np.zeros((1, 3))), np.zeros((3, 3)))
    expected = ideal_gas(surface, [[0, 0, 0]], [], "monatomic", 1, 0)
    assert found.gibbs_correction_ev == pytest.approx(expected, abs=5e-4)


def test_a_molecule_all_but_straight_is_linear(quick):
    """An optimised LiOH of 179.1 degrees has two bends, and the entropy of a linear rotor."""
    surface = Surface(species("LiOH", "[Li+].[OH-]"), quick, 1)
    straight, bent = (np.array([[0, 0, 0], [0, off, 1.585], [0, 0, 2.538]]) for off in (0.0, 0.01))
    expected, found = analytic(surface, straight), analytic(surface, bent)
    assert found.frequencies_per_cm.size == 4
    assert found.frequencies_per_cm == pytest.approx(expected.frequencies_per_cm, abs=5)
    assert found.gibbs_correction_ev == pytest.approx(expected.gibbs_correction_ev, abs=1e-3)


def test_soft_modes_count_as_100_per_cm(water):
    surface, hessian, _ = water
    soft = vibrations(surface.molecule(WATER_X), hessian * 1e-6)
    assert soft.frequencies_per_cm == pytest.approx(water[2].frequencies_per_cm * 1e-3, rel=1e-3)
    expected = ideal_gas(surface, WATER_X, [100, 100, 100], "nonlinear", 2, 0)
    assert soft.gibbs_correction_ev == pytest.approx(expected, abs=5e-4)
    assert soft.zero_point_energy_ev == pytest.approx(soft.frequencies_per_cm.sum() / 2 * CM_EV, rel=1e-6)


@pytest.mark.parametrize(
    ("smiles", "number"),
    [
        *(("O", 2), ("N", 3), ("C", 12), ("[H][H]", 2), ("F", 1), ("C=C", 4), ("CO", 1), ("C#C", 2), ("O=C=O", 2)),
        *(("c1ccccc1", 12), ("C1CC1", 6), ("CC", 6), ("O=C=S", 1), ("[Ne]", 1)),
    ],
)
def test_symmetry_numbers_of_geometries_that_are_nearly_symmetric(smiles, number):
    """Numbers of textbooks, as in Atkins and de Paula, Physical Chemistry."""
    from electroscreen.quantum.structures import starting_structures

    one = species("A", smiles)
    x = starting_structures(one, 1, 1)[0].positions_angstrom
    x = x + np.random.default_rng(1).uniform(-2e-3, 2e-3, x.shape)
    assert symmetry_number(one.symbols, x) == number


def test_an_octahedron_has_24_rotations_and_a_handed_molecule_one():
    corners = np.vstack([np.zeros((1, 3)), np.eye(3), -np.eye(3)]) * 1.56
    assert symmetry_number(["S", *6 * ["F"]], corners) == 24
    assert symmetry_number(["S", *5 * ["F"], "Cl"], corners) == 4
    twisted = np.array([[0.7, 0, 0], [-0.7, 0, 0], [0.9, 0.8, 0.5], [-0.9, 0.8, -0.5]])
    assert symmetry_number(["O", "O", "H", "H"], twisted) == 2  # C2
    assert symmetry_number(["O", "O", "H", "F"], twisted) == 1


def test_flat_ammonia_is_a_saddle_and_downhill_is_down(quick):
    surface = Surface(species("ammonia", "N"), changed(quick, {"functional": "hf", "basis": "6-31g(d)"}), 1)
    angles = np.radians([0, 120, 240])
    x = np.vstack([[0, 0, 0], 0.99 * np.column_stack([np.cos(angles), np.sin(angles), 0 * angles])])
    found = analytic(surface, x)
    assert len(found.imaginary_per_cm) == 1
    assert found.imaginary_per_cm[0] > 500
    assert found.frequencies_per_cm[0] == -found.imaginary_per_cm[0]
    pushed = found.downhill(x)
    assert np.linalg.norm(pushed - x, axis=1).max() == pytest.approx(0.2)
    flat, bent = (surface.solve(y).mean_field.e_tot for y in (x, pushed))
    assert bent < flat - 1e-3


def test_a_small_imaginary_frequency_is_noise():
    found = Vibrations(np.array([-29.0, 100.0]), np.zeros((2, 3, 3)), 0.0, 0.0, 1)
    assert found.imaginary_per_cm == []
    assert Vibrations(np.array([-31.0, 100.0]), np.zeros((2, 3, 3)), 0.0, 0.0, 1).imaginary_per_cm == [31.0]
