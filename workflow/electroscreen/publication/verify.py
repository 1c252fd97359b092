"""Verifying: the tables of a published folder, made again from its trajectories and records, and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from electroscreen.project import Project
from electroscreen.publication.compare import Comparison, compare_table
from electroscreen.publication.contents import Publication
from electroscreen.publication.publish import asked_of, has_rows, tabulate
from electroscreen.record import installed_versions

SHOWN = 12  # differences of one table that are printed


@dataclass
class Verification:
    """What came of making the tables of one folder again.

    Attributes
    ----------
    analysed, recorded
        Boxes whose trajectories were read again, and those whose analysis had to be taken from its record.
    faults
        Why nothing could be made again; then there are no comparisons.
    remarks
        What may explain differences.
    """

    name: str
    analysed: list[str] = field(default_factory=list)
    recorded: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether everything could be made again and is what was published."""
        return not self.faults and not any(table.differences for table in self.comparisons)


def published_names(published: Path) -> list[str]:
    """Return the names of the folders that can be verified."""
    return sorted(path.parent.name for path in Path(published).glob("*/publication.json"))


def verify(
    project: Project, folder: Path, threads: int, track: Callable[[Iterable[str]], Iterable[str]] = iter
) -> Verification:
    """Make the tables of a published folder again, in a folder of their own, and compare.

    Trajectories are analysed again by the present code; results of DFT are taken from their records.

    Parameters
    ----------
    project
        With the settings that the folder is named after.
    track
        Wraps the names of the boxes while they are analysed, such as `rich.progress.track`.

    Raises
    ------
    InputError
        If the folder holds no publication, or one of complexes that the project no longer has.
    """
    publication = Publication.read(folder)
    found = Verification(Path(folder).name, recorded=publication.recorded_boxes)
    found.faults += publication.changed_files(folder)
    if found.faults:
        return found
    found.remarks += _remarks(project, publication)
    with TemporaryDirectory() as scratch:
        results = Path(scratch)
        for name in publication.files:
            (results / name).parent.mkdir(parents=True, exist_ok=True)
            (results / name).symlink_to((Path(folder) / name).resolve())
        for box in track(_with_samples(publication)):
            _analyse(project, box, results / "boxes" / box, threads)
            found.analysed.append(box)
        tabulate(project, publication, results, results / "tables")
        found.comparisons = _compared(Path(folder) / "tables", results / "tables")
    return found


def print_verification(found: Verification, seconds: float) -> None:
    """Say in a few lines whether the tables are the same, and where they are not."""
    boxes = f"{len(found.analysed)} box{'' if len(found.analysed) == 1 else 'es'} analysed again"
    print(f"{found.name}: {len(found.comparisons)} tables made again in {seconds:.0f} s, {boxes}")
    for box in found.recorded:
        print(f"  {box}: its trajectory is too large to be here, so its rows come from its record")
    for line in [*found.faults, *found.remarks]:
        print(f"  {line}")
    for table in found.comparisons:
        for line in table.differences[:SHOWN]:
            print(f"  {table.table}: {line}")
        if len(table.differences) > SHOWN:
            print(f"  {table.table}: and {len(table.differences) - SHOWN} more differences")
    if found.same:
        rows, numbers = (sum(getattr(table, what) for table in found.comparisons) for what in ("rows", "numbers"))
        largest = max((table.largest for table in found.comparisons), default=0.0)
        print(f"  the same: {rows} rows, {numbers} numbers, largest relative difference {largest:.0e}")
    else:
        print("  NOT the same" if found.comparisons else "  NOT verified")


def _remarks(project: Project, publication: Publication) -> Iterable[str]:
    for box in _with_samples(publication):
        if publication.asked_of_boxes.get(box) != asked_of(project, box):
            yield f"{box}: since it was published, something else is asked of its analysis (its file, or the protocol)"
    for name, now in installed_versions(publication.versions).items():
        if publication.versions[name] != now:
            yield f"{name}: {now or 'not installed'} here, {publication.versions[name]} when it was published"


def _with_samples(publication: Publication) -> list[str]:
    """Boxes that were analysed, and whose trajectories are there."""
    return [box for box in publication.asked_of_boxes if box not in publication.recorded_boxes]


def _analyse(project: Project, box: str, folder: Path, threads: int) -> None:
    from electroscreen.analysis.run import analyse

    replicas = sorted(folder.glob("replica-*"), key=lambda path: int(path.name.removeprefix("replica-")))
    outputs = folder / "analysis.json", folder / "curves.npz"
    analyse(folder / "composition.json", replicas, project.recipe("analysis", box), *outputs, threads)


def _compared(published: Path, again: Path) -> list[Comparison]:
    names = sorted(path.stem for path in again.glob("*.csv") if has_rows(path))
    tables = [compare_table(name, published, again) for name in names]
    tables += [
        Comparison(path.stem, differences=["published, not made now"])
        for path in sorted(published.glob("*.csv"))
        if path.stem not in names
    ]
    references = Comparison("references")
    if (published / "references.bib").read_bytes() != (again / "references.bib").read_bytes():
        references.differences.append("references.bib is not the same")
    return [*tables, references]
