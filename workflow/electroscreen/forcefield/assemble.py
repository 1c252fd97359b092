"""The force-field stage: charges and parameters of one species as OpenMM XML, with the source of every number.

Four layers, the first that knows the species speaks: the user's own (to come), the library of published parameters,
GAFF2, and what a fit to the species' own Hessian gives. What none of them knows has no force field, and the reasons are
listed.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from electroscreen.forcefield import graph
from electroscreen.forcefield.charges import read_geometry
from electroscreen.forcefield.derived import Reference, derived
from electroscreen.forcefield.ffxml import empty_xml, force_field_xml
from electroscreen.forcefield.hessian_fit import hessian_in_kj_per_mol
from electroscreen.forcefield.published import ION_SET, published
from electroscreen.forcefield.terms import Parameters, Term
from electroscreen.forcefield.typing import gaff2
from electroscreen.quantum.structures import xtb_hessian
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
        May hold "ion_set", the name of a set in `library/ions.yaml`.

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
    if charges["verdict"] == OK:
        found = _parameters(species, geometry_xyz, recipe, [atom["resp_e"] for atom in charges["atoms"]], masses)
        terms = [*_charge_terms(charges), *found.terms]
    else:
        found, terms = Parameters(missing=[f"charges: {charges['verdict']}"]), []
    if found.missing:
        verdict = f"no force field: {'; '.join(found.missing)}"
        write_text(xml_path, empty_xml(f"{species.name}: {verdict}"))
    else:
        verdict = OK
        xml = force_field_xml(species.name, species.symbols, masses, terms, found.scaling_14, found.excluded_pairs)
        write_text(xml_path, xml)
    write_json(
        json_path,
        {
            "species": species.name,
            "verdict": verdict,
            "warnings": [*charges["warnings"], *found.warnings],
            "layers": {"charges": charges["method"], **found.layers},
            "scaling_14": found.scaling_14,
            "excluded_pairs": found.excluded_pairs,
            "quality": found.quality,
            "parameters": [term.as_record() for term in terms],
            "charge_e": charges["total_charge_e"],
            "masses_amu": masses,
            "provenance": provenance(recipe, ("acpype", "rdkit", "openmm"), started, threads),
        },
    )


def _parameters(
    species: Species, geometry_xyz: Path, recipe: dict[str, Any], charges_e: list[float], masses_amu: list[float]
) -> Parameters:
    positions, _ = read_geometry(geometry_xyz, species)
    if positions is None and len(species.symbols) > 1:
        return Parameters(missing=["there is no geometry"])
    plain = graph.skeleton(species, positions)
    found = published(species, plain, recipe.get("ion_set", ION_SET)) or gaff2(species, positions, plain)
    if not found.missing or len(species.symbols) == 1:
        return found
    fitted = derived(species, positions, plain, charges_e, masses_amu, _reference(species, positions))
    if fitted.missing:
        return Parameters(missing=list(dict.fromkeys([*found.missing, *fitted.missing])))
    return fitted


def _reference(species: Species, positions_angstrom) -> Reference:
    hessian = xtb_hessian(species, positions_angstrom)
    return Reference(hessian_in_kj_per_mol(hessian), "GFN2-xTB")


def _charge_terms(charges: dict[str, Any]) -> list[Term]:
    return [
        Term("charge", (atom["index"],), {"charge_e": atom["resp_e"]}, "automatic", charges["method"])
        for atom in charges["atoms"]
    ]


def _masses(species: Species) -> list[float]:
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    return [table.GetAtomicWeight(symbol) for symbol in species.symbols]
