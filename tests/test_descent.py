"""Two ways down the energy of xTB: to the same minimum where there is one, with small forces."""

from __future__ import annotations

import numpy as np
import pytest
from ase.calculators.calculator import CalculationFailed

from electroscreen.complexes import Cluster, Complex, cluster_of
from electroscreen.project import Project
from electroscreen.quantum import descent, placement
from electroscreen.quantum.descent import descent_of, in_cartesians, in_internals
from electroscreen.quantum.structures import Structure, embedded_conformers, minima, relax, xtb_atoms
from electroscreen.species import Species, parse_xyz, read_species

WATERS = "O 0 0 0; H 0.96 0 0; H -0.24 0.93 0; O 2.9 0.1 0.2; H 3.2 0.8 0.7; H 3.3 -0.7 0.5"


def cluster(text: str, charge: int = 0):
    """Atoms of GFN2-xTB from 'O 0 0 0; H ...'."""
    symbols, positions = zip(*parse_xyz(text.replace("; ", "\n")), strict=True)
    return xtb_atoms(Cluster("X", list(symbols), charge, 1, []), np.array(positions))


@pytest.mark.parametrize(
    ("text", "charge"),
    [
        (WATERS, 0),
        ("Na 0 0 2.4; O 0 0 0; H 0.76 0 -0.59; H -0.76 0 -0.59", 1),
        ("Na 0 0 -3.2; O 0 0 -1.16; C 0 0 0; O 0 0 1.16", 1),  # all on one line
        ("Na 0 0 0; Cl 0 0 3.0", 0),
    ],
)
def test_both_ways_end_in_the_same_minimum(text, charge):
    energies = []
    for way in (in_cartesians, in_internals):
        atoms = cluster(text, charge)
        assert way(atoms, 0.01, 300) is True
        assert np.linalg.norm(atoms.get_forces(), axis=1).max() <= 0.0101
        energies.append(atoms.get_potential_energy())
    assert energies[0] == pytest.approx(energies[1], abs=2e-3)


def test_large_clusters_walk_in_internal_coordinates_and_cages_do_not(shipped, monkeypatch):
    assert descent_of(30) is in_cartesians
    assert descent_of(31) is in_internals
    walked = []
    monkeypatch.setattr(descent, "in_cartesians", lambda *arguments: walked.append(arguments) or True)
    cage = read_species(shipped / "molecules" / "species" / "o-carborane.yaml")
    given = cage.xyz or cage.start.xyz
    atoms = xtb_atoms(cage, np.array([position for _, position in parse_xyz(given)]))
    assert in_internals(atoms, 0.05, 7)
    assert walked == [(atoms, 0.05, 7)]
    assert in_internals(cluster(WATERS), 0.1, 100) and len(walked) == 1


def test_a_walk_that_breaks_off_stays_at_its_lowest_point(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    atoms = cluster(WATERS)
    seen, calculate = [], atoms.calc.calculate

    def breaks(*arguments, **named):
        if len(seen) == 4:
            raise CalculationFailed("no")
        calculate(*arguments, **named)
        seen.append(atoms.calc.results["energy"])

    atoms.calc.calculate = breaks
    assert in_internals(atoms, 0.001, 100) is False
    atoms.calc.calculate = calculate
    assert atoms.get_potential_energy() == pytest.approx(min(seen), abs=1e-6)
    # Too few steps end it likewise.
    atoms = cluster(WATERS)
    assert in_internals(atoms, 0.001, 2) is False
    assert atoms.get_potential_energy() < cluster(WATERS).get_potential_energy()
    assert capfd.readouterr().out == ""
    assert not list(tmp_path.iterdir())


def test_a_first_point_without_energy_is_told():
    atoms = cluster(WATERS)

    def breaks(*_, **__):
        raise CalculationFailed("no")

    atoms.calc.calculate = breaks
    with pytest.raises(CalculationFailed):
        in_internals(atoms, 0.01, 10)


@pytest.mark.parametrize("missing", ["coordinates", "first step"])
def test_what_has_no_internal_coordinates_walks_in_cartesians(missing, monkeypatch):
    from geometric.internal import DelocalizedInternalCoordinates
    from geometric.optimize import Optimizer

    def breaks(*_, **__):
        raise RuntimeError("Encountered invalid value in angle")

    if missing == "coordinates":
        monkeypatch.setattr(DelocalizedInternalCoordinates, "__init__", breaks)
    else:
        monkeypatch.setattr(Optimizer, "optimizeGeometry", breaks)
    atoms, other = cluster(WATERS), cluster(WATERS)
    assert in_internals(atoms, 0.05, 100) is in_cartesians(other, 0.05, 100) is True
    assert atoms.positions == pytest.approx(other.positions, abs=1e-12)


def test_the_search_takes_the_walk_that_it_is_given():
    """Each start roughly, what is left of them tightly; and to the minimum that the other way finds."""
    pair, walked = Cluster("X", ["Na", "Cl"], 0, 1, []), []

    def watched(atoms, force_ev_per_angstrom, steps):
        walked.append(force_ev_per_angstrom)
        return in_internals(atoms, force_ev_per_angstrom, steps)

    starts = [Structure(str(d), np.array([[0, 0, 0], [0, 0, d]])) for d in (2.2, 2.9)]
    (one,) = minima(pair, starts, lambda _: True, watched)
    assert walked == [0.1, 0.1, 0.01]
    (other,) = minima(pair, starts, lambda _: True)
    assert one.energy_gfn2_ev == pytest.approx(other.energy_gfn2_ev, abs=1e-3)
    assert relax(pair, starts[0], descend=watched).energy_gfn2_ev == pytest.approx(other.energy_gfn2_ev, abs=1e-3)
    assert walked[3:] == [0.01]


def test_large_complexes_are_searched_so(monkeypatch):
    """Water and tetraglyme have 40 atoms; two waters have six."""
    asked = []

    def watched(cluster, starts, intact, descend):
        asked.append(descend)
        return starts

    monkeypatch.setattr(placement, "minima", watched)
    water = Species(name="Water", title="", role="solvent", smiles="O")
    glyme = Species(name="Glyme", title="", role="solvent", smiles="COCCOCCOCCOCCOC")
    for parts in ({"Water": 2}, {"Water": 1, "Glyme": 1}):
        wanted = Complex(name="X", title="", parts=parts)
        every = {one.name: one for one in (water, glyme) if one.name in parts}
        alone = {name: embedded_conformers(one, 1)[0] for name, one in every.items()}
        placement.lowest_placements(wanted, cluster_of(wanted, every), every, alone, {}, 1)
    assert asked == [in_cartesians, in_internals]


def test_the_recipe_tells_of_it_where_it_is_used(shipped):
    """Sodium with TFSI- has 16 atoms, with three units of PDOL 43."""
    project = Project(shipped, "complexes")
    assert project.recipe("binding", "Na_PDOL3")["binding"]["descent"] == "internals"
    assert "descent" not in project.recipe("binding", "Na_TFSI")["binding"]
