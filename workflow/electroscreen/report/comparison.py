"""A paper's number beside ours: the difference, and whether the two agree."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from electroscreen.papers import OrbitalResult, Order, Paper, Result, Value
from electroscreen.report.records import NOT_COMPUTED, Number, number, usable
from electroscreen.report.scan import at_further_levels, with_variants

AGREES = "agrees"
DIFFERS = "differs"
ORDER_AGREES = "order agrees"
ORDER_DIFFERS = "order differs"
NOT_COMPARABLE = "not comparable"

# Levels (eV) and dipoles (D) closer than this are equal at the precision that anyone prints.
TIE = 0.001


def compare_paper(
    results_dir: Path, paper: Paper, asked_boxes: Collection[str] | None = None, species: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return one row for each value and each ranking of a paper, with the columns of compared_with_papers.csv.

    A box that is not among `asked_boxes` (None: all are) leaves its place to the one that stands in for it. Other
    conformers and sites among `species` tell how sure a ranking is.
    """
    rows = [compare_value(paper.name, value, *_ours(results_dir, value, asked_boxes)) for value in paper.values]
    for order in paper.orders:
        members = [member for group in order.subjects for member in group]
        asked = {member: Result(orbital=OrbitalResult(species=member, key=order.key)) for member in members}
        ours = {member: number(results_dir, result) for member, result in asked.items()}
        levels = at_further_levels(results_dir, members, order.key)
        variants = with_variants(results_dir, list(species), members, order.key)
        rows.append(compare_order(paper.name, order, ours, levels, variants))
    return rows


def _ours(results_dir: Path, value: Value, asked_boxes: Collection[str] | None) -> tuple[Number, str]:
    """Return our number, and in what its box differs from the paper's where it comes from one that stands in."""
    ours, instead = number(results_dir, value.result), value.stand_in_result
    if instead is None or not ours.verdict.startswith(NOT_COMPUTED):
        return ours, ""
    other = number(results_dir, instead)
    _, meant = value.result.of_box
    waited_for = asked_boxes is None or meant.box in asked_boxes
    if waited_for and other.verdict.startswith(NOT_COMPUTED):
        return ours, ""
    return other, value.stand_in.note


def compare_value(paper: str, value: Value, ours: Number, differs_in: str = "") -> dict[str, Any]:
    """Return the row that sets one printed number beside ours; `differs_in` says what is not like the paper's.

    The difference is ours minus the paper's, in the paper's unit. The two agree when the paper's value lies
    inside our 95 % interval, or within the tolerance stated with it, ends included.
    """
    difference = None if ours.value is None else round(ours.value - value.value, 10) + 0.0
    return {
        "paper": paper,
        "table": value.table,
        "quantity": value.quantity,
        "subject": value.subject,
        "unit": value.unit,
        "ours": ours.value,
        "low": ours.low,
        "high": ours.high,
        "paper_value": value.value,
        "difference": difference,
        "verdict": _unusable(ours) or _judge(value, ours),
        "where": value.where,
        "note": "; ".join(([differs_in] if differs_in else []) + _notes(value, ours)),
    }


def compare_order(
    paper: str,
    order: Order,
    ours: dict[str, Number],
    further_levels: Mapping[str, Mapping[str, float]] | None = None,
    variants: Mapping[str, Mapping[str, Mapping[str, float]]] | None = None,
) -> dict[str, Any]:
    """Return the row that sets a ranking beside ours; equal levels do not support a ranking.

    Parameters
    ----------
    further_levels
        Energies (eV) of all members by level of theory: at how many of them the ranking holds tells how sure it is.
    variants
        The same with another conformer or site of a member, by words that say which.
    """
    unusable = [_of_member(verdict, species) for species, n in ours.items() if (verdict := _unusable(n))]
    broken = [] if unusable else _broken_steps(order, ours)
    note = [order.note] if order.note else []
    if not unusable:
        ranked = sorted(ours, key=lambda species: ours[species].value)
        note.append("ours: " + " < ".join(f"{species} {ours[species].value:.3f}" for species in ranked))
    if further_levels:
        note.append(_how_sure(order, further_levels, "further levels of theory"))
    note += [f"{words}: {_how_sure(order, levels, 'levels of theory')}" for words, levels in (variants or {}).items()]
    return {
        "paper": paper,
        "table": order.table,
        "quantity": order.quantity,
        "subject": " < ".join(", ".join(group) for group in order.subjects),
        "verdict": unusable[0] if unusable else ORDER_DIFFERS if broken else ORDER_AGREES,
        "where": order.where,
        "note": "; ".join(note + broken),
    }


