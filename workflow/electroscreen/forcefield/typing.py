"""The automatic layer: GAFF2 types and terms for molecules of H, C, N, O, F, P, S, Cl, Br and I.

Nothing is guessed: a term that GAFF2 and its own table of analogies do not hold is listed as missing.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np

from electroscreen.forcefield import amber, graph
from electroscreen.forcefield.internal import Coordinate
from electroscreen.forcefield.terms import (
    KCAL_KJ,
    Missing,
    Parameters,
    Term,
    angle_values,
    bond_values,
    lj_values,
    torsion_values,
)
from electroscreen.quantum.structures import embedded_conformers
from electroscreen.species import Species, molecule

ELEMENTS = frozenset({"H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I"})
LAYER = "automatic"
PENALTY_FAIR = 10.0
SAME_BOND_ANGSTROM = 0.03
SAME_ANGLE_DEGREE = 5.0
# Strain bends an angle by 20° at most (rings of three and four have types of their own); beyond is another shape.
OTHER_SHAPE_DEGREE = 35.0


def gaff2(species: Species, positions_angstrom: np.ndarray, plain) -> Parameters:
    """Return the GAFF2 parameters of a molecule, with all that is missing.

    Parameters
    ----------
    plain
        The bond graph, see `graph.skeleton`.

    Raises
    ------
    amber.ProgramError
        If the typing programs do not run on this machine.
    """
    refusals = refusals_of(species, plain)
    if refusals:
        return Parameters(missing=[Missing(reason) for reason in refusals])
    try:
        types, table = _types_of_chain(species) if species.is_long_chain else _types(species, positions_angstrom)
    except amber.TypingRefusedError as error:
        return Parameters(missing=[Missing(str(error))])
    found = _assign(types, table, plain)
    if not species.is_long_chain:
        found.missing += _misshapen(found.terms, positions_angstrom, plain)
    return found


def _misshapen(terms: list[Term], positions_angstrom: np.ndarray, plain) -> list[Missing]:
    """Angles that GAFF2's types cannot tell: F-S-F of SF6 is one angle to them, 90° and 180° in the molecule."""
    found = []
    for term in terms:
        if term.term == "angle":
            there, known = Coordinate("angle", term.atoms).value(positions_angstrom), term.values["angle_degree"]
            if abs(np.degrees(there) - known) > OTHER_SHAPE_DEGREE:
                names = "-".join(plain.GetAtomWithIdx(i).GetSymbol() for i in term.atoms)
                reason = f"angle {names}: {np.degrees(there):.0f}° in the geometry, GAFF2 knows {known:.0f}° only"
                found.append(Missing(reason, "angle", term.atoms))
    return found


def refusals_of(species: Species, plain) -> list[str]:
    """What keeps a species from GAFF2 before any program is asked."""
    if len(species.symbols) == 1:
        return [f"the library holds no ion {species.symbols[0]} of charge {species.charge:+d}"]
    strange = [f"{s}{i + 1}: GAFF2 has no {s}" for i, s in enumerate(species.symbols) if s not in ELEMENTS]
    if strange:
        return strange
    if species.smiles is None:
        return ["given by coordinates, which tell no bond orders: give a SMILES"]
    if species.multiplicity != 1:
        return ["GAFF2 has no open shells"]
    if graph.pieces(plain) > 1:
        return ["it is several molecules: give each as a species of its own"]
    if species.formula == "H2O":
        return ["GAFF2 is no water model"]
    return []


def _types(species: Species, positions_angstrom: np.ndarray) -> tuple[list[str], amber.Table]:
    return typed(molecule(species.smiles), positions_angstrom, species.charge)


def _types_of_chain(species: Species) -> tuple[list[str], amber.Table]:
    """A long chain has no types or terms that its trimer lacks; the programs take minutes over hundreds of atoms."""
    trimer = species.trimer()
    types, table = _types(trimer, embedded_conformers(trimer, 1)[0])
    return [types[i] for i in species.polymer.from_trimer()], table


