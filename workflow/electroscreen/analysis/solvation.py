"""Rows of analysis.json on solvation: residence times, shells, and which ions touch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from electroscreen.analysis import residence, verdicts
from electroscreen.analysis.association import Association, associate, association_rows
from electroscreen.analysis.cut_out import cut_out
from electroscreen.analysis.layout import Layout
from electroscreen.analysis.request import Replicas, Request
from electroscreen.analysis.shells import Crowd, Near, bound_atoms, shell_rows
from electroscreen.analysis.trajectory import Harvest
from electroscreen.sites import atoms_of

Names = tuple[str, str]

EMPTY_ROW: dict[str, Any] = {
    "center": None,
    "kind": None,
    "structure": None,
    "value": None,
    "low": None,
    "high": None,
    "note": "",
}


def shell_radii(request: Request, rows: Sequence[Mapping[str, Any]]) -> dict[Names, float]:
    """Return where the first shell of each pair ends, for the pairs of which that is known.

    Where g(r) of a pair has no first minimum, a partner of the same element around the same centre lends its own: an
    oxygen that hardly ever touches a cation would touch it where the others do.
    """
    own = {(row["center"], row["partner"]): row["cutoff_angstrom"] for row in rows if row["cutoff_angstrom"]}
    radii = {}
    for names, (_, partner) in request.pairs.items():
        lent = [
            radius
            for other, radius in own.items()
            if other[0] == names[0] and request.pairs[other][1].element == partner.element
        ]
        if names in own or lent:
            radii[names] = own.get(names) or float(np.median(lent))
    return radii


def residence_row(
    names: Names, radii: Mapping[Names, float], request: Request, replicas: Replicas, curves: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Return how long molecules of the partner stay around a centre."""
    row = {"center": names[0], "partner": names[1]} | residence.EMPTY_ROW
    pair = request.pairs[names]
    if request.without_atoms(pair) is not None or replicas.harvests[0].pairs[pair].pairs == 0:
        return row | {"verdict": verdicts.not_computed("the box holds no such pair")}
    if names not in radii:
        return row | {"verdict": replicas.verdict([verdicts.NO_RADIUS])}
    enter_a, leave_a = radii[names], radii[names] + residence.LEAVES_BEYOND_A
    contacts = [harvest.pairs[pair].contacts for harvest in replicas.harvests]
    if leave_a > contacts[0].within_a:
        reason = f"the shell reaches beyond {contacts[0].within_a - residence.LEAVES_BEYOND_A:g} Å"
        return row | {"verdict": verdicts.not_computed(reason)}
    every = max(one.every for one in contacts)
    if any(one.every != every for one in contacts):
        return row | {"verdict": verdicts.not_computed("replicas of very different size cannot be joined")}
    centers, partners = (np.array(atoms_of(site, request.molecules)) for site in pair)
    molecule = Layout.of(request.molecules).molecule[partners]
    stays = [residence.spells_of(one, molecule, enter_a, leave_a) for one in contacts]
    found, survival = residence.residence(stays, len(centers), replicas.harvests[0].frame_ps * every, enter_a, leave_a)
    prefix = f"stay|{names[0]}|{names[1]}|"
    curves |= {f"{prefix}time_ps": survival[0], f"{prefix}share": survival[1]}
    verdict = replicas.verdict(found.pop("flaws"))
    return row | found | {"verdict": verdict}


def solvation(
    request: Request, replicas: Replicas, radii: Mapping[Names, float], curves: dict[str, np.ndarray]
) -> tuple[list[dict[str, Any]], list[Association] | None]:
    """Return the rows on shells and ions, and which ions touched (None where that is not known).

    An example of each of the commonest shells goes to `curves`, 'shell|CENTER|SHELL|…', see `cut_out`.
    """
    crowd, layout = _crowd(request), Layout.of(request.molecules)
    symbols = np.concatenate([np.tile(entry["symbols"], entry["count"]) for entry in request.molecules])
    centers = list(dict.fromkeys(center for center, _ in radii))
    rows, touching, separated = [], [], []
    for center in centers:
        pairs = [names for names in radii if names[0] == center and _is_there(names, request)]
        if not pairs:
            continue
        bound = [bound_atoms(_near(pairs, radii, request, harvest)) for harvest in replicas.harvests]
        note = ", ".join(f"{partner} within {radii[center, partner]:.2f} Å" for _, partner in pairs)
        found = [{"center": center, "note": note} | row for row in shell_rows(bound, crowd)]
        atoms = np.array(atoms_of(request.pairs[pairs[0]][0], request.molecules))
        for row in found:
            if "example" in row:
                replica, number, frame = row.pop("example")
                path = replicas.harvests[replica].path
                shell = cut_out(path, layout, bound[replica], atoms[number], number, frame)
                shell["symbols"] = symbols[shell.pop("atom")]
                curves |= {f"shell|{center}|{row['structure']}|{key}": of for key, of in shell.items()}
        rows += found
        ionic = [names for names in pairs if _between_ions(names, request)]
        if ionic:
            touching.append((atoms, [bound_atoms(_near(ionic, radii, request, one)) for one in replicas.harvests]))
            slack_a = _room_for_solvent_a(request, replicas)
            separated.append([bound_atoms(_near(ionic, radii, request, one), slack_a) for one in replicas.harvests])
    associations = None
    if touching:
        atoms = [atoms for atoms, _ in touching]
        associations = [
            associate([of[r] for _, of in touching], [of[r] for of in separated], atoms, crowd)
            for r in range(len(replicas.harvests))
        ]
        rows += association_rows(associations, crowd)
    verdict = {"verdict": replicas.verdict([])}
    if not rows and request.pairs:
        rows, verdict = [{}], {"verdict": replicas.verdict([verdicts.NO_RADIUS])}
    return [EMPTY_ROW | row | verdict for row in rows], associations


def _near(pairs: Sequence[Names], radii: Mapping[Names, float], request: Request, harvest: Harvest) -> list[Near]:
    near = []
    for names in pairs:
        centers, partners = (np.array(atoms_of(site, request.molecules)) for site in request.pairs[names])
        near.append(Near(harvest.pairs[request.pairs[names]].contacts, centers, partners, radii[names]))
    return near


def _is_there(names: Names, request: Request) -> bool:
    return request.without_atoms(request.pairs[names]) is None


def _between_ions(names: Names, request: Request) -> bool:
    charges = [
        {entry["charge_e"] for entry in request.molecules if atoms_of(site, [entry])} for site in request.pairs[names]
    ]
    return any(first * second < 0 for first in charges[0] for second in charges[1])


def _room_for_solvent_a(request: Request, replicas: Replicas) -> float:
    """Edge of the cube that a neutral molecule has to itself, 0 without any: what may stand between two ions."""
    neutral = sum(entry["count"] for entry in request.molecules if not entry["charge_e"])
    return (replicas.volume_a3 / neutral) ** (1 / 3) if neutral else 0.0


def _crowd(request: Request) -> Crowd:
    species = [entry["species"] for entry in request.molecules]
    counts = [entry["count"] for entry in request.molecules]
    charges = np.array([entry["charge_e"] for entry in request.molecules], dtype=float)
    return Crowd(species, charges, np.repeat(np.arange(len(species)), counts), Layout.of(request.molecules).molecule)
