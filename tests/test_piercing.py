"""Pierced rings: threaded, beside, across the boundary, catenated; against a linking number for many random pairs."""

from __future__ import annotations

import time

import numpy as np
import pytest
from forcefield_helpers import embedded
from scipy.spatial.transform import Rotation

from electroscreen.boxes import build
from electroscreen.boxes.packing import PackingError, Part
from electroscreen.boxes.piercing import Bonded, pierced_rings, piercing_fault, small_rings
from electroscreen.smiles import molecule

EDGE = 20.0


def ring(atoms: int = 6, radius: float = 1.4) -> np.ndarray:
    """A regular ring about the origin, in the plane z = 0."""
    turn = 2 * np.pi * np.arange(atoms) / atoms
    return radius * np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)


def circle_bonds(atoms: int, first: int = 0) -> list[tuple[int, int]]:
    """Bonds of a ring."""
    return [(first + i, first + (i + 1) % atoms) for i in range(atoms)]


def bonded(bonds, atoms: int) -> Bonded:
    """With its rings."""
    bonds = np.array(bonds)
    return Bonded(bonds, small_rings(bonds, atoms))


def with_rod(low, high, atoms: int = 6, shift=(0, 0, 0), wrapped: bool = True, radius: float = 1.4):
    """A ring and a bond: how many times it is pierced."""
    x = np.concatenate([ring(atoms, radius), [low, high]]) + np.array(shift)
    molecules = bonded([*circle_bonds(atoms), (atoms, atoms + 1)], atoms + 2)
    return len(pierced_rings(x % EDGE if wrapped else x, EDGE, molecules))


