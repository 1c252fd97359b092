"""The survey for people, for programs and for the report's rules."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from electroscreen.plan import STAGES
from electroscreen.record import write_text
from electroscreen.survey import FAILED, STALE, STATES, State, Survey
from electroscreen.upgrade import notice

SHOWN = 20
COLOURS = dict(zip(STATES, ("green", "red", "cyan", "yellow", "dim"), strict=True))


def counts(survey: Survey) -> dict[str, dict[str, int]]:
    """Return how many jobs of each stage are in which state, in the order of the pipeline."""
    found = Counter((state.job.stage, state.name) for state in survey.states.values())
    asked = [stage for stage in STAGES if any((stage, name) in found for name in STATES)]
    return {stage: {name: found[stage, name] for name in STATES} for stage in asked}


def as_json(survey: Survey) -> str:
    """Return counts and every job as JSON."""
    jobs = [
        {"stage": s.job.stage, "subject": s.job.subject, "record": s.job.record, "state": s.name, "reason": s.reason}
        for s in survey.states.values()
    ]
    told = {"settings": survey.project.settings_name, "counts": counts(survey), "upgrade": notice(survey), "jobs": jobs}
    return json.dumps(told, indent=1)


def print_status(survey: Survey, console: Any = None) -> None:
    """Show a row a stage, then what failed and what is stale with the reason.

    Parameters
    ----------
    console
        A `rich.console.Console`; the terminal's own where none is given.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console()
    table = Table(title=f"settings {survey.project.settings_name}", title_justify="left")
    table.add_column("stage")
    for name in STATES:
        table.add_column(name, justify="right")
    for stage, of in counts(survey).items():
        table.add_row(stage, *(Text(str(of[name]), style=COLOURS[name] if of[name] else "dim") for name in STATES))
    console.print(table)
    for name in (FAILED, STALE):
        for line in _told([state for state in survey.states.values() if state.name == name]):
            console.print(Text(line, style=COLOURS[name]))
    if told := notice(survey):
        console.print(Text(told, style=COLOURS[STALE]))


def write_inventory(survey: Survey, path: Path) -> None:
    """Write a row a record: stage, subject, path, state and why."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("stage", "subject", "record", "state", "reason"))
    for state in survey.states.values():
        rows.writerow((state.job.stage, state.job.subject, state.job.record, state.name, state.reason))
    write_text(path, text.getvalue())


def _told(states: list[State]) -> Iterable[str]:
    """Give one line a job; where many share a reason, one line for all of them."""
    by_reason: dict[tuple[str, str, str], list[State]] = {}
    for state in states:
        by_reason.setdefault((state.job.stage, state.name, state.reason), []).append(state)
    for number, ((stage, name, reason), alike) in enumerate(by_reason.items()):
        if number == SHOWN:
            yield f"... and {len(by_reason) - SHOWN} more: electroscreen status --json tells all"
            return
        named = ", ".join(state.job.subject for state in alike[:3])
        more = f" and {len(alike) - 3} more" if len(alike) > 3 else ""
        yield f"{stage} {named}{more}: {name}: {reason}"
