"""The user's layer: terms from the species file, or a whole OpenMM XML, which all other layers give way to."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Any
from xml.etree import ElementTree

from electroscreen.forcefield import graph
from electroscreen.forcefield.ffxml import atom_names
from electroscreen.forcefield.terms import AMBER_14, Missing, Parameters, Term
from electroscreen.overrides import OwnForceField
from electroscreen.species import Species

LAYER = "user"
_SECTIONS = {
    "charge": "charges_e: {%s: ...}",
    "lj": "lj: {%s: {sigma_angstrom: ..., epsilon_kj_per_mol: ...}}",
    "bond": "bonds: {%s: {length_angstrom: ..., k_kj_per_mol_angstrom2: ...}}",
    "angle": "angles: {%s: {angle_degree: ..., k_kj_per_mol_rad2: ...}}",
    "torsion": "torsions: {%s: {periodicity: [...], phase_degree: [...], k_kj_per_mol: [...]}}",
}
_FORCES = {"HarmonicBondForce", "HarmonicAngleForce", "PeriodicTorsionForce", "NonbondedForce", "CMMotionRemover"}
CHARGE_WITHIN_E = 1e-5


def own_parameters(own: OwnForceField, species: Species, plain) -> Parameters:
    """Return the terms in a species file, one a place, with what is wrong with them.

    Parameters
    ----------
    plain
        The bond graph, see `graph.skeleton`.
    """
    found = from_xml(own, species, plain) if own.xml else Parameters()
    written, faults = _written(own, species, plain)
    return Parameters(
        terms=replaced(found.terms, written),
        missing=[*found.missing, *faults],
        layers={LAYER: own.source},
        scaling_14=found.scaling_14,
    )


def overridden(found: Parameters, own: Parameters) -> Parameters:
    """Return the terms of another layer with the user's in their places, and without the gaps that these fill."""
    places = {_place(term.term, term.atoms) for term in own.terms}
    gaps = [gap for gap in found.missing if not gap.term or _place(gap.term, gap.atoms) not in places]
    layers, warnings = {**found.layers, **own.layers}, list(found.warnings)
    if found.quality and own.terms:
        warnings.append("vibrations and minimum were compared before the user's terms replaced others")
    return Parameters(
        terms=replaced(found.terms, own.terms),
        missing=[*gaps, *own.missing],
        warnings=warnings,
        layers=layers,
        scaling_14=own.scaling_14 if own.scaling_14 != AMBER_14 else found.scaling_14,
        excluded_pairs=found.excluded_pairs,
        quality=found.quality,
    )


def gaps(terms: Sequence[Term], species: Species, plain) -> list[Missing]:
    """Return what a molecule still lacks: sizes of atoms, bonds and angles (torsions may be free).

    Of places that are the same by symmetry one is named.
    """
    have = {_place(term.term, term.atoms) for term in terms}
    places = [("lj", (i,)) for i in range(len(species.symbols))]
    places += [("bond", atoms) for atoms in graph.bonds(plain)] + [("angle", atoms) for atoms in graph.angles(plain)]
    names, classes = atom_names(species.symbols), graph.equivalence_classes(plain)
    told: dict[tuple, Missing] = {}
    for kind, atoms in places:
        if _place(kind, atoms) not in have:
            name = "-".join(names[i] for i in atoms)
            key = _place(kind, tuple(classes[i] for i in atoms))
            told.setdefault(key, Missing(f"{kind} {name}: no layer has it", kind, atoms))
    return list(told.values())


def remedy(gap: Missing, symbols: Sequence[str]) -> str:
    """Return what to write into the species file where a term is missing; nothing where no single term would do."""
    if gap.term not in _SECTIONS:
        return ""
    name = "-".join(atom_names(symbols)[i] for i in gap.atoms)
    return f"forcefield: {{source: ..., {_SECTIONS[gap.term] % name}}}"


def charge_fault(terms: Sequence[Term], species: Species) -> list[Missing]:
    """Return a reason if the charges do not add up to the species'."""
    total = sum(term.values["charge_e"] for term in terms if term.term == "charge")
    if abs(total - species.charge) < CHARGE_WITHIN_E:
        return []
    reason = f"the charges add up to {total:+.4f} e, the species carries {species.charge:+d} e"
    return [Missing(f"{reason}: change those of other atoms too, under forcefield.charges_e")]


