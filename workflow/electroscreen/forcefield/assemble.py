"""The force-field stage: charges and parameters of one species as OpenMM XML, with the source of every number.

Four layers, the first that knows the species speaks: the user's own terms in the species file, the library of published
parameters, GAFF2, and what a fit to the species' own Hessian gives. What none of them knows has no force field, and the
reasons are listed, term by term where a user could fill the gap.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from electroscreen.forcefield.charges import read_geometry
from electroscreen.forcefield.ffxml import empty_xml, force_field_xml
from electroscreen.forcefield.layers import layered
from electroscreen.forcefield.terms import Missing, Parameters, Term
from electroscreen.forcefield.user import remedy
from electroscreen.record import OK, provenance, read_json, write_json, write_text
from electroscreen.species import Species


def write_forcefield(
    species: Species,
    charges_json: Path,
    geometry_xyz: Path,
    recipe: dict[str, Any],
    xml_path: Path,
    json_path: Path,
    threads: int = 1,
) -> None:
    """Write the force field of a species for OpenMM, and the record of where its numbers come from.

    A species without a force field gets an XML file without content and a verdict with all reasons.

    Parameters
    ----------
    charges_json
        What `charges.derive_charges` wrote.
    geometry_xyz
        The same geometry.
    recipe
        See `layers.layered`.

    Raises
    ------
    ValueError
        If charges or geometry are of another species.
    electroscreen.forcefield.amber.ProgramError
        If the typing programs are needed but do not run on this machine.
    """
    started = time.time()
    charges = read_json(charges_json)
    if charges["species"] != species.name:
        raise ValueError(f"{charges_json}: holds the charges of {charges['species']}, not of {species.name}")
    masses = _masses(species)
    positions, _ = read_geometry(geometry_xyz, species)
    given = _charge_terms(charges) if charges["verdict"] == OK else []
    found = layered(species, positions, given, masses, recipe, threads)
    uncharged = len(species.symbols) - sum(term.term == "charge" for term in found.terms)
    if charges["verdict"] != OK and (uncharged or found.missing):
        found.missing.insert(0, Missing(f"charges: {charges['verdict']}"))
    if found.missing:
        verdict = f"no force field: {found.refusal}"
        write_text(xml_path, empty_xml(f"{species.name}: {verdict}"))
    else:
        verdict = OK
        xml = force_field_xml(
            species.name, species.symbols, masses, found.terms, found.scaling_14, found.excluded_pairs
        )
        write_text(xml_path, xml)
    write_json(
        json_path,
        {
            "species": species.name,
            "verdict": verdict,
            "missing": [_as_record(gap, species) for gap in found.missing],
            "warnings": [*charges["warnings"], *found.warnings],
            "layers": {"charges": _charges_said_by(found, charges), **found.layers},
            "scaling_14": found.scaling_14,
            "excluded_pairs": found.excluded_pairs,
            "quality": found.quality,
            "parameters": [term.as_record() for term in found.terms] if not found.missing else [],
            "charge_e": charges["total_charge_e"],
            "polymer": species.polymer.model_dump(exclude_none=True) if species.polymer else None,
            "masses_amu": masses,
            "provenance": provenance(recipe, ("acpype", "rdkit", "openmm"), started, threads),
        },
    )


def _charge_terms(charges: dict[str, Any]) -> list[Term]:
    return [
        Term("charge", (atom["index"],), {"charge_e": atom["resp_e"]}, "automatic", charges["method"])
        for atom in charges["atoms"]
    ]


def _charges_said_by(found: Parameters, charges: dict[str, Any]) -> str:
    """The charges stage's method, or who replaced its charges."""
    sources = list(dict.fromkeys(term.source for term in found.terms if term.term == "charge"))
    return "; ".join(sources) or charges["method"]


def _as_record(gap: Missing, species: Species) -> dict[str, Any]:
    atoms = [f"{species.symbols[i]}{i + 1}" for i in gap.atoms]
    return {"reason": gap.reason, "term": gap.term, "atoms": atoms, "add": remedy(gap, species.symbols)}


def _masses(species: Species) -> list[float]:
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    return [table.GetAtomicWeight(symbol) for symbol in species.symbols]
