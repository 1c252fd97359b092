"""Starting structures: the minima that chemistry knows, each once, and Hessians that are second derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from quantum_helpers import species
from scipy.spatial.distance import pdist, squareform

from electroscreen.quantum import structures
from electroscreen.quantum.optimise import _rigid_motions, _usable_guess
from electroscreen.quantum.structures import (
    GFN1,
    GFN2,
    WALLED_GFN2,
    Structure,
    _bonds_kept,
    _placements,
    _same,
    hessian_guess,
    relax,
    starting_structures,
    xtb_atoms,
    xtb_hessian,
)
from electroscreen.species import molecule, read_species

WATER = species("water", "O")


def distances(structure: Structure) -> np.ndarray:
    """All distances, (N, N), in Å."""
    return squareform(pdist(structure.positions_angstrom))


@pytest.fixture(scope="module")
def water() -> Structure:
    """Its GFN2-xTB minimum."""
    (found,) = starting_structures(WATER, conformers=3, ion_sites=1)
    return found


@pytest.fixture(scope="module")
def butane() -> list[Structure]:
    """Minima of n-butane."""
    return starting_structures(species("butane", "CCCC"), conformers=10, ion_sites=1)


def torsion_degree(x: np.ndarray) -> float:
    """Of the first four atoms, without its sign."""
    first, axis, last = x[1] - x[0], x[2] - x[1], x[3] - x[2]
    a, b = np.cross(first, axis), np.cross(axis, last)
    return float(np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))))


def test_butane_is_anti_and_gauche_and_nothing_else(butane):
    """Of ten conformers; both gauche forms are mirror images and so one. Gauche lies 0.03 eV higher (0.6 kcal/mol)."""
    assert [torsion_degree(s.positions_angstrom) for s in butane] == pytest.approx([180, 66], abs=4)
    assert butane[1].energy_gfn2_ev - butane[0].energy_gfn2_ev == pytest.approx(0.03, abs=0.02)


def test_mirror_images_and_renumbered_atoms_are_one_structure(butane):
    anti, gauche = butane
    mirrored = Structure("mirror", gauche.positions_angstrom * [1, 1, -1], gauche.energy_gfn2_ev)
    renumbered = Structure("renumbered", gauche.positions_angstrom[::-1], gauche.energy_gfn2_ev)
    assert _same(gauche, mirrored)
    assert _same(gauche, renumbered)
    assert not _same(anti, gauche)
    assert not _same(gauche, Structure("anti at the same energy", anti.positions_angstrom, gauche.energy_gfn2_ev))


def test_lithium_fluoride_is_a_pair():
    found = starting_structures(species("LiF", "[Li+].[F-]"), conformers=1, ion_sites=5)
    assert len(found) == 1
    assert distances(found[0])[0, 1] == pytest.approx(1.56, abs=0.05)  # experiment: 1.564 Å (Huber and Herzberg, 1979)


def test_lithium_carbonate_is_planar_with_both_lithiums_between_two_oxygens(shipped):
    found = starting_structures(read_species(shipped / "molecules" / "species" / "Li2CO3.yaml"), 6, 8)[0]
    x = found.positions_angstrom
    assert np.linalg.svd(x - x.mean(axis=0))[1][2] < 0.05
    r = distances(found)
    oxygens = [2, 4, 5]
    for lithium in (0, 1):
        assert (r[lithium, oxygens] < 2.0).sum() == 2
    # C2v: one oxygen touches both lithiums, its bond to carbon is the long one; the two halves are alike.
    (shared,) = [o for o in oxygens if (r[[0, 1], o] < 2.0).all()]
    outer = [o for o in oxygens if o != shared]
    assert r[3, shared] > r[3, outer[0]] + 0.05
    assert r[3, outer[0]] == pytest.approx(r[3, outer[1]], abs=0.01)
    assert r[0, shared] == pytest.approx(r[1, shared], abs=0.01)


def test_sodium_holds_a_formate_by_both_oxygens():
    """Found from placements all around the anion, so not by luck of the first."""
    found = starting_structures(species("NaHCOO", "[Na+].[O-]C=O"), conformers=6, ion_sites=8)
    r = distances(found[0])
    assert r[0, 1] == pytest.approx(r[0, 3], abs=0.02)
    assert r[0, 1] < 2.4
    assert r[0, 4] > 3.0


def test_placements_are_everywhere_touch_and_do_not_overlap():
    salt = species("NaPF6", "[Na+].F[P-](F)(F)(F)(F)F")
    from rdkit import Chem

    parts = [np.array(p) for p in Chem.GetMolFrags(molecule(salt.smiles))]
    placed = _placements(salt, sorted(parts, key=len, reverse=True), 40)
    directions = []
    for structure in placed:
        r = distances(structure)
        assert 1.8 < r[0, 1:].min() < 4.5
        bond = structure.positions_angstrom[0] - structure.positions_angstrom[2]
        frame = structure.positions_angstrom[[1, 3, 4]] - structure.positions_angstrom[2]
        directions.append(np.linalg.solve(frame.T, bond))
    directions = np.array(directions) / np.linalg.norm(directions, axis=1, keepdims=True)
    assert np.linalg.norm(directions.mean(axis=0)) < 0.5


def test_all_found_keep_their_bonds_and_a_torn_one_is_noticed():
    salt = species("NaHCOO", "[Na+].[O-]C=O")
    found = starting_structures(salt, conformers=2, ion_sites=3)
    for structure in found:
        assert _bonds_kept(salt, structure.positions_angstrom)
    torn = found[0].positions_angstrom.copy()
    torn[1] += 1.0 * (torn[1] - torn[2]) / np.linalg.norm(torn[1] - torn[2])
    assert not _bonds_kept(salt, torn)


def test_energies_rise_and_are_minima(butane):
    energies = [s.energy_gfn2_ev for s in butane]
    assert energies == sorted(energies)
    for structure in butane:
        forces = xtb_atoms(species("butane", "CCCC"), structure.positions_angstrom).get_forces()
        assert np.linalg.norm(forces, axis=1).max() < 0.011


def test_the_same_structures_every_time(butane):
    again = starting_structures(species("butane", "CCCC"), conformers=10, ion_sites=1)
    assert [s.origin for s in again] == [s.origin for s in butane]
    for a, b in zip(again, butane, strict=True):
        assert a.positions_angstrom == pytest.approx(b.positions_angstrom, abs=1e-6)


def test_a_given_start_takes_the_place_of_its_minimum():
    """A shrunken LiF relaxes to the one minimum there is; the list keeps the file's geometry, untouched."""
    start = {"level": "by hand", "xyz": "Li 0 0 0\nF 0 0 1.50"}
    (found,) = starting_structures(species("LiF", "[Li+].[F-]", start=start), conformers=1, ion_sites=3)
    assert found.origin == "species file (by hand)"
    assert found.positions_angstrom.tolist() == [[0, 0, 0], [0, 0, 1.5]]
    (free,) = starting_structures(species("LiF", "[Li+].[F-]"), conformers=1, ion_sites=3)
    between = [np.linalg.norm(np.subtract(*x)) for x in (found.minimum_angstrom, free.positions_angstrom)]
    assert free.minimum_angstrom is None and between[0] == pytest.approx(between[1], abs=1e-3)


