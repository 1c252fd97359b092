"""How the parts of a complex can lie together: random placements, and the GFN2-xTB minima below them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from electroscreen.complexes import Cluster, Complex
from electroscreen.quantum.bonds import Bonds, fault
from electroscreen.quantum.contact import place, van_der_waals_radii
from electroscreen.quantum.descent import descent_of
from electroscreen.quantum.structures import Structure, embedded_conformers, minima, with_given_start
from electroscreen.species import Species

SEED = 2026
CONFORMERS = 6
FAULTS_TOLD = 3


class NoPlacementError(ValueError):
    """No placement of the parts is left: the verdict on the search, with what happened to most of them first."""

    def __init__(self, count: int, faults: Counter[str]):
        told = [(*happened.split(": ", 1), times) for happened, times in faults.most_common(FAULTS_TOLD)]
        verdict = told[0][0] if told else "not converged"
        reasons = "; ".join(f"{what} ({times} times)" for _, what, times in told)
        reasons = f"by GFN2-xTB {reasons}" if told else "GFN2-xTB converges for none"
        super().__init__(f"{verdict}: no way to put the parts together is left of {count}: {reasons}")


def lowest_placements(
    wanted: Complex,
    cluster: Cluster,
    every: Mapping[str, Species],
    geometries: Mapping[str, np.ndarray],
    bonds: Mapping[str, Bonds],
    count: int,
) -> list[Structure]:
    """Return the distinct GFN2-xTB minima below random placements of the parts, lowest first.

    A start in the complex's file takes the place of the minimum that it relaxes to. The same seed every time.

    Parameters
    ----------
    every, geometries, bonds
        Of each part's species: what it is, its optimised positions (N, 3) in angstrom, its bonds.
    count
        Number of placements tried.

    Raises
    ------
    NoPlacementError
        If in every minimum a bond broke or formed, or a part came loose, with what happened to most, or if
        xTB converges nowhere.
    """
    starts, faults = placements(cluster, every, geometries, count), Counter()

    def intact(positions: np.ndarray) -> bool:
        happened = fault(cluster, bonds, positions)
        faults.update([happened] if happened else [])
        return not happened

    descend = descent_of(len(cluster.symbols))
    found = minima(cluster, starts, intact, descend)
    found = with_given_start(cluster, wanted.start, found, descend)
    if not found:
        raise NoPlacementError(count, faults)
    return found


def placements(
    cluster: Cluster, every: Mapping[str, Species], geometries: Mapping[str, np.ndarray], count: int
) -> list[Structure]:
    """Return `count` clusters whose parts touch and do not overlap, before any relaxation.

    Every other one takes RDKit's conformers in place of the optimised geometries: what is best alone is not what
    wraps an ion best. Parts come in the order single atoms, then the others, large before small; half of the
    clusters gather about the single atoms, the others grow anywhere.
    """
    random = np.random.default_rng(SEED)
    radii = van_der_waals_radii(cluster.symbols)
    shapes = {name: _shapes(every[name], geometries[name]) for name in every}
    order = sorted(cluster.copies, key=lambda copy: (len(copy[1]) > 1, -len(copy[1])))
    centres = [atoms[0] for _, atoms in cluster.copies if len(atoms) == 1]
    found = []
    for k in range(count):
        positions, placed = np.zeros((len(cluster.symbols), 3)), []
        for name, atoms in order:
            positions[atoms] = shapes[name][(k // 2) % len(shapes[name]) if k % 2 else 0]
            around = [atom for atom in centres if atom in placed] if (k // 2) % 2 == 0 else []
            place(positions, np.array(atoms), np.array(placed, dtype=int), radii, random, np.array(around or placed))
            placed += atoms
        found.append(Structure(f"placement {k + 1}", positions))
    return found


def _shapes(species: Species, optimised: np.ndarray) -> list[np.ndarray]:
    """The optimised geometry, then RDKit's conformers where there are any."""
    if species.smiles is None or len(optimised) == 1:
        return [optimised]
    return [optimised, *embedded_conformers(species, CONFORMERS)]
