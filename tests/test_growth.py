"""Chains grown at random: turns as the force field weighs them, ends as far apart as Flory's sums say, no overlaps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from forcefield_helpers import embedded, force_field, in_vacuum, openmm_energies, positions, species, write_geometry

from electroscreen.boxes import growth
from electroscreen.boxes.build import write_packing
from electroscreen.boxes.chains import Chain, coil_fault, grow_chains
from electroscreen.boxes.conformers import GAS_CONSTANT_KJ_PER_MOL_K, STATES, Jointed, Terms, backbone, rotation
from electroscreen.boxes.growth import NoRoomError, contact_angstrom, grow
from electroscreen.boxes.packing import PackingError
from electroscreen.boxes.piercing import Bonded
from electroscreen.dynamics.ideal import freely_rotating
from electroscreen.record import read_json, write_json
from electroscreen.settings import Settings, read_settings
from electroscreen.species import Species

TEMPERATURE_K = 298.15


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Eight units of PDOL: the species, its force field, its geometry, and its terms."""
    polymer = {"repeat": "CCOCO", "units": 8, "caps": ["CO", "C"]}
    one = Species(name="Chain", title="chain", role="polymer", screen=False, polymer=polymer)
    x = embedded(one.smiles)
    # Carbons and oxygens with charges of about the right size, which add up to nothing.
    charges = np.array([{"C": 0.05, "O": -0.35, "H": 0.06}[symbol] for symbol in one.symbols])
    xml, _ = force_field(tmp_path_factory.mktemp("chain"), one, x, (charges - charges.mean()).tolist())
    system = in_vacuum(xml, "Chain")[1]
    terms = Terms.of(system, Bonded.of(system).bonds, 0, len(x))
    return one, xml, x, terms


@pytest.fixture(scope="module")
def jointed(chain) -> Jointed:
    """The same as pieces between bonds that turn."""
    one, _, x, terms = chain
    return Jointed.of(one.symbols, x, terms, TEMPERATURE_K)


def squares(jointed: Jointed, grown: np.ndarray) -> np.ndarray:
    """R² of each chain."""
    first, last = jointed.ends
    return ((grown[:, last] - grown[:, first]) ** 2).sum(axis=1)


def test_every_backbone_bond_turns_but_the_last_ones(jointed):
    """CH3-O(-CH2-CH2-O-CH2-O-)8-CH3: 42 bonds, of which those of the methyls turn nothing heavy."""
    assert jointed.backbone_bonds == 42
    assert len(jointed.joints) == 40
    assert sorted(np.concatenate(jointed.pieces)) == list(range(len(jointed.positions_angstrom)))


@pytest.mark.parametrize(
    ("smiles", "turning"),
    [("CC(=O)NCC", [(3, 4)]), ("CCC=CCC", [(1, 2), (3, 4)]), ("C1COCO1", []), ("c1ccccc1Cc1ccccc1", [(5, 6), (6, 7)])],
)
def test_amides_double_bonds_and_rings_do_not_turn(tmp_path, smiles, turning):
    one, x = species("X", smiles), embedded(smiles)
    xml, _ = force_field(tmp_path, one, x, [0.0] * len(x))
    system = in_vacuum(xml, "X")[1]
    found = Jointed.of(one.symbols, x, Terms.of(system, Bonded.of(system).bonds, 0, len(x)), TEMPERATURE_K)
    bonds = {tuple(sorted(int(np.abs(x - p).sum(axis=1).argmin()) for p in _both_ends(j, x))) for j in found.joints}
    assert bonds == set(turning)


def _both_ends(joint, x):
    """The far atom of a joint, and the one that its axis points away from."""
    behind = min((p for p in x if np.linalg.norm(p - joint.origin) > 0.1), key=lambda p: _off(joint, p))
    return joint.origin, behind


def _off(joint, point) -> float:
    away = joint.origin - point
    return float(np.linalg.norm(away / np.linalg.norm(away) - joint.axis))


def test_turns_are_weighed_as_openmm_weighs_them(tmp_path):
    """In FCH2-CH2F all atoms that a turn moves against each other are three bonds apart: the energy is all there is."""
    one, x = species("X", "FCCF"), embedded("FCCF")
    charges = np.array([-0.25, 0.11, 0.11, -0.25, 0.07, 0.07, 0.07, 0.07])
    xml, _ = force_field(tmp_path, one, x, charges.tolist())
    system = in_vacuum(xml, "X")[1]
    found = Jointed.of(one.symbols, x, Terms.of(system, Bonded.of(system).bonds, 0, 8), TEMPERATURE_K)
    (joint,) = found.joints
    moved = found.pieces[1]
    energies = []
    for turn in 2 * np.pi * np.arange(STATES) / STATES:
        turned = x.copy()
        turned[moved] = joint.origin + (x[moved] - joint.origin) @ rotation(joint.axis, turn).T
        energies.append(sum(openmm_energies(system, turned).values()))
    wanted = np.exp(-(np.array(energies) - min(energies)) / (GAS_CONSTANT_KJ_PER_MOL_K * TEMPERATURE_K))
    # Coulomb's constants of both differ in the seventh digit.
    assert joint.weights == pytest.approx(wanted / wanted.sum(), rel=1e-4)
    assert joint.weights.max() > 5 * joint.weights.min()


