"""The chains of a box: a conformer for each, grown into the empty cube before anything else is packed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from electroscreen.boxes.conformers import Jointed, Terms
from electroscreen.boxes.growth import NoRoomError, grow
from electroscreen.boxes.packing import PackingError, Part

# <R²> of flexible chains is four to ten times n l² (Flory 1969); of PDOL grown here, 5.
CHARACTERISTIC_RATIO = 6.0
BACKBONE_BOND_ANGSTROM = 1.47


@dataclass(frozen=True)
class Chain:
    """A species of chains: its jointed pieces, σ of its atoms (Å), its backbone bonds, and how many there are."""

    jointed: Jointed
    sigma_angstrom: np.ndarray
    backbone_bonds: int
    count: int

    @staticmethod
    def of(
        system,
        bonds: np.ndarray,
        molecules: Sequence[Mapping[str, Any]],
        parts: Sequence[Part],
        temperature_k: float | None,
    ) -> dict[str, Chain]:
        """Find the chains of a box by name; `molecules` and `parts` stand in it in this order.

        Raises
        ------
        PackingError
            If a chain is far too long for the box.
        """
        found, first = {}, 0
        for entry, part in zip(molecules, parts, strict=True):
            size = len(part.symbols)
            if entry.get("role") == "polymer" and part.count:
                terms = Terms.of(system, bonds, first, size)
                jointed = Jointed.of(part.symbols, part.positions_angstrom, terms, temperature_k)
                found[part.species] = Chain(jointed, terms.sigma_angstrom, jointed.backbone_bonds, part.count)
            first += size * part.count
        return found


def coil_angstrom(backbone_bonds: int) -> float:
    """Return about how far the ends of a flexible chain lie apart."""
    return float(np.sqrt(CHARACTERISTIC_RATIO * backbone_bonds) * BACKBONE_BOND_ANGSTROM)


def coil_fault(name: str, backbone_bonds: int, edge_angstrom: float) -> tuple[str, bool] | None:
    """Say that a chain's coil is larger than the box, and whether so much that it must not be built."""
    coil = coil_angstrom(backbone_bonds)
    if coil <= edge_angstrom:
        return None
    refused = coil > 2 * edge_angstrom
    what = "it cannot be built" if refused else "chains meet their own images"
    text = (
        f"{name} coils to about {coil:.0f} Å from end to end and the box is {edge_angstrom:.0f} Å: {what}; "
        "take shorter chains, or more atoms (settings: box.atoms)"
    )
    return text, refused


def grow_chains(chains: Mapping[str, Chain], edge_angstrom: float, seed: int) -> dict[str, np.ndarray]:
    """Return for each species of chains its conformers, (count, atoms, 3), Å; the same for the same seed.

    Raises
    ------
    PackingError
        If there is no room for them.
    """
    for name, chain in chains.items():
        fault = coil_fault(name, chain.backbone_bonds, edge_angstrom)
        if fault and fault[1]:
            raise PackingError(fault[0])
    if not chains:
        return {}
    kinds = [(chain.jointed, chain.sigma_angstrom, chain.count) for chain in chains.values()]
    try:
        grown = grow(kinds, edge_angstrom, np.random.default_rng(seed))
    except NoRoomError as failure:
        raise PackingError(f"{failure}: lower box.packing_density_fraction in the settings") from None
    return dict(zip(chains, grown, strict=True))


def summary(
    chains: Mapping[str, Chain], grown: Mapping[str, np.ndarray], edge_angstrom: float
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a row for each species of chains with how far their ends lie apart, and warnings of those too long."""
    rows, warnings = [], []
    for name, chain in chains.items():
        first, last = chain.jointed.ends
        squares = ((grown[name][:, last] - grown[name][:, first]) ** 2).sum(axis=1)
        rows.append(
            {
                "species": name,
                "count": chain.count,
                "turning_bonds": len(chain.jointed.joints),
                "end_to_end_angstrom": float(np.sqrt(squares.mean())),
                "independent_turns_end_to_end_angstrom": float(np.sqrt(chain.jointed.ideal_end_to_end_squared())),
            }
        )
        fault = coil_fault(name, chain.backbone_bonds, edge_angstrom)
        warnings += [fault[0]] if fault else []
    return rows, warnings
