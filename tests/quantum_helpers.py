"""Species and levels of theory in one line; geometries of water and its dimer."""

from __future__ import annotations

import numpy as np

from electroscreen.complexes import Complex
from electroscreen.settings import Quantum
from electroscreen.species import Species


def species(name: str, smiles: str | None = None, **more) -> Species:
    """A species with little written."""
    return Species(name=name, title=name, role="solvent", smiles=smiles, **more)


def changed(quantum: Quantum, level: dict | None = None, **changes) -> Quantum:
    """The same settings with some values changed, `level` inside the level of theory."""
    data = quantum.model_dump()
    return Quantum(**(data | changes | {"level": data["level"] | (level or {})}))


def complex_of(every: list[Species], **counts: int) -> tuple[Complex, dict[str, Species]]:
    """A complex, and its parts by name."""
    return Complex(name="C", title="c", parts=counts), {one.name: one for one in every}


WATER = species("water", xyz="O 0 0 0\nH 0 0.757 0.587\nH 0 -0.757 0.587")
SODIUM = species("Na", "[Na+]", charge=1)

# B3LYP/6-31G(d,p): O-H 0.9653 Å, 103.7 degrees.
RELAXED_WATER = np.array([[0, 0, 0], [0, 0.75911, 0.59628], [0, -0.75911, 0.59628]])

# S22 (Jurecka et al., PCCP 2006, 8, 1985): the donor first.
DIMER = np.array(
    [
        [-1.551007, -0.114520, 0.0],
        [-1.934259, 0.762503, 0.0],
        [-0.599677, 0.040712, 0.0],
        [1.350625, 0.111469, 0.0],
        [1.680398, -0.373741, -0.758561],
        [1.680398, -0.373741, 0.758561],
    ]
)