def typed(drawn, positions_angstrom: np.ndarray, charge: int) -> tuple[list[str], amber.Table]:
    """Return the GAFF2 types of a drawn molecule, and the terms between them; raises as `amber.gaff2_types`."""
    return amber.gaff2_types(_sdf(drawn, positions_angstrom), charge)


def wrong_gaff2(parameters: list[dict[str, Any]]) -> list[str]:
    """Return the types of a record's Lennard-Jones terms that name GAFF2 as their source and are not its own.

    Records from the time when parmchk2 was asked for GAFF2 by name may hold the old GAFF's terms, see `amber`.
    """
    own = amber.gaff2_own().lj
    said = {f"{amber.gaff2_version()}, {name}": (name, lj_values(*entry.rows[0])) for (name,), entry in own.items()}
    found = set()
    for term in parameters:
        if term["term"] == "lj" and term["source"] in said:
            name, values = said[term["source"]]
            if not np.allclose(list(values.values()), [term["values"][key] for key in values], atol=1e-3):
                found.add(name)
    return sorted(found)


def torsion_entry_values(names: list[str], table: amber.Table) -> tuple[dict[str, Any] | None, str]:
    """Return the values of a torsion between atoms of these types (None if GAFF2 has none), and their source."""
    entry = _look_up("torsion", tuple(names), (table.torsions,))
    if entry is None:
        return None, ""
    return _torsion(entry.rows), f"{amber.gaff2_version()}, {'-'.join(names)}"


def _sdf(drawn, positions_angstrom: np.ndarray) -> str:
    from rdkit import Chem

    drawn = Chem.Mol(drawn)
    conformer = Chem.Conformer(drawn.GetNumAtoms())
    conformer.SetPositions(np.asarray(positions_angstrom, dtype=float))
    drawn.RemoveAllConformers()
    drawn.AddConformer(conformer)
    return Chem.MolToMolBlock(drawn, kekulize=True) + "$$$$\n"


def _assign(types: list[str], table: amber.Table, plain) -> Parameters:
    found = Parameters(layers={"lj": LAYER, "bonded": LAYER})
    for i, name in enumerate(types):
        entry = table.lj.get((name,))
        if entry is None or name.lower() == "du":
            found.missing.append(Missing(f"{plain.GetAtomWithIdx(i).GetSymbol()}{i + 1}: no GAFF2 type"))
        else:
            _add(found, "lj", (i,), lj_values(*entry.rows[0]), entry, (name,))
    if found.missing:
        return found
    kinds = (
        ("bond", graph.bonds(plain), (amber.gaff2_own().bonds, table.bonds), _bond),
        ("angle", graph.angles(plain), (table.angles,), _angle),
        ("torsion", graph.torsions(plain), (table.torsions,), _torsion),
    )
    for kind, places, tables, values in kinds:
        for atoms in places:
            names = tuple(types[i] for i in atoms)
            entry = _look_up(kind, names, tables)
            if entry is None:
                found.missing.append(Missing(f"{kind} {'-'.join(names)}: no GAFF2 parameter", kind, atoms))
            else:
                _add(found, kind, atoms, values(entry.rows), entry, names)
    for centre, around in graph.threefold_centres(plain):
        _add_improper(found, centre, around, types, table)
    _check_symmetry(found, plain)
    found.warnings = sorted(set(found.warnings))
    return found


def _look_up(kind: str, names: tuple[str, ...], tables: tuple[amber.Entries, ...]) -> amber.Entry | None:
    """Return the first table's entry of these types, read either way round.

    A stiffness of zero is a blank that parmchk2 left for bonds and angles; for torsions it is a value.
    """
    entry = next((table[key] for table in tables for key in (names, names[::-1]) if key in table), None)
    if entry is None or entry.needs_revision or (kind != "torsion" and entry.rows[0][0] == 0.0):
        return None
    return entry


def _bond(rows: amber.Rows) -> dict[str, Any]:
    """AMBER writes k (r - r0)², without the half."""
    k, length = rows[0]
    return bond_values(length, 2 * k * KCAL_KJ)


