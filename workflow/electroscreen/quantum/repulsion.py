"""The repulsion that GFN2-xTB lacks beside some ions, which it draws 0.2 to 0.4 Å too near to their neighbours.

B3LYP/6-31G(d,p) less GFN2-xTB, as Na+ and K+ come near to small molecules, is a wall, steep and much the same for all
oxygens, and a slow slope that is left alone (`tests/validation/ion_approach.py`). The wall serves searches only: its
energies order candidates (`gfn2_relative_ev` of records), and none is a result.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

# The wall falls by a factor e over 0.2 Å; where it is 1 eV high, angstrom.
FALLS_OVER = 0.2
ONE_EV_AT = {
    "Na": {"O": 1.70, "N": 1.70, "F": 1.53},
    "K": {"O": 2.03, "N": 2.05, "F": 1.88},
}


def is_walled(symbols: list[str]) -> bool:
    """Whether there is an ion among the atoms that GFN2-xTB draws too near."""
    return not ONE_EV_AT.keys().isdisjoint(symbols)


class IonRepulsion(Calculator):
    """The wall between ions and their neighbours, eV and eV/angstrom, as ASE's calculator."""

    implemented_properties: ClassVar = ["energy", "forces"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Sum exp((r1 - r) / range) over pairs."""
        super().calculate(atoms, properties, system_changes)
        symbols, positions = self.atoms.get_chemical_symbols(), self.atoms.positions
        energy, forces = 0.0, np.zeros_like(positions)
        for ion in (i for i, symbol in enumerate(symbols) if symbol in ONE_EV_AT):
            walls = ONE_EV_AT[symbols[ion]]
            near = np.array([i for i, symbol in enumerate(symbols) if symbol in walls], dtype=int)
            between = positions[near] - positions[ion]
            distance = np.linalg.norm(between, axis=1)
            heights = np.exp((np.array([walls[symbols[i]] for i in near]) - distance) / FALLS_OVER)
            pushes = (heights / FALLS_OVER / distance)[:, None] * between
            energy += heights.sum()
            forces[near] += pushes
            forces[ion] -= pushes.sum(axis=0)
        self.results = {"energy": energy, "forces": forces}
