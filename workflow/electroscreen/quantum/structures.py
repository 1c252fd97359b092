"""Starting structures: conformers of a molecule, placements of a salt's ions, and their GFN2-xTB minima."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np

from electroscreen.quantum.contact import place, van_der_waals_radii
from electroscreen.quantum.descent import Descent, in_cartesians
from electroscreen.species import Species, StartingGeometry, molecule, parse_xyz
from electroscreen.workers import each

# Two structures are one when their energies and their sorted interatomic distances agree this well.
SAME_ENERGY_EV = 0.003
SAME_DISTANCES_ANGSTROM = 0.05

GFN1, GFN2 = "GFN1-xTB", "GFN2-xTB"
# For searches: GFN2-xTB, and between ions and their neighbours the repulsion that it lacks.
WALLED_GFN2 = "GFN2-xTB, ions kept at their distance"

# Starts are first relaxed roughly; only those near the lowest are worth a tight minimum.
ROUGH_FORCE_EV_PER_ANGSTROM, ROUGH_STEPS = 0.1, 80
TIGHT_FORCE_EV_PER_ANGSTROM = 0.01
# In Cartesian coordinates an ion in a chain of three units, with an anion beside it (53 atoms), walks 300 to 670 steps.
TIGHT_STEPS, TIGHT_STEPS_PER_ATOM = 400, 20
WORTH_TIGHTENING_EV = 0.5

ATOMS_IN_ONE_PROCESS = 30  # more take longer to walk than a process to start
EMBEDDING_ATTEMPTS = 20  # of RDKit, before the rules that it knows about torsions and straight bonds are left out


class System(Protocol):
    """What can be computed: a species, or a cluster of several."""

    name: str
    symbols: list[str]
    charge: int
    multiplicity: int


@dataclass(frozen=True)
class Structure:
    """Positions of a species' atoms, where they came from, and what GFN2-xTB says of them.

    Of what a search found, `energy_gfn2_ev` includes the repulsion that GFN2-xTB lacks beside some ions: it tells
    which structure is lower, and is no result.
    """

    origin: str
    positions_angstrom: np.ndarray
    energy_gfn2_ev: float | None = None
    # Of a geometry that was given and keeps its positions: the minimum next to it, where it is compared with others.
    minimum_angstrom: np.ndarray | None = None


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
        return with_given_start(species, species.start, [])
    starts = _raw_starts(species, conformers, ion_sites)
    lowest = minima(species, starts, partial(_bonds_kept, species))
    found = with_given_start(species, species.start, lowest)
    if not found:
        raise ValueError("no starting structure keeps the bonds that the species file draws")
    return found


def minima(
    system: System,
    starts: list[Structure],
    intact: Callable[[np.ndarray], bool],
    descend: Descent = in_cartesians,
) -> list[Structure]:
    """Return the distinct xTB minima below the starts, lowest first; only those near the lowest are tightened.

    By GFN2-xTB, with the repulsion that it lacks beside some ions.

    Parameters
    ----------
    intact
        Tells of positions whether they still are what was asked for; what reacted is left out.
    """
    roughly = partial(descend, force_ev_per_angstrom=ROUGH_FORCE_EV_PER_ANGSTROM, steps=ROUGH_STEPS)
    walks = _each(system, partial(_descended, system, method=WALLED_GFN2, descend=roughly), starts)
    rough = _usable((structure for structure, _ in walks), intact)
    near = [s for s in rough if s.energy_gfn2_ev < rough[0].energy_gfn2_ev + WORTH_TIGHTENING_EV]
    return _distinct(_usable(relaxed(system, _distinct(near), WALLED_GFN2, descend), intact))


def relaxed(system: System, starts: list[Structure], method: str, descend: Descent = in_cartesians) -> list[Structure]:
    """Return the xTB minimum next to each structure, as `relax` does."""
    return _each(system, partial(relax, system, method=method, descend=descend), starts)


def _each(system: System, work: Callable, items: Iterable) -> list:
    """What the work makes of each item; in processes where an item takes longer than a process to start."""
    if len(system.symbols) <= ATOMS_IN_ONE_PROCESS:
        return [work(item) for item in items]
    return each(work, items)


def relax(species: System, start: Structure, method: str = GFN2, descend: Descent = in_cartesians) -> Structure:
    """Return the xTB minimum next to a structure; its energy is None if xTB finds none there."""
    steps = max(TIGHT_STEPS, TIGHT_STEPS_PER_ATOM * len(species.symbols))
    tightly = partial(descend, force_ev_per_angstrom=TIGHT_FORCE_EV_PER_ANGSTROM, steps=steps)
    structure, found = _descended(species, start, method, tightly)
    return structure if found else replace(structure, energy_gfn2_ev=None)


def _descended(species: System, start: Structure, method: str, descend: Descent) -> tuple[Structure, bool]:
    """Return the lowest structure reached, and whether forces are as small as asked for."""
    from ase.calculators.calculator import CalculationFailed

    atoms = xtb_atoms(species, start.positions_angstrom, method)
    try:
        found = descend(atoms)
        energy = atoms.get_potential_energy()
    except CalculationFailed:
        return replace(start, energy_gfn2_ev=None), False
    return replace(start, positions_angstrom=atoms.positions.copy(), energy_gfn2_ev=energy), found


def _usable(structures: Iterable[Structure], intact: Callable[[np.ndarray], bool]) -> list[Structure]:
    """Those that xTB could treat and that are intact, lowest first."""
    kept = [s for s in structures if s.energy_gfn2_ev is not None and intact(s.positions_angstrom)]
    return sorted(kept, key=lambda s: s.energy_gfn2_ev)


def hessian_guess(species: System, positions_angstrom: np.ndarray) -> np.ndarray | None:
    """Return a Hessian to start an optimisation with: GFN2-xTB's, ions kept at their distance, else GFN1-xTB's.

    None where neither converges.
    """
    from ase.calculators.calculator import CalculationFailed

    for method in (WALLED_GFN2, GFN1):
        try:
            return xtb_hessian(species, positions_angstrom, method=method)
        except CalculationFailed:
            continue
    return None


def xtb_hessian(
    species: System, positions_angstrom: np.ndarray, step_angstrom: float = 0.005, method: str = GFN2
) -> np.ndarray:
    """Return the xTB Hessian, shape (3N, 3N), hartree/bohr^2, by central differences of gradients.

    Raises
    ------
    ase.calculators.calculator.CalculationFailed
        If xTB's SCF does not converge at one of the displaced geometries.
    """
    from ase.units import Bohr, Hartree

    atoms = len(positions_angstrom)
    row = partial(_hessian_rows, species, positions_angstrom, step_angstrom, method)
    rows = np.concatenate(_each(species, row, range(atoms)))
    return 0.5 * (rows + rows.T) * Bohr**2 / Hartree


def _hessian_rows(
    species: System, positions_angstrom: np.ndarray, step_angstrom: float, method: str, atom: int
) -> np.ndarray:
    """The rows of an atom, (3, 3N), eV/angstrom^2."""
    rows = np.empty((3, positions_angstrom.size))
    for axis in range(3):
        forces = []
        for sign in (1, -1):
            moved = positions_angstrom.copy()
            moved[atom, axis] += sign * step_angstrom
            forces.append(xtb_atoms(species, moved, method).get_forces().ravel())
        rows[axis] = (forces[1] - forces[0]) / (2 * step_angstrom)
    return rows


def search_method(species: System) -> str:
    """Return what a species' minima are searched with."""
    from electroscreen.quantum.repulsion import is_walled

    return WALLED_GFN2 if is_walled(species.symbols) else GFN2