def test_free_turns_give_flory_s_freely_rotating_chain(chain, jointed):
    """Exact sums of another derivation, for the bonds and angles of this very conformer."""
    one, _, x, terms = chain
    free = Jointed.of(one.symbols, x, replace(terms, torsions=[], pairs={}), TEMPERATURE_K)
    way = np.diff(x[backbone(one.symbols, terms.bonds)], axis=0)
    lengths = np.linalg.norm(way, axis=1)
    cosines = (way[1:] * way[:-1]).sum(axis=1) / (lengths[1:] * lengths[:-1])
    assert free.ideal_end_to_end_squared() == pytest.approx(freely_rotating(lengths, cosines).end_to_end, rel=1e-9)
    assert free.ideal_end_to_end_squared() != pytest.approx(jointed.ideal_end_to_end_squared(), rel=0.05)


def test_chains_without_obstacles_are_as_long_as_the_sums_say(jointed, monkeypatch):
    """With nothing in the way turns are independent, and <R²> is that of their mean rotations."""
    monkeypatch.setattr(growth, "contact_angstrom", lambda one, other: 0.0 * (one + other))
    bare = replace(jointed, limits_angstrom=np.zeros_like(jointed.limits_angstrom))
    (grown,) = grow([(bare, np.ones(len(bare.positions_angstrom)), 200)], 500.0, np.random.default_rng(5))
    found = squares(bare, grown)
    error = found.std() / np.sqrt(len(found))
    assert error < 0.08 * found.mean()
    assert abs(found.mean() - bare.ideal_end_to_end_squared()) < 3 * error


def test_crowded_chains_coil_as_lonely_ones(chain, jointed):
    """In a melt a chain is ideal: neighbours along the chain decide, not the others (Flory's theorem)."""
    sigma = chain[3].sigma_angstrom
    # 16 chains of 639 g/mol in 31 Å: 0.57 g/mL.
    crowded, lonely = (
        squares(jointed, grow([(jointed, sigma, n)], edge, np.random.default_rng(1))[0])
        for n, edge in ((16, 31.0), (24, 400.0))
    )
    error = np.hypot(crowded.std() / np.sqrt(16), lonely.std() / np.sqrt(24))
    assert abs(crowded.mean() - lonely.mean()) < 3 * error
    assert error < 0.35 * lonely.mean()
    # 1-5 clashes straighten: beyond the chain of independent turns, within Flory's range of four to ten.
    way = np.diff(chain[2][backbone(chain[0].symbols, chain[3].bonds)], axis=0)
    assert 3 < lonely.mean() / (way**2).sum() < 10
    assert lonely.mean() > 1.5 * jointed.ideal_end_to_end_squared()


@pytest.fixture(scope="module")
def grown(chain, jointed) -> np.ndarray:
    """Eight chains in 26 Å."""
    return grow([(jointed, chain[3].sigma_angstrom, 8)], 26.0, np.random.default_rng(7))[0]


def test_no_two_atoms_are_closer_than_promised(chain, jointed, grown):
    """By brute force; of two atoms in 26 Å only the nearest image can be that near."""
    sigma, size = chain[3].sigma_angstrom, len(chain[2])
    limits = np.tile(contact_angstrom(sigma[:, None], sigma), (8, 8))
    away = grown.reshape(-1, 3)[:, None] - grown.reshape(-1, 3)
    images = np.round(away / 26.0)
    owner = np.arange(8 * size) // size
    own = (owner[:, None] == owner) & ~images.any(axis=2)
    limits[own] = np.minimum(limits, np.tile(jointed.limits_angstrom, (8, 8)))[own]
    assert (np.linalg.norm(away - 26.0 * images, axis=2) >= limits - 1e-9).all()
    # Of which there are many to be told apart: neighbours that cannot but be near, and chains that come near.
    assert (np.linalg.norm(away - 26.0 * images, axis=2)[~own] < 2.5).sum() > 20


def test_bonds_angles_and_hands_are_kept(chain, grown):
    _, _, x, terms = chain
    near = (np.linalg.norm(x[:, None] - x, axis=2) < 4) & _within_two_bonds(terms.bonds, len(x))
    apart = np.linalg.norm(grown[:, :, None] - grown[:, None], axis=3)
    assert apart[:, near] == pytest.approx(np.tile(np.linalg.norm(x[:, None] - x, axis=2)[near], (8, 1)), abs=1e-6)
    # A CH2 group and what it is bound to: its volume has a sign.
    four = next(n for n in map(_neighbours(terms.bonds), range(len(x))) if len(n) == 4)
    volume = np.linalg.det(x[four[1:]] - x[four[0]])
    assert [np.linalg.det(y[four[1:]] - y[four[0]]) for y in grown] == pytest.approx([volume] * 8, rel=1e-6)