def test_a_given_start_leaves_the_other_minima_alone(butane):
    rows = zip(species("b", "CCCC").symbols, butane[1].positions_angstrom, strict=True)
    start = {"level": "GFN2", "xyz": "\n".join(f"{s} {x:.6f} {y:.6f} {z:.6f}" for s, (x, y, z) in rows)}
    found = starting_structures(species("butane", "CCCC", start=start), conformers=10, ion_sites=1)
    assert [s.origin.startswith("species file") for s in found] == [False, True]


def test_a_cage_that_has_only_a_start(shipped):
    cage = read_species(shipped / "molecules" / "species" / "o-carborane.yaml")
    (found,) = starting_structures(cage, conformers=3, ion_sites=3)
    assert found.origin.startswith("species file (B3LYP")
    assert distances(found)[0, 1] == pytest.approx(1.625, abs=0.02)  # C-C bond in the file


def test_coordinates_for_a_smiles():
    """xyz species are relaxed from what is given: a bent CO2 becomes straight."""
    bent = species("CO2", xyz="O -1.1 0.3 0\nC 0 0 0\nO 1.1 0.3 0")
    (found,) = starting_structures(bent, conformers=1, ion_sites=1)
    r = distances(found)
    assert r[0, 2] == pytest.approx(r[0, 1] + r[1, 2], abs=1e-2)
    assert found.origin == "xyz"


def test_an_atom_needs_no_search():
    (found,) = starting_structures(species("Na", "[Na+]", charge=1), conformers=3, ion_sites=3)
    assert found.positions_angstrom.tolist() == [[0, 0, 0]]


def test_charge_and_spin_reach_xtb(water):
    """Water loses an electron for 12.6 eV and has no low triplet (experiment: above 7 eV)."""

    def energy(charge: int, multiplicity: int) -> float:
        one = species("water", xyz="O 0 0 0\nH 0 0.76 0.6\nH 0 -0.76 0.6", charge=charge, multiplicity=multiplicity)
        return xtb_atoms(one, water.positions_angstrom).get_potential_energy()

    assert energy(0, 3) > energy(0, 1) + 5
    assert energy(1, 2) > energy(0, 1) + 10


def test_an_unknown_minimum_is_no_minimum(monkeypatch):
    """Two steps are too few to relax a stretched water: no energy, so that nobody takes it for a minimum."""
    from electroscreen.quantum import structures

    monkeypatch.setattr(structures, "TIGHT_STEPS", 2)
    monkeypatch.setattr(structures, "TIGHT_STEPS_PER_ATOM", 0)
    stretched = Structure("x", np.array([[0, 0, 0], [0, 0, 1.4], [0, 1.4, 0]]))
    assert relax(WATER, stretched).energy_gfn2_ev is None


