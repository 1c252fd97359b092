"""Chains from a repeat unit: which atom of three units stands for which, charges that add up, and a force field."""

from __future__ import annotations

import numpy as np
import pytest
from forcefield_helpers import embedded, force_field, in_vacuum, openmm_energies, write_geometry

from electroscreen.forcefield import charges, graph
from electroscreen.forcefield.resp import fit_resp
from electroscreen.inputs import InputError
from electroscreen.quantum.structures import Structure, embedded_conformers
from electroscreen.record import read_json
from electroscreen.species import Species, molecule, read_species

PDOL = {"repeat": "CCOCO", "caps": ["CO", "C"]}


def chain(units: int, charge: int = 0, **written) -> Species:
    """A polymer; PDOL unless another one is written."""
    polymer = (written or PDOL) | {"units": units}
    return Species(name="Chain", title="chain", role="polymer", charge=charge, screen=False, polymer=polymer)


def test_a_chain_is_what_its_parts_spell(shipped):
    assert chain(3).smiles == read_species(shipped / "molecules" / "species" / "PDOL3.yaml").smiles
    twenty = read_species(shipped / "molecules" / "species" / "PDOL20.yaml")
    # C3H6O2 a unit, between CH3O and CH3.
    assert twenty.formula == "C62H126O41"
    assert len(twenty.symbols) == 229


@pytest.mark.parametrize(
    ("units", "written"),
    [(4, PDOL), (7, PDOL), (6, {"repeat": "CC(C#N)", "caps": ["", "C"]}), (5, {"repeat": "CCO", "caps": ["", "[H]"]})],
)
def test_each_atom_stands_for_one_with_the_same_surroundings(units, written):
    """Two bonds far, elements and hydrogens are the same: the middle unit has seen nothing but middle units."""
    one = chain(units, **written)
    three = one.trimer()
    like = one.polymer.from_trimer()
    assert len(like) == len(one.symbols)
    assert sorted(set(like)) == list(range(len(three.symbols)))

    def surroundings(smiles: str, i: int) -> list:
        atom = molecule(smiles).GetAtomWithIdx(i)
        return [
            atom.GetSymbol(),
            sorted((n.GetSymbol(), n.GetDegree(), n.GetTotalNumHs(True)) for n in atom.GetNeighbors()),
        ]

    for i, j in enumerate(like):
        assert surroundings(one.smiles, i) == surroundings(three.smiles, j)


def test_three_units_stand_for_themselves():
    three = chain(3)
    assert three.polymer.from_trimer() == list(range(42))
    assert len(three.polymer.middle()) == 11
    assert three.trimer().smiles == three.smiles


