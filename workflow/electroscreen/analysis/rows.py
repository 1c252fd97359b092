"""Rows of analysis.json, each with its verdict, and the curves that belong to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from electroscreen.analysis import coordination, diffusion, displacement, residence, verdicts
from electroscreen.analysis.rdf import distribution
from electroscreen.analysis.request import Replicas, Request
from electroscreen.analysis.transport_rows import no_conductivity

Curves = dict[str, np.ndarray]


def coordination_row(names: tuple[str, str], request: Request, replicas: Replicas, curves: Curves) -> dict[str, Any]:
    """Return the row of a pair of sites."""
    pair = request.pairs[names]
    row = {"center": names[0], "partner": names[1]} | coordination.EMPTY_ROW
    lacking = request.without_atoms(pair)
    if lacking is not None:
        return row | {"verdict": verdicts.not_computed(f"the box holds no {lacking}")}
    counts = [harvest.pairs[pair] for harvest in replicas.harvests]
    if counts[0].pairs == 0:
        return row | {"verdict": verdicts.not_computed("all of them are in one molecule")}
    curve = distribution(counts)
    prefix = f"rdf|{names[0]}|{names[1]}|"
    curves |= {f"{prefix}r_angstrom": curve.r_a, f"{prefix}g": curve.g, f"{prefix}n": curve.n}
    contact_a = coordination.contact_distance_a(pair[0].element, pair[1].element)
    found = coordination.coordination(counts, contact_a, request.radii_a.get(names))
    verdict = replicas.verdict(found.pop("flaws"))
    return row | found | {"verdict": verdict}


def diffusion_row(name: str, request: Request, replicas: Replicas, curves: Curves) -> dict[str, Any]:
    """Return the row of a species' diffusion."""
    row = {"species": name} | diffusion.EMPTY_ROW
    if request.count(name) == 0:
        return row | {"verdict": verdicts.not_computed(f"the box holds no molecule of {name}")}
    if not replicas.followed:
        return row | {"verdict": replicas.verdict([verdicts.WRAPPED])}
    found, curve, (lag_ps, alpha) = replicas.motion(name)
    curves |= {f"msd|{name}|lag_ps": curve.lag_ps, f"msd|{name}|msd_a2": curve.msd_a2}
    if curve.low is not None:
        curves |= {f"msd|{name}|low": curve.low, f"msd|{name}|high": curve.high}
    curves |= {f"ngp|{name}|lag_ps": lag_ps, f"ngp|{name}|alpha": alpha}
    found |= diffusion.corrected(found, request.temperature_k, replicas.volume_a3 ** (1 / 3), request.viscosity)
    replicas.warnings += [f"diffusion of {name}: {warning}" for warning in found.pop("warnings")]
    verdict = replicas.verdict(found.pop("flaws"))
    return row | found | {"verdict": verdict}


def displacement_row(name: str, request: Request, replicas: Replicas, curves: Curves) -> dict[str, Any]:
    """Return how far the ions of a species come."""
    row = {"species": name} | displacement.EMPTY_ROW
    if not replicas.followed:
        return row | {"verdict": replicas.verdict([verdicts.WRAPPED])}
    paths_a, frame_ps = [harvest.paths_a[name] for harvest in replicas.harvests], replicas.harvests[0].frame_ps
    found, lengths = displacement.displacement(paths_a, frame_ps, request.displacement_ps)
    curves |= {f"displacement|{name}|{key}": values for key, values in lengths.items()}
    curves |= {f"van_hove|{name}|{key}": values for key, values in displacement.van_hove(paths_a, frame_ps).items()}
    verdict = replicas.verdict(found.pop("flaws"))
    return row | found | {"verdict": verdict}


def nothing(request: Request, reason: str) -> dict[str, Any]:
    """Return the rows of a box that has no trajectory."""
    verdict = {"verdict": verdicts.not_computed(reason)}
    pairs = [{"center": center, "partner": partner} for center, partner in request.pairs]
    species = [{"species": name} for name in request.species]
    return verdict | {
        "coordination": [pair | coordination.EMPTY_ROW | verdict for pair in pairs],
        "diffusion": [one | diffusion.EMPTY_ROW | verdict for one in species],
        "residence": [pair | residence.EMPTY_ROW | verdict for pair in pairs],
        "solvation": [],
        "hopping": [],
        "displacement": [{"species": name} | displacement.EMPTY_ROW | verdict for name in request.ions],
        "transport": [no_conductivity(verdict["verdict"])] if request.ions else [],
    }
