"""Who is bound to whom: equivalent atoms, and the angles and torsions that a bond graph holds.

Bond orders and formal charges are left out on purpose: in a resonance structure of TFSI- one oxygen
carries nothing and nitrogen the charge, but in the ion all four oxygens are the same.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from electroscreen.species import Species, molecule


def skeleton(species: Species, positions_angstrom: np.ndarray):
    """Return the species as an RDKit molecule of neutral atoms and single bonds.

    The bonds are those of the SMILES; where a species is given by coordinates only, atoms closer
    than RDKit's covalent radii allow are bound.
    """
    from rdkit import Chem
    from rdkit.Chem import rdDetermineBonds

    plain = Chem.RWMol()
    for symbol in species.symbols:
        atom = Chem.Atom(symbol)
        atom.SetNoImplicit(True)
        plain.AddAtom(atom)
    if species.smiles is not None:
        for bond in molecule(species.smiles).GetBonds():
            plain.AddBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), Chem.BondType.SINGLE)
    else:
        conformer = Chem.Conformer(plain.GetNumAtoms())
        conformer.SetPositions(np.asarray(positions_angstrom, dtype=float))
        plain.AddConformer(conformer)
        rdDetermineBonds.DetermineConnectivity(plain)
    Chem.FastFindRings(plain)
    plain.UpdatePropertyCache(strict=False)
    return plain.GetMol()


def equivalence_classes(plain) -> list[int]:
    """Return for each atom the number of its class under the symmetry of the bond graph, mirror images included."""
    from rdkit import Chem

    ranks = list(Chem.CanonicalRankAtoms(plain, breakTies=False, includeChirality=False))
    return np.unique(ranks, return_inverse=True)[1].tolist()


def methyl_and_methylene(plain) -> list[bool]:
    """Return for each atom whether it is a carbon with two or more hydrogens, or one of those hydrogens."""
    chosen = [False] * plain.GetNumAtoms()
    for atom in plain.GetAtoms():
        hydrogens = [n.GetIdx() for n in atom.GetNeighbors() if n.GetSymbol() == "H"]
        if atom.GetSymbol() == "C" and len(hydrogens) >= 2:
            for i in (atom.GetIdx(), *hydrogens):
                chosen[i] = True
    return chosen


def pieces(plain) -> int:
    """Return of how many unconnected parts the graph consists."""
    from rdkit import Chem

    return len(Chem.GetMolFrags(plain))


def bonds(plain) -> list[tuple[int, int]]:
    """Return all bonds as pairs of atom numbers, the lower first."""
    return sorted(tuple(sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx()))) for b in plain.GetBonds())


def angles(plain) -> list[tuple[int, int, int]]:
    """Return all angles (i, j, k) about j, with i < k."""
    return [(i, atom.GetIdx(), k) for atom in plain.GetAtoms() for i, k in combinations(_neighbours(atom), 2)]


def torsions(plain) -> list[tuple[int, int, int, int]]:
    """Return all proper torsions (i, j, k, l) about the bonds j-k, with j < k."""
    around = {atom.GetIdx(): _neighbours(atom) for atom in plain.GetAtoms()}
    return [(i, j, k, m) for j, k in bonds(plain) for i in around[j] if i != k for m in around[k] if m not in (j, i)]


def threefold_centres(plain) -> list[tuple[int, tuple[int, int, int]]]:
    """Return the atoms with exactly three neighbours, with these: where impropers may stand."""
    return [(a.GetIdx(), tuple(_neighbours(a))) for a in plain.GetAtoms() if a.GetDegree() == 3]


def cage(plain) -> set[int]:
    """Return the boron and carbon atoms of clusters: those with more neighbours than four bonds can hold."""
    return {a.GetIdx() for a in plain.GetAtoms() if a.GetSymbol() in ("B", "C") and a.GetDegree() > 4}


def pairs_within(cage_atoms: set[int], plain) -> list[tuple[int, int]]:
    """Return all pairs of a cage's atoms and of the atoms bound to them.

    Across a cage atoms are nearer than their spheres, and what holds them is in the bonds and angles.
    """
    near = cage_atoms | {n for i in cage_atoms for n in _neighbours(plain.GetAtomWithIdx(i))}
    return list(combinations(sorted(near), 2))


def all_pairs(plain) -> list[tuple[int, int]]:
    """Return all pairs of atoms."""
    return list(combinations(range(plain.GetNumAtoms()), 2))


def turns(plain, first: int, second: int) -> bool:
    """Return whether parts of the molecule turn about this bond, which those in rings do not allow."""
    return not plain.GetBondBetweenAtoms(int(first), int(second)).IsInRing()


def _neighbours(atom) -> list[int]:
    return sorted(n.GetIdx() for n in atom.GetNeighbors())
