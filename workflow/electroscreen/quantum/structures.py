"""Starting structures: conformers of a molecule, placements of a salt's ions, and their GFN2-xTB minima."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from electroscreen.species import Species, molecule, parse_xyz

# Two structures are one when their energies and their sorted interatomic distances agree this well.
SAME_ENERGY_EV = 0.003
SAME_DISTANCES_ANGSTROM = 0.05

# Starts are first relaxed roughly; only those near the lowest are worth a tight minimum.
ROUGH_FORCE_EV_PER_ANGSTROM, ROUGH_STEPS = 0.1, 80
TIGHT_FORCE_EV_PER_ANGSTROM, TIGHT_STEPS = 0.01, 400
WORTH_TIGHTENING_EV = 0.5


@dataclass(frozen=True)
class Structure:
    """Positions of a species' atoms, where they came from, and what GFN2-xTB says of them."""

    origin: str
    positions_angstrom: np.ndarray
    energy_gfn2_ev: float | None = None


def starting_structures(species: Species, conformers: int, ion_sites: int) -> list[Structure]:
    """Return distinct GFN2-xTB minima of a species, lowest first.

    A starting geometry given in the species file takes the place of the minimum that it relaxes to; with
    `search: false` it is the only one.

    Parameters
    ----------
    conformers
        Number of RDKit (ETKDG) conformers tried for a single molecule.
    ion_sites
        Number of placements tried for a salt, that is a SMILES of several parts.

    Raises
    ------
    ValueError
        If no start keeps the bonds of the species' SMILES.
    """
    if len(species.symbols) == 1:
        return [Structure("single atom", np.zeros((1, 3)))]
    if not species.search:
        return _with_given_start(species, [])
    starts = _raw_starts(species, conformers, ion_sites)
    rough = _intact(species, [_descend(species, start)[0] for start in starts])
    near = [s for s in rough if s.energy_gfn2_ev < rough[0].energy_gfn2_ev + WORTH_TIGHTENING_EV]
    tight = _distinct(_intact(species, [relax(species, start) for start in _distinct(near)]))
    found = _with_given_start(species, tight)
    if not found:
        raise ValueError("no starting structure keeps the bonds that the species file draws")
    return found


def relax(species: Species, start: Structure) -> Structure:
    """Return the GFN2-xTB minimum next to a structure; its energy is None if xTB finds none there."""
    structure, found = _descend(species, start, TIGHT_FORCE_EV_PER_ANGSTROM, TIGHT_STEPS)
    return structure if found else replace(structure, energy_gfn2_ev=None)


def _descend(
    species: Species, start: Structure, force: float = ROUGH_FORCE_EV_PER_ANGSTROM, steps: int = ROUGH_STEPS
) -> tuple[Structure, bool]:
    """Follow the GFN2-xTB forces; return the lowest structure reached and whether the force criterion was met."""
    from ase.calculators.calculator import CalculationFailed
    from ase.optimize import BFGS

    atoms = xtb_atoms(species, start.positions_angstrom)
    try:
        found = BFGS(atoms, logfile=None).run(fmax=force, steps=steps)
        energy = atoms.get_potential_energy()
    except CalculationFailed:
        return replace(start, energy_gfn2_ev=None), False
    return replace(start, positions_angstrom=atoms.positions.copy(), energy_gfn2_ev=energy), bool(found)


def _intact(species: Species, structures: list[Structure]) -> list[Structure]:
    """Those that xTB could treat and that keep the bonds of the species, lowest first."""
    kept = [s for s in structures if s.energy_gfn2_ev is not None and _bonds_kept(species, s.positions_angstrom)]
    return sorted(kept, key=lambda s: s.energy_gfn2_ev)


def xtb_hessian(species: Species, positions_angstrom: np.ndarray, step_angstrom: float = 0.005) -> np.ndarray:
    """Return the GFN2-xTB Hessian, shape (3N, 3N), hartree/bohr^2, by central differences of gradients."""
    from ase.units import Bohr, Hartree

    size = positions_angstrom.size
    rows = np.empty((size, size))
    for k in range(size):
        forces = []
        for sign in (1, -1):
            moved = positions_angstrom.copy()
            moved.flat[k] += sign * step_angstrom
            forces.append(xtb_atoms(species, moved).get_forces().ravel())
        rows[k] = (forces[1] - forces[0]) / (2 * step_angstrom)
    return 0.5 * (rows + rows.T) * Bohr**2 / Hartree


def xtb_atoms(species: Species, positions_angstrom: np.ndarray):
    """Return an ASE Atoms object with a GFN2-xTB calculator."""
    from ase import Atoms
    from tblite.ase import TBLite

    atoms = Atoms(species.symbols, positions_angstrom)
    atoms.calc = TBLite(
        method="GFN2-xTB", charge=species.charge, multiplicity=species.multiplicity, verbosity=0, max_iterations=400
    )
    return atoms


def _raw_starts(species: Species, conformers: int, ion_sites: int) -> list[Structure]:
    if species.smiles is None:
        if species.xyz is None:
            return []
        return [Structure("xyz", np.array([position for _, position in parse_xyz(species.xyz)]))]
    parts = _parts(species)
    if len(parts) == 1:
        return [
            Structure(f"conformer {k + 1}", positions) for k, positions in enumerate(_conformers(species, conformers))
        ]
    return _placements(species, parts, ion_sites)


