"""Single-point energies of a cluster's pieces: with ghost functions, with dispersion, in a solvent."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from electroscreen.inputs import InputError
from electroscreen.quantum.scf import SCFNotConvergedError, build_mean_field, build_molecule, converge
from electroscreen.quantum.solvent import in_solvent
from electroscreen.quantum.structures import System
from electroscreen.settings import Quantum

# Names under which D3 knows what PySCF calls differently.
D3_NAMES = {"b3lypg": "b3lyp", "wb97x-d3bj": "wb97x"}


@dataclass(frozen=True)
class Method:
    """How every energy of one complex is computed."""

    quantum: Quantum
    dispersion: str

    @property
    def label(self) -> str:
        """Short name for tables, such as 'b3lypg/6-31g(d,p) cartesian, D3(BJ)'."""
        return self.quantum.level.label + (", D3(BJ)" if self.dispersion == "d3bj" else "")


class Ledger:
    """Energies (hartree) by name; what a killed job had computed is not computed again."""

    def __init__(self, known: dict[str, float], save: Callable[[dict[str, float]], None]):
        self.known, self.save = dict(known), save

    def energy(self, name: str, compute: Callable[[], float]) -> float:
        """Return the energy of this name.

        Raises
        ------
        SCFNotConvergedError
            Saying of which piece.
        """
        if name not in self.known:
            try:
                self.known[name] = compute()
            except SCFNotConvergedError as failure:
                raise SCFNotConvergedError(f"{name}: {failure}") from None
            self.save(self.known)
        return self.known[name]


def single_point(
    system: System,
    positions_angstrom: np.ndarray,
    method: Method,
    solvent: float | str | None = None,
    basis_of: tuple[list[str], np.ndarray] | None = None,
    guess: np.ndarray | None = None,
) -> float:
    """Return the energy of a system, hartree, at the final grid.

    Parameters
    ----------
    basis_of
        Symbols and positions of further atoms, of which only the basis functions take part (ghosts).
    guess
        Density matrix to start from.

    Raises
    ------
    SCFNotConvergedError
    InputError
        If there is no dispersion correction for the functional.
    """
    symbols, ghosts = list(system.symbols), range(0)
    positions = np.asarray(positions_angstrom)
    if basis_of is not None:
        ghosts = range(len(symbols), len(symbols) + len(basis_of[0]))
        symbols, positions = symbols + basis_of[0], np.concatenate([positions, basis_of[1]])
    mean_field = _mean_field(system, symbols, positions, method.quantum, ghosts, solvent)
    solved = converge(mean_field, method.quantum.scf_limit, guess)
    return float(solved.mean_field.e_tot) + dispersion_hartree(system.symbols, positions_angstrom, method)


def dispersion_hartree(symbols: list[str], positions_angstrom: np.ndarray, method: Method) -> float:
    """Return the D3(BJ) correction, hartree (Grimme, Ehrlich, Goerigk, J. Comput. Chem. 2011, 32, 1456); 0 for none.

    Raises
    ------
    InputError
        If D3(BJ) has no parameters for the functional.
    """
    if method.dispersion == "none":
        return 0.0
    from ase.data import atomic_numbers
    from ase.units import Bohr
    from dftd3.interface import DispersionModel, RationalDampingParam

    functional = method.quantum.level.functional.lower()
    try:
        damping = RationalDampingParam(method=D3_NAMES.get(functional, functional))
    except RuntimeError:
        raise InputError(f"settings: dispersion: D3(BJ) has no parameters for the functional '{functional}'") from None
    numbers = np.array([atomic_numbers[symbol] for symbol in symbols])
    model = DispersionModel(numbers, np.asarray(positions_angstrom) / Bohr)
    return float(model.get_dispersion(damping, grad=False)["energy"])


def _mean_field(
    system: System,
    symbols: list[str],
    positions: np.ndarray,
    quantum: Quantum,
    ghosts: Collection[int],
    solvent: float | str | None,
):
    molecule = build_molecule(symbols, positions, system.charge, system.multiplicity, quantum.level, ghosts)
    mean_field = build_mean_field(molecule, quantum.level, quantum.grid_final, quantum.memory_mb)
    return in_solvent(mean_field, solvent)
