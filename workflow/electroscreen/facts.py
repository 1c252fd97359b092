"""What the input files come to, kept between calls: in a large project reading them takes longer than all the rest.

A file that has the time and size that it had when it was last checked is not read again. A change of the settings or
of this package forgets everything.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from electroscreen.project import SPECIES_STAGES, Project
from electroscreen.recipe import digest
from electroscreen.recipes import molecules_of
from electroscreen.record import write_text

Stamp = list[int]
"""Time of the last change (ns) and size (bytes) of a file."""


class Facts:
    """Of each species and box: which others it holds, and the hashes of its recipes.

    Raises
    ------
    InputError
        On creation, for the first fault in any file that a user wrote.
    """

    def __init__(self, project: Project):
        self.project, self.file = project, project.results / ".survey.json"
        stored, key = _read(self.file), _key(project)
        self._stamps = {
            (kind, path.removesuffix(".yaml")): stamp
            for kind, folder in (("species", "species"), ("box", "boxes"))
            for path, stamp in stamps(project.root / "molecules" / folder).items()
        }
        valid = stored.get("key") == key
        inputs = stored.get("inputs", {}) if valid else {}
        self._known = {tuple(name.split("/")): entry for name, entry in inputs.items()}
        self._known = {at: entry for at, entry in self._known.items() if self._unchanged(entry)}
        self.records: dict[str, list] = stored.get("records", {})
        self._key, self._changed = key, False
        project.check({*self._known, ("settings", project.settings_name)} if valid else ())
        for name in project.species_names:
            if ("species", name) not in self._known:
                self._add_species(name)
        for name in project.box_names:
            if ("box", name) not in self._known:
                self._add_box(name)

    def is_screened(self, species: str) -> bool:
        """Whether a species is asked for by itself."""
        return self._known["species", species]["screen"]

    def molecules(self, box: str) -> list[str]:
        """Species that stand in a box."""
        return self._known["box", box]["molecules"]

    def recipe_hash(self, stage: str, name: str) -> str:
        """Hash of the recipe of a stage of a species, a complex or a box."""
        if stage == "binding":
            return digest(self.project.recipe(stage, name))
        hashes = self._known["species" if stage in SPECIES_STAGES else "box", name]["hashes"]
        if stage not in hashes:
            hashes[stage] = digest(self.project.recipe(stage, name))
            self._changed = True
        return hashes[stage]

    def keep(self, records: dict[str, list]) -> None:
        """Store all for the next call."""
        if records == self.records and not self._changed:
            return
        # A species with a force-field file of its own depends on a file whose time is not looked at.
        lasting = {"/".join(at): entry for at, entry in self._known.items() if entry["stamps"]}
        text = json.dumps({"key": self._key, "inputs": lasting, "records": records}, separators=(",", ":"))
        # Not kept where the folder is read-only, the disk full or another process just about it: that costs time only.
        with contextlib.suppress(OSError), _alone(self.file):
            write_text(self.file, text + "\n")

    def _unchanged(self, entry: dict[str, Any]) -> bool:
        return all(self._stamps.get(tuple(name.split("/"))) == stamp for name, stamp in entry["stamps"].items())

    def _add_species(self, name: str) -> None:
        species = self.project.species(name)
        read = [
            ("species", name),
            *(("species", other) for other in (*(species.ions or ()), species.variant_of) if other),
        ]
        stamped = {} if species.forcefield else {"/".join(at): self._stamps[at] for at in read}
        self._known["species", name] = {"stamps": stamped, "screen": species.screen, "hashes": {}}
        self._changed = True

    def _add_box(self, name: str) -> None:
        box = self.project.box(name)
        every = self.project.box_species(box)
        read = [("box", name), *(("species", held) for held in every)]
        stamped = {} if any(s.forcefield for s in every.values()) else {"/".join(at): self._stamps[at] for at in read}
        self._known["box", name] = {"stamps": stamped, "molecules": molecules_of(box, every), "hashes": {}}
        self._changed = True


def stamps(folder: Path | str) -> dict[str, Stamp]:
    """Return the time and size of every file in a folder; nothing where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            told = ((entry.name, entry.stat()) for entry in entries if not entry.is_dir())
            return {name: [of.st_mtime_ns, of.st_size] for name, of in told}
    except (FileNotFoundError, NotADirectoryError):
        return {}


def _key(project: Project) -> str:
    """Everything besides the input files that decides what is stored."""
    package = Path(__file__).parent
    files = sorted(path for kind in ("*.py", "*.yaml") for path in package.rglob(kind))
    code = [(path.relative_to(package).as_posix(), path.stat().st_mtime_ns) for path in files]
    text = json.dumps([project.settings.model_dump_json(), code])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


@contextlib.contextmanager
def _alone(file: Path):
    """Hold the file's lock; BlockingIOError if another process writes it now."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
