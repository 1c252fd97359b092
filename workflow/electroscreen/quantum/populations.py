"""Charges of atoms from a converged density: Mulliken's, and those of intrinsic atomic orbitals."""

from __future__ import annotations

import numpy as np


def mulliken_charges(mean_field) -> np.ndarray:
    """Return Mulliken's charges (N,), in e; they swing with the basis set."""
    _, charges = mean_field.mulliken_pop(verbose=0)
    return np.asarray(charges)


def iao_charges(mean_field) -> np.ndarray:
    """Return the charges (N,) of intrinsic atomic orbitals, in e, which hardly depend on the basis set.

    The orbitals are free atoms', deformed just enough to span the occupied ones exactly (Knizia, J. Chem. Theory
    Comput. 9, 4834 (2013), doi 10.1021/ct400687b), made orthonormal by Löwdin's way. So no electron is lost: the sum is
    the total charge to machine precision.

    PySCF's own `lo.iao` takes all-electron atoms also where there is a core potential, and six d functions where the
    molecule has Cartesian ones, hence these few lines.

    Raises
    ------
    ValueError
        If there is no reference of an element, or the basis cannot hold it.
    """
    from pyscf import gto

    molecule = mean_field.mol
    place = {"atom": molecule.atom, "unit": molecule.unit, "charge": molecule.charge, "spin": None}
    reference = gto.M(**place, basis=_free_atoms(molecule), verbose=0)
    overlap = molecule.intor_symmetric("int1e_ovlp")
    across = gto.intor_cross("int1e_ovlp_cart", molecule, reference) @ reference.cart2sph_coeff()
    if not molecule.cart:
        across = molecule.cart2sph_coeff().T @ across
    atom_of = np.repeat(np.arange(molecule.natm), np.diff(reference.aoslice_by_atom()[:, 2:]).ravel())
    charges = molecule.atom_charges().astype(float)
    for orbitals, occupations in _by_spin(mean_field):
        occupied = orbitals[:, occupations > 0]
        if not occupied.size:
            continue
        intrinsic = _intrinsic(occupied, overlap, reference.intor_symmetric("int1e_ovlp"), across)
        shares = (intrinsic.T @ overlap @ occupied) ** 2 @ occupations[occupations > 0]
        np.subtract.at(charges, atom_of, shares)
    return charges


def _by_spin(mean_field) -> list[tuple[np.ndarray, np.ndarray]]:
    orbitals, occupations = np.asarray(mean_field.mo_coeff), np.asarray(mean_field.mo_occ)
    return list(zip(orbitals, occupations, strict=True)) if occupations.ndim == 2 else [(orbitals, occupations)]


def _intrinsic(occupied: np.ndarray, overlap: np.ndarray, reference: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Orthonormal intrinsic atomic orbitals (n, k): Knizia's equation 2, with O and Õ projectors on the occupied space.

    Parameters
    ----------
    overlap, reference, across
        Overlaps of the basis (n, n), of the free atoms' orbitals (k, k), and between them (n, k).
    """
    free = np.linalg.solve(overlap, across)
    depolarised = _orthonormal(free @ np.linalg.solve(reference, across.T @ occupied), overlap)
    within = occupied @ (occupied.T @ across)
    within_depolarised = depolarised @ (depolarised.T @ across)
    both = occupied @ (occupied.T @ overlap @ within_depolarised)
    return _orthonormal(free + 2 * both - within - within_depolarised, overlap)


def _orthonormal(orbitals: np.ndarray, overlap: np.ndarray) -> np.ndarray:
    sizes, modes = np.linalg.eigh(orbitals.T @ overlap @ orbitals)
    if sizes.min() < 1e-10:
        raise ValueError("free atoms' orbitals depend on each other in this basis")
    return orbitals @ (modes / np.sqrt(sizes)) @ modes.T


def _free_atoms(molecule) -> dict[str, list]:
    """Basis of free atoms' occupied orbitals, of each element: MINAO, or made here where a core potential is."""
    from pyscf import gto
    from pyscf.lib.exceptions import BasisNotFoundError

    elements = {molecule.atom_pure_symbol(i): molecule.atom_nelec_core(i) for i in range(molecule.natm)}
    try:
        return {
            element: _pseudo_atom(molecule, element) if core else gto.basis.load("minao", element)
            for element, core in elements.items()
        }
    except (BasisNotFoundError, KeyError) as missing:
        raise ValueError(f"there is no free-atom basis: {missing}") from None


def _pseudo_atom(molecule, element: str) -> list:
    """Occupied orbitals of the free atom with its core potential, as contractions of the molecule's own basis."""
    from pyscf import gto
    from pyscf.scf.atom_hf import get_atm_nrhf

    i = next(i for i in range(molecule.natm) if molecule.atom_pure_symbol(i) == element)
    symbol = molecule.atom_symbol(i)
    basis, core = {element: molecule._basis[symbol]}, {element: molecule._ecp[symbol]}
    electrons = int(molecule.atom_charge(i))
    atom = gto.M(atom=element, basis=basis, ecp=core, spin=electrons % 2, verbose=0)
    _, _, orbitals, occupations = get_atm_nrhf(atom)[element]
    shells = []
    first = atom.ao_loc_nr()
    for angular in range(max(atom.bas_angular(b) for b in range(atom.nbas)) + 1):
        own = [b for b in range(atom.nbas) if atom.bas_angular(b) == angular]
        # Of the 2l + 1 equal functions of a shell the first stands for all.
        rows = [np.arange(first[b], first[b + 1], 2 * angular + 1) for b in own]
        radial = orbitals[np.concatenate(rows)][:, occupations > 0] if own else np.zeros((0, 0))
        for orbital in radial.T[np.abs(radial).max(axis=0, initial=0) > 1e-8]:
            parts = np.split(orbital, np.cumsum([len(r) for r in rows])[:-1])
            primitives = [
                [exponent, weight]
                for b, part in zip(own, parts, strict=True)
                for exponent, weight in zip(atom.bas_exp(b), atom.bas_ctr_coeff(b) @ part, strict=True)
            ]
            shells.append([angular, *primitives])
    return shells
