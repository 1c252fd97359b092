"""Two editions of a table, cell by cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from electroscreen.report.headings import HEADINGS, WORDS
from electroscreen.report.tables import read_table

# CSV files hold six digits; the last may be rounded either way on another machine.
SIX_DIGITS = 1.1e-5
# Words that tell what was found; the others tell what a row is about.
FINDINGS = {"verdict", "note"}
TEXTS = (".md", ".tex")


@dataclass
class Comparison:
    """How a table that was made again compares with the published one."""

    table: str
    rows: int = 0
    numbers: int = 0
    largest: float = 0.0
    differences: list[str] = field(default_factory=list)


def compare_table(name: str, published: Path, again: Path) -> Comparison:
    """Compare two editions of a table: CSV cell by cell, Markdown and LaTeX as text where the CSV are the same.

    Numbers may differ by their sixth digit; words not at all. `largest` is the largest relative difference of those
    that count as the same.

    Parameters
    ----------
    published, again
        Folders with `name`.csv, .md and .tex.
    """
    found = Comparison(name)
    csvs = [Path(folder) / f"{name}.csv" for folder in (published, again)]
    if not csvs[0].exists():
        found.differences.append("the table was not published")
        return found
    columns = [path.open(encoding="utf-8").readline().strip().split(",") for path in csvs]
    if columns[0] != columns[1]:
        changed = sorted(set(columns[0]) ^ set(columns[1])) or ["their order"]
        found.differences.append(f"columns are not the same: {', '.join(changed)}")
        return found
    old, new = (_by_subject(read_table(path.parent, name), name) for path in csvs)
    found.differences += [f"{_told(key)}: not published, made now" for key in new if key not in old]
    found.differences += [f"{_told(key)}: published, not made now" for key in old if key not in new]
    for key in old:
        if key in new:
            found.rows += 1
            found.differences += _unequal(key, old[key], new[key], found)
    if csvs[0].read_bytes() == csvs[1].read_bytes():
        for suffix in TEXTS:
            one, two = (path.with_suffix(suffix) for path in csvs)
            if not one.exists() or one.read_bytes() != two.read_bytes():
                found.differences.append(f"{one.name} is not the one that belongs to {csvs[0].name}")
    return found


def _by_subject(frame: pd.DataFrame, name: str) -> dict[tuple, dict]:
    """Return rows by what they are about; those about the same are numbered."""
    subject = [column for column in HEADINGS[name] if column in WORDS - FINDINGS]
    seen: Counter = Counter()
    rows = {}
    for row in frame.to_dict("records"):
        key = tuple(row[column] for column in subject)
        seen[key] += 1
        rows[(*key, seen[key])] = row
    return rows


def _unequal(key: tuple, old: dict, new: dict, found: Comparison) -> Iterator[str]:
    for column, before in old.items():
        now = new[column]
        if column in WORDS:
            if before != now:
                yield f"{_told(key)}: {column} '{before}' published, '{now}' now"
        elif pd.isna(before) or pd.isna(now):
            if not (pd.isna(before) and pd.isna(now)):
                yield f"{_told(key)}: {column} {_number(before)} published, {_number(now)} now"
        else:
            found.numbers += 1
            apart = abs(before - now) / max(abs(before), abs(now)) if before != now else 0.0
            if apart > SIX_DIGITS:
                yield f"{_told(key)}: {column} {_number(before)} published, {_number(now)} now"
            else:
                found.largest = max(found.largest, apart)


def _told(key: tuple) -> str:
    *words, number = key
    return ", ".join(word for word in words if word) + (f" ({number})" if number > 1 else "")


def _number(value: float) -> str:
    return "nothing" if pd.isna(value) else f"{value:.6g}"
