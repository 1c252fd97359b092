"""The analysis stage: from the trajectories of a box to analysis.json and curves.npz."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.analysis import coordination, diffusion, verdicts
from electroscreen.analysis.rdf import distribution
from electroscreen.analysis.trajectory import Harvest, Pair, UnusableTrajectoryError, read_trajectory
from electroscreen.record import OK, provenance, read_json, whole, write_json
from electroscreen.sites import Site, atoms_of, check_site, check_species, parse_site

PACKAGES = ("MDAnalysis", "kinisi", "numpy", "scipy")
NOT_RUN = "not run"

Curves = dict[str, np.ndarray]


@dataclass(frozen=True)
class Request:
    """What is asked of a box, and which atoms and molecules it has for it.

    Attributes
    ----------
    molecules
        The entry `molecules` of composition.json, empty if the box was not built.
    pairs
        Of each pair of texts asked for: its sites, empty if the box was not built.
    species
        Species whose diffusion is asked for.
    """

    molecules: Sequence[Mapping[str, Any]]
    pairs: dict[tuple[str, str], Pair]
    species: Sequence[str]

    @classmethod
    def of(cls, recipe: Mapping[str, Any], molecules: Sequence[Mapping[str, Any]]) -> Request:
        """Read a recipe, and check it against the molecules there are."""
        asked = [(entry["center"], partner) for entry in recipe["coordination"] for partner in entry["partners"]]
        symbols = {entry["species"]: entry["symbols"] for entry in molecules}
        if not molecules:
            return cls(
                molecules, {pair: (parse_site(pair[0]), parse_site(pair[1])) for pair in asked}, recipe["diffusion"]
            )
        pairs = {pair: (check_site(pair[0], symbols), check_site(pair[1], symbols)) for pair in asked}
        return cls(molecules, pairs, [check_species(name, symbols) for name in recipe["diffusion"]])

    def without_atoms(self, pair: Pair) -> Site | None:
        """Return the first site of a pair that has no atom in the box."""
        return next((site for site in pair if not atoms_of(site, self.molecules)), None)

    def count(self, species: str) -> int:
        """Return the number of molecules of a species."""
        return sum(entry["count"] for entry in self.molecules if entry["species"] == species)


@dataclass
class Replicas:
    """The replicas of a box that ran, and what is wrong with them and with those that did not."""

    harvests: list[Harvest] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def verdict(self, flaws: Sequence[str] = ()) -> str:
        """Return the verdict on a number that has these flaws besides those of the replicas."""
        return verdicts.combined([*self.flaws, *flaws], len(self.harvests))

    @property
    def followed(self) -> bool:
        """Whether molecules can be followed from frame to frame."""
        return all(harvest.followed for harvest in self.harvests)


def analyse(
    composition_path: Path,
    replica_folders: Sequence[Path],
    recipe: Mapping[str, Any],
    analysis_path: Path,
    curves_path: Path,
    threads: int = 1,
) -> None:
    """Analyse all replicas of a box together and write analysis.json and curves.npz.

    Parameters
    ----------
    composition_path
        composition.json of the box, with the molecules in the order of the trajectories.
    replica_folders
        Folders with trajectory.xtc and equilibration.json.
    recipe
        What was asked for: `coordination`, a list of {center, partners}, and `diffusion`, a list of species.
    analysis_path, curves_path
        Where to write. Curves have flat keys such as 'rdf|Na|O(DOL)|g' and 'msd|Na|msd_a2'.

    Raises
    ------
    ValueError
        If the recipe names a site or species that the box does not know, or files do not fit each other.

    Notes
    -----
    A box or a replica that failed is a result: every row asked for is written, with its verdict (see `verdicts`).
    In the record, `frames` and `duration_ps` are sums over replicas, `centers` and `particles` are those of one box.
    """
    started = time.time()
    composition = read_json(composition_path)
    request = Request.of(recipe, composition.get("molecules") or [])
    replicas = _read(replica_folders, request, threads)
    if composition["verdict"] != OK:
        replicas.flaws.insert(0, composition["verdict"])
    curves: Curves = {}
    if replicas.harvests:
        content = {
            "verdict": replicas.verdict([] if replicas.followed else [verdicts.WRAPPED]),
            "coordination": [_coordination_row(pair, request, replicas, curves) for pair in request.pairs],
            "diffusion": [_diffusion_row(name, request, replicas, curves) for name in request.species],
        }
    else:
        content = _nothing(request, "; ".join(replicas.flaws or replicas.missing) or "there is no replica")
    record = {
        "box": composition["box"],
        "verdict": content.pop("verdict"),
        "warnings": replicas.warnings,
        "frames": sum(harvest.frames for harvest in replicas.harvests),
        "duration_ps": sum((harvest.frames - 1) * harvest.frame_ps for harvest in replicas.harvests),
        "replicas": len(replicas.harvests),
        "volume_a3": np.mean([harvest.volume_a3 for harvest in replicas.harvests]) if replicas.harvests else None,
        **content,
        "provenance": provenance(dict(recipe), PACKAGES, started, threads),
    }
    with whole(curves_path) as partial:
        np.savez(partial, **curves)
    write_json(analysis_path, record)


def _read(folders: Sequence[Path], request: Request, threads: int) -> Replicas:
    replicas = Replicas()
    pairs = [pair for pair in request.pairs.values() if request.without_atoms(pair) is None]
    for folder in map(Path, folders):
        equilibration = read_json(folder / "equilibration.json")
        verdict = equilibration["verdict"]
        replicas.warnings += [f"{folder.name}: {warning}" for warning in equilibration.get("warnings", [])]
        try:
            if verdict.startswith(NOT_RUN) or not request.molecules:
                raise UnusableTrajectoryError(verdict)
            path = folder / "trajectory.xtc"
            replicas.harvests.append(read_trajectory(path, request.molecules, pairs, request.species, threads))
        except UnusableTrajectoryError as reason:
            replicas.missing.append(f"{folder.name}: {reason}")
            continue
        if verdict != OK:
            replicas.flaws.append(verdict)
    spacings = {round(harvest.frame_ps, 4) for harvest in replicas.harvests}
    if len(spacings) > 1:
        raise ValueError(f"the replicas' frames are {sorted(spacings)} ps apart: they cannot be analysed together")
    if replicas.harvests:
        replicas.warnings += [f"left out: {reason}" for reason in replicas.missing]
    if len(replicas.harvests) == 2:
        replicas.warnings.append("two boxes tell little about how boxes differ: intervals are wide, run three or more")
    return replicas


def _coordination_row(names: tuple[str, str], request: Request, replicas: Replicas, curves: Curves) -> dict[str, Any]:
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
    found = coordination.coordination(counts, contact_a)
    verdict = replicas.verdict(found.pop("flaws"))
    return row | found | {"verdict": verdict}


def _diffusion_row(name: str, request: Request, replicas: Replicas, curves: Curves) -> dict[str, Any]:
    row = {"species": name} | diffusion.EMPTY_ROW
    if request.count(name) == 0:
        return row | {"verdict": verdicts.not_computed(f"the box holds no molecule of {name}")}
    if not replicas.followed:
        return row | {"verdict": replicas.verdict([verdicts.WRAPPED])}
    paths_a = [harvest.paths_a[name] for harvest in replicas.harvests]
    found, curve = diffusion.diffusion(paths_a, replicas.harvests[0].frame_ps)
    curves |= {f"msd|{name}|lag_ps": curve.lag_ps, f"msd|{name}|msd_a2": curve.msd_a2}
    if curve.low is not None:
        curves |= {f"msd|{name}|low": curve.low, f"msd|{name}|high": curve.high}
    replicas.warnings += [f"diffusion of {name}: {warning}" for warning in found.pop("warnings")]
    verdict = replicas.verdict(found.pop("flaws"))
    return row | found | {"verdict": verdict}


def _nothing(request: Request, reason: str) -> dict[str, Any]:
    """Return the rows of a box that has no trajectory."""
    verdict = {"verdict": verdicts.not_computed(reason)}
    pairs = [{"center": center, "partner": partner} for center, partner in request.pairs]
    species = [{"species": name} for name in request.species]
    return verdict | {
        "coordination": [pair | coordination.EMPTY_ROW | verdict for pair in pairs],
        "diffusion": [one | diffusion.EMPTY_ROW | verdict for one in species],
    }
