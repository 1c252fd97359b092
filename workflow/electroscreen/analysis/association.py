"""Which ions touch: free, solvent-separated, in contact pairs, in aggregates; clusters, and the charge they carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from electroscreen.analysis.shells import COMMONEST, Bound, Crowd, in_blocks, label_of, share_row

FREE, SEPARATED, PAIRED, AGGREGATED = "free", "solvent-separated", "contact pair", "aggregate"
STATES = (FREE, SEPARATED, PAIRED, AGGREGATED)


@dataclass(frozen=True)
class Association:
    """The ions of one replica, frame by frame.

    Attributes
    ----------
    species
        Number of the species of each ion, shape (ions,).
    cluster
        Number of the cluster of each ion, shape (frames, ions).
    size, charge_e
        Ions in, and charge of, the cluster of each ion, shape (frames, ions).
    composition
        Ions of each species in each cluster, shape (clusters, species).
    near
        Whether a counter-ion is no farther than a molecule of solvent, shape (frames, ions).
    """

    species: np.ndarray
    cluster: np.ndarray
    size: np.ndarray
    charge_e: np.ndarray
    composition: np.ndarray
    near: np.ndarray

    @property
    def state(self) -> np.ndarray:
        """Number of the state in `STATES`, shape (frames, ions)."""
        return np.where(self.size > 2, 3, np.where(self.size == 2, 2, np.where(self.near, 1, 0)))


def associate(
    touching: Sequence[Bound], separated: Sequence[Bound], centers: Sequence[np.ndarray], crowd: Crowd
) -> Association:
    """Return which ions touch in one replica.

    Parameters
    ----------
    touching, separated
        Of each kind of centre: atoms in its first shell, and atoms up to a molecule of solvent farther.
    centers
        Of each kind of centre: its atoms.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ions = np.flatnonzero(crowd.charges_e[crowd.species_of])
    number = np.full(len(crowd.species_of), -1)
    number[ions] = np.arange(len(ions))
    frames = min(bound.frames for bound in touching)
    edges = [_counter_ions(bound, atoms, crowd, number, frames) for bound, atoms in zip(touching, centers, strict=True)]
    frame, first, second = np.concatenate(edges, axis=1)
    nodes = frames * len(ions)
    graph = coo_array((np.ones(len(frame)), (frame * len(ions) + first, frame * len(ions) + second)), (nodes, nodes))
    count, label = connected_components(graph, directed=False)
    species = crowd.species_of[ions]
    kinds = len(crowd.species)
    place = label * kinds + np.tile(species, frames)
    composition = np.bincount(place, minlength=count * kinds).reshape(count, kinds)
    near = np.zeros((frames, len(ions)), dtype=bool)
    for bound, atoms in zip(separated, centers, strict=True):
        frame, first, second = _counter_ions(bound, atoms, crowd, number, frames)
        near[frame, first] = near[frame, second] = True
    shape = (frames, len(ions))
    return Association(
        species=species,
        cluster=label.reshape(shape),
        size=composition.sum(axis=1)[label].reshape(shape),
        charge_e=(composition @ crowd.charges_e)[label].reshape(shape),
        composition=composition,
        near=near,
    )


def association_rows(replicas: Sequence[Association], crowd: Crowd) -> list[dict[str, Any]]:
    """Return the shares of the states of each ion, and those of ions in each of the commonest clusters.

    Rows have `center` (the ion, or 'ions'), `kind` ('association' or 'cluster'), `structure`, `value`, `low`, `high`.
    """
    rows = []
    for number in np.unique(replicas[0].species):
        for i, state in enumerate(STATES):
            tables = [one.state[:, one.species == number] == i for one in replicas]
            rows.append({"center": crowd.species[number]} | share_row("association", state, tables))
    every = np.concatenate([one.composition[one.cluster].reshape(-1, len(crowd.species)) for one in replicas])
    kinds, counts = np.unique(every, axis=0, return_counts=True)
    for kind in kinds[np.argsort(-counts, kind="stable")[:COMMONEST]]:
        tables = [(one.composition == kind).all(axis=1)[one.cluster] for one in replicas]
        rows.append({"center": "ions"} | share_row("cluster", label_of(kind, crowd.species), tables))
    return rows


def cluster_charges(replicas: Sequence[Association], species: Sequence[int]) -> np.ndarray:
    """Return how much squared charge the diffusion of each species carries in clusters, in blocks of time.

    Each cluster moves as the mean of its ions would, so that an ion adds (charge of its cluster)² / (ions in it).

    Returns
    -------
    np.ndarray
        Sums over the ions of each species in a box, shape (blocks of all replicas, species).
    """
    tables = [in_blocks(one.charge_e**2 / one.size) for one in replicas]
    return np.concatenate(
        [
            np.column_stack([table[:, one.species == number].sum(axis=1) for number in species])
            for table, one in zip(tables, replicas, strict=True)
        ]
    )


def _counter_ions(bound: Bound, atoms: np.ndarray, crowd: Crowd, number: np.ndarray, frames: int) -> np.ndarray:
    """Pairs of opposite ions among bound atoms: frame and numbers of both among the ions, shape (3, pairs)."""
    first, second = crowd.molecule_of[atoms[bound.center]], crowd.molecule_of[bound.atom]
    charges = crowd.charges_e[crowd.species_of]
    opposite = (charges[first] * charges[second] < 0) & (bound.frame < frames)
    return np.array([bound.frame[opposite], number[first[opposite]], number[second[opposite]]], dtype=np.int64)
