"""Files of earlier stages that are not whole: told before they are used, and set aside so that they are made anew.

Every stage writes its files whole or not at all, so half a file means a disk, a copy or a person. A stage that read it
would end in riddles or, worse, in numbers from half the data.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

ASIDE = ".damaged"

# What a stage reads in the folder of its species, of its box, or of each species in its box or complex.
OF_SPECIES = {
    "orbitals": ("geometry.json", "geometry.xyz", "density.npy"),
    "levels": ("geometry.json", "geometry.xyz"),
    "redox": ("geometry.json", "geometry.xyz"),
    "esp": ("orbitals.json", "geometry.xyz", "density_final.npy"),
    "cubes": ("orbitals.json", "geometry.xyz", "frontier.npz"),
    "charges": ("geometry.xyz",),
    "forcefield": ("charges.json", "geometry.xyz"),
}
OF_PARTS = {
    "binding": ("geometry.json", "geometry.xyz"),
    "composition": ("forcefield.json",),
    "packing": ("geometry.xyz", "forcefield.xml"),
}
OF_BOX = {
    "packing": ("composition.json",),
    "dynamics": ("composition.json",),
    "analysis": ("composition.json",),
}
OF_REPLICA = {
    "dynamics": ("packing.json", "packed.pdb", "system.xml"),
    "analysis": ("equilibration.json", "trajectory.xtc"),
}
RECORDS = ("species/*/*.json", "complexes/*/binding.json", "boxes/*/*.json", "boxes/*/replica-*/*.json")
OF_ALL = {
    "tables": RECORDS,
    "figures": (*RECORDS, "boxes/*/curves.npz"),
    "report": (
        *RECORDS,
        *(f"tables/*.{kind}" for kind in ("csv", "md", "tex")),
        *(f"figures/**/*.{kind}" for kind in ("png", "svg")),
        *("species/*/esp.npz", "species/*/esp.png", "species/*/orbitals.png"),
    ),
}

# Left empty where the record beside them says that there is nothing.
EMPTY_WITH = {
    "packed.pdb": "packing.json",
    "system.xml": "packing.json",
    "trajectory.xtc": "equilibration.json",
}


class DamagedError(Exception):
    """A file that a stage reads is not whole; the message is one line."""


def files_read(project, stage: str, subject: str | None, replica: int | None = None) -> list[Path]:
    """Return the files of earlier stages that a stage reads, whether they are there or not."""
    if stage in OF_ALL:
        return list(_files_of_all(project.results, OF_ALL[stage]))
    if stage in OF_SPECIES:
        project.species_file(subject)  # a name and no path
        return [project.species_folder(subject) / name for name in OF_SPECIES[stage]]
    if stage == "binding":
        gfn1 = project.settings.binding.geometry == "gfn1"
        parts = project.complex(subject).parts if not gfn1 else []
        return [project.species_folder(part) / name for part in parts for name in OF_PARTS[stage]]
    if stage not in OF_BOX and stage not in OF_PARTS:
        return []
    project.box_file(subject)
    folder = project.box_folder(subject)
    paths = [folder / name for name in OF_BOX.get(stage, ())]
    numbers = [replica] if stage == "dynamics" else range(1, project.settings.dynamics.replicas + 1)
    sampled = ["pressure.npz"] if stage == "analysis" and project.settings.dynamics.viscosity_ps else []
    paths += [folder / f"replica-{r}" / name for r in numbers for name in (*OF_REPLICA.get(stage, ()), *sampled)]
    if stage in OF_PARTS:
        from electroscreen.recipes import molecules_of

        box = project.box(subject)
        names = molecules_of(box, project.box_species(box))
        paths += [project.species_folder(part) / name for part in names for name in OF_PARTS[stage]]
    return paths


def is_reported(path: str) -> bool:
    """Whether tables, figures or the report read a file of the results, given by its path in them."""
    return any(fnmatch(path, pattern) for patterns in OF_ALL.values() for pattern in patterns)


def _files_of_all(results: Path, patterns: Iterable[str]) -> Iterator[Path]:
    """Yield what is there, and what was there before it was set aside: a second try must not take it for never made."""
    expected = None
    for pattern in patterns:
        for path in sorted(results.glob(f"{pattern}*")):
            # What a running job writes aside, and what it goes on from, is its own.
            if path.name.startswith(".") or ".restart." in path.name:
                continue
            whole = path.with_name(path.name.removesuffix(ASIDE))
            if path == whole:
                yield path
            elif pattern not in RECORDS:
                yield whole
            else:
                expected = _asked_for(results) if expected is None else expected
                if whole.relative_to(results).as_posix() in expected:
                    yield whole


def _asked_for(results: Path) -> set[str]:
    """Return the records in the inventory: of what is no longer asked for, half a record may lie there for ever."""
    try:
        with (results / "inventory.csv").open(encoding="utf-8", newline="") as file:
            return {row["record"] for row in csv.DictReader(file)}
    except FileNotFoundError:
        return set()


def set_aside_damaged(paths: Iterable[Path]) -> None:
    """Check files before they are used; those that are not whole get another name, so that they are made anew.

    Files that are missing are left to the stage, unless they were set aside before.

    Raises
    ------
    DamagedError
        Naming the first that is not whole, and what to do.
    """
    told: list[tuple[Path, str]] = []
    for path in paths:
        aside = path.with_name(path.name + ASIDE)
        if path.exists():
            why = fault(path)
            if why is None:
                aside.unlink(missing_ok=True)
                continue
            path.replace(aside)
            told.append((path, why))
        elif aside.exists():
            told.append((path, fault(aside) or "was damaged"))
    if told:
        path, why = told[0]
        more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
        raise DamagedError(
            f"{path} {why}{more}: set aside as {path.name}{ASIDE}; the next call makes it anew where it is needed, "
            f"and at once: snakemake {path}"
        )


def fault(path: Path) -> str | None:
    """Return what is wrong with a file of results, None if it is whole or of a kind that nobody reads."""
    path = Path(path)
    name = path.name.removesuffix(ASIDE)
    check = CHECKS.get(Path(name).suffix)
    if check is None:
        return None
    if path.stat().st_size == 0:
        record = EMPTY_WITH.get(name)
        return None if record and _says_nothing(path.with_name(record)) else "is empty"
    try:
        return check(path)
    except (OSError, ValueError, EOFError) as error:
        return f"cannot be read ({' '.join(str(error).split())[:80]})"


def _says_nothing(record: Path) -> bool:
    try:
        return json.loads(record.read_text(encoding="utf-8"))["verdict"].startswith(("not built", "not run"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


def _json(path: Path) -> str | None:
    # As `record.write_json` ends them: nothing inside ends so, because it is indented.
    if _tail(path, 3) == b"\n}\n":
        return None
    try:
        whole = isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except ValueError:
        whole = False
    return None if whole else "ends in the middle"


def _xyz(path: Path) -> str | None:
    lines = path.read_text(encoding="utf-8").split("\n")
    return None if lines[-1] == "" and len(lines) == int(lines[0]) + 3 else "ends in the middle"


def _npy(path: Path) -> str | None:
    from numpy.lib import format as npy

    with path.open("rb") as file:
        version = npy.read_magic(file)
        shape, _, kind = npy.read_array_header_1_0(file) if version == (1, 0) else npy.read_array_header_2_0(file)
        expected = file.tell() + kind.itemsize * _product(shape)
    return None if path.stat().st_size == expected else "ends in the middle"


def _npz(path: Path) -> str | None:
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as stored:
            broken = stored.testzip()
    except BadZipFile:
        return "ends in the middle"
    return f"holds a broken {broken}" if broken else None


def _xml(path: Path) -> str | None:
    from xml.etree import ElementTree

    try:
        for _, element in ElementTree.iterparse(path):
            element.clear()
    except ElementTree.ParseError as error:
        return f"is no whole XML ({error})"
    return None


def _csv(path: Path) -> str | None:
    with path.open(encoding="utf-8", newline="") as file:
        widths = {len(row) for row in csv.reader(file)}
    return None if _tail(path, 1) == b"\n" and len(widths) == 1 else "ends in the middle"


def _pdb(path: Path) -> str | None:
    return None if _tail(path, 20).rstrip().endswith(b"END") else "ends in the middle"


def _xtc(path: Path) -> str | None:
    from electroscreen.dynamics.restart import frame_ends

    ends = frame_ends(path)
    if not ends or ends[-1] != path.stat().st_size:
        return "ends within a frame"
    try:
        asked = _frames(json.loads(path.with_name("equilibration.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, LookupError, TypeError):
        return None  # which is told of the record itself
    return None if len(ends) == asked else f"holds {len(ends)} frames instead of {asked}"


def _frames(record: dict[str, Any]) -> int:
    """Frames of a production, counted in steps as the run counted them."""
    every = round(1000 * record["frame_ps"] / record["timestep_fs"])
    return round(1000 * record["production_ps"] / record["timestep_fs"]) // every


def _ends_with(*endings: bytes) -> Callable[[Path], str | None]:
    def check(path: Path) -> str | None:
        return None if _tail(path, 60).endswith(endings) else "ends in the middle"

    return check


def _tail(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - count))
        return file.read()


def _product(shape: tuple[int, ...]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count


CHECKS: dict[str, Callable[[Path], str | None]] = {
    ".json": _json,
    ".xyz": _xyz,
    ".npy": _npy,
    ".npz": _npz,
    ".xml": _xml,
    ".csv": _csv,
    ".md": _ends_with(b"|\n"),
    ".tex": _ends_with(b"\\endgroup\n"),
    ".pdb": _pdb,
    ".xtc": _xtc,
    ".png": _ends_with(b"IEND\xaeB`\x82"),
    ".svg": _ends_with(b"</svg>", b"</svg>\n"),
}
