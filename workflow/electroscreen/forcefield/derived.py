"""The derived layer: species that GAFF2 does not know (boron, cages, chelates), from their own Hessian.

Bonds, angles, ring torsions and the planarity of threefold centres are fitted to the Hessian, with lengths and angles
at rest from the geometry. Lennard-Jones parameters, and torsions about bonds that turn freely, are GAFF2's: a borate is
typed with carbon in the place of B-, which has as many electrons and bonds. No parameter of boron comes from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from electroscreen.forcefield import graph
from electroscreen.forcefield.borrowed import Borrowed, borrow, elements
from electroscreen.forcefield.ffxml import force_field_xml
from electroscreen.forcefield.hessian_fit import (
    SAME_ANGLE_RADIAN,
    SAME_BEND_RADIAN,
    Stiffness,
    balance,
    compliance,
    fit,
    spring_hessian,
)
from electroscreen.forcefield.internal import LINEAR_DEGREE, Coordinate
from electroscreen.forcefield.mechanics import Mechanics
from electroscreen.forcefield.quality import Reference, compared, doubts
from electroscreen.forcefield.terms import (
    Missing,
    Parameters,
    Term,
    angle_values,
    bond_values,
    torsion_values,
)
from electroscreen.forcefield.typing import torsion_entry_values
from electroscreen.species import Species

LAYER = "derived"
BALANCINGS = 4  # the fit changes the tension, the tension the fit; it settles at once
PLANAR_RADIAN = np.radians(10.0)
SOFT_BOND_KJ_PER_MOL_ANGSTROM2 = 300.0  # a tenth of a C-C bond
# As soft as the softest of GAFF2's angles, those between hydrogens. A carboxyl group on a phenyl rocks against its
# neighbours, which the fit takes for all of its stiffness: without springs of its own it rests 6° off. In a cage bonds
# hold all.
SOFTEST_ANGLE_KJ_PER_MOL_RAD2 = 300.0


def derived(
    species: Species,
    positions_angstrom: np.ndarray,
    plain,
    charges_e: Sequence[float],
    masses_amu: Sequence[float],
    compute_reference: Callable[[], Reference],
    sizes: Mapping[int, Term] = MappingProxyType({}),
) -> Parameters:
    """Return force-field terms of a molecule from its Hessian, with how well they give it back in `quality`.

    Parameters
    ----------
    plain
        The bond graph, see `graph.skeleton`.
    compute_reference
        Called once, unless the molecule is refused.
    sizes
        Lennard-Jones terms that the user gives, by atom.

    Raises
    ------
    amber.ProgramError
        If the typing programs do not run on this machine.
    """
    refusals = refusals_of(species, plain, sizes)
    if refusals:
        return Parameters(missing=refusals)
    reference = compute_reference()
    borrowed = borrow(species, positions_angstrom, plain, sizes)
    cage = graph.cage(plain)
    found = Parameters(layers={"lj": "automatic", "bonded": LAYER}, warnings=list(borrowed.notes))
    stiff_all_over = _rigid(plain, positions_angstrom)
    found.excluded_pairs = graph.all_pairs(plain) if stiff_all_over else graph.pairs_within(cage, plain)
    charge_terms = [Term("charge", (i,), {"charge_e": q}, "automatic", "RESP") for i, q in enumerate(charges_e)]
    turning = _free_torsions(plain, cage, borrowed, positions_angstrom, found.warnings)
    blanks = [Term("bond", atoms, bond_values(1.0, 0.0), LAYER, "") for atoms in graph.bonds(plain)]
    fixed = [*charge_terms, *borrowed.lj, *turning]
    bare = _mechanics(species, plain, [*fixed, *blanks], masses_amu, found)
    classes = graph.equivalence_classes(plain)
    coordinates = _stiff_coordinates(plain, cage, positions_angstrom, classes)
    same_bend, softest_angle = (SAME_ANGLE_RADIAN, 0.0) if cage else (SAME_BEND_RADIAN, SOFTEST_ANGLE_KJ_PER_MOL_RAD2)
    source = f"fit to the {reference.level} Hessian"
    without_springs = bare.hessian(positions_angstrom)
    give = compliance(coordinates, reference.hessian, positions_angstrom, masses_amu)
    bends = give, bare.forces(positions_angstrom)
    strained = np.zeros_like(without_springs)
    for _ in range(BALANCINGS):
        wanted = reference.hessian - without_springs - strained
        stiff = fit(coordinates, classes, positions_angstrom, masses_amu, wanted, same_bend, bends, softest_angle)
        relaxed = _springs(stiff, positions_angstrom, source)
        free = _mechanics(species, plain, [*fixed, *relaxed], masses_amu, found)
        stiff = balance(stiff, positions_angstrom, give, free.forces(positions_angstrom))
        bonded = _springs(stiff, positions_angstrom, source)
        whole = _mechanics(species, plain, [*fixed, *bonded], masses_amu, found)
        # Springs under tension have a Hessian beyond their stiffness.
        strained = whole.hessian(positions_angstrom) - without_springs - spring_hessian(stiff, positions_angstrom)
    found.terms = [*borrowed.lj, *bonded, *turning]
    found.missing += _too_soft(stiff, plain, cage)
    if not found.missing:
        found.quality = compared(whole, reference, positions_angstrom, masses_amu, plain)
        found.warnings += doubts(found.quality)
    return found


def refusals_of(species: Species, plain, sizes: Mapping[int, Term]) -> list[Missing]:
    if species.multiplicity != 1:
        return [Missing("open shells have no force field here")]
    if graph.pieces(plain) > 1:
        return [Missing("it is several molecules: give each as a species of its own")]
    if species.smiles is None and not graph.cage(plain):
        return [Missing("given by coordinates, which tell no bond orders: give a SMILES")]
    if species.formula == "H2O":
        return [Missing("nor do terms from a Hessian make a liquid of it")]
    known = elements()
    return [
        Missing(f"{symbol}{i + 1}: no Lennard-Jones parameters of {symbol}", "lj", (i,))
        for i, symbol in enumerate(species.symbols)
        if symbol not in known["own"] and symbol not in known["gaff2_types"] and i not in sizes
    ]


def _free_torsions(plain, cage: set[int], borrowed: Borrowed, positions: np.ndarray, notes: list[str]) -> list[Term]:
    """Torsions about bonds outside of rings: GAFF2's where it knows them, none about a bond to boron."""
    terms, untold = [], set()
    for atoms in graph.torsions(plain):
        if not graph.turns(plain, *atoms[1:3]) or cage & set(atoms[1:3]) or _flat_at_boron(plain, atoms, positions):
            continue
        central = [plain.GetAtomWithIdx(i).GetSymbol() for i in atoms[1:3]]
        values = None
        if borrowed.types is not None and "B" not in central:
            values, source = torsion_entry_values([borrowed.types[i] for i in atoms], borrowed.table)
        if values is None:
            untold.add("-".join(sorted(central)))
        else:
            terms.append(Term("torsion", atoms, values, "automatic", source))
    notes += [f"rotation about {bond} has no barrier of its own" for bond in sorted(untold)]
    return terms