def kind_of(verdict: str) -> str:
    """Return a verdict without its reason: 'not computed' of 'not computed: file is missing'."""
    return verdict.partition(":")[0]


def _judge(value: Value, ours: Number) -> str:
    if value.not_comparable:
        return f"{NOT_COMPARABLE}: {value.not_comparable}"
    has_interval = ours.low is not None and ours.high is not None
    if not has_interval and value.tolerance is None:
        return f"{NOT_COMPARABLE}: our number has no interval, and no tolerance is stated"
    inside = has_interval and ours.low <= value.value <= ours.high
    return AGREES if inside or _within(abs(ours.value - value.value), value.tolerance) else DIFFERS


def _within(distance: float, tolerance: float | None) -> bool:
    # The end belongs to the tolerance: |-1.35 - (-1.34)| is 0.010000000000000009 in a computer.
    return tolerance is not None and (distance <= tolerance or math.isclose(distance, tolerance, rel_tol=1e-9))


def _unusable(ours: Number) -> str | None:
    """Return why our number can be judged by nothing, None where it can."""
    if ours.verdict.startswith(NOT_COMPUTED):
        return ours.verdict
    if ours.value is None and usable(ours.verdict):
        return f"{NOT_COMPUTED}: no number was written"
    if ours.value is None and "not converged" in ours.verdict:
        return f"{NOT_COMPUTED}: {ours.verdict}"
    return None if usable(ours.verdict) else f"{NOT_COMPARABLE}: {ours.verdict}"


def _of_member(verdict: str, species: str) -> str:
    kind, _, reason = verdict.partition(": ")
    return f"{kind}: {species}: {reason}"


def _notes(value: Value, ours: Number) -> list[str]:
    notes = [value.conditions, "experiment" if value.kind == "experiment" else "", value.note]
    if ours.low is not None and ours.high is not None and ours.value is not None:
        if "one box" in ours.verdict:
            notes.append("our interval covers one box only")
        if (ours.high - ours.low) / 2 > abs(ours.value):
            notes.append("our interval is wider than our value, so agreement says little")
    return [note for note in notes if note]


def _broken_steps(order: Order, ours: dict[str, Number]) -> list[str]:
    """Return the pairs of neighbouring groups that stand the other way round, or level, in our numbers."""
    steps = _steps(order, {species: n.value for species, n in ours.items()})
    return [f"{bottom} is not above {top}" for step, top, bottom in steps if step < TIE]


def _steps(order: Order, ours: Mapping[str, float]) -> list[tuple[float, str, str]]:
    """Of neighbouring groups: the step up from one to the next, the highest of the lower, the lowest of the upper."""
    steps = []
    for lower, upper in zip(order.subjects, order.subjects[1:], strict=False):
        top, bottom = max(lower, key=ours.__getitem__), min(upper, key=ours.__getitem__)
        steps.append((ours[bottom] - ours[top], top, bottom))
    return steps


def _how_sure(order: Order, levels: Mapping[str, Mapping[str, float]], of: str) -> str:
    """Say at how many levels of theory a ranking holds, and where it is nearest to failing or fails most."""
    narrowest = {level: min(_steps(order, ours)) for level, ours in levels.items()}
    holding = sum(step >= TIE for step, _, _ in narrowest.values())
    level, (step, top, bottom) = min(narrowest.items(), key=lambda item: item[1])
    return f"holds at {holding} of {len(levels)} {of}; narrowest step {step:+.3f} eV ({top} to {bottom}, {level})"
