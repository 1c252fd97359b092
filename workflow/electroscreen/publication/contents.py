"""What a published folder holds: tables, the files that they are made from, and a list of both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

from electroscreen.inputs import InputError, check_name
from electroscreen.record import read_json, write_json

LIST = "publication.json"
FOLDERS = ("species", "complexes", "boxes", "tables")

# The DFT results and force fields, as their stages wrote them. Restart files lie under other names.
OF_SPECIES = ("*.json", "geometry.xyz")
OF_COMPLEX = ("binding.json", "geometry.xyz")
# What the analysis of a box reads, and what other programs need to open its trajectory. What it writes is made anew.
OF_BOX = ("composition.json", "replica-*/packing.json", "replica-*/equilibration.json")
SAMPLES = ("replica-*/packed.pdb", "replica-*/trajectory.xtc", "replica-*/pressure.npz")
ANALYSIS = "analysis.json"


@dataclass(frozen=True)
class Publication:
    """The list of a published folder.

    Attributes
    ----------
    species, boxes, complexes, papers
        Names that have rows in the tables; what was added to the project later has none.
    asked_boxes, asked_complexes
        Those that the settings asked for.
    recorded_boxes
        Boxes whose trajectories are not in the folder: their analysis is there as it was recorded.
    asked_of_boxes
        Of each box: the hash of what was asked of its analysis.
    versions
        Of the distributions that made the tables.
    files
        Of each file that the tables are made from: its SHA-256, by its path in the folder.
    """

    species: list[str]
    boxes: list[str]
    complexes: list[str]
    papers: list[str]
    asked_boxes: list[str]
    asked_complexes: list[str]
    recorded_boxes: list[str]
    asked_of_boxes: dict[str, str | None]
    versions: dict[str, Any]
    files: dict[str, str]

    def write(self, folder: Path) -> None:
        """Write the list into its folder."""
        write_json(Path(folder) / LIST, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Publication:
        """Read the list of a folder.

        Raises
        ------
        InputError
            If the folder has none, or one that cannot be used.
        """
        path = Path(folder) / LIST
        try:
            content = read_json(path)
            found = cls(**{field.name: content[field.name] for field in fields(cls)})
            found.check(path)
            return found
        except FileNotFoundError:
            hint = "nothing was published there; `electroscreen publish --settings NAME` does it"
            raise InputError(f"{path} is missing: {hint}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} cannot be read ({type(error).__name__}: {error})") from None

    def check(self, path: Path) -> None:
        """Check that the names lead to files of the folder only; InputError, naming `path`, if one does not."""
        for name in (*self.species, *self.boxes, *self.complexes, *self.asked_boxes, *self.asked_of_boxes):
            check_name(name, path)
        for name in self.files:
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise InputError(f"{path}: files: '{name}' is not in the folder: publish it again")

    def changed_files(self, folder: Path) -> Iterator[str]:
        """Yield one line for each file that is not the one that was published."""
        for name, expected in self.files.items():
            path = Path(folder) / name
            if not path.is_file():
                yield f"{name} is missing"
            elif sha256(path) != expected:
                yield f"{name} is not the file that was published"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
