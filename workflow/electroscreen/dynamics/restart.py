"""Restart data of a run: everything up to the last checkpoint, in files that appear whole.

Each checkpoint closes one segment of trajectory and one of the state table; what a killed run wrote after its last
checkpoint is never joined, so a trajectory has no gap, no duplicate and no torn frame.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from electroscreen.record import read_json, whole, write_json, write_text


@dataclass
class Progress:
    """How far a run is; numbers count what lies safely on disk."""

    phase: int = 0
    phase_steps: int = 0
    segments: int = 0
    wall_seconds: float = 0.0
    production_wall_seconds: float = 0.0


class Restart:
    """The folder that holds the restart data of one recipe."""

    def __init__(self, folder: Path, recipe_hash: str):
        self.folder, self.recipe_hash = folder, recipe_hash

    def load(self) -> Progress:
        """Return the progress of an interrupted run of the same recipe; a fresh start if there is none to trust."""
        try:
            saved = read_json(self.folder / "progress.json")
        except (OSError, ValueError):
            saved = {}
        if saved.pop("recipe_hash", None) == self.recipe_hash and self.state(saved["segments"]).exists():
            return Progress(**saved)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        return Progress()

    def save(self, progress: Progress, state_xml: str, rows: list[str]) -> None:
        """Close a segment: first its data and the state, last the line that makes them count."""
        progress.segments += 1
        write_text(self.rows(progress.segments), "".join(rows))
        write_text(self.state(progress.segments), state_xml)
        write_json(self.folder / "progress.json", {**progress.__dict__, "recipe_hash": self.recipe_hash})
        self.state(progress.segments - 1).unlink(missing_ok=True)

    def state(self, segment: int) -> Path:
        """OpenMM state at the end of a segment."""
        return self.folder / f"state-{segment:06d}.xml"

    def rows(self, segment: int) -> Path:
        """Rows of the state table of a segment."""
        return self.folder / f"rows-{segment:06d}.csv"

    def frames(self, segment: int) -> Path:
        """Production frames of a segment."""
        return self.folder / f"frames-{segment:06d}.xtc"

    def join_frames(self, segments: int, output: Path) -> None:
        """Write the trajectory: an XTC file is its frames one after the other, so segments are joined as bytes."""
        with whole(output) as partial, partial.open("wb") as joined:
            for segment in range(1, segments + 1):
                if self.frames(segment).exists():
                    with self.frames(segment).open("rb") as part:
                        shutil.copyfileobj(part, joined)

    def join_rows(self, segments: int) -> list[str]:
        """Return all rows of the state table."""
        return [
            line
            for segment in range(1, segments + 1)
            for line in self.rows(segment).read_text(encoding="utf-8").splitlines()
        ]

    def remove(self) -> None:
        """Remove the restart data, once the outputs stand."""
        shutil.rmtree(self.folder, ignore_errors=True)
