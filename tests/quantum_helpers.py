"""Species and levels of theory in one line."""

from __future__ import annotations

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