def from_xml(own: OwnForceField, species: Species, plain) -> Parameters:
    """Return all terms of an OpenMM force field, found by building the molecule with it.

    Residues, atoms and types may have any names: OpenMM matches the residue by its bonds and elements. Only harmonic
    bonds and angles, periodic torsions, charges and Lennard-Jones spheres can be taken over.
    """
    import openmm
    from openmm import app

    faults, scaling_14 = _xml_faults(own.xml)
    if faults:
        return Parameters(missing=[Missing(f"forcefield.xml: {fault}") for fault in faults])
    topology = app.Topology()
    residue = topology.addResidue(species.name, topology.addChain())
    names = atom_names(species.symbols)
    atoms = [
        topology.addAtom(name, app.Element.getBySymbol(symbol), residue)
        for name, symbol in zip(names, species.symbols, strict=True)
    ]
    for first, second in graph.bonds(plain):
        topology.addBond(atoms[first], atoms[second])
    try:
        system = app.ForceField(io.StringIO(own.xml)).createSystem(topology, removeCMMotion=False)
    except (ValueError, KeyError, AttributeError, openmm.OpenMMException) as failure:
        return Parameters(missing=[Missing(f"forcefield.xml: OpenMM cannot use it: {failure}")])
    strange = sorted({type(force).__name__ for force in system.getForces()} - _FORCES)
    if strange:
        return Parameters(missing=[Missing(f"forcefield.xml: {name} cannot be taken over") for name in strange])
    try:
        terms = [term for force in system.getForces() for term in _terms_of(force, plain, own.source)]
    except ValueError as failure:
        return Parameters(missing=[Missing(f"forcefield.xml: {failure}")])
    return Parameters(terms=_joined(terms), scaling_14=scaling_14)


def _xml_faults(text: str) -> tuple[list[str], dict[str, float]]:
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        return [f"is no XML: {error}"], dict(AMBER_14)
    if root.tag != "ForceField":
        return [f"its root is <{root.tag}>, not <ForceField>"], dict(AMBER_14)
    if root.find("Script") is not None or root.find("InitializationScript") is not None:
        return ["holds a script, which is not run"], dict(AMBER_14)
    if root.find("Include") is not None:
        # OpenMM would run what scripts such a file holds, and no recipe would see it change.
        return ["includes another file: put its content here"], dict(AMBER_14)
    corrections = {element.get("useDispersionCorrection", "True") for element in root}
    if not corrections <= {"True", "False"}:
        # OpenMM evaluates this attribute as Python.
        return ["useDispersionCorrection must be True or False"], dict(AMBER_14)
    nonbonded = root.find("NonbondedForce")
    if nonbonded is None:
        return ["has no <NonbondedForce>"], dict(AMBER_14)
    try:
        scaling = {key: float(nonbonded.get(f"{key}14scale", AMBER_14[key])) for key in AMBER_14}
    except ValueError as error:
        return [f"<NonbondedForce>: {error}"], dict(AMBER_14)
    same = all(abs(scaling[key] - AMBER_14[key]) < 1e-5 for key in AMBER_14)
    return [], dict(AMBER_14) if same else scaling


