"""The library layer: published parameters, shipped as data with their DOI in `library/`.

An entry is recognised by what it is, never by the name of a file or species: an ion by element and
charge, a molecule by its bond graph and charge, so that any way of drawing its resonance will do.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from electroscreen.forcefield import graph
from electroscreen.forcefield.terms import (
    AMBER_14,
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
_FOLDER = Path(__file__).parent / "library"
_IONS = _FOLDER / "ions.yaml"
_OF_ATOMS = {"ions.yaml", "elements.yaml"}


def published(species: Species, plain, ion_set: str = ION_SET) -> Parameters | None:
    """Return the library's parameters of a species, or None if it holds none.

    Parameters
    ----------
    plain
        The bond graph, see `graph.skeleton`.
    ion_set
        Which set of monatomic ions.

    Raises
    ------
    InputError
        If there is no set of that name.
    """
    if len(species.symbols) == 1:
        return _ion(species, ion_set)
    return _molecule(species, plain)


def _ion(species: Species, ion_set: str) -> Parameters | None:
    sets = _read(_IONS)
    if ion_set not in sets:
        raise InputError(f"ion_set: there is no set '{ion_set}'{did_you_mean(ion_set, list(sets))}")
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


def _molecule(species: Species, plain) -> Parameters | None:
    for path in sorted(_FOLDER.glob("*.yaml")):
        if path.name not in _OF_ATOMS:
            classes = _classes_if_same(_read(path), species, plain)
            if classes is not None:
                return _terms(_read(path), classes, plain)
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


def _terms(entry: dict[str, Any], classes: list[str], plain) -> Parameters:
    found = Parameters(warnings=list(entry.get("warnings", [])), layers={"lj": LAYER, "bonded": LAYER})
    found.scaling_14 = dict(entry.get("scaling_14", AMBER_14))
    sizes, bonded = entry["lj"], entry["bonded"]
    lj_source = f"{sizes['source']}, doi {sizes['doi']}"
    for i, name in enumerate(classes):
        values = lj_values(*sizes["rmin_half_angstrom_epsilon_kcal_per_mol"][name])
        found.terms.append(Term("lj", (i,), values, LAYER, lj_source))
    source = f"{bonded['source']}, doi {bonded['doi']}"
    kinds = (
        ("bond", graph.bonds(plain), bonded["bonds_angstrom_kj_per_mol_angstrom2"], bond_values),
        ("angle", graph.angles(plain), bonded["angles_degree_kj_per_mol_rad2"], angle_values),
        ("torsion", graph.torsions(plain), bonded["torsions_opls_kj_per_mol"], _opls_values),
    )
    for kind, places, table, values in kinds:
        for atoms in places:
            names = [classes[i] for i in atoms]
            numbers = table.get("-".join(names)) or table.get("-".join(reversed(names)))
            if numbers is None:
                found.missing.append(f"{kind} {'-'.join(names)}: the library entry {entry['title']} lacks it")
            else:
                found.terms.append(Term(kind, atoms, values(*numbers), LAYER, source))
    return found


def _opls_values(v1: float, v2: float, v3: float, v4: float) -> dict[str, list]:
    return torsion_values(opls_series(v1, v2, v3, v4))


@lru_cache(maxsize=32)
def _read(path: Path) -> dict[str, Any]:
    return read_yaml(path)
