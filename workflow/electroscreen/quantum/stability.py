"""Is a converged SCF a minimum of the energy, or a saddle point among determinants? One repair where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

STABLE = "stable"
REPAIRED = "repaired"
STILL_UNSTABLE = "still unstable"
NOT_ASKED_FOR = "not asked for"

# The sign of the lowest curvature is asked for, not its digits.
RESPONSE_GRID = 0
CURVATURE_TOLERANCE_HARTREE = 1e-3
# On that grid degenerate orbitals, whose curvature is zero, show up to 2e-3 hartree (OH).
NOISE_HARTREE = 1e-5
# Davidson starts from the cheapest excitations: it then needs 6 or 7 products where PySCF's own start, all
# excitations at once, needs 40 (CH3OCO2Li), and reaches a lower eigenvalue. The random part lets all symmetries in.
EXCITATIONS_TO_START_FROM, RANDOM_PART = 3, 0.1
LOWER_BY_HARTREE = 1e-6
# Second-order steps off the saddle, at most; DIIS finds the end from there. For the radicals of TFSI- and o-carborane
# as many steps as an SCF may take had not ended after ten minutes.
FOLLOWED_FOR, FOLLOWED_TO_HARTREE = 10, 1e-6


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
        curvature, direction = _lowest_curvature(mean_field)
    if curvature > -NOISE_HARTREE:
        return None
    newton = mean_field.newton()
    return newton.rotate_mo(mean_field.mo_coeff, newton.update_rotate_matrix(direction, mean_field.mo_occ))


def _lowest_curvature(mean_field) -> tuple[float, np.ndarray]:
    """Lowest eigenvalue of the Hessian of the energy in the turns of orbitals, hartree, and the turn; Davidson."""
    from pyscf import lib
    from pyscf.soscf import newton_ah

    from electroscreen.quantum.response import turns_only

    unrestricted = np.ndim(mean_field.mo_occ) == 2
    products_with = newton_ah.gen_g_hop_uhf if unrestricted else newton_ah.gen_g_hop_rhf
    _, product, diagonal = products_with(mean_field, mean_field.mo_coeff, mean_field.mo_occ, _fock(mean_field))
    random = np.random.default_rng(2026).standard_normal(diagonal.size) / np.maximum(np.abs(diagonal), 1e-3)
    starts = [RANDOM_PART * random / np.linalg.norm(random)] * min(EXCITATIONS_TO_START_FROM, diagonal.size)
    starts = [start + np.eye(1, diagonal.size, k)[0] for start, k in zip(starts, diagonal.argsort(), strict=False)]
    with turns_only(mean_field):
        value, direction = lib.davidson(product, starts, diagonal, tol=CURVATURE_TOLERANCE_HARTREE, verbose=0)
    return float(value), np.asarray(direction)


def _fock(mean_field) -> np.ndarray:
    """Fock matrix of a converged mean field, one a spin where there are two, from its orbitals and their energies."""
    in_overlap = mean_field.get_ovlp() @ np.asarray(mean_field.mo_coeff)
    return (in_overlap * np.expand_dims(mean_field.mo_energy, -2)) @ np.swapaxes(in_overlap, -1, -2)


def _follow(mean_field, orbitals: np.ndarray, cycles: int) -> bool:
    """Converge from turned orbitals; what does not converge, or ends higher, is undone. Return whether it converged."""
    kept = {key: getattr(mean_field, key) for key in ("mo_coeff", "mo_occ", "mo_energy", "e_tot", "converged")}
    # The way down may be long (a hole in degenerate orbitals), and only its end has to be exact.
    with _coarse_grid(mean_field):
        newton = mean_field.newton()
        newton.max_cycle = min(cycles, FOLLOWED_FOR)
        newton.conv_tol = FOLLOWED_TO_HARTREE
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