def _within_two_bonds(bonds: np.ndarray, size: int) -> np.ndarray:
    step = np.eye(size, dtype=int)
    step[bonds[:, 0], bonds[:, 1]] = step[bonds[:, 1], bonds[:, 0]] = 1
    return step @ step > 0


def _neighbours(bonds: np.ndarray):
    return lambda i: [int(b) for b in np.concatenate([bonds[bonds[:, 0] == i, 1], bonds[bonds[:, 1] == i, 0]])]


def test_every_chain_is_its_own_and_the_same_seed_gives_the_same(chain, jointed, grown):
    shapes = np.linalg.norm(grown[:, :, None] - grown[:, None], axis=3).reshape(8, -1)
    for a in range(8):
        for b in range(a):
            assert np.abs(shapes[a] - shapes[b]).max() > 3
    kinds = [(jointed, chain[3].sigma_angstrom, 8)]
    assert grow(kinds, 26.0, np.random.default_rng(7))[0] == pytest.approx(grown, abs=0)
    assert np.abs(grow(kinds, 26.0, np.random.default_rng(8))[0] - grown).max() > 1


def test_no_room_and_too_long_are_told(chain, jointed, monkeypatch):
    sigma = chain[3].sigma_angstrom
    monkeypatch.setattr(growth, "TRIES", 0)
    monkeypatch.setattr(growth, "STARTS", 1)
    with pytest.raises(NoRoomError, match="of 30 chains find room"):
        grow([(jointed, sigma, 30)], 16.0, np.random.default_rng(1))
    with pytest.raises(PackingError, match=r"chains find room: lower box\.packing_density_fraction"):
        grow_chains({"Chain": Chain(jointed, sigma, 42, 30)}, 16.0, 1)
    with pytest.raises(PackingError, match="Chain coils to about 23 Å from end to end and the box is 11 Å: it cannot"):
        grow_chains({"Chain": Chain(jointed, sigma, 42, 1)}, 11.0, 1)
    assert coil_fault("Chain", 42, 24.0) is None
    told, refused = coil_fault("Chain", 42, 22.0)
    assert "chains meet their own images" in told
    assert not refused


def test_a_box_of_chains_and_others_is_packed_around_them(chain, tmp_path, shipped):
    """Chains stand where the composition says, and what was packed afterwards keeps two angstrom from them."""
    one, xml, x, _ = chain
    forcefields = {"Chain": xml, "DOL": force_field(tmp_path, species("DOL"))[0]}
    geometries = {
        "Chain": write_geometry(tmp_path, one, x),
        "DOL": write_geometry(tmp_path, species("DOL"), positions("DOL")),
    }
    wanted = [("DOL", species("DOL"), 40, "solvent"), ("Chain", one, 3, "polymer")]
    write_json(
        tmp_path / "composition.json",
        {
            "box": "Y",
            "verdict": "ok",
            "temperature_k": TEMPERATURE_K,
            "packing_edge_angstrom": 23.0,
            "ion_charge_scale": 0.8,
            "molecules": [
                {"species": name, "count": n, "symbols": s.symbols, "role": role} for name, s, n, role in wanted
            ],
        },
    )
    shipped_settings = read_settings(shipped / "config" / "quick.yaml").model_dump()
    settings = Settings(**shipped_settings)
    texts = []
    for folder in ("one", "same"):
        inputs = tmp_path / "composition.json", geometries, forcefields
        write_packing(*inputs, settings, 1, {"stage": "packing"}, tmp_path / folder)
        texts.append((tmp_path / folder / "packed.pdb").read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    record = read_json(tmp_path / "one" / "packing.json")
    assert record["verdict"] == "ok"
    (row,) = record["chains"]
    assert (row["species"], row["count"], row["turning_bonds"]) == ("Chain", 3, 40)
    from openmm import app, unit

    pdb = app.PDBFile(str(tmp_path / "one" / "packed.pdb"))
    found = pdb.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    residues = [(r.name, [a.index for a in r.atoms()]) for r in pdb.topology.residues()]
    assert [name for name, _ in residues] == 40 * ["DOL"] + 3 * ["UNK" if residues[-1][0] == "UNK" else residues[-1][0]]
    ends = np.array([found[atoms] for name, atoms in residues[40:]])
    bonded = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
    assert bonded == pytest.approx([np.linalg.norm(x[0] - x[1])] * 3, abs=2e-3)
    dol = found[: 40 * 11]
    away = dol[:, None] - ends.reshape(-1, 3)
    away -= 23.0 * np.round(away / 23.0)
    assert np.linalg.norm(away, axis=2).min() > 2.0 - 5e-3
