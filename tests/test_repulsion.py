"""The wall between an ion and its neighbours: GFN2-xTB draws Na+ and K+ too near, with it they stand as by DFT."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.fd import calculate_numerical_forces
from ase.io import read

from electroscreen.complexes import Cluster
from electroscreen.quantum.repulsion import FALLS_OVER, ONE_EV_AT, IonRepulsion, is_walled
from electroscreen.quantum.structures import GFN2, WALLED_GFN2, Structure, relax, starting_structures, xtb_atoms
from electroscreen.recipe import DRAWN_TOO_NEAR
from electroscreen.species import Species

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


HYDROGENS = [[1.03, 0, 0.35], [-0.515, 0.892, 0.35], [-0.515, -0.892, 0.35]]
ACETONITRILE = (["N", "C", "C", "H", "H", "H"], [[0, 0, 0], [0, 0, 1.15], [0, 0, 2.6], *np.add(HYDROGENS, [0, 0, 2.6])])
FLUOROMETHANE = (["F", "C", "H", "H", "H"], [[0, 0, 0], [0, 0, 1.4], *np.add(HYDROGENS, [0, 0, 1.4])])


@pytest.mark.parametrize(
    ("ion", "molecule", "dft_angstrom"),
    [
        ("Na", ACETONITRILE, 2.259),
        ("Na", FLUOROMETHANE, 2.082),
        ("K", ACETONITRILE, 2.676),
        ("K", FLUOROMETHANE, 2.471),
    ],
    ids=["Na to N", "Na to F", "K to N", "K to F"],
)
def test_an_ion_stands_beside_nitrogen_and_fluorine_where_dft_puts_it(ion, molecule, dft_angstrom):
    """Minima of the pairs by B3LYP/6-31G(d,p), from this project's own optimiser."""
    symbols, positions = [ion, *molecule[0]], np.vstack([[0, 0, -2.4], molecule[1]])
    pair = Cluster("X", symbols, 1, 1, [])

    def distance(method: str) -> float:
        found = relax(pair, Structure("pair", positions), method)
        assert found.energy_gfn2_ev is not None
        return np.linalg.norm(found.positions_angstrom[0] - found.positions_angstrom[1])

    assert distance(GFN2) < dft_angstrom - 0.09
    assert distance(WALLED_GFN2) == pytest.approx(dft_angstrom, abs=0.08)


def test_a_salt_is_searched_with_its_ions_at_their_distance():
    """Sodium fluoride, 1.926 Å by experiment (Huber and Herzberg); GFN2-xTB has 1.75."""
    salt = Species(name="NaF", title="sodium fluoride", role="salt", smiles="[Na+].[F-]")
    (lowest,) = starting_structures(salt, 1, 2)
    assert np.linalg.norm(np.subtract(*lowest.positions_angstrom)) == pytest.approx(1.926, abs=0.06)


def test_recipes_tell_of_the_ions_that_searches_treat_so():
    assert ONE_EV_AT.keys() == DRAWN_TOO_NEAR


def test_a_sum_of_both_asks_xtb_once_a_geometry(monkeypatch):
    from tblite.ase import TBLite

    pair, asked = Cluster("X", ["Na", "F"], 0, 1, []), []
    true_calculate = TBLite.calculate
    monkeypatch.setattr(TBLite, "calculate", lambda self, *a, **k: (asked.append(1), true_calculate(self, *a, **k)))
    atoms = xtb_atoms(pair, np.array([[0, 0, 0], [0, 0, 2.0]]), WALLED_GFN2)
    for _ in range(2):
        atoms.get_forces()
        atoms.get_potential_energy()
    assert len(asked) == 1


def test_without_such_an_ion_a_search_is_plain_gfn2():
    water = Cluster("X", ["O", "H", "H", "Li"], 1, 1, [])
    positions = np.array([[0, 0, 0], [0.76, 0, -0.59], [-0.76, 0, -0.59], [0, 0, 1.9]])
    plain, searched = (xtb_atoms(water, positions, method).get_potential_energy() for method in (GFN2, WALLED_GFN2))
    assert searched == plain
