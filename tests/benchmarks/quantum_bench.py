"""What the benchmarks of single SCF steps share: one thread, and the mean field of a species of the project."""

from __future__ import annotations

from pathlib import Path

from electroscreen.numerics import set_up_numerics

set_up_numerics(1)

import numpy as np  # noqa: E402 -- after the threads are set

from electroscreen.quantum.integrals import LastIntegrals  # noqa: E402
from electroscreen.quantum.scf import build_mean_field, build_molecule  # noqa: E402
from electroscreen.settings import read_settings  # noqa: E402
from electroscreen.species import parse_xyz, read_species  # noqa: E402

ROOT = Path(__file__).parents[2]
QUANTUM = read_settings(ROOT / "config" / "quick.yaml").quantum


def mean_field_of(name: str, grid: int, integrals: LastIntegrals | None = None):
    """Return an unconverged mean field of a species, at the geometry that its file starts from."""
    species = read_species(ROOT / "molecules" / "species" / f"{name}.yaml")
    positions = np.array([position for _, position in parse_xyz(species.start.xyz)])
    molecule = build_molecule(list(species.symbols), positions, species.charge, species.multiplicity, QUANTUM.level)
    return build_mean_field(molecule, QUANTUM.level, grid, QUANTUM.memory_mb, integrals)
