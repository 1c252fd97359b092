"""OpenMM's force-field XML: one residue template a species, one private type an atom.

With a type of its own for every atom each term is spelled out, nothing is matched by class, and
files of several species can be loaded together. Types are named species:atom; no species' name holds a colon.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree import ElementTree

from electroscreen.forcefield.terms import AMBER_14, Term

_NM_PER_ANGSTROM = 0.1

# OpenMM allows one pair of 1-4 factors for all files. A species with factors of its own brings this
# script, which createSystem runs at its end.
_SCALE_14 = """
import openmm
inside = {{atom.index for residue in topology.residues() if residue.name == "{name}" for atom in residue.atoms()}}
for force in sys.getForces():
    if isinstance(force, openmm.NonbondedForce):
        for i in range(force.getNumExceptions()):
            first, second, product, sigma, epsilon = force.getExceptionParameters(i)
            if first in inside:
                force.setExceptionParameters(i, first, second, product * {coulomb!r}, sigma, epsilon * {lj!r})
"""


# Atoms across a cage are nearer than their spheres: they neither attract nor repel each other.
_EXCLUDE = """
import openmm
pairs = {pairs!r}
for force in sys.getForces():
    if isinstance(force, openmm.NonbondedForce):
        for residue in topology.residues():
            if residue.name == "{name}":
                atoms = [atom.index for atom in residue.atoms()]
                for first, second in pairs:
                    force.addException(atoms[first], atoms[second], 0.0, 1.0, 0.0, True)
"""


def atom_names(symbols: Sequence[str]) -> list[str]:
    """Return a name for every atom, such as C1, C2, O3: the symbol with the atom's number, from 1."""
    return [f"{symbol}{i}" for i, symbol in enumerate(symbols, start=1)]


def empty_xml(reason: str) -> str:
    """Return a force field without content, with the reason as a comment."""
    return f"<ForceField>\n <!-- {reason.replace('--', '- -')} -->\n</ForceField>\n"


def force_field_xml(
    name: str,
    symbols: Sequence[str],
    masses_amu: Sequence[float],
    terms: Sequence[Term],
    scaling_14: dict[str, float] = AMBER_14,
    excluded_pairs: Sequence[tuple[int, int]] = (),
) -> str:
    """Return the force field of one species as OpenMM reads it.

    Parameters
    ----------
    name
        The species: name of the residue template, which residues must bear, and prefix of its types.
    terms
        All terms, with "charge" and "lj" for every atom.
    scaling_14
        Factors "coulomb" and "lj" on interactions of atoms three bonds apart.
    excluded_pairs
        Further atoms that do not see each other, beyond those one and two bonds apart.
    """
    root = ElementTree.Element("ForceField")
    names = atom_names(symbols)
    types = [f"{name}:{atom}" for atom in names]
    section = ElementTree.SubElement(root, "AtomTypes")
    for kind, symbol, mass in zip(types, symbols, masses_amu, strict=True):
        _add(section, "Type", {"name": kind, "class": kind, "element": symbol, "mass": mass})
    _add_residue(root, name, names, types, terms)
    _add_nonbonded(root, types, terms)
    _add_bonded(root, types, terms)
    if scaling_14 != AMBER_14:
        factors = {key: scaling_14[key] / AMBER_14[key] for key in AMBER_14}
        ElementTree.SubElement(root, "Script").text = _SCALE_14.format(name=name, **factors)
    if excluded_pairs:
        pairs = [tuple(map(int, pair)) for pair in excluded_pairs]
        ElementTree.SubElement(root, "Script").text = _EXCLUDE.format(name=name, pairs=pairs)
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _add_residue(
    root: ElementTree.Element, name: str, names: Sequence[str], types: Sequence[str], terms: Sequence[Term]
) -> None:
    charges = {term.atoms[0]: term.values["charge_e"] for term in _of("charge", terms)}
    residue = ElementTree.SubElement(ElementTree.SubElement(root, "Residues"), "Residue", name=name)
    for i, atom in enumerate(names):
        _add(residue, "Atom", {"name": atom, "type": types[i], "charge": charges[i]})
    # OpenMM matches a residue by its graph only, and may take one of two like atoms for the other: with bonds in any
    # order it did, and a puckered ring's torsions turned the wrong way. In the atoms' order each is taken for itself.
    for first, second in sorted(tuple(sorted(term.atoms)) for term in _of("bond", terms)):
        _add(residue, "Bond", {"atomName1": names[first], "atomName2": names[second]})


def _add_nonbonded(root: ElementTree.Element, types: Sequence[str], terms: Sequence[Term]) -> None:
    section = ElementTree.SubElement(root, "NonbondedForce")
    section.set("coulomb14scale", repr(AMBER_14["coulomb"]))
    section.set("lj14scale", repr(AMBER_14["lj"]))
    _add(section, "UseAttributeFromResidue", {"name": "charge"})
    for term in _of("lj", terms):
        sigma, epsilon = term.values["sigma_angstrom"], term.values["epsilon_kj_per_mol"]
        _add(section, "Atom", {"type": types[term.atoms[0]], "sigma": sigma * _NM_PER_ANGSTROM, "epsilon": epsilon})


def _add_bonded(root: ElementTree.Element, types: Sequence[str], terms: Sequence[Term]) -> None:
    section = ElementTree.SubElement(root, "HarmonicBondForce")
    for term in _of("bond", terms):
        length = term.values["length_angstrom"] * _NM_PER_ANGSTROM
        k = term.values["k_kj_per_mol_angstrom2"] / _NM_PER_ANGSTROM**2
        _add(section, "Bond", _types(types, term.atoms) | {"length": length, "k": k})
    section = ElementTree.SubElement(root, "HarmonicAngleForce")
    for term in _of("angle", terms):
        angle, k = math.radians(term.values["angle_degree"]), term.values["k_kj_per_mol_rad2"]
        _add(section, "Angle", _types(types, term.atoms) | {"angle": angle, "k": k})
    section = ElementTree.SubElement(root, "PeriodicTorsionForce", ordering="amber")
    for term in _of("torsion", terms):
        _add_torsion(section, "Proper", _types(types, term.atoms), term)
    for term in _of("improper", terms):
        i, j, centre, k = term.atoms
        # OpenMM wants the centre first, and with ordering="amber" builds the torsion i-j-centre-k from it.
        _add_torsion(section, "Improper", _types(types, (centre, i, j, k)), term)


def _add_torsion(section: ElementTree.Element, tag: str, types: dict[str, str], term: Term) -> None:
    values = term.values
    rows = zip(values["periodicity"], values["phase_degree"], values["k_kj_per_mol"], strict=True)
    series = {}
    for number, (n, phase, k) in enumerate(rows, start=1):
        series |= {f"periodicity{number}": n, f"phase{number}": math.radians(phase), f"k{number}": k}
    _add(section, tag, types | series)


def _of(kind: str, terms: Sequence[Term]) -> list[Term]:
    return [term for term in terms if term.term == kind]


def _types(types: Sequence[str], atoms: Sequence[int]) -> dict[str, str]:
    return {f"type{place}": types[i] for place, i in enumerate(atoms, start=1)}


def _add(parent: ElementTree.Element, tag: str, attributes: dict[str, object]) -> None:
    ElementTree.SubElement(parent, tag, {key: str(value) for key, value in attributes.items()})
