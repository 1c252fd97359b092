"""What a run tells of itself: the rows of its state table, and its phases in words."""

from __future__ import annotations

import numpy as np

from electroscreen.dynamics.chains import Chains
from electroscreen.dynamics.equilibration import GYRATION
from electroscreen.dynamics.protocol import Phase

COLUMNS = "phase,time_ps,temperature_k,potential_energy_kj_per_mol,kinetic_energy_kj_per_mol,volume_a3,density_g_per_ml"
AMU_PER_A3_IN_G_PER_ML = 1.66053906660  # CODATA 2018
GAS_CONSTANT_KJ_PER_MOL_K = 8.31446261815324e-3  # CODATA 2018


class StateTable:
    """Temperature, energies, volume and density of a system, and how far its chains coil."""

    def __init__(self, system, chains: Chains):
        from openmm import unit

        masses = (system.getParticleMass(i).value_in_unit(unit.dalton) for i in range(system.getNumParticles()))
        self.mass_amu = sum(masses)
        # Three for the total momentum, which the motion remover holds at zero.
        self.degrees_of_freedom = 3 * system.getNumParticles() - system.getNumConstraints() - 3
        self.chains = chains
        self.columns = COLUMNS + (f",{GYRATION}" if chains else "")

    def row(self, phase: Phase, steps: int, context) -> str | None:
        """Return the row of a context, or None if its energy is no longer finite."""
        from openmm import unit

        state = context.getState(energy=True, positions=bool(self.chains))
        kinetic = state.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)
        potential = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        if not np.isfinite(potential + kinetic):
            return None
        temperature = 2 * kinetic / (self.degrees_of_freedom * GAS_CONSTANT_KJ_PER_MOL_K)
        volume = state.getPeriodicBoxVolume().value_in_unit(unit.angstrom**3)
        density = AMU_PER_A3_IN_G_PER_ML * self.mass_amu / volume
        time_ps = steps * phase.timestep_fs / 1000
        row = f"{phase.name},{time_ps:.4f},{temperature:.3f},{potential:.4f},{kinetic:.4f},{volume:.3f},{density:.6f}"
        if self.chains:
            positions = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
            row += f",{self.chains.radius_of_gyration_angstrom(positions):.4f}"
        return row + "\n"


def words(phase: Phase, temperature_k: float, pressure_bar: float) -> str:
    """Say a phase in a box of this temperature and pressure as a methods section would."""
    pressure = pressure_bar if phase.pressure_bar is None else phase.pressure_bar
    at = f"{phase.temperature_k or temperature_k:g} K" + (f", {pressure:g} bar" if phase.ensemble == "NPT" else "")
    thermostat = "Nosé-Hoover chain" if phase.integrator == "Nose-Hoover" else "Langevin"
    stretch = f"{phase.length_ps:g} ps in steps of {phase.timestep_fs:g} fs"
    return f"{phase.name}: {phase.ensemble}, {thermostat}, {at}, {stretch}"
