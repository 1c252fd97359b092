"""What a periodic box takes from a diffusion coefficient."""

from __future__ import annotations

from math import pi

from electroscreen.analysis.transport import BOLTZMANN_J_PER_K

# Of a cubic lattice of point forces (Hasimoto, J. Fluid Mech. 1959, 5, 317).
CUBIC_LATTICE = 2.837297


def size_term_a2_per_ns(temperature_k: float, viscosity_mpa_s: float, edge_a: float) -> float:
    """Return what an infinite box adds to D in a cubic one: ξ k_B T / (6 π η L).

    Yeh and Hummer, J. Phys. Chem. B 2004, 108, 15873. For liquids in which the molecules diffuse; the viscosity should
    be that of the same force field. Its own dependence on the size of the box is negligible.
    """
    term_m2_per_s = (
        CUBIC_LATTICE * BOLTZMANN_J_PER_K * temperature_k / (6 * pi * viscosity_mpa_s * 1e-3 * edge_a * 1e-10)
    )
    return term_m2_per_s * 1e11