@pytest.mark.parametrize("atoms", [3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("shift", [(5, 5, 5), (0, 0, 0), (0, 10, 19.9), (-0.1, 20.1, 3), (57, -31, 8)])
def test_a_threaded_ring_wherever_it_stands(atoms, shift):
    """Off its centre by a little; also where ring or bond lie across the periodic boundary."""
    for wrapped in (True, False):
        assert with_rod((0.1, 0.2, -0.7), (0.1, -0.1, 0.8), atoms, shift, wrapped) == 1
        assert with_rod((0, 0, -0.7), (0, 0, 0.8), atoms, shift, wrapped) == 1


@pytest.mark.parametrize("shift", [(5, 5, 5), (0, 0, 0), (0, 10, 19.9)])
@pytest.mark.parametrize(
    ("low", "high"),
    [
        ((0, 0, 0.2), (0, 0, 1.7)),  # above
        ((2.0, 0, -0.7), (2.0, 0, 0.8)),  # beside
        ((1.02 * 1.05, 1.02 * 0.606, -0.7), (1.02 * 1.05, 1.02 * 0.606, 0.8)),  # just outside of a bond's middle
        ((-0.7, 0.1, 0.5), (0.7, 0.1, 0.5)),  # parallel to its plane
        ((-0.7, 0.1, 0), (0.7, 0.1, 0)),  # in its plane
        ((0.1, 0.1, -10.7), (0.1, 0.1, -9.3)),  # half a box below
    ],
)
def test_a_bond_beside_a_ring(low, high, shift):
    assert with_rod(low, high, shift=shift) == 0


def test_just_inside_of_a_bond_is_inside():
    assert with_rod((1.38, 0, -0.7), (1.38, 0, 0.8)) == 1
    assert with_rod((0.98 * 1.05, 0.98 * 0.606, -0.7), (0.98 * 1.05, 0.98 * 0.606, 0.8)) == 1


def test_rings_of_more_than_eight_atoms_may_be_threaded():
    assert with_rod((0, 0, -0.7), (0, 0, 0.8), atoms=8, radius=2.0) == 1
    assert with_rod((0, 0, -0.7), (0, 0, 0.8), atoms=9, radius=2.2) == 0


def test_substituents_of_a_ring_do_not_pierce_it():
    """A bond of the ring's own atom, however bent."""
    x = np.concatenate([ring(), [[-0.5, 0, 0.3], [-0.6, 0, -0.8]]]) + 5
    assert pierced_rings(x, EDGE, bonded([*circle_bonds(6), (0, 6)], 8)) == []
    # The next bond of the same chain goes through it.
    assert len(pierced_rings(x, EDGE, bonded([*circle_bonds(6), (0, 6), (6, 7)], 8))) == 1


def linking_number(one: np.ndarray, other: np.ndarray) -> int:
    """Gauss's integral over two closed polygons, exactly (Banchoff 1976): signed solid angles over 4 pi."""
    total = 0.0
    for a, b in zip(one, np.roll(one, -1, axis=0), strict=True):
        for c, d in zip(other, np.roll(other, -1, axis=0), strict=True):
            sides = [a - c, a - d, b - d, b - c]
            normals = [np.cross(p, q) for p, q in zip(sides, sides[1:] + sides[:1], strict=True)]
            normals = [n / np.linalg.norm(n) for n in normals]
            angles = [np.arcsin(np.clip(p @ q, -1, 1)) for p, q in zip(normals, normals[1:] + normals[:1], strict=True)]
            total += np.sign(np.cross(b - a, d - c) @ (a - c)) * sum(angles)
    return round(total / (4 * np.pi))


def test_two_rings_are_catenated_where_gauss_says_so():
    """Random pairs of puckered rings across the boundary: linked ones pierce each other, each once in all."""
    random = np.random.default_rng(5)
    molecules = bonded(circle_bonds(6) + circle_bonds(5, 6), 11)
    linked = 0
    for _ in range(120):
        turned = [Rotation.random(random_state=int(random.integers(2**31))).as_matrix() for _ in range(2)]
        one = (ring(6) + random.normal(0, 0.15, (6, 3))) @ turned[0]
        other = (ring(5, 1.3) + random.normal(0, 0.15, (5, 3))) @ turned[1] + random.normal(0, 0.9, 3)
        number = linking_number(one, other)
        found = pierced_rings((np.concatenate([one, other]) + random.uniform(0, EDGE, 3)) % EDGE, EDGE, molecules)
        assert {ring_number for ring_number, _ in found} == ({0, 1} if number else {r for r, _ in found})
        if number:
            linked += 1
        else:
            # What is not linked goes through and comes back, or does not go through at all.
            assert all(sum(r == k for r, _ in found) % 2 == 0 for k in (0, 1))
    assert linked > 12


RINGS = {
    "C1COCO1": [5],
    "COCCOC": [],
    "[B-](c1ccccc1)(c2ccccc2)(c3ccccc3)c4ccccc4": [6, 6, 6, 6],
    "O=C1O[B-]2(OC1=O)OC(=O)C(=O)O2": [5, 5],
    "C1CCCCCCCCC1": [],
}


@pytest.mark.parametrize("smiles", RINGS)
def test_rings_are_those_that_a_chemist_counts(smiles):
    """And no molecule by itself pierces them."""
    drawn = molecule(smiles)
    box = bonded([(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in drawn.GetBonds()], drawn.GetNumAtoms())
    assert sorted(map(len, box.rings)) == RINGS[smiles]
    assert pierced_rings(embedded(smiles), 40.0, box) == []


def test_seven_thousand_atoms_take_seconds():
    random = np.random.default_rng(1)
    count, edge = 640, 42.0
    x = np.concatenate([ring(5, 1.3) + random.uniform(0, edge, 3) for _ in range(count)])
    rods = random.uniform(0, edge, (2000, 1, 3)) + np.array([[[0, 0, -0.7], [0, 0, 0.7]]])
    x = np.concatenate([x, rods.reshape(-1, 3)])
    bonds = [bond for k in range(count) for bond in circle_bonds(5, 5 * k)]
    bonds += [(5 * count + 2 * k, 5 * count + 2 * k + 1) for k in range(len(rods))]
    began = time.process_time()
    found = pierced_rings(x, edge, bonded(bonds, len(x)))
    assert time.process_time() - began < 10
    # 2000 vertical rods of 1.4 Å through 640 pentagons of 5/2 r² sin 72° = 4.02 Å², at random: 97.2 of them.
    through = [ring_number for ring_number, bond in found if bond >= 5 * count]
    assert len(through) == pytest.approx(2000 * 640 * 4.018 * 1.4 / edge**3, abs=4 * np.sqrt(97))


MOLECULES = [
    {"species": "DOL", "symbols": ["C"] * 6, "count": 1},
    {"species": "PDOL20", "symbols": ["C"] * 2, "count": 2},
]


def test_the_fault_names_both_molecules():
    rod = np.array([[0.1, 0.2, -0.7], [0.1, -0.1, 0.8]])
    x = np.concatenate([ring(), rod + 7, rod]) % EDGE
    box = bonded([*circle_bonds(6), (6, 7), (8, 9)], 10)
    assert piercing_fault(x, EDGE, box, MOLECULES) == "ring of DOL 1 pierced by a bond of PDOL20 2"
    both = np.concatenate([ring(), rod + 0.1, rod]) % EDGE
    assert piercing_fault(both, EDGE, box, MOLECULES) == "ring of DOL 1 pierced by a bond of PDOL20 1, and 1 more"
    assert piercing_fault(np.concatenate([ring(), rod + 7, rod + 4]), EDGE, box, MOLECULES) is None
    own = bonded([*circle_bonds(6), (0, 6), (6, 7)], 8)
    tail = np.concatenate([ring(), [[-0.5, 0, 0.3], [-0.6, 0, -0.8]]])
    alone = [{"species": "X", "symbols": ["C"] * 8, "count": 1}]
    assert piercing_fault(tail, EDGE, own, alone) == "ring of X 1 pierced by a bond of itself"


def test_bonds_of_a_system_are_harmonic_or_constrained():
    import openmm

    system = openmm.System()
    for _ in range(8):
        system.addParticle(12)
    force = openmm.HarmonicBondForce()
    for first, second in circle_bonds(6)[:-1]:
        force.addBond(first, second, 0.15, 1e5)
    system.addForce(force)
    system.addConstraint(5, 0, 0.14)
    system.addConstraint(6, 7, 0.15)
    found = Bonded.of(system)
    assert {tuple(bond) for bond in found.bonds} == {(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5), (6, 7)}
    assert [sorted(one) for one in found.rings] == [[0, 1, 2, 3, 4, 5]]


def test_a_pierced_packing_is_thrown_away(monkeypatch, capsys):
    rod = np.array([[0.1, 0.2, -0.7], [0.1, -0.1, 0.8]])
    parts = [Part("DOL", ["C"] * 6, ring(), 1), Part("PDOL20", ["C"] * 2, rod, 2)]
    box = bonded([*circle_bonds(6), (6, 7), (8, 9)], 10)
    seeds = []

    def packs(pierced_first: int):
        def pack(parts, edge, seed, standing):
            seeds.append(seed)
            return np.concatenate([ring(), rod + 7, rod + (0 if len(seeds) <= pierced_first else 4)])

        return pack

    monkeypatch.setattr(build, "pack", packs(2))
    x, grown, seed = build._pack_unpierced(parts, {}, EDGE, 17, box, MOLECULES)
    assert grown == {}
    assert seed == 17 + 2_000_000 == seeds[-1]
    assert pierced_rings(x, EDGE, box) == []
    assert capsys.readouterr().err.count("ring of DOL 1 pierced by a bond of PDOL20 2: packing once more") == 2
    seeds.clear()
    monkeypatch.setattr(build, "pack", packs(99))
    with pytest.raises(PackingError, match=r"ring of DOL 1 pierced .+ in each of 5 packings: lower box\.pack"):
        build._pack_unpierced(parts, {}, EDGE, 17, box, MOLECULES)
    assert len(set(seeds)) == 5


def test_a_chain_that_was_grown_through_a_ring_is_grown_anew(monkeypatch):
    """The chains stand before the rest is packed around them; each try grows them from a seed of its own."""
    rod = np.array([[0.1, 0.2, -0.7], [0.1, -0.1, 0.8]])
    parts = [Part("DOL", ["C"] * 6, ring(), 1), Part("PDOL20", ["C"] * 2, rod, 2)]
    box = bonded([*circle_bonds(6), (6, 7), (8, 9)], 10)
    calls = []

    def grow(chains, edge, seed):
        calls.append(seed)
        return {"PDOL20": np.stack([rod + 7, rod + (0 if len(calls) == 1 else 4)])}

    def pack(others, edge, seed, standing):
        assert [part.species for part in others] == ["DOL"]
        assert standing.shape == (4, 3)
        return ring()

    monkeypatch.setattr(build, "grow_chains", grow)
    monkeypatch.setattr(build, "pack", pack)
    x, grown, seed = build._pack_unpierced(parts, {"PDOL20": None}, EDGE, 17, box, MOLECULES)
    assert seed == 17 + 1_000_000 == calls[-1]
    assert np.array_equal(x, np.concatenate([ring(), grown["PDOL20"].reshape(-1, 3)]))
    assert np.array_equal(grown["PDOL20"][1], rod + 4)
