"""Publishing: the tables of some settings, and the small files from which anyone can make them again."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from electroscreen.inputs import InputError
from electroscreen.project import Project
from electroscreen.publication.contents import (
    ANALYSIS,
    FOLDERS,
    LIST,
    OF_BOX,
    OF_COMPLEX,
    OF_SPECIES,
    SAMPLES,
    Publication,
    sha256,
)
from electroscreen.recipe import digest
from electroscreen.record import read_json

MEGABYTE = 1_000_000


def publish(project: Project, folder: Path, largest_mb: float) -> Publication:
    """Write tables and what they are made from into a folder; other files there, such as a README, stay.

    The new content is written aside first, so that a publication that is interrupted leaves the old one.

    Parameters
    ----------
    largest_mb
        Samples (trajectories, pressures) of a box are left out if one of them is larger; the record of its analysis
        is kept in their place.

    Raises
    ------
    InputError
        If the settings have no results.
    """
    if not any(project.results.glob("*/*/*.json")):
        raise InputError(f"{project.results}: there are no results to publish: run the workflow first")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as aside:
        new = Path(aside)
        recorded = _copy(project, new, largest_mb * MEGABYTE)
        publication = _listed(project, new, recorded)
        tabulate(project, publication, project.results, new / "tables")
        _drop_empty(new / "tables")
        publication.write(new)
        for name in (*FOLDERS, LIST):
            _replace(folder / name, new / name, new)
    return publication


def tabulate(project: Project, publication: Publication, results: Path, output: Path) -> None:
    """Make the tables of a publication from a folder of results."""
    from electroscreen.report.tables import build_tables

    papers = [path for path in project.paper_files if path.stem in publication.papers]
    complexes = {name: project.complex(name) for name in publication.complexes}
    asked = publication.asked_complexes, publication.asked_boxes
    build_tables(results, papers, publication.species, publication.boxes, output, complexes, *asked)


def asked_of(project: Project, box: str) -> str:
    """Return the hash of what is asked of the analysis of a box now."""
    return digest(project.recipe("analysis", box))


def has_rows(table: Path) -> bool:
    """Whether a table that is written as CSV holds more than its columns' names."""
    with Path(table).open(encoding="utf-8") as lines:
        return sum(1 for _ in lines) > 1


def _copy(project: Project, new: Path, largest_bytes: float) -> list[str]:
    """Copy what the tables are made from; return the boxes whose samples are too large."""
    results, recorded = project.results, []
    for pattern in OF_SPECIES:
        _copy_files(results, f"species/*/{pattern}", new)
    # What lies there of a complex without a record is of a run that has not ended.
    for name in (name for name in project.asked_complexes if (project.complex_folder(name) / OF_COMPLEX[0]).exists()):
        for pattern in OF_COMPLEX:
            _copy_files(results, f"complexes/{name}/{pattern}", new)
    for box in project.asked_boxes:
        folder = project.box_folder(box)
        samples = [path for pattern in SAMPLES for path in sorted(folder.glob(pattern))]
        large = any(path.stat().st_size > largest_bytes for path in samples)
        recorded += [box] if large else []
        analysed = (folder / ANALYSIS).exists()
        for pattern in (*OF_BOX, *([ANALYSIS] if large else SAMPLES if analysed else [])):
            _copy_files(results, f"boxes/{box}/{pattern}", new)
    return recorded


def _copy_files(results: Path, pattern: str, new: Path) -> None:
    for path in sorted(results.glob(pattern)):
        # What a running job writes aside is its own.
        if path.name.startswith(".") or ".restart." in path.name:
            continue
        target = new / path.relative_to(results)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _listed(project: Project, new: Path, recorded: list[str]) -> Publication:
    analyses = {box: project.box_folder(box) / ANALYSIS for box in project.asked_boxes}
    records = {box: read_json(path)["provenance"] for box, path in analyses.items() if path.exists()}
    versions: dict[str, str] = {}
    for provenance in records.values():
        versions |= provenance["versions"]
    return Publication(
        species=project.screened_species,
        boxes=project.box_names,
        complexes=project.complex_names,
        papers=[path.stem for path in project.paper_files],
        asked_boxes=project.asked_boxes,
        asked_complexes=project.asked_complexes,
        recorded_boxes=recorded,
        asked_of_boxes={box: provenance["recipe_hash"] for box, provenance in records.items()},
        versions=versions,
        files={path.relative_to(new).as_posix(): sha256(path) for path in sorted(new.rglob("*")) if path.is_file()},
    )


def _drop_empty(tables: Path) -> None:
    """Remove tables without a row: redox potentials have no place among boxes."""
    for path in list(tables.glob("*.csv")):
        if not has_rows(path):
            for edition in tables.glob(f"{path.stem}.*"):
                edition.unlink()


def _replace(old: Path, new: Path, aside: Path) -> None:
    """Put a file or folder in the place of an old one, which goes aside."""
    if old.exists():
        old.rename(aside / f"old-{old.name}")
    if new.exists():
        new.rename(old)
