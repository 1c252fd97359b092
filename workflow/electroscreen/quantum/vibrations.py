"""Hessian at a stationary point: whether it is a minimum, its harmonic frequencies and what they add to the energy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from electroscreen.quantum.optimise import Surface
from electroscreen.quantum.scf import HARTREE_EV

TEMPERATURE_K = 298.15
PRESSURE_PA = 101325.0

# The analytic Hessian leaves out the response of the grid, which on grid 1 moves LiF by 10 cm-1, on this one by 1.
HESSIAN_GRID = 3
# What grid, density fitting and a geometry converged to 5e-4 hartree/bohr leave of a frequency of zero.
IMAGINARY_TOLERANCE_PER_CM = 30.0
# Modes softer than this are no oscillators; their entropy would go to infinity with 1/frequency.
SOFTEST_MODE_PER_CM = 100.0
LARGEST_PUSH_ANGSTROM = 0.2
DIFFERENCE_STEP_BOHR = 0.01
SAME_PLACE_ANGSTROM = 0.03
# A bend of hundreds of cm-1 ends an optimisation within this of its line (LiOH: 0.02 Å, 179.1 degrees).
LINEAR_WITHIN_ANGSTROM = 0.03
BOLTZMANN_EV_PER_K = 8.617333262e-5


@dataclass(frozen=True)
class Vibrations:
    """Harmonic vibrations; an imaginary frequency is negative.

    `modes` is (modes, N, 3), Cartesian and not normalised, in the order of `frequencies_per_cm`, lowest first.
    """

    frequencies_per_cm: np.ndarray
    modes: np.ndarray
    zero_point_energy_ev: float
    gibbs_correction_ev: float
    symmetry_number: int

    @property
    def imaginary_per_cm(self) -> list[float]:
        """Sizes of the imaginary frequencies beyond the tolerance, largest first."""
        return [-float(f) for f in self.frequencies_per_cm if f < -IMAGINARY_TOLERANCE_PER_CM]

    def downhill(self, positions_angstrom: np.ndarray) -> np.ndarray:
        """Positions pushed along the lowest mode, the atom that moves most by 0.2 Å."""
        mode = self.modes[0]
        return positions_angstrom + LARGEST_PUSH_ANGSTROM * mode / np.linalg.norm(mode, axis=1).max()


def dft_hessian(
    surface: Surface, positions_angstrom: np.ndarray, rows: list, after_row: Callable[[list], None]
) -> np.ndarray:
    """Return the Hessian, (3N, 3N), hartree/bohr^2: analytic, or by differences of gradients where PySCF has none.

    Parameters
    ----------
    rows
        Rows that an interrupted run by differences has done already.
    after_row
        Called with all rows so far after each new one.

    Raises
    ------
    SCFNotConvergedError
    """
    solved = surface.solve(positions_angstrom)
    try:
        blocks = solved.mean_field.Hessian().kernel()
    except NotImplementedError:
        return _by_differences(surface, positions_angstrom, list(rows), after_row)
    size = positions_angstrom.size
    hessian = np.asarray(blocks).transpose(0, 2, 1, 3).reshape(size, size)
    return 0.5 * (hessian + hessian.T)


def _by_differences(
    surface: Surface, positions_angstrom: np.ndarray, rows: list, after_row: Callable[[list], None]
) -> np.ndarray:
    """Central differences of gradients, 6N of them."""
    from pyscf.data.nist import BOHR

    for k in range(len(rows), positions_angstrom.size):
        gradients = []
        for sign in (1, -1):
            moved = positions_angstrom.copy()
            moved.flat[k] += sign * DIFFERENCE_STEP_BOHR * BOHR
            gradients.append(surface.energy_and_gradient(moved)[1].ravel())
        rows.append(((gradients[0] - gradients[1]) / (2 * DIFFERENCE_STEP_BOHR)).tolist())
        after_row(rows)
    hessian = np.array(rows)
    return 0.5 * (hessian + hessian.T)


def vibrations(pyscf_molecule, hessian: np.ndarray) -> Vibrations:
    """Return frequencies, zero-point energy and Gibbs correction of a Hessian at a stationary point.

    The Gibbs correction is what a molecule of the ideal gas at 298.15 K and 101 325 Pa adds to its electronic energy:
    rigid rotor with its symmetry number, harmonic oscillators with the masses of natural isotopes,
    all modes below 100 cm-1 raised to 100 cm-1 (the quasi-harmonic approximation of Ribeiro, Marenich, Cramer and
    Truhlar, J. Phys. Chem. B 115, 14556, 2011); imaginary modes are left out. The zero-point energy is that of the
    frequencies as they are. A molecule within 0.03 Å of a line is counted as linear.

    Parameters
    ----------
    hessian
        (3N, 3N), hartree/bohr^2.
    """
    from pyscf.hessian import thermo

    count = pyscf_molecule.natm
    pyscf_molecule = _straightened(pyscf_molecule)
    wavenumbers, frequencies_au, modes = np.zeros(0), np.zeros(0), np.zeros((0, 1, 3))
    if count > 1:
        blocks = hessian.reshape(count, 3, count, 3).transpose(0, 2, 1, 3)
        found = thermo.harmonic_analysis(pyscf_molecule, blocks, imaginary_freq=False)
        wavenumbers, frequencies_au, modes = (found[key] for key in ("freq_wavenumber", "freq_au", "norm_mode"))
    real = frequencies_au[wavenumbers > 0]
    raised = real * np.maximum(1, SOFTEST_MODE_PER_CM / wavenumbers[wavenumbers > 0])
    gas = thermo.thermo(_Energy(pyscf_molecule), raised, TEMPERATURE_K, PRESSURE_PA)
    exact = thermo.thermo(_Energy(pyscf_molecule), real, TEMPERATURE_K, PRESSURE_PA)
    # PySCF's own symmetry number is that of the point group to 1e-5 Å, which no optimised geometry has.
    symmetry = symmetry_number(pyscf_molecule.elements, pyscf_molecule.atom_coords(unit="Angstrom"))
    rotation = BOLTZMANN_EV_PER_K * TEMPERATURE_K * np.log(symmetry / gas["sym_number"][0])
    return Vibrations(
        frequencies_per_cm=wavenumbers,
        modes=modes,
        zero_point_energy_ev=float(exact["ZPE"][0] * HARTREE_EV),
        gibbs_correction_ev=float(gas["G_tot"][0] * HARTREE_EV + rotation),
        symmetry_number=symmetry,
    )


def _straightened(pyscf_molecule):
    """The molecule put on its line where it all but lies on one: PySCF tells a linear rotor by a moment of 1e-9."""
    x = pyscf_molecule.atom_coords(unit="Angstrom")
    centre = x.mean(axis=0)
    direction = np.linalg.svd(x - centre)[2][0]
    along = centre + np.outer((x - centre) @ direction, direction)
    if np.linalg.norm(x - along, axis=1).max() > LINEAR_WITHIN_ANGSTROM:
        return pyscf_molecule
    return pyscf_molecule.set_geom_(along, unit="Angstrom", inplace=False)


@dataclass(frozen=True)
class _Energy:
    """What PySCF's `thermo` asks of a mean field; its energy is zero, so that only the correction comes out."""

    mol: object
    e_tot: float = 0.0


