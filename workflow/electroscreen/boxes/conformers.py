"""Conformers of chains: rigid pieces, the bonds about which they turn, and how likely each turn is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

GAS_CONSTANT_KJ_PER_MOL_K = 8.31446261815324e-3  # CODATA 2018
COULOMB_KJ_ANGSTROM = 1389.35456  # 1 / (4 π ε0), per mole

STATES = 72  # turns about a bond, five degrees each
RIGID_ABOVE_KJ_PER_MOL = 60.0  # double bonds and amides keep what they are

# Two atoms four to eight bonds apart come as near as where they repel each other by three times RT; those further along
# are as strangers.
NEAR_ENERGY_RT, NEAR_BONDS = 3.0, 8


@dataclass(frozen=True)
class Terms:
    """What a force field says of one molecule: bonds, torsions, and pairs of atoms three bonds apart.

    `torsions` are (atoms, periodicity, phase in rad, k in kJ/mol); `pairs` maps (i, j), i < j, to the product of
    charges (e²), σ (Å) and ε (kJ/mol); `sigma_angstrom` and `epsilon_kj_per_mol` have one value an atom.
    """

    bonds: np.ndarray
    torsions: list[tuple[tuple[int, ...], int, float, float]]
    pairs: dict[tuple[int, int], tuple[float, float, float]]
    sigma_angstrom: np.ndarray
    epsilon_kj_per_mol: np.ndarray

    @classmethod
    def of(cls, system, bonds: np.ndarray, first: int, size: int) -> Terms:
        """Find them for the molecule of `size` atoms from atom `first` on in an OpenMM system with these bonds."""
        import openmm

        inside = range(first, first + size)
        torsions, pairs, sizes = [], {}, np.zeros((size, 2))
        for force in system.getForces():
            if isinstance(force, openmm.PeriodicTorsionForce):
                every = (force.getTorsionParameters(i) for i in range(force.getNumTorsions()))
                torsions += [
                    (tuple(i - first for i in t[:4]), t[4], t[5]._value, t[6]._value) for t in every if t[0] in inside
                ]
            elif isinstance(force, openmm.NonbondedForce):
                for i in inside:
                    _, sigma, epsilon = force.getParticleParameters(i)
                    # What has no depth has no size: a hydroxyl's hydrogen lies within its oxygen.
                    sizes[i - first] = 10 * sigma._value * (epsilon._value > 0), epsilon._value
                every = (force.getExceptionParameters(k) for k in range(force.getNumExceptions()))
                pairs |= {
                    (min(e[:2]) - first, max(e[:2]) - first): (e[2]._value, 10 * e[3]._value, e[4]._value)
                    for e in every
                    if e[0] in inside
                }
        own = bonds[(bonds >= first).all(axis=1) & (bonds < first + size).all(axis=1)] - first
        return cls(own, torsions, pairs, *sizes.T)


@dataclass(frozen=True)
class Joint:
    """A bond about which a piece turns against the piece before it.

    `origin` is the far atom of the bond and `axis` its direction, in the molecule as it is given; `weights` are the
    probabilities of turning by each multiple of 360°/STATES from there.
    """

    before: int
    origin: np.ndarray
    axis: np.ndarray
    weights: np.ndarray

    @cached_property
    def cumulative(self) -> np.ndarray:
        """Sums of the weights up to each turn; the last is 1."""
        sums = np.cumsum(self.weights)
        return sums / sums[-1]

    def mean_rotation(self) -> np.ndarray:
        """Return the mean of the rotation matrices of all turns, each spread evenly over its own five degrees."""
        turns = 2 * np.pi * np.arange(STATES) / STATES
        spread = np.sinc(1 / STATES)
        cosine, sine = spread * (self.weights @ np.cos(turns)), spread * (self.weights @ np.sin(turns))
        along = np.outer(self.axis, self.axis)
        return along + cosine * (np.eye(3) - along) + sine * cross_matrix(self.axis)


@dataclass(frozen=True)
class Jointed:
    """A molecule as rigid pieces: piece 0 holds the first atom of the backbone, joint k leads to piece k + 1.

    `limits_angstrom` says how near any two atoms may come, (n, n): zero where turns are weighted by that already,
    infinite where they are too far apart along the chain for a limit of their own.
    """

    positions_angstrom: np.ndarray
    pieces: list[np.ndarray]
    joints: list[Joint]
    ends: tuple[int, int]
    backbone_bonds: int
    limits_angstrom: np.ndarray

    @classmethod
    def of(cls, symbols: Sequence[str], positions_angstrom: np.ndarray, terms: Terms, temperature_k: float) -> Jointed:
        """Cut a molecule at its bonds that turn; raises ValueError if it is not one whole molecule."""
        size = len(symbols)
        way = backbone(symbols, terms.bonds)
        neighbours = [set() for _ in range(size)]
        for i, j in terms.bonds:
            neighbours[i].add(int(j))
            neighbours[j].add(int(i))
        turning = _turning(neighbours, symbols, terms)
        x = np.asarray(positions_angstrom, dtype=float)
        piece_of, pieces, joints = np.full(size, -1), [], []
        waiting = [(None, int(way[0]))]
        while waiting:
            parent, atom = waiting.pop()
            members = _connected(atom, neighbours, turning)
            piece_of[members] = len(pieces)
            if parent is not None:
                weights = _weights(parent, atom, neighbours, x, terms, temperature_k)
                axis = (x[atom] - x[parent]) / np.linalg.norm(x[atom] - x[parent])
                joints.append(Joint(int(piece_of[parent]), x[atom], axis, weights))
            onward = [(i, j) for i in members for j in sorted(neighbours[i]) if piece_of[j] < 0]
            # The far atom of a joint lies on its axis: it has its place before the joint turns.
            pieces.append(np.array([*(i for i in members if parent is None or i != atom), *(j for _, j in onward)]))
            # Last in is first out: side groups grow where they branch, before the backbone goes on.
            waiting += sorted(onward, key=lambda bond: bond[1] not in way)
        if (piece_of < 0).any():
            raise ValueError("is not one molecule: some of its atoms are not bound to the others")
        ends = int(way[0]), int(way[-1])
        return cls(x, pieces, joints, ends, len(way) - 1, _limits(terms, temperature_k))

    def ideal_end_to_end_squared(self) -> float:
        """Return <R²>, Å², of the backbone's ends where all turns are independent and nothing is in the way.

        Bonds' mean products are products of the mean rotations between them (Flory, Statistical Mechanics of Chain
        Molecules, 1969, chapter 1).
        """
        first, last = self.ends
        piece = next(k for k, members in enumerate(self.pieces) if last in members)
        path, points = [], [self.positions_angstrom[last]]
        while piece:
            path.insert(0, self.joints[piece - 1])
            points.insert(0, path[0].origin)
            piece = path[0].before
        steps = np.diff([self.positions_angstrom[first], *points], axis=0)
        squares, onward = (steps**2).sum(), steps[-1]
        for joint, step in zip(reversed(path), steps[-2::-1], strict=True):
            onward = joint.mean_rotation() @ onward
            squares += 2 * step @ onward
            onward = step + onward
        return float(squares)


def backbone(symbols: Sequence[str], bonds: np.ndarray) -> np.ndarray:
    """Return the atoms of the longest way through a molecule, hydrogens aside, from end to end."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import shortest_path

    heavy = np.array([symbol != "H" for symbol in symbols])
    bonds = bonds[heavy[bonds].all(axis=1)]
    graph = coo_matrix((np.ones(len(bonds)), bonds.T), shape=2 * (len(symbols),)).tocsr()

    def ways(start: int) -> tuple[np.ndarray, np.ndarray]:
        far, before = shortest_path(graph, directed=False, unweighted=True, indices=start, return_predecessors=True)
        return np.where(np.isfinite(far), far, -1), before

    start = int(ways(int(np.argmax(heavy)))[0].argmax())
    far, before = ways(start)
    path = [int(far.argmax())]
    while path[-1] != start:
        path.append(int(before[path[-1]]))
    return np.array(path[::-1])


def rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    """Return the matrix that turns by an angle (rad) about a unit vector (Rodrigues)."""
    skew = cross_matrix(axis)
    return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew


def cross_matrix(axis: np.ndarray) -> np.ndarray:
    """Return the matrix that takes the cross product of an axis with a vector."""
    x, y, z = axis
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def _turning(neighbours: list[set[int]], symbols: Sequence[str], terms: Terms) -> set[frozenset[int]]:
    """Bonds in no ring, between atoms that both bear more than hydrogen besides, with no barrier of a double bond."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    size, found = len(symbols), set()
    barrier: dict[frozenset[int], float] = {}
    for (_, b, c, _), _, _, k in terms.torsions:
        barrier[frozenset((b, c))] = barrier.get(frozenset((b, c)), 0.0) + 2 * abs(k)
    for i, j in terms.bonds:
        heavy = [any(symbols[k] != "H" for k in neighbours[a] - {b}) for a, b in ((i, j), (j, i))]
        bond = frozenset((int(i), int(j)))
        if not all(heavy) or barrier.get(bond, 0.0) > RIGID_ABOVE_KJ_PER_MOL:
            continue
        others = terms.bonds[~((terms.bonds == (i, j)).all(axis=1))]
        graph = coo_matrix((np.ones(len(others)), others.T), shape=(size, size))
        labels = connected_components(graph, directed=False)[1]
        if labels[i] != labels[j]:
            found.add(bond)
    return found


def _connected(atom: int, neighbours: list[set[int]], turning: set[frozenset[int]]) -> list[int]:
    """Atoms that an atom is bound to without a bond that turns between."""
    members, waiting = {atom}, [atom]
    while waiting:
        i = waiting.pop()
        more = {j for j in neighbours[i] - members if frozenset((i, j)) not in turning}
        members |= more
        waiting += more
    return sorted(members)


def _weights(
    b: int, c: int, neighbours: list[set[int]], x: np.ndarray, terms: Terms, temperature_k: float
) -> np.ndarray:
    """Boltzmann's probabilities of turning what hangs on c about b-c: torsions, and pairs three bonds apart."""
    turns = 2 * np.pi * np.arange(STATES) / STATES
    axis = (x[c] - x[b]) / np.linalg.norm(x[c] - x[b])
    matrices = np.array([rotation(axis, turn) for turn in turns])
    energy = np.zeros(STATES)
    for atoms, periodicity, phase, k in terms.torsions:
        if atoms[1:3] in ((b, c), (c, b)):
            a, d = (atoms[0], atoms[3]) if atoms[1] == b else (atoms[3], atoms[0])
            if a in neighbours[b] and d in neighbours[c]:
                angle = _dihedral(x[a], x[b], x[c], x[d]) + turns
                energy += k * (1 + np.cos(periodicity * angle - phase))
    for a in neighbours[b] - {c}:
        for d in neighbours[c] - {b}:
            product, sigma, epsilon = terms.pairs.get((min(a, d), max(a, d)), (0.0, 1.0, 0.0))
            apart = np.linalg.norm(x[c] + matrices @ (x[d] - x[c]) - x[a], axis=1)
            energy += COULOMB_KJ_ANGSTROM * product / apart
            energy += 4 * epsilon * ((sigma / apart) ** 12 - (sigma / apart) ** 6)
    weights = np.exp(-(energy - energy.min()) / (GAS_CONSTANT_KJ_PER_MOL_K * temperature_k))
    return weights / weights.sum()


