"""The look ahead as a whole: what `electroscreen check` prints, and what runs first in every screen."""

from __future__ import annotations

from electroscreen.preflight.asked import Asked
from electroscreen.preflight.coverage import look_at_force_fields
from electroscreen.preflight.effort import Estimate, efforts
from electroscreen.preflight.findings import Findings
from electroscreen.preflight.machine import look_at_machine, look_at_programs
from electroscreen.preflight.room import look_at_boxes
from electroscreen.preflight.theory import look_at_levels
from electroscreen.project import Project


def look_ahead(project: Project, elsewhere: bool = False) -> Findings:
    """Look at everything that can be known before anything is computed.

    Parameters
    ----------
    elsewhere
        Whether jobs run on other machines: then what this one lacks is a doubt and no fault.

    Raises
    ------
    InputError
        If a box cannot be made of whole molecules.
    """
    asked, found = Asked(project), Findings()
    found.add(look_at_levels(asked))
    found.add(look_at_boxes(asked))
    fields = look_at_force_fields(asked)
    found.add(fields)
    programs = look_at_programs(asked, fields.facts)
    if elsewhere:
        programs.warnings += [f"on this machine, {fault}" for fault in programs.faults]
        programs.faults = []
    found.add(programs)
    if found.faults:
        # Without a basis there is no size to estimate from.
        return found
    estimate = Estimate(asked)
    memory_mb, largest = estimate.largest_memory_mb()
    found.add(look_at_machine(asked, memory_mb, largest, estimate.disk_bytes()))
    found.facts += _table(asked, estimate)
    return found


def _table(asked: Asked, estimate: Estimate) -> list[str]:
    rows = efforts(asked, estimate)
    total = sum(row.core_hours_left for row in rows)
    lines = [f"{'stage':<12} {'jobs':>6} {'done':>6} {'core-hours left':>16}  known from"]
    lines += [
        f"{row.stage:<12} {row.jobs:>6} {row.done:>6} {row.core_hours_left:>16.2g}  {row.source}"
        for row in rows
        if row.jobs
    ]
    return [*lines, f"{'all':<12} {sum(r.jobs for r in rows):>6} {sum(r.done for r in rows):>6} {total:>16.2g}"]
