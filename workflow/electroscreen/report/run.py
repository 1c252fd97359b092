"""How a run went, told from its records: faults, effort, versions, and the methods paragraph of a manuscript."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
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


@dataclass
class Run:
    """What the records tell together, gathered in one pass that keeps none of them but those of some boxes."""

    faults: list[dict[str, Any]] = field(default_factory=list)
    """Path, verdict and warnings of every record that is not simply fine."""
    jobs: Counter[str] = field(default_factory=Counter)
    fine: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    told: dict[tuple[str, str], dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    """Stage and key to the values that occur: levels of theory, seeds, platforms."""
    packages: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    titles: dict[str, str] = field(default_factory=dict)
    """Species to what a chemist calls them."""
    of_boxes: dict[str, dict[str, dict]] = field(default_factory=lambda: defaultdict(dict))
    """Stage to folder to record."""
    boxes_left_out: int = 0

    def add(self, path: str, record: dict[str, Any], boxes: Collection[str] | None) -> None:
        """Take in the record of one job; those of `boxes` are kept, by default of all."""
        stage, folder = Path(path).stem, Path(path).parent.as_posix()
        made, fine = record.get("provenance") or {}, usable(record["verdict"])
        warnings = [str(warning) for warning in record.get("warnings") or []]
        if warnings or not fine:
            self.faults.append({"path": path, "verdict": record["verdict"], "warnings": warnings})
        self.jobs[stage] += 1
        self.fine[stage] += fine
        self.seconds[stage] += made.get("wall_seconds") or 0
        if stage == "orbitals":
            self.titles[Path(folder).name] = str(record.get("title") or "")
        besides = {key: made[key] for key in made if key not in _EVERYWHERE} | {"platform": record.get("platform")}
        for key, value in besides.items():
            if isinstance(value, (str, int, float)):
                self.told[stage, key][str(value)] = None
        for key in ("level", "isodensity_e_per_bohr3"):
            if record.get(key):
                self.told[stage, f"its {key}"][readable(record[key])] = None
        for package, version in {**(made.get("versions") or {}), "python": made.get("python")}.items():
            if version:
                self.packages[package].add(str(version))
        if folder.startswith("boxes/"):
            kept = boxes is None or folder.split("/")[1] in boxes
            self.boxes_left_out += stage == "composition" and not kept
            if kept:
                self.of_boxes[stage][folder] = record

    def stages(self) -> list[dict[str, Any]]:
        """Return for each stage its jobs, how many are usable, their hours, and what their provenance says besides."""
        return [
            {"stage": stage, "jobs": self.jobs[stage], "usable": self.fine[stage], "hours": self.seconds[stage] / 3600}
            | {"details": self._details(stage)}
            for stage in STAGES
            if self.jobs[stage]
        ]

    def versions(self) -> dict[str, str]:
        """Return each package's version; several, when not all jobs ran with the same."""
        return {package: ", ".join(sorted(several)) for package, several in sorted(self.packages.items())}

    def methods(self) -> list[str]:
        """Return paragraphs that say what was done, with nothing in them that the records do not hold."""
        paragraphs = [self._quantum_words(), self._potential_words(), self._binding_words()]
        paragraphs += [_box_words(path, record, self.of_boxes) for path, record in self.of_boxes["composition"].items()]
        left = self.boxes_left_out
        paragraphs.append(f"{left} more boxes were treated alike; the tables hold them." if left else "")
        used = "; ".join(f"{package} {version}" for package, version in self.versions().items())
        paragraphs.append(f"Software: {used}." if used else "")
        return [paragraph for paragraph in paragraphs if paragraph]

    def _details(self, stage: str) -> str:
        """Return what the jobs' provenance holds beyond the usual: seeds, platform, level of theory."""
        shown = {key: list(several) for (of, key), several in self.told.items() if of == stage and key[:4] != "its "}
        return "; ".join(
            f"{key.replace('_', ' ')} {', '.join(several[:4])}"
            + (f" and {len(several) - 4} more" if len(several) > 4 else "")
            for key, several in shown.items()
        )

    def _levels(self, stage: str) -> str:
        return " and ".join(sorted(self.told[stage, "its level"]))

    def _quantum_words(self) -> str:
        count = self.jobs["orbitals"]
        if not count:
            return ""
        words = f"Kohn-Sham orbitals of {count} species were computed at {self._levels('orbitals') or 'no level'}"
        if self._levels("geometry"):
            words += f", at geometries optimised at {self._levels('geometry')}"
        return f"{words}; {self.fine['orbitals']} of {count} are usable."

    def _potential_words(self) -> str:
        if not self.jobs["esp"]:
            return ""
        surfaces = " and ".join(sorted(self.told["esp", "its isodensity_e_per_bohr3"]))
        return (
            f"Their electrostatic potentials were computed on the surface of {surfaces or 'no'} e/bohr³ "
            f"(Bader, Carroll, Cheeseman and Chang, J. Am. Chem. Soc. 109, 7968 (1987)); "
            f"{self.fine['esp']} of {self.jobs['esp']} are usable."
        )

    def _binding_words(self) -> str:
        count = self.jobs["binding"]
        if not count:
            return ""
        return (
            f"Binding energies of {count} complexes were computed at {self._levels('binding') or 'no level'}: random "
            "placements relaxed by GFN2-xTB, the lowest optimised, with the counterpoise correction of Boys and "
            f"Bernardi; {self.fine['binding']} of {count} are usable."
        )


def gather(records: Iterable[tuple[str, dict[str, Any]]], boxes: Collection[str] | None = None) -> Run:
    """Return what records tell together; `boxes` are those whose methods are told, by default all."""
    found = Run()
    for path, record in records:
        found.add(path, record, boxes)
    return found


def all_records(results_dir: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the path inside the results and the record of every job, in the order of the pipeline."""
    root = Path(results_dir)
    for stage in STAGES:
        for folder in FOLDERS:
            for path in sorted(root.glob(f"{folder}/{stage}.json")):
                inside = path.relative_to(root).as_posix()
                yield inside, read_record(root, inside)


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