def xtb_atoms(species: System, positions_angstrom: np.ndarray, method: str = GFN2):
    """Return an ASE Atoms object with an xTB calculator."""
    from ase import Atoms
    from ase.calculators.mixing import SumCalculator
    from tblite.ase import TBLite

    from electroscreen.quantum.repulsion import IonRepulsion

    atoms = Atoms(species.symbols, positions_angstrom)
    name = GFN2 if method == WALLED_GFN2 else method
    atoms.calc = TBLite(
        method=name, charge=species.charge, multiplicity=species.multiplicity, verbosity=0, max_iterations=400
    )
    if method == WALLED_GFN2 == search_method(species):
        atoms.calc = SumCalculator([atoms.calc, IonRepulsion()])
    return atoms


def _raw_starts(species: Species, conformers: int, ion_sites: int) -> list[Structure]:
    if species.smiles is None:
        if species.xyz is None:
            return []
        return [Structure("xyz", np.array([position for _, position in parse_xyz(species.xyz)]))]
    parts = _parts(species)
    if len(parts) == 1:
        return [
            Structure(f"conformer {k + 1}", positions)
            for k, positions in enumerate(embedded_conformers(species, conformers))
        ]
    return _placements(species, parts, ion_sites)


def with_given_start(
    system: System,
    start: StartingGeometry | None,
    found: list[Structure],
    descend: Descent = in_cartesians,
) -> list[Structure]:
    """Add a file's geometry to minima; where it relaxes into one of them it stands for that minimum."""
    if start is None:
        return found
    positions = np.array([position for _, position in parse_xyz(start.xyz)])
    given = Structure(f"species file ({start.level})", positions)
    own_minimum = relax(system, given, WALLED_GFN2, descend)
    if own_minimum.energy_gfn2_ev is None:
        return [given, *found]
    given = replace(given, energy_gfn2_ev=own_minimum.energy_gfn2_ev, minimum_angstrom=own_minimum.positions_angstrom)
    others = [s for s in found if not _same(s, own_minimum)]
    return sorted([given, *others], key=lambda s: s.energy_gfn2_ev)


def embedded_conformers(species: Species, count: int) -> list[np.ndarray]:
    """Return up to `count` RDKit conformers of a species with a SMILES, each (N, 3), angstrom; none if RDKit fails."""
    from rdkit import rdBase
    from rdkit.Chem import AllChem

    drawn = _copy(species)
    parameters = AllChem.ETKDGv3()
    parameters.randomSeed = 2026
    parameters.useRandomCoords = True
    parameters.maxIterations = EMBEDDING_ATTEMPTS
    with rdBase.BlockLogs():
        if not AllChem.EmbedMultipleConfs(drawn, count, parameters):
            # Ten nitriles along a chain are never all straight at once: UFF straightens them below.
            parameters.useBasicKnowledge, parameters.maxIterations = False, 0
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
    radii = van_der_waals_radii(species.symbols)
    conformers = embedded_conformers(species, max(1, min(6, count // 4)))
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
            place(positions, part, np.array(placed, dtype=int), radii, random)
            placed.extend(part)
        structures.append(Structure(f"ion placement {k + 1}", positions))
    return structures


def _interleave(anions: list[np.ndarray], cations: list[np.ndarray]) -> list[list[np.ndarray]]:
    """Order of placement: an anion, a cation, an anion, ... so that opposite charges meet."""
    longest = max(len(anions), len(cations))
    return [[part[k] for part in (anions, cations) if k < len(part)] for k in range(longest)]


def _is_cation(species: Species, part: np.ndarray) -> bool:
    drawn = molecule(species.smiles)
    return sum(drawn.GetAtomWithIdx(int(i)).GetFormalCharge() for i in part) > 0


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
