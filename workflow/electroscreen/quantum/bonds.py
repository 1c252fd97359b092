"""Which atoms of a cluster are bonded: whether its parts are still themselves, and whether they hold together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from electroscreen.complexes import Cluster
from electroscreen.quantum.contact import van_der_waals_radii
from electroscreen.species import Species, molecule

# In units of the sum of covalent radii: a bond holds up to the first, and has formed below the second (a hydrogen
# bond, at 1.7 of it, has not).
STRETCHED, FORMED = 1.3, 1.15
# In units of the sum of van der Waals radii: parts that are farther apart do not hold each other.
APART = 1.25
# Na+ beside 1,3-dioxolane: 0.74 to a hydrogen by B3LYP (2.66 Å), 0.59 by GFN1-xTB (2.13 Å).
CROWDED = 0.7

# Contacts of a metal are coordination and come and go; between these atoms a bond is a bond.
NONMETALS = frozenset(
    ["H", "He", "B", "C", "N", "O", "F", "Ne", "Si", "P", "S", "Cl", "Ar", "As", "Se", "Br", "Kr", "Te", "I", "Xe"]
)

Bonds = frozenset[tuple[int, int]]


def bonds_of(species: Species, positions_angstrom: np.ndarray) -> Bonds:
    """Return the bonds of a species: those of its SMILES, or between atoms as near as bonded ones are."""
    if species.smiles is not None:
        drawn = molecule(species.smiles).GetBonds()
        return frozenset(tuple(sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx()))) for b in drawn)
    ratios = _covalent_ratios(species.symbols, positions_angstrom)
    return frozenset((i, j) for i, j in _nonmetal_pairs(species.symbols) if ratios[i, j] < STRETCHED)


def reaction(cluster: Cluster, bonds: Mapping[str, Bonds], positions_angstrom: np.ndarray) -> str | None:
    """Return what bond broke or formed when the parts became a cluster, None if none did.

    Parameters
    ----------
    bonds
        Of each species in the cluster.
    """
    ratios = _covalent_ratios(cluster.symbols, positions_angstrom)
    known = {(atoms[i], atoms[j]) for name, atoms in cluster.copies for i, j in bonds[name]}
    broken = [pair for pair in sorted(known) if ratios[pair] > STRETCHED]
    formed = [pair for pair in _nonmetal_pairs(cluster.symbols) if pair not in known and ratios[pair] < FORMED]
    if broken or formed:
        i, j = (broken or formed)[0]
        verb = "broke" if broken else "formed"
        return f"the bond {_atom(cluster, i)} to {_atom(cluster, j)} {verb}"
    return None


def loose_part(cluster: Cluster, positions_angstrom: np.ndarray) -> str | None:
    """Return the name of a part that touches no other, or no longer the first part's neighbours; None if all hold."""
    from scipy.sparse.csgraph import connected_components

    radii = van_der_waals_radii(cluster.symbols)
    ratios = _distances(positions_angstrom) / (radii[:, None] + radii[None, :])
    near = [[ratios[np.ix_(a, b)].min() < APART for _, a in cluster.copies] for _, b in cluster.copies]
    _, component = connected_components(np.array(near), directed=False)
    largest = np.bincount(component).argmax()
    return next((name for (name, _), c in zip(cluster.copies, component, strict=True) if c != largest), None)


def fault(cluster: Cluster, bonds: Mapping[str, Bonds], positions_angstrom: np.ndarray) -> str | None:
    """Return the verdict on parts that are not what they were or not together, None where they are."""
    if changed := reaction(cluster, bonds, positions_angstrom):
        return f"reacted: {changed}"
    if loose := loose_part(cluster, positions_angstrom):
        return f"fell apart: {loose} touches the rest no more"
    return None


def crowded_hydrogen(cluster: Cluster, positions_angstrom: np.ndarray) -> str | None:
    """Return which hydrogen on carbon a metal ion has drawn nearer than it comes by DFT, None if none.

    xTB does that; the energy by DFT at such a geometry is too high, by 0.16 eV for Na+ with one 1,3-dioxolane.
    """
    distances, symbols = _distances(positions_angstrom), np.array(cluster.symbols)
    radii = van_der_waals_radii(cluster.symbols)
    carbons, hydrogens = np.flatnonzero(symbols == "C"), np.flatnonzero(symbols == "H")
    on_carbon = [h for h in hydrogens if len(carbons) and distances[h, carbons].min() < 1.3]
    ions = [atoms[0] for _, atoms in cluster.copies if len(atoms) == 1 and symbols[atoms[0]] not in NONMETALS]
    pairs = [(distances[ion, h] / (radii[ion] + radii[h]), ion, h) for ion in ions for h in on_carbon]
    ratio, ion, hydrogen = min(pairs, default=(1.0, 0, 0))
    if ratio >= CROWDED:
        return None
    return f"{_atom(cluster, hydrogen)} {distances[ion, hydrogen]:.2f} Å from {symbols[ion]}"


def contacts(cluster: Cluster, positions_angstrom: np.ndarray, count: int = 8) -> list[dict]:
    """Return the `count` nearest atoms of other parts around each part that is a single atom, nearest first."""
    distances = _distances(positions_angstrom)
    rows = []
    for name, atoms in cluster.copies:
        if len(atoms) > 1:
            continue
        others = sorted((i for i in range(len(cluster.symbols)) if i != atoms[0]), key=lambda i: distances[atoms[0], i])
        nearest = [
            {"atom": _atom(cluster, i), "distance_angstrom": float(distances[atoms[0], i])} for i in others[:count]
        ]
        rows.append({"of": name, "nearest": nearest})
    return rows


def _atom(cluster: Cluster, index: int) -> str:
    """Name an atom, such as 'O3 of DOL': numbers count within the part, from 1."""
    name, atoms = next((name, atoms) for name, atoms in cluster.copies if index in atoms)
    return f"{cluster.symbols[index]}{index - atoms[0] + 1} of {name}"


def _nonmetal_pairs(symbols: list[str]) -> list[tuple[int, int]]:
    nonmetals = [i for i, symbol in enumerate(symbols) if symbol in NONMETALS]
    return [(i, j) for n, i in enumerate(nonmetals) for j in nonmetals[n + 1 :]]


def _covalent_ratios(symbols: list[str], positions_angstrom: np.ndarray) -> np.ndarray:
    """Distances in units of the sum of covalent radii, (N, N)."""
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    radii = np.array([table.GetRcovalent(symbol) for symbol in symbols])
    return _distances(positions_angstrom) / (radii[:, None] + radii[None, :])


def _distances(positions_angstrom: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return cdist(positions_angstrom, positions_angstrom)