def _terms_of(force, plain, source: str) -> Iterator[Term]:
    """Terms of one OpenMM force, in this package's units."""

    def term(kind: str, atoms: tuple[int, ...], values: dict[str, Any]) -> Term:
        return Term(kind, atoms, values, LAYER, source)

    name = type(force).__name__
    if name == "HarmonicBondForce":
        for i in range(force.getNumBonds()):
            *atoms, length, k = force.getBondParameters(i)
            values = {"length_angstrom": 10 * length._value, "k_kj_per_mol_angstrom2": k._value / 100}
            yield term("bond", tuple(atoms), values)
    elif name == "HarmonicAngleForce":
        for i in range(force.getNumAngles()):
            *atoms, angle, k = force.getAngleParameters(i)
            values = {"angle_degree": math.degrees(angle._value), "k_kj_per_mol_rad2": k._value}
            yield term("angle", tuple(atoms), values)
    elif name == "PeriodicTorsionForce":
        for i in range(force.getNumTorsions()):
            *atoms, n, phase, k = force.getTorsionParameters(i)
            kind, places = _torsion_or_improper(tuple(atoms), plain)
            series = {"periodicity": [n], "phase_degree": [math.degrees(phase._value)], "k_kj_per_mol": [k._value]}
            yield term(kind, places, series)
    elif name == "NonbondedForce":
        for i in range(force.getNumParticles()):
            charge, sigma, epsilon = (value._value for value in force.getParticleParameters(i))
            yield term("charge", (i,), {"charge_e": charge})
            yield term("lj", (i,), {"sigma_angstrom": 10 * sigma, "epsilon_kj_per_mol": epsilon})


def _torsion_or_improper(atoms: tuple[int, ...], plain) -> tuple[str, tuple[int, ...]]:
    """A torsion reads the same from both ends, so an improper's centre can be put third if it stands second."""

    def bound(first: int, second: int) -> bool:
        return plain.GetBondBetweenAtoms(first, second) is not None

    i, j, k, m = atoms
    if bound(i, j) and bound(j, k) and bound(k, m):
        return "torsion", atoms
    for places in (atoms, atoms[::-1]):
        if all(bound(places[2], other) for other in (*places[:2], places[3])):
            return "improper", places
    raise ValueError(f"the torsion over atoms {', '.join(str(a + 1) for a in atoms)} follows no bonds")


def _joined(terms: list[Term]) -> list[Term]:
    """Put the rows of one torsion, which OpenMM keeps apart, into one series."""
    joined: dict[tuple, Term] = {}
    for term in terms:
        key = (term.term, term.atoms)
        before = joined.get(key)
        if before is None:
            joined[key] = term
        else:
            values = {name: [*before.values[name], *term.values[name]] for name in term.values}
            joined[key] = Term(term.term, term.atoms, values, term.layer, term.source)
    return list(joined.values())


def _written(own: OwnForceField, species: Species, plain) -> tuple[list[Term], list[Missing]]:
    """Terms as written, spread over places that are the same by symmetry; what is named itself has the last word."""
    number = {name: i for i, name in enumerate(atom_names(species.symbols))}
    classes = graph.equivalence_classes(plain)
    named, spread, faults = {}, {}, []
    for kind, terms in own.by_kind.items():
        places = _places(kind, plain)
        for name, values in terms.items():
            atoms = tuple(number[atom] for atom in name.split("-"))
            if _place(kind, atoms) not in {_place(kind, place) for place in places}:
                faults.append(Missing(f"forcefield: {kind} {name}: these atoms are not bound so"))
                continue
            named[_place(kind, atoms)] = Term(kind, atoms, values, LAYER, own.source)
            own_class = _place(kind, tuple(classes[i] for i in atoms))
            for place in places:
                if _place(kind, tuple(classes[i] for i in place)) == own_class:
                    spread[_place(kind, place)] = Term(kind, place, values, LAYER, own.source)
    return list((spread | named).values()), faults


def _places(kind: str, plain) -> list[tuple[int, ...]]:
    if kind in ("charge", "lj"):
        return [(i,) for i in range(plain.GetNumAtoms())]
    if kind == "improper":
        return [
            (i, j, centre, k) for centre, around in graph.threefold_centres(plain) for i, j, k in permutations(around)
        ]
    return {"bond": graph.bonds, "angle": graph.angles, "torsion": graph.torsions}[kind](plain)


def _place(kind: str, atoms: tuple[int, ...]) -> tuple:
    """One name for a place however its atoms are ordered."""
    if kind == "improper":
        i, j, centre, k = atoms
        return (kind, centre, *sorted((i, j, k)))
    return (kind, *min(atoms, atoms[::-1]))


def replaced(terms: Sequence[Term], by: Sequence[Term]) -> list[Term]:
    """Return terms with others in their places."""
    places = {_place(term.term, term.atoms) for term in by}
    return [*(term for term in terms if _place(term.term, term.atoms) not in places), *by]
