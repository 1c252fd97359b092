"""Chains against ideal ones: freely rotating chains grown at random, rods, globules, and chains that never moved."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from forcefield_helpers import embedded
from scipy.spatial.transform import Rotation

from electroscreen.dynamics.ideal import as_stiff, backbone, chain_rows, coiling, freely_rotating
from electroscreen.smiles import molecule


def grown(chains: int, lengths: np.ndarray, cosines: np.ndarray, seed: int = 1) -> np.ndarray:
    """Freely rotating chains, one bond after the other, shape (chains, atoms, 3): any torsion is as likely."""
    random = np.random.default_rng(seed)
    along = random.normal(size=(chains, 3))
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    places = [np.zeros((chains, 3)), lengths[0] * along]
    for length, cosine in zip(lengths[1:], cosines, strict=True):
        aside = np.cross(along, random.normal(size=(chains, 3)))
        aside /= np.linalg.norm(aside, axis=1, keepdims=True)
        along = cosine * along + np.sqrt(1 - cosine**2) * aside
        places.append(places[-1] + length * along)
    return np.stack(places, axis=1)


def mean_squares(chains: np.ndarray) -> tuple[float, float]:
    """<R²> and <Rg²> by their definitions."""
    ends = chains[:, -1] - chains[:, 0]
    pairs = chains[:, :, None] - chains[:, None]
    return float((ends**2).sum(axis=1).mean()), float((pairs**2).sum(axis=3).mean() / 2)


def test_against_chains_grown_at_random():
    """Unequal bonds and angles, as in a backbone of C-C-O-C-O."""
    lengths, cosines = np.tile([1.52, 1.41, 1.43, 1.40, 1.42], 4), np.tile([0.33, 0.40, 0.36, 0.31, 0.45], 4)[:-1]
    found = freely_rotating(lengths, cosines)
    end_to_end, gyration = mean_squares(grown(20_000, lengths, cosines))
    assert found.end_to_end == pytest.approx(end_to_end, rel=0.02)
    assert found.gyration == pytest.approx(gyration, rel=0.01)


@pytest.mark.parametrize("n", [2, 7, 60])
def test_end_to_end_of_equal_bonds_and_angles(n):
    """n l² [(1 + a) / (1 - a) - 2 a (1 - a^n) / (n (1 - a)²)] (Flory 1969)."""
    a, length = 0.38, 1.5
    wanted = n * length**2 * ((1 + a) / (1 - a) - 2 * a * (1 - a**n) / (n * (1 - a) ** 2))
    assert freely_rotating(np.full(n, length), np.full(n - 1, a)).end_to_end == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("n", [3, 20, 300])
def test_random_walks_and_rods(n):
    """Freely jointed: R² = n l², Rg² = l² n (n + 2) / (6 (n + 1)); a rod: R² = n² l², Rg² = l² n (n + 2) / 12."""
    jointed, rod = (freely_rotating(np.full(n, 2.0), np.full(n - 1, cosine)) for cosine in (0.0, 1.0))
    assert jointed.end_to_end == pytest.approx(4 * n)
    assert jointed.gyration == pytest.approx(4 * n * (n + 2) / (6 * (n + 1)))
    assert (rod.end_to_end, rod.gyration) == pytest.approx((4 * n**2, 4 * n * (n + 2) / 12))
    assert rod.ratio == pytest.approx(12 * n / (n + 2))


def test_long_chains_come_to_six():
    assert freely_rotating(np.full(1500, 1.5), np.full(1499, 0.35)).ratio == pytest.approx(6, rel=0.01)


def test_a_stiffer_chain_is_compared_with_one_as_stiff():
    lengths, cosines = np.full(60, 1.45), np.full(59, 0.35)
    free = freely_rotating(lengths, cosines)
    stiff = as_stiff(lengths, cosines, 2.5 * free.end_to_end)
    assert stiff.end_to_end == pytest.approx(2.5 * free.end_to_end, rel=1e-9)
    assert free.ratio < stiff.ratio < 12
    # Equal angles stay equal, so the formula of equal angles gives the angle back.
    ratios = [freely_rotating(lengths, np.full(59, a)).ratio for a in np.linspace(0.35, 0.9, 200)]
    ends = [freely_rotating(lengths, np.full(59, a)).end_to_end for a in np.linspace(0.35, 0.9, 200)]
    assert stiff.ratio == pytest.approx(np.interp(stiff.end_to_end, ends, ratios), rel=1e-4)
    assert as_stiff(lengths, cosines, 0.3 * free.end_to_end) == free
    assert as_stiff(lengths, cosines, 1e6).ratio == pytest.approx(12 * 60 / 62)


@pytest.mark.parametrize(
    ("smiles", "ends"),
    [
        ("COCCOCOCCOCOC", [0, 12]),
        ("CC(c1ccccc1)CC(c1ccccc1)CC(c1ccccc1)C", None),
        ("CCO", [0, 2]),
    ],
)
def test_the_backbone_goes_from_end_to_end(smiles, ends):
    drawn = molecule(smiles)
    symbols = [atom.GetSymbol() for atom in drawn.GetAtoms()]
    bonds = np.array([(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in drawn.GetBonds()])
    way = backbone(symbols, bonds)
    assert all(symbols[i] != "H" for i in way)
    assert all(drawn.GetBondBetweenAtoms(int(i), int(j)) for i, j in pairwise(way))
    if ends:
        assert sorted(way[[0, -1]]) == ends
        assert len(way) == ends[1] + 1
    else:
        # From one benzene's far side to the other's: 3 bonds to each ring's far atom, 1 to the backbone, 4 along it.
        assert len(way) == 2 * (3 + 1) + 4 + 1


LENGTHS, COSINES = np.full(60, 1.45), np.full(59, 0.36)


def tumbling(chains: int, frames: int = 40, seed: int = 3) -> np.ndarray:
    """Every frame a new conformer of each chain, shape (frames, chains, atoms, 3)."""
    return grown(frames * chains, LENGTHS, COSINES, seed).reshape(frames, chains, 61, 3)


def test_chains_that_are_ideal_are_found_ideal():
    row = coiling(tumbling(24))
    assert row["verdict"] == "ok"
    assert (row["chains"], row["backbone_bonds"]) == (24, 60)
    free = freely_rotating(LENGTHS, COSINES)
    assert row["freely_rotating_end_to_end_angstrom"] == pytest.approx(np.sqrt(free.end_to_end), rel=0.01)
    assert row["freely_rotating_gyration_angstrom"] == pytest.approx(np.sqrt(free.gyration), rel=0.01)
    assert row["end_to_end_angstrom"] == pytest.approx(np.sqrt(free.end_to_end), rel=0.06)
    assert row["backbone_gyration_angstrom"] == pytest.approx(np.sqrt(free.gyration), rel=0.06)
    assert row["characteristic_ratio"] == pytest.approx(free.end_to_end / (60 * 1.45**2), rel=0.12)
    assert row["ratio_low"] < free.ratio < row["ratio_high"]


def test_the_interval_of_the_ratio_covers():
    """Of 200 runs of 24 independent chains each, about 95 % hold the true ratio."""
    true = freely_rotating(LENGTHS, COSINES).ratio
    chains = grown(200 * 24, LENGTHS, COSINES, 8).reshape(200, 1, 24, 61, 3)
    rows = [coiling(one) for one in chains]
    held = sum(row["ratio_low"] <= true <= row["ratio_high"] for row in rows)
    assert 178 <= held <= 199


def test_globules_and_rods_are_told():
    random = np.random.default_rng(4)
    # Bonds of one length between points that fill a small sphere: the ends are as far apart as any two atoms.
    globules = random.normal(0, 3.0, size=(40, 24, 61, 3))
    verdict = coiling(globules)["verdict"]
    assert verdict.startswith("coiled more tightly than an ideal chain: <R²>/<Rg²> is 2.0 instead of 5.9")
    ring_like = tumbling(24)
    ring_like[:, :, 30:] = ring_like[:, :, 30:31] + (ring_like[:, :, 30::-1] - ring_like[:, :, 30:31]) * 0.999
    assert "coiled more tightly" in coiling(ring_like)["verdict"]
    loose = tumbling(24)
    loose[:, :, -1] = loose[:, :, 0] + 1.8 * (loose[:, :, -2] - loose[:, :, 0])
    assert "stretched more" in coiling(loose)["verdict"]


def test_chains_that_never_moved_are_not_relaxed():
    frozen = np.repeat(tumbling(24, 1), 40, axis=0)
    assert coiling(frozen)["verdict"].startswith("not relaxed: ends keep 100 % of their direction over half of the run")
    moved = coiling(tumbling(24))
    assert abs(moved["memory"]) < 0.1
    # An end-to-end vector that turns about z by 90° in half of the run forgets x and y and keeps z.
    turned = np.stack([Rotation.from_euler("z", 180 * k / 40, degrees=True).apply(np.eye(3)) for k in range(40)])
    vectors = np.concatenate([np.zeros((40, 3, 1, 3)), turned[:, :, None]], axis=2)
    fourth = np.linspace(0, 1, 5)[None, None, :, None] * vectors[:, :, 1:]
    assert coiling(fourth)["memory"] == pytest.approx(1 / 3, abs=1e-9)


def test_one_chain_has_no_interval():
    row = coiling(tumbling(1))
    assert (row["ratio_low"], row["ratio_high"]) == (None, None)
    assert "one chain only: no interval" in row["verdict"]


def test_rows_come_from_the_trajectory(tmp_path):
    """Two molecules of a solvent before two chains: atoms are found, units are right, molecules may lie anywhere."""
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    smiles = "COCCOCOCCOCOC"
    drawn = molecule(smiles)
    symbols = [atom.GetSymbol() for atom in drawn.GetAtoms()]
    bonds = np.array([(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in drawn.GetBonds()])
    chain = embedded(smiles)
    x = np.concatenate([np.zeros((2, 3)), chain + 30, chain @ Rotation.from_euler("y", 70).as_matrix() - 12])
    with XTCFile(str(tmp_path / "t.xtc"), "w") as file:
        for step in range(4):
            file.write(0.1 * x.astype(np.float32), 2 * np.eye(3, dtype=np.float32), step, step, 1e5)
    size = len(symbols)
    molecules = [
        {"species": "He", "symbols": ["He"], "count": 2, "role": "solvent"},
        {"species": "P", "symbols": symbols, "count": 2, "role": "polymer"},
    ]
    (row,) = chain_rows(tmp_path / "t.xtc", np.concatenate([2 + bonds, 2 + size + bonds]), molecules)
    assert (row["species"], row["chains"], row["backbone_bonds"]) == ("P", 2, 12)
    assert row["end_to_end_angstrom"] == pytest.approx(np.linalg.norm(chain[12] - chain[0]), abs=2e-3)
    own = chain[:13] - chain[:13].mean(axis=0)
    assert row["backbone_gyration_angstrom"] == pytest.approx(np.sqrt((own**2).sum(axis=1).mean()), abs=2e-3)
    assert chain_rows(tmp_path / "t.xtc", bonds, [molecules[0]]) == []