def _angle(rows: amber.Rows) -> dict[str, Any]:
    """AMBER writes k (θ - θ0)², without the half."""
    k, angle = rows[0]
    return angle_values(angle, 2 * k * KCAL_KJ)


def _torsion(rows: amber.Rows) -> dict[str, Any]:
    """AMBER gives the barrier of all torsions about a bond together, and their number; a negative period goes on."""
    return torsion_values([(round(abs(n)), phase, k / paths * KCAL_KJ) for paths, k, phase, n in rows])


def _add_improper(
    found: Parameters, centre: int, around: tuple[int, ...], types: list[str], table: amber.Table
) -> None:
    """Add the improper of an atom with three neighbours, if GAFF2 wants one there.

    GAFF2's own file decides first, by AMBER's rule: named types before one X before two. parmchk2
    prefers an analogy of its types to an X, and which one depends on the order of the atoms: a
    carbonate carbon gets 1.1 or 10.5 kcal/mol as it is drawn. So it is asked only where the file is silent.
    """
    orders = sorted(permutations(around), key=lambda p: ([types[i] for i in p], p))
    for entries in (amber.gaff2_own().impropers, table.impropers):
        matches = [
            (names.count("X"), order, names, entry)
            for order in orders
            for names, entry in entries.items()
            if _fits(names, [types[order[0]], types[order[1]], types[centre], types[order[2]]])
        ]
        if matches:
            _, (i, j, k), names, entry = min(matches, key=lambda match: match[0])
            strength, phase, n = entry.rows[0]
            values = torsion_values([(round(n), phase, strength * KCAL_KJ)])
            _add(found, "improper", (i, j, centre, k), values, entry, names)
            return


def _check_symmetry(found: Parameters, plain) -> None:
    """Refuse bonds, and report angles, that differ in places which the bond graph makes the same.

    Types follow the double bonds as drawn. In a resonance-stabilised ion (FSI-, dicyanamide) one half
    would become single-bonded and the other double-bonded; that is no model of the ion.
    """
    classes = graph.equivalence_classes(plain)
    for kind, key, tolerance, unit in (
        ("bond", "length_angstrom", SAME_BOND_ANGSTROM, " Å"),
        ("angle", "angle_degree", SAME_ANGLE_DEGREE, "°"),
    ):
        places: dict[tuple[int, ...], list[Term]] = {}
        for term in found.terms:
            if term.term == kind:
                place = tuple(classes[i] for i in term.atoms)
                places.setdefault(min(place, place[::-1]), []).append(term)
        for terms in places.values():
            low, high = (pick(terms, key=lambda t: t.values[key]) for pick in (min, max))
            if high.values[key] - low.values[key] > tolerance:
                names = "-".join(plain.GetAtomWithIdx(i).GetSymbol() for i in low.atoms)
                note = (
                    f"{kind} {names}: GAFF2 makes it {low.values[key]:g}{unit} and {high.values[key]:g}{unit} "
                    "in places that are the same by symmetry"
                )
                if kind == "bond":
                    found.missing += [Missing(note, kind, term.atoms) for term in terms]
                else:
                    found.warnings.append(note)


def _fits(names: tuple[str, ...], types: list[str]) -> bool:
    return all(name in ("X", kind) for name, kind in zip(names, types, strict=True))


def _add(
    found: Parameters, kind: str, atoms: tuple[int, ...], values: dict, entry: amber.Entry, names: tuple[str, ...]
) -> None:
    source = f"{amber.gaff2_version()}, {'-'.join(names)}" + (f", {entry.remark}" if entry.remark else "")
    found.terms.append(Term(kind, atoms, values, LAYER, source, entry.penalty))
    if entry.penalty is not None and entry.penalty > PENALTY_FAIR:
        found.warnings.append(f"{kind} {'-'.join(names)} is borrowed: {entry.remark} (penalty {entry.penalty:g})")
