"""Self-consistent fields: from a level of theory to a converged density, or to a plain statement that there is none."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from electroscreen.inputs import InputError
from electroscreen.quantum.gpu import converged_density
from electroscreen.quantum.integrals import LastIntegrals
from electroscreen.quantum.precision import single_until_near
from electroscreen.quantum.stability import NOT_ASKED_FOR, settle
from electroscreen.settings import Level

HARTREE_EV = 27.211386245988  # CODATA 2018
ENERGY_TOLERANCE_HARTREE = 1e-8

# Where PySCF has no fitting basis for an element (Na) it makes one, and advises each time to install another package.
warnings.filterwarnings("ignore", message="Basis may be available in basis-set-exchange")


@dataclass(frozen=True)
class Converged:
    """A converged mean field and how it was reached."""

    mean_field: object
    rung: str
    stability: str = NOT_ASKED_FOR

    @property
    def density(self) -> np.ndarray:
        """Density matrix, (n, n), or (2, n, n) for an open shell."""
        return np.asarray(self.mean_field.make_rdm1())


class SCFNotConvergedError(RuntimeError):
    """No rung of the ladder converged; the message says which were tried."""


def build_molecule(
    symbols: list[str],
    positions_angstrom: np.ndarray,
    charge: int,
    multiplicity: int,
    level: Level,
    ghosts: Collection[int] = (),
):
    """Return a PySCF molecule with basis and core potentials assigned.

    Parameters
    ----------
    ghosts
        Indices of atoms that lend their basis functions only: no nucleus, no electrons, no core potential.

    Raises
    ------
    InputError
        If neither the basis nor the basis for heavy elements covers an element.
    """
    from pyscf import gto

    basis, core_potentials = basis_and_core(sorted(set(symbols)), level)
    names = [f"ghost-{symbol}" if i in ghosts else symbol for i, symbol in enumerate(symbols)]
    return gto.M(
        atom=list(zip(names, np.asarray(positions_angstrom).tolist(), strict=True)),
        basis=basis,
        ecp=core_potentials,
        charge=charge,
        spin=multiplicity - 1,
        cart=level.cartesian,
        verbose=0,
    )


def basis_and_core(elements: list[str], level: Level) -> tuple[dict[str, str], dict[str, str]]:
    """Return the basis of each element, and the core potential that belongs to it."""
    # Hydrogen and carbon are in every basis for molecules: a name that knows neither is a misspelt one.
    if not any(_has_basis(level.basis, element) for element in ("H", "C", *elements)):
        raise InputError(f"settings: quantum.level.basis: '{level.basis}' is not known to PySCF")
    basis, core_potentials = {}, {}
    for element in elements:
        known = [name for name in (level.basis, level.heavy_basis) if _has_basis(name, element)]
        if not known:
            raise InputError(
                f"settings: quantum.level: neither basis '{level.basis}' nor heavy_basis "
                f"'{level.heavy_basis}' is known to PySCF for element {element}"
            )
        basis[element] = known[0]
        if _has_core_potential(known[0], element):
            core_potentials[element] = known[0]
    return basis, core_potentials


def build_mean_field(pyscf_molecule, level: Level, grid: int, memory_mb: int, integrals: LastIntegrals | None = None):
    """Return an unconverged Kohn-Sham (or Hartree-Fock) object: restricted for singlets, else unrestricted.

    Parameters
    ----------
    integrals
        Those of the density fitting that may be at hand, and where this one's stay for the next.
    """
    from pyscf import dft, scf

    from electroscreen.quantum.integration import PatchwiseIntegration

    open_shell = pyscf_molecule.spin != 0
    if level.functional.lower() == "hf":
        mean_field = scf.UHF(pyscf_molecule) if open_shell else scf.RHF(pyscf_molecule)
    else:
        mean_field = dft.UKS(pyscf_molecule) if open_shell else dft.RKS(pyscf_molecule)
        mean_field.xc = checked_functional(level.functional)
        mean_field.grids.level = grid
        mean_field._numint = PatchwiseIntegration()
    mean_field.conv_tol = ENERGY_TOLERANCE_HARTREE
    mean_field.max_memory = memory_mb
    return _fitted(mean_field, integrals) if level.density_fitting else mean_field


def _fitted(mean_field, integrals: LastIntegrals | None):
    """The mean field with density fitting, which keeps its integrals within the same memory, else on disk."""
    integrals = LastIntegrals() if integrals is None else integrals
    molecule = mean_field.mol
    fitting = integrals.fitting(molecule, _auxiliary_basis(molecule), mean_field.max_memory)
    return mean_field.density_fit(with_df=fitting)


def converge(mean_field, cycles: int, guess: np.ndarray | None = None, stability: bool = True) -> Converged:
    """Converge a mean field by the first rung that holds: DIIS; damping and level shift; second order.

    Parameters
    ----------
    stability
        Ask whether the state is stable, and follow an instability downhill once, see `stability.settle`.

    Raises
    ------
    SCFNotConvergedError
        When none does.
    """
    try:
        solved = _climb(mean_field, cycles, guess)
        if stability:
            solved = replace(solved, stability=settle(solved.mean_field, cycles))
        if hasattr(mean_field, "with_solvent"):
            mean_field.e_tot += mean_field.with_solvent.left_out_hartree(solved.density)
        return solved
    finally:
        if hasattr(mean_field, "_numint"):
            mean_field._numint.release()


def _climb(mean_field, cycles: int, guess: np.ndarray | None) -> Converged:
    mean_field.max_cycle = cycles
    by_gpu = converged_density(mean_field, guess)
    with single_until_near(mean_field):
        mean_field.kernel(dm0=guess if by_gpu is None else by_gpu)
    if mean_field.converged:
        return Converged(mean_field, "DIIS")
    return _damped(mean_field, cycles) or _second_order(mean_field, cycles) or _give_up(cycles)


def _damped(mean_field, cycles: int) -> Converged | None:
    """Crawl near the solution with damping and a level shift, then finish without them."""
    mean_field.diis_damp, mean_field.level_shift = 0.5, 0.3
    mean_field.kernel(dm0=mean_field.get_init_guess())
    mean_field.diis_damp, mean_field.level_shift = 0, 0
    mean_field.max_cycle = cycles
    mean_field.kernel(dm0=mean_field.make_rdm1())
    return Converged(mean_field, "damping and level shift") if mean_field.converged else None


def _second_order(mean_field, cycles: int) -> Converged | None:
    newton = mean_field.newton()
    newton.max_cycle = cycles
    newton.kernel(dm0=mean_field.make_rdm1())
    if not newton.converged:
        return None
    mean_field.kernel(dm0=newton.make_rdm1())
    return Converged(mean_field, "second order") if mean_field.converged else None


def _give_up(cycles: int) -> Converged:
    raise SCFNotConvergedError(
        f"SCF not converged: DIIS, damping with level shift, and second order each tried for {cycles} cycles"
    )


def _has_basis(name: str, element: str) -> bool:
    from pyscf import gto

    return _loads(gto.basis.load, name, element)


def _has_core_potential(name: str, element: str) -> bool:
    from pyscf import gto

    return _loads(gto.basis.load_ecp, name, element)


def _loads(load, name: str, element: str) -> bool:
    from pyscf.lib.exceptions import BasisNotFoundError

    with warnings.catch_warnings():
        # PySCF advises to install a further package for each basis that it does not have.
        warnings.simplefilter("ignore")
        try:
            return bool(load(name, element))
        except (BasisNotFoundError, KeyError):
            return False
        except RuntimeError as error:
            # What PySCF says of a core potential that is in none of its own files.
            if "Unable to parse" not in str(error):
                raise
            return False


def _auxiliary_basis(pyscf_molecule) -> dict | None:
    """Basis of the density fitting where there are ghosts: as if they were real; None for PySCF's own choice.

    PySCF 2.14 gives a ghost no auxiliary functions, or those of an element without shells.
    """
    from pyscf import df, gto

    atoms = [(pyscf_molecule.atom_symbol(i), pyscf_molecule.atom_coord(i)) for i in range(pyscf_molecule.natm)]
    if not any(gto.is_ghost_atom(symbol) for symbol, _ in atoms):
        return None
    real = [(symbol.removeprefix("GHOST-"), position) for symbol, position in atoms]
    elements = {symbol for symbol, _ in real}
    whole = gto.M(
        atom=real,
        unit="Bohr",
        basis={element: pyscf_molecule.basis[element] for element in elements},
        ecp={element: core for element, core in pyscf_molecule.ecp.items() if element in elements},
        spin=None,
        cart=pyscf_molecule.cart,
        verbose=0,
    )
    found = df.make_auxbasis(whole)
    return found | {f"GHOST-{element}": functions for element, functions in found.items()}


def checked_functional(name: str) -> str:
    from pyscf.dft import libxc

    try:
        if not any(libxc.parse_xc(name)[1:]):
            raise ValueError("no functional")
    except (KeyError, ValueError):
        raise InputError(f"settings: quantum.level.functional: '{name}' is not known to PySCF") from None
    return name
