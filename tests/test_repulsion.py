"""The wall between an ion and its neighbours: GFN2-xTB draws Na+ and K+ too near, with it they stand as by DFT."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.fd import calculate_numerical_forces
from ase.io import read

from electroscreen.complexes import Cluster
from electroscreen.quantum.repulsion import FALLS_OVER, ONE_EV_AT, IonRepulsion, is_walled
from electroscreen.quantum.structures import GFN2, WALLED_GFN2, Structure, relax, xtb_atoms

CHARGES = {"Na_DOL": 1, "Na_DFOB": 0, "Na_PC": 1, "K_PC": 1}


def walled(symbols: list[str], positions) -> Atoms:
    return Atoms(symbols, positions, calculator=IonRepulsion())


@pytest.mark.parametrize(("ion", "neighbour"), [(ion, x) for ion, walls in ONE_EV_AT.items() for x in walls])
def test_the_wall_is_one_electronvolt_high_where_it_says_and_falls_as_it_says(ion, neighbour):
    distance = ONE_EV_AT[ion][neighbour]
    assert walled([ion, neighbour], [[0, 0, 0], [0, distance, 0]]).get_potential_energy() == pytest.approx(1.0)
    farther = walled([neighbour, ion], [[0, 0, 0], [0, distance + 2 * FALLS_OVER, 0]])
    assert farther.get_potential_energy() == pytest.approx(np.exp(-2))


def test_forces_are_the_slope_of_the_energy_for_two_ions_among_others():
    symbols = ["Na", "O", "F", "H", "K", "N", "C"]
    positions = np.random.default_rng(5).normal(size=(7, 3)) * 2.0
    atoms = walled(symbols, positions)
    forces = atoms.get_forces()
    scale = np.abs(forces).max()
    assert np.abs(forces - calculate_numerical_forces(atoms, 1e-5)).max() < 1e-6 * scale
    assert np.abs(forces.sum(axis=0)).max() < 1e-12 * scale
    assert not forces[[3, 6]].any()


@pytest.mark.parametrize("name", CHARGES)
def test_an_ion_stands_where_dft_puts_it(name, shipped):
    """Published geometries of B3LYP/6-31G(d,p)."""
    atoms = read(shipped / "results" / "published" / "complexes" / "complexes" / name / "geometry.xyz", format="xyz")
    symbols = atoms.get_chemical_symbols()
    pair = Cluster(name, symbols, CHARGES[name], 1, [])
    ion = next(i for i, symbol in enumerate(symbols) if is_walled([symbol]))
    oxygen = min((i for i, s in enumerate(symbols) if s == "O"), key=lambda i: atoms.get_distance(ion, i))
    nearer = {}
    for method in (GFN2, WALLED_GFN2):
        relaxed = relax(pair, Structure(name, atoms.positions), method).positions_angstrom
        nearer[method] = np.linalg.norm(relaxed[ion] - relaxed[oxygen]) - atoms.get_distance(ion, oxygen)
    assert nearer[GFN2] < -0.2
    assert abs(nearer[WALLED_GFN2]) < 0.08


def test_without_such_an_ion_a_search_is_plain_gfn2():
    water = Cluster("X", ["O", "H", "H", "Li"], 1, 1, [])
    positions = np.array([[0, 0, 0], [0.76, 0, -0.59], [-0.76, 0, -0.59], [0, 0, 1.9]])
    plain, searched = (xtb_atoms(water, positions, method).get_potential_energy() for method in (GFN2, WALLED_GFN2))
    assert searched == plain