def _stiff_coordinates(plain, cage: set[int], positions: np.ndarray, classes: Sequence[int]) -> list[Coordinate]:
    """Return what is fitted: bonds, angles, torsions about ring bonds outside of cages, planar threefold centres."""
    stiff = [Coordinate("bond", atoms) for atoms in graph.bonds(plain)]
    stiff += [Coordinate("angle", atoms) for atoms in graph.angles(plain)]
    stiff += [
        Coordinate("torsion", atoms)
        for atoms in graph.torsions(plain)
        if (not graph.turns(plain, *atoms[1:3]) or _flat_at_boron(plain, atoms, positions))
        and not cage & set(atoms[1:3])
        and not _nearly_straight(atoms, positions)
    ]
    for centre, around in graph.threefold_centres(plain):
        # Centres that are the same by symmetry are read in the same order, so that they share a stiffness.
        i, j, k = sorted(around, key=lambda atom: classes[atom])
        improper = Coordinate("improper", (i, j, centre, k))
        if abs(np.sin(improper.value(positions))) < np.sin(PLANAR_RADIAN):
            stiff.append(improper)
    return stiff


def _flat_at_boron(plain, atoms: tuple[int, ...], positions: np.ndarray) -> bool:
    """Whether the two middle atoms are a boron of three bonds and a neighbour of two that lies flat on it.

    Its empty orbital takes part in the bond (B-O of a boric ester), which turns by half a circle at a time, as a double
    bond does; so its stiffness tells the barrier.
    """
    ends = [plain.GetAtomWithIdx(i) for i in atoms[1:3]]
    if not any(
        one.GetSymbol() == "B" and one.GetDegree() == 3 and other.GetDegree() == 2 for one, other in (ends, ends[::-1])
    ):
        return False
    return abs(np.sin(Coordinate("torsion", atoms).value(positions))) < np.sin(PLANAR_RADIAN)


