"""Is a converged SCF a minimum of the energy, or a saddle point among determinants? One repair where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

STABLE = "stable"
REPAIRED = "repaired"
STILL_UNSTABLE = "still unstable"
NOT_ASKED_FOR = "not asked for"

# The sign of the lowest curvature is asked for, not its digits: a coarse grid and a loose Davidson tell it at a tenth
# of the cost (CrO: -0.18 hartree on this grid and on a fine one).
RESPONSE_GRID = 0
CURVATURE_TOLERANCE_HARTREE = 1e-3
LOWER_BY_HARTREE = 1e-6


def settle(mean_field, cycles: int) -> str:
    """Follow an internal instability of a converged mean field downhill once, and look again; return what was found.

    Internal means: within restricted orbitals for a closed shell, within unrestricted ones for an open shell
    (Seeger and Pople, J. Chem. Phys. 66, 3045, 1977). A direction that ends no lower is none: degenerate orbitals, as
    those of OH, turn into each other for nothing. Where following does not converge, the mean field stays as it was.

    Parameters
    ----------
    cycles
        Limit for the second-order SCF that follows the instability, and for the one after it.

    Returns
    -------
    str
        'stable', 'repaired', or 'still unstable': a lower state was found after the repair too, or not reached.
    """
    found = STABLE
    for once_lower in (REPAIRED, STILL_UNSTABLE):
        orbitals = _downhill_orbitals(mean_field)
        if orbitals is None:
            return found
        energy = mean_field.e_tot
        if not _follow(mean_field, orbitals, cycles):
            return STILL_UNSTABLE
        if mean_field.e_tot > energy - LOWER_BY_HARTREE:
            return found
        found = once_lower
    return found


def stability_warnings(stability: str) -> list[str]:
    """Return what a reader of a result should know about the stability of its SCF."""
    told = {
        REPAIRED: "SCF: the first state found was not stable; a lower one was followed",
        STILL_UNSTABLE: "SCF: a lower state exists than the one that was found",
    }
    return [told[stability]] if stability in told else []


def _downhill_orbitals(mean_field) -> np.ndarray | None:
    """Orbitals turned along the most negative curvature; None where there is none."""
    occupied = np.atleast_2d(mean_field.mo_occ) > 0
    if not (occupied.any(axis=1) & ~occupied.all(axis=1)).any():
        return None  # nothing can be turned into anything
    with _coarse_grid(mean_field):
        orbitals, _, stable, _ = mean_field.stability(return_status=True, nroots=1, tol=CURVATURE_TOLERANCE_HARTREE)
    return None if stable else orbitals


def _follow(mean_field, orbitals: np.ndarray, cycles: int) -> bool:
    """Converge from turned orbitals; what does not converge, or ends higher, is undone. Return whether it converged."""
    kept = {key: getattr(mean_field, key) for key in ("mo_coeff", "mo_occ", "mo_energy", "e_tot", "converged")}
    newton = mean_field.newton()
    newton.max_cycle = cycles
    newton.kernel(orbitals, mean_field.mo_occ)
    mean_field.kernel(dm0=newton.make_rdm1())
    converged = bool(mean_field.converged)
    if not converged or mean_field.e_tot > kept["e_tot"]:
        for key, value in kept.items():
            setattr(mean_field, key, value)
    return converged


@contextmanager
def _coarse_grid(mean_field) -> Iterator[None]:
    """Let the response be integrated on a coarse grid; Hartree-Fock has none."""
    from pyscf.dft import Grids

    fine = getattr(mean_field, "grids", None)
    if fine is None:
        yield
        return
    mean_field.grids = Grids(mean_field.mol)
    mean_field.grids.level = min(RESPONSE_GRID, fine.level)
    try:
        yield
    finally:
        mean_field.grids = fine