def potential(x: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points around a molecule and the potential of charges there."""
    from electroscreen.forcefield.potential import shell_points

    points = shell_points(chain(3).symbols, x, 1.0)
    apart = np.linalg.norm(points[:, None] - x[None], axis=2) / 0.529177210903
    return points, (1 / apart) @ q


@pytest.fixture(scope="module")
def three_units():
    """Geometry, classes and charges of the trimer whose middle unit carries 0.05 e."""
    three = chain(3)
    x = embedded(three.smiles)
    plain = graph.skeleton(three, x)
    classes = np.array(graph.equivalence_classes(plain))
    truth = 0.3 * np.sin(1.7 * classes)
    truth -= truth.mean()
    middle = three.polymer.middle()
    others = np.setdiff1d(np.arange(42), middle)
    truth[middle] += (0.05 - truth[middle].sum()) / len(middle)
    truth[others] -= truth.sum() / len(others)
    return three, x, classes, graph.methyl_and_methylene(plain), truth


def test_the_middle_unit_is_neutral_exactly(three_units):
    three, x, classes, refitted, truth = three_units
    conformers = [(x, *potential(x, truth))]
    free = fit_resp(three.symbols, conformers, 0, classes, refitted, restraints=(0.0, 0.0))
    middle = three.polymer.middle()
    assert free.charges_e[middle].sum() == pytest.approx(0.05, abs=0.005)
    held = fit_resp(three.symbols, conformers, 0, classes, refitted, groups=[(middle, 0.0)])
    assert held.converged
    assert held.charges_e[middle].sum() == pytest.approx(0, abs=1e-12)
    assert held.charges_e.sum() == pytest.approx(0, abs=1e-12)
    assert held.rrms < 0.2


def test_only_the_middle_unit_of_a_trimer_is_held():
    ((middle, total),) = charges._middle_unit(chain(3))
    assert (len(middle), total) == (11, 0)
    assert charges._middle_unit(chain(2)) == charges._middle_unit(chain(4)) == []
    sulfonate = chain(3, charge=-3, repeat="CC(S(=O)(=O)[O-])", caps=["C", "C"])
    assert [total for _, total in charges._middle_unit(sulfonate)] == [-1]


def test_a_group_with_the_sum_that_it_has_anyway_changes_nothing(three_units):
    """In one stage; between two stages the sum may move."""
    three, x, classes, _, truth = three_units
    conformers, once = [(x, *potential(x, truth))], [False] * 42
    free = fit_resp(three.symbols, conformers, 0, classes, once)
    middle = three.polymer.middle()
    same = fit_resp(three.symbols, conformers, 0, classes, once, groups=[(middle, free.charges_e[middle].sum())])
    np.testing.assert_allclose(same.charges_e, free.charges_e, atol=2e-6)


def test_charges_of_a_long_chain_repeat_those_of_the_middle_unit(tmp_path, monkeypatch, three_units):
    """The quantum chemistry is that of three units, and not done here."""
    three, x, classes, _, truth = three_units
    monkeypatch.setattr(charges, "starting_structures", lambda *_: [Structure("given", x)])

    def as_fitted(species, geometries, basis, threads):
        assert species.smiles == three.smiles
        middle = three.polymer.middle()
        exact = truth.copy()
        exact[middle] -= exact[middle].mean()
        others = np.setdiff1d(np.arange(42), middle)
        exact[others] -= exact[others].mean()
        return {
            "atoms": charges._atoms(three.symbols, exact, classes),
            "method": "given",
            "warnings": [],
            "verdict": "ok",
        }

    monkeypatch.setattr(charges, "_fitted", as_fitted)
    for units in (4, 20):
        one = chain(units)
        geometry = write_geometry(tmp_path, one, np.zeros((len(one.symbols), 3)) + np.arange(len(one.symbols))[:, None])
        charges.derive_charges(one, geometry, {"resp_basis": "6-31g(d)", "resp_conformers": 1}, tmp_path / "q.json")
        record = read_json(tmp_path / "q.json")
        found = np.array([atom["resp_e"] for atom in record["atoms"]])
        assert [atom["symbol"] for atom in record["atoms"]] == one.symbols
        assert found.sum() == pytest.approx(0, abs=1e-10)
        parts = one.polymer.parts()
        for unit in range(1, units - 1):
            mine = {part[1:]: q for part, q in zip(parts, found, strict=True) if part[0] == unit}
            first = {part[1:]: q for part, q in zip(parts, found, strict=True) if part[0] == 1}
            assert mine == first
            assert len(mine) == 11
        assert "caps CO and C" in record["method"]


@pytest.mark.parametrize("units", [3, 4])
def test_terms_from_three_units_are_those_of_the_whole_chain(tmp_path, monkeypatch, units):
    """A chain typed as a whole has the same energies as one whose types come from three units."""
    one = chain(units)
    whole = Species(name="Chain", title="chain", role="polymer", smiles=one.smiles)
    x = embedded(one.smiles)
    q = 0.1 * np.sin(np.arange(len(x)))
    q -= q.mean()
    energies = []
    for species in (one, whole):
        xml, record = force_field(tmp_path, species, x, q.tolist())
        assert record["verdict"] == "ok"
        energies.append(openmm_energies(in_vacuum(xml, "Chain")[1], x))
    assert energies[0] == pytest.approx(energies[1], rel=1e-10)
    assert record["polymer"] is None


def test_a_chain_of_twenty_units_gets_a_force_field_in_seconds(tmp_path):
    one = chain(20)
    x = np.arange(len(one.symbols))[:, None] * [3.0, 0, 0]
    _, record = force_field(tmp_path, one, x, [0.0] * len(x))
    assert record["verdict"] == "ok"
    kinds = [t["term"] for t in record["parameters"]]
    # An open chain has one bond less than atoms.
    assert (kinds.count("bond"), kinds.count("charge")) == (228, 229)
    assert record["polymer"] == PDOL | {"units": 20}


def hands(one: Species, x: np.ndarray | None = None) -> list[bool]:
    """Of each unit of CH2-CH(CN) whether backbone, nitrile and hydrogen go round one way, in space."""
    x = embedded(one.smiles) if x is None else x
    drawn = molecule(one.smiles)
    found = []
    for atom in drawn.GetAtoms():
        carbons = [n for n in atom.GetNeighbors() if n.GetSymbol() == "C"]
        nitrile = [n.GetIdx() for n in carbons if n.GetDegree() == 2 and n.GetTotalNumHs(True) == 0]
        if len(carbons) == 3 and nitrile:
            before, after = sorted(n.GetIdx() for n in carbons if n.GetIdx() not in nitrile)
            found.append(np.linalg.det(x[[before, after, nitrile[0]]] - x[atom.GetIdx()]) > 0)
    return found


def test_tacticity_in_space():
    """All alike, by turns, or neither; and the trimer that the charges come from begins as the chain does."""
    acrylonitrile = {"repeat": "C[C@H](C#N)", "caps": ["C", "C"]}
    isotactic, syndiotactic, atactic = (
        chain(4, **acrylonitrile | {"tacticity": tacticity}) for tacticity in ("isotactic", "syndiotactic", "atactic")
    )
    assert len(hands(isotactic)) == 4
    assert len(set(hands(isotactic))) == 1
    assert hands(chain(4, **acrylonitrile)) == hands(isotactic)
    by_turns = hands(syndiotactic)
    assert by_turns == [by_turns[0], not by_turns[0]] * 2
    random = hands(atactic)
    assert random == hands(atactic)
    assert random not in (hands(isotactic), by_turns)
    assert 0 < sum(random) < 4
    assert hands(syndiotactic.trimer()) == by_turns[:3]


def test_a_chain_of_many_nitriles_is_drawn():
    """RDKit's rules for straight bonds never hold for all of them at once; UFF straightens them, hands kept."""
    one = chain(10, repeat="C[C@H](C#N)", caps=["C", "C"], tacticity="syndiotactic")
    (x,) = embedded_conformers(one, 1)
    by_turns = hands(one, x)
    assert by_turns == [by_turns[0], not by_turns[0]] * 5
    for bond in molecule(one.smiles).GetBonds():
        if bond.GetBondTypeAsDouble() == 3:
            carbon, nitrogen = sorted((bond.GetBeginAtom(), bond.GetEndAtom()), key=lambda atom: atom.GetSymbol())
            (before,) = (n.GetIdx() for n in carbon.GetNeighbors() if n.GetIdx() != nitrogen.GetIdx())
            arms = x[[before, nitrogen.GetIdx()]] - x[carbon.GetIdx()]
            assert arms[0] @ arms[1] / np.prod(np.linalg.norm(arms, axis=1)) < np.cos(np.radians(170))


def test_a_hand_that_is_not_said_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"marks no stereocentre: write its hand with @, as in C\[C@H\]"):
        chain(8, repeat="CC(C#N)", tacticity="isotactic")
    from electroscreen.quantum.geometry import _chain

    told = _chain(chain(4, repeat="CC(C#N)", caps=["C", "C"]))[1]["warnings"]
    assert "stereocentres have no hand: write them with @" in told[-1]
    assert len(_chain(chain(4))[1]["warnings"]) == 1


def test_bad_chains_are_told(tmp_path):
    with pytest.raises(ValueError, match="not computed by DFT: say 'screen: false'"):
        Species(name="P", title="x", role="polymer", polymer=PDOL | {"units": 4})
    with pytest.raises(ValueError, match="either 'polymer' or 'smiles'"):
        Species(name="P", title="x", role="polymer", smiles="CC", polymer=PDOL | {"units": 2})
    path = tmp_path / "P.yaml"
    path.write_text("name: P\ntitle: x\nrole: polymer\nscreen: false\npolymer: {repeat: CCQ, units: 9}\n")
    with pytest.raises(InputError, match="'CCCQC' is not a molecule"):
        read_species(path)
    path.write_text("name: P\ntitle: x\nrole: polymer\nscreen: false\npolymer: {repeat: CCO, units: 9, cap: [C]}\n")
    with pytest.raises(InputError, match="did you mean 'caps'"):
        read_species(path)
