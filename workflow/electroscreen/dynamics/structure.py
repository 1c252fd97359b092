"""What the last frame and the chains of a run say about it, besides its state table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from electroscreen.boxes.piercing import Bonded, piercing_fault
from electroscreen.dynamics.ideal import chain_rows
from electroscreen.record import OK


def describe_structure(
    system, state_xml: Path, trajectory: Path, molecules: Sequence[Mapping[str, Any]]
) -> tuple[list[str], dict[str, Any]]:
    """Return why a run is not one of equilibrium (a ring with a bond through it), and what its record says of chains.

    Parameters
    ----------
    state_xml
        OpenMM state at the end of the run.
    molecules
        Those of composition.json, which stand in the box in this order.
    """
    import openmm
    from openmm import unit

    state = openmm.XmlSerializer.deserialize(Path(state_xml).read_text(encoding="utf-8"))
    positions = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    edge = state.getPeriodicBoxVectors()[0][0].value_in_unit(unit.angstrom)
    bonded = Bonded.of(system)
    fault = piercing_fault(positions, edge, bonded, molecules)
    chains = chain_rows(trajectory, bonded.bonds, molecules)
    unlike = [f"{row['species']}: {row['verdict']}" for row in chains if row["verdict"] != OK]
    return [fault] if fault else [], {"chains": chains, "warnings": unlike}
