"""One molecule under a force field, by OpenMM in vacuum: its forces, its Hessian, its nearest minimum."""

from __future__ import annotations

import io

import numpy as np

STEP_ANGSTROM = 0.001
_TIGHT_KJ_PER_MOL_NM = 0.01


class Mechanics:
    """A single molecule with all atoms free, on OpenMM's reference platform (double precision)."""

    def __init__(self, name: str, symbols: list[str], bonds: list[tuple[int, int]], xml: str):
        import openmm
        from openmm import app

        field = app.ForceField(io.StringIO(xml))
        topology = app.Topology()
        residue = topology.addResidue(name, topology.addChain())
        atoms = [
            topology.addAtom(f"{symbol}{i}", app.Element.getBySymbol(symbol), residue)
            for i, symbol in enumerate(symbols, start=1)
        ]
        for first, second in bonds:
            topology.addBond(atoms[first], atoms[second])
        system = field.createSystem(topology, residueTemplates={residue: name}, removeCMMotion=False)
        self._context = openmm.Context(
            system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
        )

    def forces(self, positions_angstrom: np.ndarray) -> np.ndarray:
        """Return the forces (N, 3), kJ/mol/angstrom."""
        from openmm import unit

        self._context.setPositions(0.1 * positions_angstrom)
        state = self._context.getState(forces=True)
        return 0.1 * state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer)

    def hessian(self, positions_angstrom: np.ndarray) -> np.ndarray:
        """Return the Hessian (3N, 3N), kJ/mol/angstrom^2, by central differences of forces."""
        size = positions_angstrom.size
        rows = np.empty((size, size))
        for k in range(size):
            ends = []
            for sign in (1, -1):
                moved = positions_angstrom.copy()
                moved.flat[k] += sign * STEP_ANGSTROM
                ends.append(self.forces(moved).ravel())
            rows[k] = (ends[1] - ends[0]) / (2 * STEP_ANGSTROM)
        return 0.5 * (rows + rows.T)

    def minimised(self, positions_angstrom: np.ndarray) -> np.ndarray:
        """Return the minimum next to a geometry, (N, 3), angstrom."""
        import openmm
        from openmm import unit

        self._context.setPositions(0.1 * positions_angstrom)
        openmm.LocalEnergyMinimizer.minimize(self._context, _TIGHT_KJ_PER_MOL_NM, 0)
        return self._context.getState(positions=True).getPositions(asNumpy=True).value_in_unit(unit.angstrom)