def symmetry_number(symbols: list[str], positions_angstrom: np.ndarray) -> int:
    """Return how many rotations turn a molecule into itself, each atom to within 0.03 Å of one of its element."""
    from scipy.spatial.transform import Rotation

    x, kinds = positions_angstrom - positions_angstrom.mean(axis=0), np.array(symbols)

    def same(y: np.ndarray) -> bool:
        near = np.linalg.norm(y[:, None] - x, axis=-1) < SAME_PLACE_ANGSTROM
        return bool((near & (kinds[:, None] == kinds)).any(axis=1).all())

    lengths = np.linalg.norm(x, axis=1)
    first = int(lengths.argmax())
    aside = np.linalg.norm(np.cross(x[first], x), axis=1)
    second = int(aside.argmax())
    if aside[second] < SAME_PLACE_ANGSTROM * max(1.0, lengths[first]):
        return 2 if len(symbols) > 1 and same(-x) else 1
    # Where two atoms that are not in line with the centre go decides the rotation.
    pair, apart = x[[first, second]], np.linalg.norm(x[first] - x[second])
    places = [
        x[[k, m]]
        for k in np.flatnonzero((kinds == kinds[first]) & (np.abs(lengths - lengths[first]) < SAME_PLACE_ANGSTROM))
        for m in np.flatnonzero((kinds == kinds[second]) & (np.abs(lengths - lengths[second]) < SAME_PLACE_ANGSTROM))
        if abs(np.linalg.norm(x[k] - x[m]) - apart) < 2 * SAME_PLACE_ANGSTROM
    ]
    return sum(same(Rotation.align_vectors(place, pair)[0].apply(x)) for place in places)