def test_nothing_that_keeps_its_bonds_is_said(monkeypatch):
    from electroscreen.quantum import structures

    monkeypatch.setattr(structures, "_bonds_kept", lambda *_: False)
    with pytest.raises(ValueError, match="no starting structure keeps the bonds that the species file draws"):
        starting_structures(WATER, conformers=1, ion_sites=1)


def test_hessian_of_a_minimum_is_symmetric_with_six_zeros(water):
    hessian = xtb_hessian(WATER, water.positions_angstrom)
    assert hessian == pytest.approx(hessian.T, abs=1e-12)
    values = np.linalg.eigvalsh(hessian)
    assert np.abs(values[:6]).max() < 1e-3
    assert values[6:].min() > 0.1


def test_hessian_is_the_second_derivative_of_the_energy_in_hartree_and_bohr(water):
    from ase.units import Bohr, Hartree

    hessian = xtb_hessian(WATER, water.positions_angstrom)
    direction = np.random.default_rng(1).normal(size=9)
    direction /= np.linalg.norm(direction)
    step_bohr = 0.02

    def energy(k: int) -> float:
        moved = water.positions_angstrom + k * step_bohr * Bohr * direction.reshape(3, 3)
        return xtb_atoms(WATER, moved).get_potential_energy() / Hartree

    second = (-energy(2) + 16 * energy(1) - 30 * energy(0) + 16 * energy(-1) - energy(-2)) / (12 * step_bohr**2)
    assert direction @ hessian @ direction == pytest.approx(second, rel=2e-3)


def test_frequencies_of_water(water):
    """GFN2-xTB's own: stretches near 3650 cm⁻¹ and bend near 1540 cm⁻¹ (experiment, harmonic: 3943, 3832, 1649)."""
    from ase.data import atomic_masses, atomic_numbers

    masses = np.repeat([atomic_masses[atomic_numbers[s]] for s in WATER.symbols], 3) * 1822.888486
    hessian = xtb_hessian(WATER, water.positions_angstrom) / np.sqrt(np.outer(masses, masses))
    bend, symmetric, asymmetric = np.sqrt(np.linalg.eigvalsh(hessian)[6:]) * 219474.631
    assert bend == pytest.approx(1600, abs=120)
    assert symmetric == pytest.approx(3700, abs=200)
    assert asymmetric > symmetric


@pytest.mark.parametrize(
    ("x", "count"), [([[0, 0, 0], [0, 0, 1.0], [0, 0, 2.3]], 5), ([[0, 0, 0], [0, 0, 1.0], [0, 0.9, 2.3]], 6)]
)
def test_a_straight_molecule_has_five_rigid_motions(x, count):
    motions = _rigid_motions(np.array(x))
    assert motions.shape == (9, count)
    assert motions.T @ motions == pytest.approx(np.eye(count), abs=1e-12)
    turned = np.cross([1.0, 0, 0], np.array(x)).ravel()
    assert motions @ (motions.T @ turned) == pytest.approx(turned, abs=1e-12)


def test_a_guess_of_the_hessian_keeps_what_is_stiff_and_has_no_zero(water):
    """geomeTRIC throws a guess away that is not positive definite."""
    hessian = xtb_hessian(WATER, water.positions_angstrom)
    stiff, modes = np.linalg.eigh(hessian)
    guess = _usable_guess(hessian, water.positions_angstrom)
    assert guess == pytest.approx(guess.T)
    assert np.linalg.eigvalsh(guess)[:6] == pytest.approx(np.full(6, 0.05), abs=1e-9)
    for value, mode in zip(stiff[6:], modes.T[6:], strict=True):
        assert mode @ guess @ mode == pytest.approx(value, rel=1e-3)
    saddle = hessian - 0.6 * np.outer(modes[:, 6], modes[:, 6])
    assert np.linalg.eigvalsh(saddle).min() < -0.1
    assert np.linalg.eigvalsh(_usable_guess(saddle, water.positions_angstrom)).min() > 0.00099


def test_a_salt_that_cannot_be_drawn_in_space_is_said(monkeypatch):
    from electroscreen.quantum import structures

    monkeypatch.setattr(structures, "embedded_conformers", lambda *_: [])
    with pytest.raises(ValueError, match="RDKit"):
        starting_structures(species("LiF", "[Li+].[F-]"), conformers=1, ion_sites=2)


def test_a_hessian_to_start_with_by_the_method_that_converges(water, monkeypatch):
    """GFN2-xTB's, ions kept away; where that fails GFN1-xTB's, near it; where both fail none, and no failure."""
    from ase.calculators.calculator import CalculationFailed

    true_hessian, failing = structures.xtb_hessian, {WALLED_GFN2}

    def fails_for_some(system, positions, step_angstrom=0.005, method=GFN2):
        if method in failing:
            raise CalculationFailed("SCF not converged in 400 cycles")
        return true_hessian(system, positions, step_angstrom, method)

    first = hessian_guess(WATER, water.positions_angstrom)
    monkeypatch.setattr(structures, "xtb_hessian", fails_for_some)
    second = hessian_guess(WATER, water.positions_angstrom)
    assert 0.02 < np.abs(second - first).max() < 0.2
    failing.add(GFN1)
    assert hessian_guess(WATER, water.positions_angstrom) is None