def _dihedral(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> float:
    """In rad, growing as d turns about b-c as a screw goes in."""
    axis = (c - b) / np.linalg.norm(c - b)
    first, last = a - b, d - c
    first, last = first - axis * (first @ axis), last - axis * (last @ axis)
    return float(np.arctan2(np.cross(first, last) @ axis, first @ last))


def _limits(terms: Terms, temperature_k: float) -> np.ndarray:
    """The limits of `Jointed`: none up to three bonds, and none of their own beyond eight."""
    from scipy.sparse import coo_matrix, eye

    size = len(terms.sigma_angstrom)
    graph = coo_matrix((np.ones(len(terms.bonds)), terms.bonds.T), shape=(size, size))
    step = ((graph + graph.T + eye(size)) > 0).astype(np.int32).tocsr()
    within = [step]
    while len(within) < NEAR_BONDS:
        within.append(((within[-1] @ step) > 0).astype(np.int32))
    sigma = (terms.sigma_angstrom[:, None] + terms.sigma_angstrom) / 2
    epsilon = np.sqrt(terms.epsilon_kj_per_mol[:, None] * terms.epsilon_kj_per_mol)
    allowed = NEAR_ENERGY_RT * GAS_CONSTANT_KJ_PER_MOL_K * temperature_k
    # 4 ε (s^12 - s^6) = allowed, with s = σ / r.
    with np.errstate(divide="ignore"):
        sixth = (1 + np.sqrt(1 + allowed / epsilon)) / 2
    near = np.where(within[-1].toarray() > 0, sigma * sixth ** (-1 / 6), np.inf)
    return np.where(within[2].toarray() > 0, 0.0, near)
