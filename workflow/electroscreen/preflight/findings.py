"""What a look ahead finds: facts, doubts, and what would stop the run."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Findings:
    """Lines for people; with a fault no job should be started."""

    facts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Take over what another look found."""
        self.facts += other.facts
        self.warnings += other.warnings
        self.faults += other.faults
