"""Single-point energies of a cluster's pieces: with ghost functions, with dispersion, in a solvent."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from electroscreen.inputs import InputError
from electroscreen.quantum.integrals import LastIntegrals
from electroscreen.quantum.scf import SCFNotConvergedError, build_mean_field, build_molecule, converge
from electroscreen.quantum.solvent import in_solvent
from electroscreen.quantum.stability import STILL_UNSTABLE
from electroscreen.quantum.structures import System
from electroscreen.recipe import PROTOCOL, digest
from electroscreen.record import read_json, write_json
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


@dataclass(frozen=True)
class Point:
    """Energy of a piece at one geometry, and its density, where known, as a guess for what differs little from it."""

    energy_hartree: float
    density: np.ndarray | None


@dataclass(frozen=True)
class Among:
    """The atoms of a cluster, positions (N, 3), and which of them are a system's own, in the order that it has them."""

    symbols: Sequence[str]
    positions_angstrom: np.ndarray
    own: Collection[int]


class SharedPoints:
    """Energies of single molecules, which many complexes have in common, each a file named after all it depends on.

    Like restart data they save time and decide nothing: a folder that is deleted, or a file that cannot be read, costs
    a computation.
    """

    def __init__(self, folder: Path | None):
        self.folder = folder

    def point(
        self,
        system: System,
        positions_angstrom: np.ndarray,
        method: Method,
        solvent: float | str | None = None,
        guess: np.ndarray | None = None,
    ) -> Point:
        """Return what `single_point` returns, without density where another complex has had it computed."""
        if self.folder is None:
            return single_point(system, positions_angstrom, method, solvent, guess=guess)
        file = self.folder / f"{digest(_dependences(system, positions_angstrom, method, solvent))}.json"
        # What cannot be read is computed again.
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            return Point(float(read_json(file)["energy_hartree"]), None)
        found = single_point(system, positions_angstrom, method, solvent, guess=guess)
        write_json(file, {"symbols": list(system.symbols), "energy_hartree": found.energy_hartree})
        return found


class Ledger:
    """Energies (hartree) by name; what a killed job had computed is not computed again.

    Densities, and the integrals of the whole cluster, last as long as the process: a resumed job has none of those
    before, and starts its SCFs from scratch.
    """

    def __init__(
        self,
        known: dict[str, float],
        save: Callable[[dict[str, float]], None],
        shared: SharedPoints | None = None,
        integrals: LastIntegrals | None = None,
    ):
        self.known, self.save, self.shared = dict(known), save, shared or SharedPoints(None)
        self.integrals = LastIntegrals() if integrals is None else integrals
        self.densities: dict[str, np.ndarray] = {}

    def energy(self, name: str, compute: Callable[[], Point]) -> float:
        """Return the energy of this name.

        Raises
        ------
        SCFNotConvergedError
            Saying of which piece.
        """
        if name not in self.known:
            try:
                point = compute()
            except SCFNotConvergedError as failure:
                raise SCFNotConvergedError(f"{name}: {failure}") from None
            self.known[name] = point.energy_hartree
            if point.density is not None:
                self.densities[name] = point.density
            self.save(self.known)
        return self.known[name]


def _dependences(system: System, positions: np.ndarray, method: Method, solvent: float | str | None) -> dict[str, Any]:
    return {
        "protocol": PROTOCOL["binding"],
        "symbols": list(system.symbols),
        # Text, for a millionth of an ångström; -0.0 is 0.0.
        "positions_angstrom": [[f"{x + 0.0:.6f}" for x in atom] for atom in np.round(positions, 6)],
        "charge": system.charge,
        "multiplicity": system.multiplicity,
        "quantum": method.quantum.model_dump(include={"level", "grid_final", "stability"}),
        "dispersion": method.dispersion,
        "solvent": solvent,
    }


def single_point(
    system: System,
    positions_angstrom: np.ndarray,
    method: Method,
    solvent: float | str | None = None,
    among: Among | None = None,
    guess: np.ndarray | None = None,
    known_stable: bool = True,
    integrals: LastIntegrals | None = None,
) -> Point:
    """Return the energy of a system at the final grid.

    Whether the SCF is stable is asked where it starts without a guess, or from a state of which that is not known.

    Parameters
    ----------
    among
        The cluster of which the system is a part, where the basis functions of the other atoms take part (ghosts).
    guess
        Density matrix to start from, that of the system without ghosts.
    known_stable
        Whether the guess comes from a state that is known to be stable.
    integrals
        Where those of the same basis functions, ghosts' or atoms', may lie from an earlier call.

    Raises
    ------
    SCFNotConvergedError
    InputError
        If there is no dispersion correction for the functional.
    """
    if among is None:
        among = Among(system.symbols, positions_angstrom, range(len(system.symbols)))
    mean_field = _mean_field(system, among, method.quantum, solvent, integrals)
    stability = method.quantum.stability != "none" and (guess is None or not known_stable)
    solved = converge(mean_field, method.quantum.scf_limit, _embedded(guess, mean_field.mol, among.own), stability)
    if solved.stability == STILL_UNSTABLE:
        raise SCFNotConvergedError("a lower state exists than the one that the SCF found, and following it failed")
    energy = float(solved.mean_field.e_tot) + dispersion_hartree(system.symbols, positions_angstrom, method)
    return Point(energy, solved.density if len(among.own) == len(among.symbols) else None)


def density_of_part(whole: System, density: np.ndarray, atoms: Collection[int], method: Method) -> np.ndarray | None:
    """Return the block of a cluster's density matrix that belongs to some of its atoms: a guess for them alone.

    Their own density at another geometry would be none: turned or bent, it belongs to other functions. None for open
    shells, where the spins of the part are not those of the cluster.
    """
    if density.ndim != 2:
        return None
    # Where the functions of an atom stand does not depend on where the atom is.
    apart = np.arange(3 * len(whole.symbols), dtype=float).reshape(-1, 3)
    molecule = build_molecule(list(whole.symbols), apart, whole.charge, whole.multiplicity, method.quantum.level)
    functions = _functions_of(molecule, atoms)
    return density[np.ix_(functions, functions)]


def _embedded(density: np.ndarray | None, molecule, atoms: Collection[int]) -> np.ndarray | None:
    """A density matrix of some atoms, (n, n) or (2, n, n), among the functions of all, where the others are empty."""
    if density is None:
        return None
    functions = _functions_of(molecule, atoms)
    whole = np.zeros((*density.shape[:-2], molecule.nao, molecule.nao))
    whole[..., functions[:, None], functions] = density
    return whole


def _functions_of(molecule, atoms: Collection[int]) -> np.ndarray:
    slices = molecule.aoslice_by_atom()
    return np.concatenate([np.arange(slices[i, 2], slices[i, 3]) for i in atoms])


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
    among: Among,
    quantum: Quantum,
    solvent: float | str | None,
    integrals: LastIntegrals | None,
):
    ghosts = set(range(len(among.symbols))) - set(among.own)
    molecule = build_molecule(
        among.symbols, among.positions_angstrom, system.charge, system.multiplicity, quantum.level, ghosts
    )
    mean_field = build_mean_field(molecule, quantum.level, quantum.grid_final, quantum.memory_mb, integrals)
    return in_solvent(mean_field, solvent)
