"""What the derived layer borrows from GAFF2: Lennard-Jones parameters, by types where they exist, else by element."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.forcefield import amber
from electroscreen.forcefield.terms import Term, lj_values
from electroscreen.forcefield.typing import typed
from electroscreen.inputs import read_yaml
from electroscreen.species import Species, molecule

_ELEMENTS = Path(__file__).parent / "library" / "elements.yaml"


@dataclass
class Borrowed:
    """What GAFF2 says of the atoms: types (None without typing), and the torsions of its table."""

    lj: list[Term]
    types: list[str] | None = None
    table: Any = None
    notes: list[str] = field(default_factory=list)


def borrow(species: Species, positions: np.ndarray, plain, sizes: Mapping[int, Term]) -> Borrowed:
    """GAFF2's Lennard-Jones parameters, by its own typing where that is possible, else by element and neighbours."""
    borrowed = Borrowed([])
    if species.smiles is not None:
        try:
            borrowed.types, borrowed.table = typed(*_with_carbon_for_boron(species, positions))
        except (amber.TypingRefusedError, ValueError) as refusal:
            borrowed.notes.append(f"typed by element: {refusal}")
    for i, symbol in enumerate(species.symbols):
        borrowed.lj.append(sizes.get(i) or _lennard_jones(i, symbol, plain, borrowed))
    return borrowed


def _with_carbon_for_boron(species: Species, positions: np.ndarray):
    """Return the isoelectronic molecule with C in the place of each four-bonded B-, its positions and charge.

    Raises
    ------
    ValueError
        If a boron has another number of bonds.
    """
    from rdkit import Chem

    drawn, replaced = Chem.RWMol(molecule(species.smiles)), 0
    for atom in drawn.GetAtoms():
        if atom.GetSymbol() == "B":
            if atom.GetDegree() != 4:
                raise ValueError("GAFF2's typing has nothing in the place of a boron without four bonds")
            atom.SetAtomicNum(6)
            atom.SetFormalCharge(atom.GetFormalCharge() + 1)
            replaced += 1
    Chem.SanitizeMol(drawn)
    return drawn.GetMol(), positions, species.charge + replaced


def _lennard_jones(i: int, symbol: str, plain, borrowed: Borrowed) -> Term:
    known = elements()
    if symbol in known["own"]:
        entry = known["own"][symbol]
        values = lj_values(entry["rmin_half_angstrom"], entry["epsilon_kcal_per_mol"])
        return Term("lj", (i,), values, "library", f"{entry['source']}, doi {entry['doi']}")
    if borrowed.types is not None:
        kind = borrowed.types[i]
        entry = borrowed.table.lj.get((kind,))
        if entry is not None:
            return Term("lj", (i,), lj_values(*entry.rows[0]), "automatic", f"{amber.gaff2_version()}, {kind}")
    kind = _type_by_neighbours(symbol, plain.GetAtomWithIdx(i))
    return Term(
        "lj", (i,), lj_values(*amber.gaff2_own().lj[(kind,)].rows[0]), "automatic", f"{amber.gaff2_version()}, {kind}"
    )


def _type_by_neighbours(symbol: str, atom) -> str:
    table = elements()["gaff2_types"][symbol]
    if symbol == "H":
        neighbour = atom.GetNeighbors()[0].GetSymbol() if atom.GetDegree() else "C"
        return table.get(neighbour, "hc")
    return table.get(atom.GetDegree()) or list(table.values())[-1]


@lru_cache(maxsize=1)
def elements() -> dict[str, Any]:
    """Return the library's Lennard-Jones parameters by element."""
    return read_yaml(_ELEMENTS)
