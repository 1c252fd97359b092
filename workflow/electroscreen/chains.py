"""Chains: a polymer written as its repeat unit, how often it stands, and what stands at the ends."""

from __future__ import annotations

import re
from random import Random
from typing import Literal

from pydantic import Field, model_validator

from electroscreen.inputs import Model
from electroscreen.smiles import molecule

FRAGMENT_UNITS = 3
"""A head, a middle and a tail: what longer chains are made of."""


class Polymer(Model):
    """Written one after the other, the first cap, the units and the second cap are the SMILES of the chain."""

    repeat: str = Field(min_length=1, description="SMILES of one unit, from its first to its last atom in the backbone")
    units: int = Field(ge=1, le=500)
    caps: list[str] = Field(
        default=["C", "C"], min_length=2, max_length=2, description="SMILES of both ends; '' is a hydrogen"
    )
    tacticity: Literal["isotactic", "syndiotactic", "atactic"] | None = Field(
        default=None,
        description="of the stereocentres that 'repeat' marks with @: all alike, by turns, or at random, but the same "
        "in all chains of the species; left out, all are as written",
    )

    @model_validator(mode="after")
    def _has_a_hand(self) -> Polymer:
        if self.tacticity and "@" not in self.repeat:
            raise ValueError(
                f"tacticity: '{self.repeat}' marks no stereocentre: write its hand with @, as in C[C@H](C#N)"
            )
        return self

    def smiles(self, units: int | None = None) -> str:
        """Return the chain, or one of another length, as SMILES."""
        return self.caps[0] + "".join(map(self._unit, range(units or self.units))) + self.caps[1]

    def _unit(self, number: int) -> str:
        mirrored = {
            "syndiotactic": number % 2 == 1,
            "atactic": Random(f"{self.repeat} {number}").random() < 0.5,
        }
        if not mirrored.get(self.tacticity, False):
            return self.repeat
        return _mirrored(self.repeat)

    @property
    def is_long(self) -> bool:
        """Whether its charges come from a trimer, and its geometry from no quantum chemistry."""
        return self.units > FRAGMENT_UNITS

    def parts(self, units: int | None = None) -> list[tuple[int, int, int]]:
        """Return for each atom: the unit (0 also for the first cap, -1 from the last unit on), its place there.

        Hydrogens bear the place of the atom that they are bound to and a number of their own among its hydrogens, from
        1; other atoms have 0 there. Places count from the first atom of the first cap, or of the unit.
        """
        units = units or self.units
        first, each = _heavy_atoms(self.caps[0]), _heavy_atoms(self.repeat)
        chain = molecule(self.smiles(units))
        found, hydrogens = [], {}
        for atom in chain.GetAtoms():
            own, number = atom.GetIdx(), 0
            if atom.GetSymbol() == "H":
                own = atom.GetNeighbors()[0].GetIdx()
                number = hydrogens[own] = hydrogens.get(own, 0) + 1
            unit = max(0, (own - first) // each)
            if unit >= units - 1 and units > 1:
                found.append((-1, own - first - each * (units - 1), number))
            elif unit == 0:
                found.append((0, own, number))
            else:
                found.append((unit, own - first - each * unit, number))
        return found

    def from_trimer(self) -> list[int]:
        """Return for each atom of a longer chain the atom of the trimer that it is like."""
        index = {part: i for i, part in enumerate(self.parts(FRAGMENT_UNITS))}
        return [index[min(unit, 1), place, number] for unit, place, number in self.parts()]

    def middle(self) -> list[int]:
        """Return the atoms of the trimer's middle unit."""
        return [i for i, (unit, _, _) in enumerate(self.parts(FRAGMENT_UNITS)) if unit == 1]

    def unit_charge(self) -> int:
        """Return the formal charge of one unit."""
        from rdkit import Chem

        charges = [Chem.GetFormalCharge(molecule(self.smiles(units))) for units in (1, 2)]
        return charges[1] - charges[0]


def _mirrored(smiles: str) -> str:
    return re.sub("@+", lambda hand: "@" if hand[0] == "@@" else "@@", smiles)


def _heavy_atoms(smiles: str) -> int:
    from rdkit import Chem

    drawn = Chem.MolFromSmiles(smiles, sanitize=False)
    return drawn.GetNumAtoms()
