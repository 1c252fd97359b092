"""What Snakemake remembers of the jobs that it ran, read from .snakemake/ without starting it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from pathlib import Path
from typing import Any

# Above this size Snakemake goes by the time of a file alone.
CHECKSUM_LIMIT = 1_000_000
_NAME_LIMIT = 254


class Memory:
    """The folder .snakemake/ of a project; a file's key is its path as the rules name it."""

    def __init__(self, root: Path):
        self.folder = Path(root) / ".snakemake"

    def of(self, key: str) -> dict[str, Any] | None:
        """Return what is remembered of the job that wrote a file; None where nothing readable is."""
        try:
            found = json.loads(self.path("metadata", key).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
            return None
        return found if isinstance(found, dict) else None

    def unfinished(self) -> set[str]:
        """Return the keys of all files whose job has begun and not come to its end."""
        top = self.folder / "incomplete"
        found = set()
        for folder, _, files in os.walk(top):
            parts = [part.removeprefix("@") for part in Path(folder).relative_to(top).parts]
            for file in files:
                try:
                    found.add(base64.urlsafe_b64decode("".join([*parts, file])).decode("utf-8"))
                except (binascii.Error, UnicodeDecodeError):
                    continue  # no file of Snakemake's
        return found

    def same_content(self, key: str, file: Path, outputs: list[str]) -> bool:
        """Return whether an input is, byte for byte, what the job that wrote `outputs` read."""
        if not file.is_file() or file.stat().st_size > CHECKSUM_LIMIT:
            return False
        recorded = {((self.of(output) or {}).get("input_checksums") or {}).get(key) for output in outputs}
        now = hashlib.sha256(file.read_bytes()).hexdigest()
        return recorded == {f"sha256:{now}"}

    def path(self, kind: str, key: str) -> Path:
        """Return the file that holds what is remembered of a key; `kind` is metadata or incomplete."""
        text = base64.urlsafe_b64encode(key.encode()).decode()
        pieces = [text[i : i + _NAME_LIMIT] for i in range(0, len(text), _NAME_LIMIT)]
        return Path(self.folder, kind, *("@" + piece for piece in pieces[:-1]), pieces[-1])