def _with_given_start(species: Species, minima: list[Structure]) -> list[Structure]:
    """Add the species file's geometry; where it relaxes into one of the minima it stands for that minimum."""
    if species.start is None:
        return minima
    positions = np.array([position for _, position in parse_xyz(species.start.xyz)])
    given = Structure(f"species file ({species.start.level})", positions)
    own_minimum = relax(species, given)
    given = replace(given, energy_gfn2_ev=own_minimum.energy_gfn2_ev)
    if given.energy_gfn2_ev is None:
        return [given, *minima]
    others = [s for s in minima if not _same(s, own_minimum)]
    return sorted([given, *others], key=lambda s: s.energy_gfn2_ev)


def _conformers(species: Species, count: int) -> list[np.ndarray]:
    from rdkit import rdBase
    from rdkit.Chem import AllChem

    drawn = _copy(species)
    parameters = AllChem.ETKDGv3()
    parameters.randomSeed = 2026
    parameters.useRandomCoords = True
    with rdBase.BlockLogs():
        AllChem.EmbedMultipleConfs(drawn, count, parameters)
        # UFF knows boron and tin, MMFF does not; xTB relaxes afterwards in any case.
        if AllChem.UFFHasAllMoleculeParams(drawn):
            AllChem.UFFOptimizeMoleculeConfs(drawn, maxIters=500)
    return [conformer.GetPositions() for conformer in drawn.GetConformers()]


def _copy(species: Species):
    from rdkit import Chem

    return Chem.Mol(molecule(species.smiles))


def _parts(species: Species) -> list[np.ndarray]:
    """Atom indices of the parts of a SMILES: anions and molecules first, then cations, large before small."""
    from rdkit import Chem

    drawn = molecule(species.smiles)
    parts = [np.array(indices) for indices in Chem.GetMolFrags(drawn)]

    def charge(part: np.ndarray) -> int:
        return sum(drawn.GetAtomWithIdx(int(i)).GetFormalCharge() for i in part)

    return sorted(parts, key=lambda part: (charge(part) > 0, -len(part)))


def _placements(species: Species, parts: list[np.ndarray], count: int) -> list[Structure]:
    """Put the parts of a salt together in many ways: cations between the anions, directions drawn with a fixed seed."""
    radii = _van_der_waals_radii(species)
    conformers = _conformers(species, max(1, min(6, count // 4)))
    if not conformers:
        raise ValueError("RDKit finds no structure in space for the SMILES: give one as 'start' in the species file")
    random = np.random.default_rng(2026)
    anions = [p for p in parts if not _is_cation(species, p)]
    cations = [p for p in parts if _is_cation(species, p)]
    order = [part for pair in _interleave(anions, cations) for part in pair]
    structures = []
    for k in range(count):
        positions = conformers[k % len(conformers)].copy()
        placed: list[int] = []
        for part in order:
            _place(positions, part, np.array(placed, dtype=int), radii, random)
            placed.extend(part)
        structures.append(Structure(f"ion placement {k + 1}", positions))
    return structures


def _place(positions: np.ndarray, part: np.ndarray, placed: np.ndarray, radii: np.ndarray, random) -> None:
    """Turn a part at random and bring it from a random side into touch with what stands already; in place."""
    from scipy.spatial.transform import Rotation

    own = positions[part] - positions[part].mean(axis=0)
    own = Rotation.random(rng=random).apply(own)
    if placed.size == 0:
        positions[part] = own
        return
    # Ions touch at about 0.7 of the sum of van der Waals radii (Na-O 2.4 of 3.8 Å).
    touch = 0.7 * (radii[part][:, None] + radii[placed][None, :])
    # Aim at a random atom of the cluster, so that every site of a long anion has its chance.
    target = positions[random.choice(placed)]
    direction = random.normal(size=3)
    direction /= np.linalg.norm(direction)
    for distance in np.arange(0.0, 30.0, 0.1):
        trial = own + target + distance * direction
        if (np.linalg.norm(trial[:, None] - positions[placed][None], axis=-1) >= touch).all():
            positions[part] = trial
            return


def _interleave(anions: list[np.ndarray], cations: list[np.ndarray]) -> list[list[np.ndarray]]:
    """Order of placement: an anion, a cation, an anion, ... so that opposite charges meet."""
    longest = max(len(anions), len(cations))
    return [[part[k] for part in (anions, cations) if k < len(part)] for k in range(longest)]


def _is_cation(species: Species, part: np.ndarray) -> bool:
    drawn = molecule(species.smiles)
    return sum(drawn.GetAtomWithIdx(int(i)).GetFormalCharge() for i in part) > 0


def _van_der_waals_radii(species: Species) -> np.ndarray:
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    return np.array([table.GetRvdw(symbol) for symbol in species.symbols])


def _bonds_kept(species: Species, positions_angstrom: np.ndarray) -> bool:
    """Whether every bond of the SMILES is still one (below 1.3 of the sum of covalent radii)."""
    if species.smiles is None:
        return True
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    for bond in molecule(species.smiles).GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        limit = 1.3 * sum(table.GetRcovalent(species.symbols[k]) for k in (i, j))
        if np.linalg.norm(positions_angstrom[i] - positions_angstrom[j]) > limit:
            return False
    return True


def _distinct(structures: list[Structure]) -> list[Structure]:
    kept: list[Structure] = []
    for structure in structures:
        if not any(_same(structure, other) for other in kept):
            kept.append(structure)
    return kept


def _same(a: Structure, b: Structure) -> bool:
    """Whether two structures are one minimum, mirror images and permuted atoms included."""
    if abs(a.energy_gfn2_ev - b.energy_gfn2_ev) > SAME_ENERGY_EV:
        return False
    return np.abs(_sorted_distances(a) - _sorted_distances(b)).mean() < SAME_DISTANCES_ANGSTROM


def _sorted_distances(structure: Structure) -> np.ndarray:
    from scipy.spatial.distance import pdist

    return np.sort(pdist(structure.positions_angstrom))