def _rigid(plain, positions: np.ndarray) -> bool:
    """Whether no part of the molecule turns against another.

    Then its atoms need not see each other: the springs hold it, and keep its shape when ions' charges are scaled.
    """
    return all(
        not graph.turns(plain, *atoms[1:3]) or _nearly_straight(atoms, positions) for atoms in graph.torsions(plain)
    )


def _nearly_straight(atoms: tuple[int, ...], positions: np.ndarray) -> bool:
    """A torsion over a straight angle has no direction."""
    return any(np.degrees(Coordinate("angle", atoms[s : s + 3]).value(positions)) > LINEAR_DEGREE for s in (0, 1))


def _springs(stiff: list[Stiffness], positions: np.ndarray, source: str) -> list[Term]:
    return [term for group in stiff for term in _terms(group, positions, source)]


def _terms(group: Stiffness, positions: np.ndarray, source: str) -> list[Term]:
    terms = []
    for member in group.members:
        if member.kind == "bond":
            values = bond_values(group.rest, group.k_kj_per_mol)
        elif member.kind == "angle":
            values = angle_values(float(np.degrees(group.rest)), group.k_kj_per_mol)
        elif group.k_kj_per_mol == 0:
            continue
        else:
            values = _torsion_well(member.value(positions), group.rest, group.k_kj_per_mol)
        terms.append(Term(member.kind, member.atoms, values, LAYER, source))
    return terms


def _torsion_well(own_radian: float, rest_radian: float, k_kj_per_mol: float) -> dict[str, list]:
    """Return k (1 + cos(nφ - phase)) with its minimum and curvature where the molecule has them.

    The curvature at the minimum is k n². A period of two or three is taken where it has a minimum near to the
    geometry, so that a ring may turn over into its mirror image; else one, with the minimum just there. (Many torsions
    pulling at a ring from 10° away bend its angles by as much.)
    """
    for n, phase, near in ((2, 180.0, 10), (3, 0.0, 3), (3, 180.0, 3), (2, 0.0, 3)):
        away = (n * np.degrees(rest_radian) - phase - 180 + 180) % 360 - 180
        if abs(away) < near * n:
            return torsion_values([(n, phase, k_kj_per_mol / n**2)])
    minimum = np.degrees(np.copysign(rest_radian, own_radian))
    return torsion_values([(1, float(minimum - 180), k_kj_per_mol)])


def _too_soft(stiff: list[Stiffness], plain, cage: set[int]) -> list[Missing]:
    """A bond that the fit leaves without stiffness is none: better no force field than a molecule that falls apart.

    Within a cage each atom is held by five others and the angles between them.
    """
    bonds = [g for g in stiff if g.members[0].kind == "bond" and not set(g.members[0].atoms) <= cage]
    soft = [g for g in bonds if g.k_kj_per_mol < SOFT_BOND_KJ_PER_MOL_ANGSTROM2]
    return [
        Missing(
            f"bond {'-'.join(plain.GetAtomWithIdx(i).GetSymbol() for i in member.atoms)}: the Hessian gives it "
            f"{group.k_kj_per_mol:.0f} kJ/mol/Å², which holds nothing together",
            "bond",
            member.atoms,
        )
        for group in soft
        for member in group.members
    ]


def _mechanics(species: Species, plain, terms: list[Term], masses: Sequence[float], found: Parameters) -> Mechanics:
    xml = force_field_xml(species.name, species.symbols, masses, terms, found.scaling_14, found.excluded_pairs)
    return Mechanics(species.name, species.symbols, graph.bonds(plain), xml)
