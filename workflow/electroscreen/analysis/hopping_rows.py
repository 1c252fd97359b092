"""Rows of analysis.json on how ions move in polymers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from electroscreen.analysis import residence, verdicts
from electroscreen.analysis.hopping import EMPTY_ROW, Moves, hopping, moves
from electroscreen.analysis.layout import Layout
from electroscreen.analysis.request import Replicas, Request
from electroscreen.analysis.solvation import Names
from electroscreen.analysis.trajectory import Harvest
from electroscreen.sites import Site, atoms_of

POLYMER = "polymer"


def hopping_rows(request: Request, replicas: Replicas, radii: Mapping[Names, float]) -> list[dict[str, Any]]:
    """Return the rows of each monatomic ion around which atoms of chains are asked for; none without chains."""
    rows = []
    for center in dict.fromkeys(center for center, _ in request.pairs):
        pairs = [names for names in request.pairs if names[0] == center and _holds(names, request)]
        if pairs:
            known = [names for names in pairs if names in radii]
            rows += [EMPTY_ROW | row | {"center": center} for row in _rows_of(known, request, replicas, radii)]
    return rows


def _rows_of(
    pairs: list[Names], request: Request, replicas: Replicas, radii: Mapping[Names, float]
) -> list[dict[str, Any]]:
    if not replicas.followed:
        return [{"verdict": replicas.verdict([verdicts.WRAPPED])}]
    if not pairs:
        return [{"verdict": replicas.verdict([verdicts.NO_RADIUS])}]
    contacts = [harvest.pairs[request.pairs[names]].contacts for names in pairs for harvest in replicas.harvests]
    farthest_a = max(radii[names] for names in pairs) + residence.LEAVES_BEYOND_A
    if farthest_a > min(one.within_a for one in contacts):
        return [{"verdict": verdicts.not_computed(f"a shell reaches beyond {contacts[0].within_a:g} Å")}]
    if len({one.every for one in contacts}) > 1:
        return [{"verdict": verdicts.not_computed("replicas of very different size cannot be joined")}]
    found = [_moves_in(harvest, pairs, request, radii) for harvest in replicas.harvests]
    rows = hopping(found, replicas.harvests[0].frame_ps * contacts[0].every)
    return [row | {"verdict": replicas.verdict(row.pop("flaws"))} for row in rows]


def _moves_in(harvest: Harvest, pairs: list[Names], request: Request, radii: Mapping[Names, float]) -> Moves:
    """Moves in one replica; an atom holds an ion by whichever of the pairs it is in."""
    chain_of = Layout.of(request.molecules).molecule
    parts = []
    for names in pairs:
        contacts = harvest.pairs[request.pairs[names]].contacts
        atoms, enter_a = np.array(atoms_of(request.pairs[names][1], request.molecules)), radii[names]
        parts.append(residence.spells_of(contacts, atoms, enter_a, enter_a + residence.LEAVES_BEYOND_A))
    columns = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("center", "first", "last", "molecule")
    )
    center, first, last, atom = columns
    of_chains = np.isin(atom, _atoms_of_chains(request))
    stays = residence.Spells(center[of_chains], first[of_chains], last[of_chains], parts[0].frames, atom[of_chains])
    ion = _ion_of(request.pairs[pairs[0]][0], request)
    return moves(stays, chain_of, harvest.paths_a[ion][:, :: contacts.every][:, : stays.frames])


def _holds(names: Names, request: Request) -> bool:
    """Whether the first site is a monatomic ion and the second is found in chains."""
    first, second = request.pairs[names]
    in_chains = np.isin(atoms_of(second, request.molecules), _atoms_of_chains(request)).any()
    return bool(in_chains) and _ion_of(first, request) is not None


def _ion_of(site: Site, request: Request) -> str | None:
    """The species of a site that is all of each of its molecules."""
    own = [entry for entry in request.molecules if atoms_of(site, [entry])]
    alone = len(own) == 1 and len(own[0]["symbols"]) == 1
    return own[0]["species"] if alone and own[0]["species"] in request.followed else None


def _atoms_of_chains(request: Request) -> np.ndarray:
    layout = Layout.of(request.molecules)
    chains = [entry["species"] for entry in request.molecules if entry.get("role") == POLYMER and entry["count"]]
    atoms = [np.arange(layout.atoms_of[name].start, layout.atoms_of[name].stop) for name in chains]
    return np.concatenate(atoms) if atoms else np.empty(0, dtype=int)
