"""Restart data of a run: everything up to the last checkpoint, in files that appear whole.

Each checkpoint closes one segment of trajectory and one of the state table; what a killed run wrote after its last
checkpoint is never joined, so a trajectory has no gap, no duplicate and no torn frame. A run that has ended keeps its
data, merged into one file each, so that a longer production goes on from there.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from electroscreen.record import read_json, whole, write_json, write_text


@dataclass
class Progress:
    """How far a run is; numbers count what lies safely on disk.

    `merged` segments lie in one file each of frames and rows; `gave_up_ps` tells of phases that ended at their limit
    without having settled, and how long that limit was. `bytes_of` and `state_hash` tell files that somebody or some
    disk has spoilt since.
    """

    phase: int = 0
    phase_steps: int = 0
    segments: int = 0
    wall_seconds: float = 0.0
    production_wall_seconds: float = 0.0
    merged: int = 0
    merged_bytes: int = 0
    gave_up_ps: dict[str, float] = field(default_factory=dict)
    bytes_of: dict[str, int] = field(default_factory=dict)
    state_hash: str = ""


class Restart:
    """The folder that holds the restart data of one recipe."""

    def __init__(self, folder: Path, recipe_hash: str):
        self.folder, self.recipe_hash = folder, recipe_hash

    def load(self) -> Progress:
        """Return the progress of an interrupted or ended run of the same recipe; a fresh start if there is none."""
        try:
            saved = read_json(self.folder / "progress.json")
            if saved.pop("recipe_hash") != self.recipe_hash:
                return self.start_afresh()
            progress = Progress(**saved)
            fault = self._fault(progress)
        except FileNotFoundError:
            return self.start_afresh()
        except (OSError, ValueError, LookupError, AttributeError, TypeError):
            fault = "progress.json"
        if fault is None:
            self._tidy(progress)
            return progress
        print(f"restart data are damaged ({self.folder / fault}): the run starts afresh", file=sys.stderr, flush=True)
        return self.start_afresh()

    def _fault(self, progress: Progress) -> str | None:
        """Return the first file that is not as it was written."""
        state = self.state(progress.segments)
        if not state.exists():
            return state.name
        if progress.state_hash and _hash(state.read_bytes()) != progress.state_hash:
            return state.name
        sizes = dict(progress.bytes_of)
        if progress.merged:
            sizes[self.merged_frames(progress.merged).name] = progress.merged_bytes
        return next((name for name, size in sizes.items() if _size(self.folder / name) != size), None)

    def start_afresh(self) -> Progress:
        """Forget whatever there is."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        return Progress()

    def save(self, progress: Progress, state_xml: str, rows: list[str]) -> None:
        """Close a segment: first its data and the state, last the line that makes them count."""
        progress.segments += 1
        if self.frames(progress.segments).exists():
            _sync(self.frames(progress.segments))
        write_text(self.rows(progress.segments), "".join(rows))
        write_text(self.state(progress.segments), state_xml)
        progress.state_hash = _hash(state_xml.encode())
        written = (self.rows(progress.segments), self.frames(progress.segments))
        progress.bytes_of |= {path.name: _size(path) for path in written if path.exists()}
        self._write(progress)
        self.state(progress.segments - 1).unlink(missing_ok=True)

    def merge(self, progress: Progress) -> None:
        """Put all segments into one file of frames and one of rows; killed anywhere, it loses and doubles nothing."""
        if progress.merged == progress.segments:
            return
        with whole(self.merged_frames(progress.segments)) as partial, partial.open("wb") as joined:
            for path in self._parts(progress, self.merged_frames, self.frames):
                with path.open("rb") as part:
                    shutil.copyfileobj(part, joined)
        write_text(self.merged_rows(progress.segments), "".join(line + "\n" for line in self.join_rows(progress)))
        progress.merged = progress.segments
        progress.merged_bytes = _size(self.merged_frames(progress.merged))
        rows = self.merged_rows(progress.merged)
        progress.bytes_of = {rows.name: _size(rows)}
        self._write(progress)
        self._tidy(progress)

    def state(self, segment: int) -> Path:
        """OpenMM state at the end of a segment."""
        return self.folder / f"state-{segment:06d}.xml"

    def rows(self, segment: int) -> Path:
        """Rows of the state table of a segment."""
        return self.folder / f"rows-{segment:06d}.csv"

    def frames(self, segment: int) -> Path:
        """Production frames of a segment."""
        return self.folder / f"frames-{segment:06d}.xtc"

    def merged_rows(self, segments: int) -> Path:
        """Rows of the first so many segments."""
        return self.folder / f"merged-rows-{segments:06d}.csv"

    def merged_frames(self, segments: int) -> Path:
        """Frames of the first so many segments."""
        return self.folder / f"merged-frames-{segments:06d}.xtc"

    def publish_frames(self, progress: Progress, frames: int, output: Path) -> None:
        """Write the first `frames` frames as the trajectory.

        An XTC file is its frames one after the other, so it is joined and cut as bytes. The merged file and the
        trajectory share their bytes on disk where the file system can do that.
        """
        merged = self.merged_frames(progress.merged)
        ends = frame_ends(merged)
        if len(ends) < frames:
            raise OSError(errno.EIO, f"holds {len(ends)} frames instead of {frames}", str(merged))
        with whole(output) as partial:
            if len(ends) > frames:
                shutil.copyfile(merged, partial)
                os.truncate(partial, ends[frames - 1] if frames else 0)
                return
            try:
                partial.hardlink_to(merged)
            except OSError:
                shutil.copyfile(merged, partial)
            # Linked bytes are as old as the run; what was asked for is written now.
            os.utime(partial)

    def join_rows(self, progress: Progress) -> list[str]:
        """Return all rows of the state table."""
        parts = self._parts(progress, self.merged_rows, self.rows)
        return [line for path in parts for line in path.read_text(encoding="utf-8").splitlines()]

    def _parts(self, progress: Progress, merged: Callable[[int], Path], single: Callable[[int], Path]) -> list[Path]:
        """Files that hold segments, in order; segments before production have no frames."""
        first = [merged(progress.merged)] if progress.merged else []
        every = [*first, *(single(segment) for segment in range(progress.merged + 1, progress.segments + 1))]
        return [path for path in every if path.exists()]

    def _write(self, progress: Progress) -> None:
        _sync(self.folder)
        write_json(self.folder / "progress.json", {**progress.__dict__, "recipe_hash": self.recipe_hash})
        _sync(self.folder)

    def _tidy(self, progress: Progress) -> None:
        """Remove what a merged file has taken the place of."""
        kept = {self.merged_frames(progress.merged), self.merged_rows(progress.merged)}
        for path in self.folder.glob("merged-*"):
            if path not in kept:
                path.unlink()
        for segment in range(1, progress.merged + 1):
            self.rows(segment).unlink(missing_ok=True)
            self.frames(segment).unlink(missing_ok=True)


def frame_ends(path: Path) -> list[int]:
    """Return where in an XTC file each whole frame ends, in bytes; what is torn at the end is not counted.

    The layout is that of GROMACS: magic number, atoms, step, time, box, then either bare coordinates (nine atoms or
    fewer) or precision, ranges and a counted stream of bytes, padded to four.
    """
    ends, position, size = [], 0, _size(path)
    with Path(path).open("rb") as file:
        while position + 56 <= size:
            file.seek(position)
            head = file.read(96)
            magic, atoms = struct.unpack(">ii", head[:8])
            if magic not in (1995, 2023):
                break
            if atoms <= 9:
                length = 56 + 12 * atoms
            elif len(head) < 96:
                break
            elif magic == 1995:
                length = 92 + _padded(struct.unpack(">i", head[88:92])[0])
            else:
                length = 96 + _padded(struct.unpack(">q", head[88:96])[0])
            position += length
            if position > size:
                break
            ends.append(position)
    return ends


def _padded(count: int) -> int:
    return (count + 3) // 4 * 4


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk and outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
