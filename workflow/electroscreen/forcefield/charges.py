"""The charges stage: RESP charges of one species from its geometry."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.chains import FRAGMENT_UNITS
from electroscreen.forcefield import graph
from electroscreen.forcefield.potential import (
    POINTS_PER_ANGSTROM2,
    SHELLS,
    mean_field_of,
    mixed_density,
    resp_level,
    shell_points,
)
from electroscreen.forcefield.resp import BOHR_ANGSTROM, RESTRAINTS, TIGHTNESS_E, RespFit, fit_resp
from electroscreen.quantum.potential import electrostatic_potential
from electroscreen.quantum.scf import SCFNotConvergedError
from electroscreen.quantum.structures import starting_structures
from electroscreen.record import OK, provenance, write_json
from electroscreen.species import Species, parse_xyz

CHAIN_CONFORMERS = 6
RRMS_FAIR = 0.3
DIPOLE_ERROR_FAIR_DEBYE = 0.3
_DEBYE_PER_E_ANGSTROM = 4.803204712570263


def derive_charges(
    species: Species,
    geometry_xyz: Path | Sequence[Path],
    recipe: dict[str, Any],
    output: Path,
    threads: int = 1,
) -> None:
    """Write the RESP charges of a species to `output`.

    Parameters
    ----------
    geometry_xyz
        The optimised geometry in the atom order of the species, or several conformers of it, which
        weigh the same. An empty file means that no geometry was found.
    recipe
        With "resp_basis"; "resp_method", "resp_solvent_share" and "resp_dielectric" as in the settings.

    Raises
    ------
    ValueError
        If a geometry holds other atoms than the species: the files do not belong together.
    """
    started = time.time()
    paths = [geometry_xyz] if isinstance(geometry_xyz, (str, Path)) else list(geometry_xyz)
    record = {"species": species.name, **_charges(species, paths, recipe, threads)}
    record["provenance"] = provenance(recipe, ("pyscf", "rdkit", "numpy"), started, threads)
    write_json(output, record)


def read_geometry(path: Path, species: Species) -> tuple[np.ndarray | None, str]:
    """Return the positions (n, 3) in angstrom of an xyz file, or None if it holds no atoms, and its comment.

    Raises
    ------
    ValueError
        If the file is not an xyz file of this species.
    """
    count, comment, *lines = [*Path(path).read_text(encoding="utf-8").splitlines(), "", ""]
    if not count.strip() or int(count) == 0:
        return None, comment
    atoms = parse_xyz("\n".join(lines[: int(count)]))
    if [symbol for symbol, _ in atoms] != species.symbols:
        raise ValueError(f"{path}: its atoms are not those of {species.name}, in the same order")
    return np.array([position for _, position in atoms]), comment


def _charges(species: Species, paths: list[Path], recipe: dict[str, Any], threads: int) -> dict[str, Any]:
    if len(species.symbols) == 1:
        return _monatomic(species)
    if species.is_long_chain:
        return _of_chain(species, recipe, threads)
    read = [read_geometry(path, species) for path in paths]
    absent = [comment for positions, comment in read if positions is None]
    if absent:
        return _not_computed(f"there is no geometry ({absent[0]})")
    try:
        record = _fitted(species, [positions for positions, _ in read], recipe, threads)
    except SCFNotConvergedError as failure:
        return _not_computed(str(failure), verdict="not converged")
    record["warnings"] += [f"geometry: {comment}" for _, comment in read if "not converged" in comment]
    return record


def _of_chain(species: Species, recipe: dict[str, Any], threads: int) -> dict[str, Any]:
    """Charges of a chain from its trimer: the ends from the trimer's ends, all units between from its middle one.

    The middle unit carries its formal charge exactly, so that a chain of any length has its total charge.
    """
    trimer = species.trimer()
    conformers = starting_structures(trimer, CHAIN_CONFORMERS, 1)[: max(3, recipe["resp_conformers"])]
    geometries = [structure.positions_angstrom for structure in conformers]
    try:
        record = _fitted(trimer, geometries, recipe, threads)
    except (SCFNotConvergedError, ValueError) as failure:
        return _not_computed(f"of three units, {failure}", verdict="not converged")
    atoms = [record["atoms"][i] for i in species.polymer.from_trimer()]
    record["trimer_atoms"] = record["atoms"]
    record["atoms"] = [atom | {"index": i} for i, atom in enumerate(atoms)]
    record["total_charge_e"] = float(sum(atom["resp_e"] for atom in atoms))
    record["method"] += f", of {FRAGMENT_UNITS} units in {len(geometries)} GFN2-xTB conformers; caps {_caps(species)}"
    return record


def _caps(species: Species) -> str:
    return " and ".join(cap or "H" for cap in species.polymer.caps)


def _fitted(species: Species, geometries: list[np.ndarray], recipe: dict[str, Any], threads: int) -> dict[str, Any]:
    plain = graph.skeleton(species, geometries[0])
    classes = graph.equivalence_classes(plain)
    conformers, from_density = [], []
    for positions in geometries:
        mean_field = mean_field_of(species, positions, recipe, threads)
        points = shell_points(species.symbols, positions)
        density = mixed_density(mean_field, recipe)
        potential = electrostatic_potential(mean_field.mol, density, points / BOHR_ANGSTROM)
        conformers.append((positions, points, potential))
        centre = _centre_of_mass(species.symbols, positions) / BOHR_ANGSTROM
        from_density.append(
            float(np.linalg.norm(mean_field.dip_moment(dm=density, unit="Debye", origin=centre, verbose=0)))
        )
    fit = fit_resp(
        species.symbols,
        conformers,
        species.charge,
        classes,
        graph.methyl_and_methylene(plain),
        points_per_angstrom2=POINTS_PER_ANGSTROM2,
        groups=_middle_unit(species),
    )
    from_charges = [_dipole_of_charges(species.symbols, x, fit.charges_e) for x in geometries]
    return {
        "method": _method(recipe),
        "atoms": _atoms(species.symbols, fit.charges_e, classes),
        "total_charge_e": float(fit.charges_e.sum()),
        "rrms": fit.rrms,
        "dipole_from_charges_debye": float(np.mean(from_charges)),
        "dipole_from_density_debye": float(np.mean(from_density)),
        "points": sum(len(points) for _, points, _ in conformers),
        "conformers": len(conformers),
        "shells": {"factors": SHELLS, "points_per_angstrom2": POINTS_PER_ANGSTROM2},
        "restraint": {"stages": RESTRAINTS, "tightness_e": TIGHTNESS_E},
        "verdict": OK if fit.converged else "not converged",
        "warnings": _warnings(fit, from_charges, from_density),
    }


def _method(recipe: dict[str, Any]) -> str:
    level, share = resp_level(recipe), recipe.get("resp_solvent_share", 0.0)
    method = level.functional.upper() if level.functional.lower() == "hf" else level.functional
    text = f"RESP, {method}/{level.basis}{' with Cartesian d functions' if level.cartesian else ''}, density fitting"
    if share:
        text += f", {share:.0%} of it in a continuum of ε {recipe['resp_dielectric']:g}"
    return text


def _middle_unit(species: Species) -> list[tuple[list[int], float]]:
    """Of a trimer: the atoms of its middle unit, which longer chains repeat, and their formal charge.

    The ends are free to carry opposite charges (PDOL: 0.21 e): where the unit is cut gives it a dipole along the
    chain, and these charges are what cancels it. Held neutral too, they would spoil the charges at the cuts.
    """
    if species.polymer is None or species.polymer.units != FRAGMENT_UNITS:
        return []
    return [(species.polymer.middle(), species.polymer.unit_charge())]


def _warnings(fit: RespFit, from_charges: list[float], from_density: list[float]) -> list[str]:
    warnings = []
    if fit.rrms > RRMS_FAIR:
        warnings.append(f"the charges miss {fit.rrms:.0%} of the potential (root mean square)")
    for ours, theirs in zip(from_charges, from_density, strict=True):
        if abs(ours - theirs) > DIPOLE_ERROR_FAIR_DEBYE:
            warnings.append(f"the dipole is {ours:.2f} D by the charges, {theirs:.2f} D by the electron density")
    return warnings


def _monatomic(species: Species) -> dict[str, Any]:
    return {
        "method": "formal charge of a single atom",
        "atoms": _atoms(species.symbols, [float(species.charge)], [0]),
        "total_charge_e": float(species.charge),
        "rrms": None,
        "dipole_from_charges_debye": 0.0,
        "dipole_from_density_debye": None,
        "points": 0,
        "verdict": OK,
        "warnings": [],
    }


def _not_computed(reason: str, verdict: str = "not computed") -> dict[str, Any]:
    return {
        "method": None,
        "atoms": [],
        "total_charge_e": None,
        "rrms": None,
        "dipole_from_charges_debye": None,
        "dipole_from_density_debye": None,
        "points": 0,
        "verdict": f"{verdict}: {reason}",
        "warnings": [],
    }


def _atoms(symbols: Sequence[str], charges: Sequence[float], classes: Sequence[int]) -> list[dict[str, Any]]:
    rows = zip(symbols, charges, classes, strict=True)
    return [{"index": i, "symbol": s, "resp_e": float(q), "class": int(c)} for i, (s, q, c) in enumerate(rows)]


def _dipole_of_charges(symbols: Sequence[str], positions: np.ndarray, charges: np.ndarray) -> float:
    """Size in debye about the centre of mass, which matters for ions only."""
    away = positions - _centre_of_mass(symbols, positions)
    return float(np.linalg.norm(charges @ away) * _DEBYE_PER_E_ANGSTROM)


def _centre_of_mass(symbols: Sequence[str], positions: np.ndarray) -> np.ndarray:
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    return np.average(positions, axis=0, weights=[table.GetAtomicWeight(symbol) for symbol in symbols])
