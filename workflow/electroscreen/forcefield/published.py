"""The library layer: published parameters, shipped as data with their DOI in `library/`.

An entry is recognised by what it is, never by the name of a file or species: an ion by element and
charge, a molecule by its bond graph and charge, so that any way of drawing its resonance will do.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.forcefield import graph
from electroscreen.forcefield.internal import Coordinate
from electroscreen.forcefield.terms import (
    AMBER_14,
    Missing,
    Parameters,
    Term,
    angle_values,
    bond_values,
    lj_values,
    opls_series,
    torsion_values,
)
from electroscreen.inputs import InputError, did_you_mean, read_yaml
from electroscreen.species import Species

LAYER = "library"
ION_SET = "li-merz-iod"
CROOKED_DEGREE = 25.0
_FOLDER = Path(__file__).parent / "library"
_IONS = _FOLDER / "ions.yaml"
_OF_ATOMS = {"ions.yaml", "elements.yaml"}


def published(
    species: Species, plain, positions_angstrom=None, ion_set: str = ION_SET, own_charges: bool = False
) -> Parameters | None:
    """Return the library's parameters of a species, or None if it holds none.

    Parameters
    ----------
    plain
        The bond graph, see `graph.skeleton`.
    positions_angstrom
        (N, 3); an entry may have no term for angles that are straight, as between opposite atoms of an octahedron.
    ion_set
        Which set of monatomic ions.
    own_charges
        Whether to bring the charges that were published with the entry.

    Raises
    ------
    InputError
        If there is no set of that name.
    """
    if len(species.symbols) == 1:
        return _ion(species, ion_set)
    found = _molecule(species, plain, positions_angstrom)
    if found is not None and not own_charges:
        found.terms = [term for term in found.terms if term.term != "charge"]
    return found


def check_ion_set(name: str) -> None:
    """Refuse the name of a set of monatomic ions that there is not.

    Raises
    ------
    InputError
    """
    known = list(_read(_IONS))
    if name not in known:
        raise InputError(f"settings: forcefield.ion_set: there is no set '{name}'{did_you_mean(name, known)}")


def _ion(species: Species, ion_set: str) -> Parameters | None:
    check_ion_set(ion_set)
    sets = _read(_IONS)
    entry = sets[ion_set]["ions"].get(species.symbols[0])
    if entry is None or entry["charge"] != species.charge:
        return None
    values = lj_values(entry["rmin_half_angstrom"], entry["epsilon_kcal_per_mol"])
    source = f"{sets[ion_set]['title']}, doi {entry['doi']}"
    return Parameters(
        terms=[Term("lj", (0,), values, LAYER, source)],
        warnings=[entry["warning"]] if "warning" in entry else [],
        layers={"lj": LAYER},
    )


def _molecule(species: Species, plain, positions_angstrom) -> Parameters | None:
    for path in sorted(_FOLDER.glob("*.yaml")):
        if path.name not in _OF_ATOMS:
            classes = _classes_if_same(_read(path), species, plain)
            if classes is not None:
                return _terms(_read(path), classes, plain, positions_angstrom)
    return None


def _classes_if_same(entry: dict[str, Any], species: Species, plain) -> list[str] | None:
    """Return the entry's class of each atom of the species, or None if the two are not the same."""
    drawn, pattern = _drawn(entry["smiles"])
    if species.charge != drawn.charge or plain.GetNumBonds() != pattern.GetNumBonds():
        return None
    match = plain.GetSubstructMatch(pattern)
    if len(match) != len(species.symbols):
        return None
    return [name for _, name in sorted(zip(match, entry["classes"], strict=True))]


@lru_cache(maxsize=32)
def _drawn(smiles: str) -> tuple[Species, Any]:
    from rdkit import Chem

    charge = Chem.GetFormalCharge(Chem.MolFromSmiles(smiles))
    drawn = Species(name="entry", title="", role="anion" if charge < 0 else "cation", charge=charge, smiles=smiles)
    return drawn, graph.skeleton(drawn, None)


def _terms(entry: dict[str, Any], classes: list[str], plain, positions_angstrom) -> Parameters:
    found = Parameters(warnings=list(entry.get("warnings", [])), layers={"lj": LAYER, "bonded": LAYER})
    found.scaling_14 = dict(entry.get("scaling_14", AMBER_14))
    sizes, bonded = entry["lj"], entry["bonded"]
    lj_source = f"{sizes['source']}, doi {sizes['doi']}"
    for i, name in enumerate(classes):
        values = lj_values(*sizes["rmin_half_angstrom_epsilon_kcal_per_mol"][name])
        found.terms.append(Term("lj", (i,), values, LAYER, lj_source))
    source = f"{bonded['source']}, doi {bonded['doi']}"
    found.terms += [
        Term("charge", (i,), {"charge_e": entry["charges_e"][c]}, LAYER, source) for i, c in enumerate(classes)
    ]
    kinds = (
        ("bond", graph.bonds(plain), bonded["bonds_angstrom_kj_per_mol_angstrom2"], bond_values),
        ("angle", graph.angles(plain), bonded["angles_degree_kj_per_mol_rad2"], angle_values),
        ("torsion", graph.torsions(plain), bonded["torsions_opls_kj_per_mol"], _opls_values),
    )
    for kind, places, table, values in kinds:
        for atoms in places:
            if kind == "angle" and _wider(atoms, positions_angstrom, bonded.get("no_angle_above_degree", 180)):
                continue
            names = [classes[i] for i in atoms]
            numbers = table.get("-".join(names)) or table.get("-".join(reversed(names)))
            if numbers is None:
                reason = f"{kind} {'-'.join(names)}: the library entry {entry['title']} lacks it"
                found.missing.append(Missing(reason, kind, atoms))
            elif "no_angle_above_degree" in bonded and kind == "angle" and _crooked(atoms, positions_angstrom, numbers):
                reason = f"angle {'-'.join(names)}: far from {numbers[0]:g}° in the geometry"
                found.missing.append(Missing(reason, kind, atoms))
            else:
                found.terms.append(Term(kind, atoms, values(*numbers), LAYER, source))
    return found


def _wider(atoms: tuple[int, ...], positions_angstrom, degree: float) -> bool:
    return degree < 180 and np.degrees(Coordinate("angle", atoms).value(positions_angstrom)) > degree


def _crooked(atoms: tuple[int, ...], positions_angstrom, numbers: list[float]) -> bool:
    """Where the geometry decides which angles there are, it must be near the one that is meant."""
    return abs(np.degrees(Coordinate("angle", atoms).value(positions_angstrom)) - numbers[0]) > CROOKED_DEGREE


def _opls_values(v1: float, v2: float, v3: float, v4: float) -> dict[str, list]:
    return torsion_values(opls_series(v1, v2, v3, v4))


@lru_cache(maxsize=32)
def _read(path: Path) -> dict[str, Any]:
    return read_yaml(path)
