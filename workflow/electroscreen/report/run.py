"""How a run went, told from its records: faults, effort, versions, and the methods paragraph of a manuscript."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from electroscreen.report.formats import readable
from electroscreen.report.records import read_record, usable

# In the order of the pipeline.
STAGES = (
    "geometry",
    "orbitals",
    "levels",
    "redox",
    "esp",
    "binding",
    "charges",
    "forcefield",
    "composition",
    "equilibration",
    "analysis",
)
FOLDERS = ("species/*", "complexes/*", "boxes/*", "boxes/*/replica-*")

_EVERYWHERE = {"recipe_hash", "versions", "python", "threads", "wall_seconds"}


def all_records(results_dir: Path) -> dict[str, dict[str, Any]]:
    """Return every stage's record by its path inside the results, in the order of the pipeline."""
    root = Path(results_dir)
    paths = [
        path.relative_to(root).as_posix()
        for stage in STAGES
        for folder in FOLDERS
        for path in sorted(root.glob(f"{folder}/{stage}.json"))
    ]
    return {path: read_record(root, path) for path in paths}


def faults(records: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return path, verdict and warnings of every record that is not simply fine."""
    told = [
        {"path": path, "verdict": record["verdict"], "warnings": [str(w) for w in record.get("warnings") or []]}
        for path, record in records.items()
    ]
    return [fault for fault in told if not usable(fault["verdict"]) or fault["warnings"]]


def stages(records: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for each stage its jobs, how many are usable, their hours, and what their provenance says besides."""
    rows = []
    for stage in STAGES:
        jobs = [record for path, record in records.items() if Path(path).stem == stage]
        if jobs:
            fine = sum(usable(job["verdict"]) for job in jobs)
            rows.append(
                {"stage": stage, "jobs": len(jobs), "usable": fine, "hours": _hours(jobs), "details": _details(jobs)}
            )
    return rows


def versions(records: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return each package's version; several, when not all jobs ran with the same."""
    found = defaultdict(set)
    for record in records.values():
        made = record.get("provenance") or {}
        for package, version in {**(made.get("versions") or {}), "python": made.get("python")}.items():
            if version:
                found[package].add(str(version))
    return {package: ", ".join(sorted(several)) for package, several in sorted(found.items())}


def methods(records: dict[str, dict[str, Any]]) -> list[str]:
    """Return paragraphs that say what was done, with nothing in them that the records do not hold."""
    by_stage = defaultdict(dict)
    for path, record in records.items():
        by_stage[Path(path).stem][Path(path).parent.as_posix()] = record
    paragraphs = [_quantum_words(by_stage["geometry"], by_stage["orbitals"])]
    paragraphs.append(_potential_words(by_stage["esp"]))
    paragraphs.append(_binding_words(by_stage["binding"]))
    paragraphs += [_box_words(folder, record, by_stage) for folder, record in by_stage["composition"].items()]
    used = "; ".join(f"{package} {version}" for package, version in versions(records).items())
    paragraphs.append(f"Software: {used}." if used else "")
    return [paragraph for paragraph in paragraphs if paragraph]


def _hours(jobs: list[dict[str, Any]]) -> float:
    return sum((job.get("provenance") or {}).get("wall_seconds") or 0 for job in jobs) / 3600


def _details(jobs: list[dict[str, Any]]) -> str:
    """Return what the jobs' provenance holds beyond the usual: seeds, platform, level of theory."""
    values = defaultdict(dict)
    for job in jobs:
        for key, value in {**(job.get("provenance") or {}), "platform": job.get("platform")}.items():
            if key not in _EVERYWHERE and isinstance(value, (str, int, float)):
                values[key][str(value)] = None
    shown = {key: list(several) for key, several in values.items()}
    return "; ".join(
        f"{key.replace('_', ' ')} {', '.join(several[:4])}{f' and {len(several) - 4} more' if len(several) > 4 else ''}"
        for key, several in shown.items()
    )


def _quantum_words(geometries: dict[str, dict], orbitals: dict[str, dict]) -> str:
    if not orbitals:
        return ""
    fine = sum(usable(record["verdict"]) for record in orbitals.values())
    levels = sorted({record["level"] for record in orbitals.values() if record.get("level")})
    optimised = sorted({record["level"] for record in geometries.values() if record.get("level")})
    words = f"Kohn-Sham orbitals of {len(orbitals)} species were computed at {' and '.join(levels) or 'no level'}"
    if optimised:
        words += f", at geometries optimised at {' and '.join(optimised)}"
    return f"{words}; {fine} of {len(orbitals)} are usable."


def _potential_words(potentials: dict[str, dict]) -> str:
    if not potentials:
        return ""
    fine = sum(usable(record["verdict"]) for record in potentials.values())
    surfaces = sorted({readable(record.get("isodensity_e_per_bohr3")) for record in potentials.values()} - {""})
    return (
        f"Their electrostatic potentials were computed on the surface of {' and '.join(surfaces) or 'no'} e/bohr³ "
        f"(Bader, Carroll, Cheeseman and Chang, J. Am. Chem. Soc. 109, 7968 (1987)); "
        f"{fine} of {len(potentials)} are usable."
    )


def _binding_words(bindings: dict[str, dict]) -> str:
    if not bindings:
        return ""
    fine = sum(usable(record["verdict"]) for record in bindings.values())
    levels = sorted({record["level"] for record in bindings.values() if record.get("level")})
    return (
        f"Binding energies of {len(bindings)} complexes were computed at {' and '.join(levels) or 'no level'}: random "
        "placements relaxed by GFN2-xTB, the lowest optimised, with the counterpoise correction of Boys and Bernardi; "
        f"{fine} of {len(bindings)} are usable."
    )


def _box_words(folder: str, recipe: dict[str, Any], by_stage: dict[str, dict[str, dict]]) -> str:
    name = Path(folder).name
    if not usable(recipe["verdict"]):
        return f"Box {name}: {recipe['verdict']}."
    molecules = ", ".join(f"{m['count']} {m['species']}" for m in recipe.get("molecules") or [])
    words = [
        f"Box {name} holds {molecules} ({readable(recipe.get('atoms'))} atoms) "
        f"at {readable(recipe.get('temperature_k'))} K."
    ]
    runs = {path: run for path, run in by_stage["equilibration"].items() if Path(path).parent.as_posix() == folder}
    words += [_replica_words(Path(path).name, run) for path, run in runs.items()]
    analysis = by_stage["analysis"].get(folder, {})
    if analysis.get("frames"):
        words.append(
            f"The analysis covers {readable(analysis.get('duration_ps'))} ps and {analysis['frames']} frames of "
            f"{readable(analysis.get('replicas'))} replica(s)."
        )
        words += [_fit_words(row) for row in analysis.get("diffusion") or [] if row.get("window_start_ps") is not None]
    return " ".join(words)


def _replica_words(replica: str, run: dict[str, Any]) -> str:
    if not usable(run["verdict"]):
        return f"{replica.capitalize()}: {run['verdict']}."
    words = f"{replica.capitalize()} equilibrated at {readable(run.get('density_g_per_ml'))} g/mL"
    if None not in (run.get("density_low"), run.get("density_high")):
        words += f" (95 % interval {readable(run['density_low'])} to {readable(run['density_high'])} g/mL)"
    words += f" and then ran for {readable(run.get('production_ps'))} ps"
    if run.get("platform") and run.get("ns_per_day"):
        words += f" ({run['platform']}, {readable(run['ns_per_day'])} ns a day)"
    return f"{words}."


def _fit_words(row: dict[str, Any]) -> str:
    window = f"{readable(row['window_start_ps'])} to {readable(row.get('window_end_ps'))} ps"
    return f"The diffusion of {row['species']} was judged on lags of {window} ({row['verdict']})."
