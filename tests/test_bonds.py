"""Bonds in a cluster: what reacted, what came loose, which hydrogen an ion has drawn too near."""

from __future__ import annotations

import numpy as np
import pytest
from quantum_helpers import DIMER, RELAXED_WATER, SODIUM, WATER, complex_of, species

from electroscreen.complexes import cluster_of
from electroscreen.quantum import placement
from electroscreen.quantum.bonds import bonds_of, contacts, crowded_hydrogen, loose_part, reaction
from electroscreen.quantum.placement import lowest_placements
from electroscreen.quantum.structures import embedded_conformers
from electroscreen.species import Species


def test_what_reacts_and_what_falls_apart():
    """Hydronium and hydroxide: a proton has changed hands. And a water that has left."""
    wanted, every = complex_of([WATER], water=2)
    cluster, bonds = cluster_of(wanted, every), {"water": bonds_of(WATER, RELAXED_WATER)}
    assert bonds["water"] == {(0, 1), (0, 2)}
    assert reaction(cluster, bonds, DIMER) is None
    assert loose_part(cluster, DIMER) is None
    handed = DIMER.copy()
    handed[2] = DIMER[3] + [-1.0, 0, 0]
    assert reaction(cluster, bonds, handed) == "the bond O1 of water to H3 of water broke"
    bridging = DIMER.copy()
    bridging[3:] += (DIMER[2] - DIMER[3]) * (1 - 1.05 / np.linalg.norm(DIMER[2] - DIMER[3]))
    assert reaction(cluster, bonds, bridging) == "the bond H3 of water to O1 of water formed"
    gone = DIMER.copy()
    gone[3:] += [5.0, 0, 0]
    assert loose_part(cluster, gone) == "water"


def test_metals_coordinate_without_reacting():
    wanted, every = complex_of([SODIUM, WATER], Na=1, water=1)
    cluster, bonds = cluster_of(wanted, every), {"Na": frozenset(), "water": bonds_of(WATER, RELAXED_WATER)}
    x = np.concatenate([[[0, 0, -2.0]], RELAXED_WATER])
    assert reaction(cluster, bonds, x) is None
    assert contacts(cluster, x)[0]["nearest"][0] == {"atom": "O1 of water", "distance_angstrom": pytest.approx(2.0)}


@pytest.mark.parametrize(("gap_angstrom", "said"), [(2.13, "H2 of methane 2.13 Å from Na"), (2.66, None)])
def test_an_ion_that_xtb_draws_to_a_hydrogen_is_told(gap_angstrom, said):
    """2.13 Å is what GFN1-xTB makes of Na+ and 1,3-dioxolane, 2.66 what B3LYP does."""
    methane = Species(name="methane", title="", role="solvent", smiles="C")
    wanted, every = complex_of([SODIUM, methane], Na=1, methane=1)
    away = [[1.03, 0, 1.45], [-0.5, 0.9, 1.45], [-0.5, -0.9, 1.45]]
    x = np.array([[0, 0, -gap_angstrom], [0, 0, 1.09], [0, 0, 0], *away])
    assert crowded_hydrogen(cluster_of(wanted, every), x) == said


def test_hydrogens_that_are_not_on_carbon_may_be_near():
    wanted, every = complex_of([SODIUM, WATER], Na=1, water=1)
    x = np.concatenate([[[0, 0, -1.5]], RELAXED_WATER])
    assert crowded_hydrogen(cluster_of(wanted, every), x) is None


def test_a_cage_has_the_bonds_of_its_geometry(shipped):
    """o-Carborane, an icosahedron with a hydrogen on each corner: 30 edges and 12 bonds to hydrogen."""
    from electroscreen.species import parse_xyz, read_species

    cage = read_species(shipped / "molecules" / "species" / "o-carborane.yaml")
    assert len(bonds_of(cage, np.array([x for _, x in parse_xyz(cage.start.xyz)]))) == 42


def test_parts_that_react_wherever_they_are_put_are_told_with_what_happens():
    """An acid and a base: the proton goes over."""
    acid, base = species("acid", "[OH3+]", charge=1), species("base", "[OH-]", charge=-1)
    wanted, every = complex_of([acid, base], acid=1, base=1)
    alone = {name: embedded_conformers(one, 1)[0] for name, one in every.items()}
    bonds = {name: bonds_of(one, alone[name]) for name, one in every.items()}
    told = r"^reacted: .* left of 2: by GFN2-xTB the bond O1 of acid to H\d of acid broke \(\d times\)"
    with pytest.raises(ValueError, match=told):
        lowest_placements(wanted, cluster_of(wanted, every), every, alone, bonds, 2)


def test_a_search_in_which_nothing_converges_says_so(monkeypatch):
    monkeypatch.setattr(placement, "minima", lambda *_: [])
    wanted, every = complex_of([species("water", "O")], water=2)
    alone = {"water": embedded_conformers(every["water"], 1)[0]}
    with pytest.raises(ValueError, match=r"^not converged: .* left of 3: GFN2-xTB converges for none"):
        lowest_placements(wanted, cluster_of(wanted, every), every, alone, {}, 3)
