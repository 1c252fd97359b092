"""Gradients of density-fitted energies, with Coulomb and exchange terms from the integrals that the SCF has kept.

For fitted integrals (uv|P) with the metric J = L Lᵀ, kept by the SCF as L⁻¹ (P|uv), a density D, and occupied orbitals
R of each spin times the root of their occupation (for the fit: Weigend, Phys. Chem. Chem. Phys. 2002, 4, 4285):

    c = J⁻¹ (P|uv) D_uv                    the fitted density
    X = J⁻¹ (P|uv) R_ui R_vj               the fitted pairs of orbitals
    slope = G_uvP ∂(uv|P) + g_PQ ∂(P|Q)
    G = c_P D_uv - 2w R_ui X_ijP R_vj,  g = -½ c_P c_Q + w X_ijP X_ijQ

w is a quarter of the functional's share of exact exchange for a closed shell, half of it for two spins. PySCF
transforms to orbitals on one side only, computes integrals anew for it, and their slopes with both centres; nothing
moves when all centres do, so that one of those is enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MethodType

import numpy as np

from electroscreen.quantum.fitting import occupied_orbitals, of_pairs, packed_diagonal, packed_pairs
from electroscreen.quantum.grid_slope import integrated_slope
from electroscreen.quantum.pairs import Shell, ThreeCentres, half_turned, pairs_that_count

BYTES = 8
AT_ONCE_BYTES = 1e8  # of integrals that are worked on together
TURNED_TOGETHER = 64  # basis functions
SHARE_OF_MEMORY = 0.4  # of what is free, for the fitted pairs


def gradients_of(mean_field):
    """Return PySCF's gradient object for a converged mean field, quicker where its density fitting is an ordinary one.

    With the response of the integration grid: without it a coarse grid gives forces that are not the energy's slope
    (LiF, grid 1: 15 % off), and an optimisation never settles. It costs next to nothing.
    """
    gradients = mean_field.nuc_grad_method()
    gradients.grid_response = True
    share = _exchange_share(mean_field)
    if share is None or not hasattr(mean_field, "with_df") or not _fits_memory(mean_field):
        return gradients
    pyscf_own = gradients.get_veff

    def potential_slopes(self, mol=None, dm=None):
        slope = fitted_slope(mean_field, share)
        return pyscf_own(mol, dm) if slope is None else _as_potential(self, slope, dm)

    gradients.get_veff = MethodType(potential_slopes, gradients)
    return gradients


def fitted_slope(mean_field, share: float) -> np.ndarray | None:
    """Return the slope of the fitted Coulomb and exchange energy, hartree/bohr, (N, 3), at a fixed density matrix.

    None where the metric of the fit is singular, so that the SCF kept something else.

    Parameters
    ----------
    share
        The functional's share of exact exchange.
    """
    from scipy.linalg import LinAlgError, cholesky, solve_triangular

    fitting, orbitals = mean_field.with_df, occupied_orbitals(mean_field.mo_coeff, mean_field.mo_occ)
    metric = fitting.auxmol.intor("int2c2e")
    try:
        root = cholesky(metric, lower=True)
    except LinAlgError:
        return None
    if len(root) != fitting.get_naoaux():
        return None
    density = sum(r @ r.T for r in orbitals)
    weight = share * len(orbitals) / 4
    in_density, in_pairs = _projections(fitting, density, orbitals if share else [])
    fitted_density = solve_triangular(root, in_density, lower=True, trans="T")
    fitted_pairs = [solve_triangular(root, x, lower=True, trans="T", overwrite_b=True) for x in in_pairs]

    pairs_of_fit = -np.outer(fitted_density, fitted_density) / 2
    for x in fitted_pairs:
        # Both orders of two orbitals that differ: the diagonal is counted once.
        once = x[:, packed_diagonal(_occupied(x))]
        pairs_of_fit += weight * (2 * x @ x.T - once @ once.T)
    between_fits = -2 * np.einsum("xpq,pq->px", fitting.auxmol.intor("int2c2e_ip1"), pairs_of_fit)
    of_functions, of_fits = _three_centres(fitting, density, fitted_density, orbitals, fitted_pairs, weight)
    return _by_atom(fitting.mol, of_functions) + _by_atom(fitting.auxmol, of_fits + between_fits)


def _exchange_share(mean_field) -> float | None:
    """Exact exchange of a functional; None where there is more to it (parts by range, meta-GGA's own terms stay)."""
    if not hasattr(mean_field, "xc"):
        return 1.0
    omega, _, share = mean_field._numint.rsh_and_hybrid_coeff(mean_field.xc, spin=mean_field.mol.spin)
    return float(share) if omega == 0 and not mean_field.do_nlc() else None


def _fits_memory(mean_field) -> bool:
    from pyscf import lib

    pairs = sum(n * (n + 1) / 2 for n in np.atleast_2d(np.asarray(mean_field.mo_occ) > 0).sum(axis=1))
    free = 1e6 * (mean_field.max_memory - lib.current_memory()[0])
    return BYTES * pairs * mean_field.with_df.get_naoaux() < SHARE_OF_MEMORY * free


def _occupied(pairs: np.ndarray) -> int:
    """How many orbitals make as many pairs, each with itself too."""
    return int((2 * pairs.shape[1]) ** 0.5)


def _projections(fitting, density: np.ndarray, orbitals: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """The kept integrals with the density, (fits,), and with pairs of orbitals, packed, (fits, pairs) each."""
    in_density = of_pairs(fitting, packed_pairs(density[None]))[0]
    in_pairs: list[list[np.ndarray]] = [[] for _ in orbitals]
    pairs, some = fitting.blocks()
    for block in some if orbitals else ():
        for found, r in zip(in_pairs, orbitals, strict=True):
            turned = np.tensordot(r, half_turned(block, pairs, r), axes=(0, 0))
            found.append(turned[np.tril_indices(r.shape[1])].T)
    return in_density, [np.concatenate(found) for found in in_pairs]


def _three_centres(
    fitting, density: np.ndarray, fitted_density: np.ndarray, orbitals: list, fitted_pairs: list, weight: float
) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of (uv|P), contracted: for each basis function, (functions, 3), and each of the fit's, (fits, 3)."""
    from pyscf import lib
    from pyscf.ao2mo.outcore import balance_partition

    mol, fits = fitting.mol, fitting.auxmol
    shells = (fitting.pairs or pairs_that_count(mol)).shells
    centres = ThreeCentres(mol, fits, "int3c2e_ip1", components=3)
    of_functions, of_fits = np.zeros((mol.nao, 3)), np.zeros((fits.nao, 3))
    exchanged = list(zip(orbitals, fitted_pairs, strict=True)) if weight else []
    most = max((r.shape[1] for r, _ in exchanged), default=1)
    largest = max(shell.own.stop - shell.own.start for shell in shells)
    starts = fits.ao_loc
    for first, last, _ in balance_partition(starts, _at_once(max(most**2, 3 * mol.nao * largest))):
        here = slice(starts[first], starts[last])
        turned = [(r, lib.unpack_tril(x[here])) for r, x in exchanged]
        for group in _groups(shells):
            own = slice(group[0].own.start, group[-1].own.stop)
            # (own functions, fits, occupied)
            half = [(r, np.tensordot(r[own], x, axes=(1, 1))) for r, x in turned]
            for shell in group:
                inside = slice(shell.own.start - own.start, shell.own.stop - own.start)
                weights = fitted_density[here, None] * density[shell.own, None][..., shell.partners]
                for r, x in half:
                    weights -= 2 * weight * np.matmul(x[inside], r[shell.partners].T)
                # Nabla works on the shell's own functions, which are last here.
                slopes = centres.of(shell.number, shell.neighbours, slice(first, last))
                found = 2 * np.einsum("xpvu,upv->xpu", slopes, weights)
                of_functions[shell.own] -= found.sum(axis=1).T
                of_fits[here] += found.sum(axis=2).T
    return of_functions, of_fits


def _groups(shells: list[Shell]) -> Iterator[list[Shell]]:
    """Neighbouring shells with so many functions together that their turning is a product of matrices."""
    group: list[Shell] = []
    for shell in shells:
        group.append(shell)
        if shell.own.stop - group[0].own.start >= TURNED_TOGETHER:
            yield group
            group = []
    if group:
        yield group


def _at_once(numbers: int) -> int:
    """How many times so many numbers are worked on together; at least as many as a shell of any fit has."""
    return max(40, int(AT_ONCE_BYTES / (BYTES * numbers)))


def _by_atom(mol, of_functions: np.ndarray) -> np.ndarray:
    """Sums over the functions of each atom, (atoms, 3)."""
    return np.array([of_functions[first:last].sum(axis=0) for first, last in mol.aoslice_by_atom()[:, 2:]])


def _as_potential(gradients, slope: np.ndarray, dm):
    """What PySCF's gradient asks of a potential: matrices of slopes where they are PySCF's own, ours atom by atom."""
    from pyscf import lib
    from pyscf.grad import rks, uks

    mean_field, mol = gradients.base, gradients.mol
    nothing = np.zeros((*np.shape(dm)[:-2], 3, mol.nao, mol.nao))
    if not hasattr(mean_field, "xc"):
        return lib.tag_array(nothing, aux=slope)
    integrated = integrated_slope(mean_field)
    if integrated is not None:
        return lib.tag_array(nothing, exc1_grid=integrated, aux=slope)
    of_spins = uks if mol.spin else rks
    response, potential = of_spins.get_vxc_full_response(
        mean_field._numint, mol, mean_field.grids, mean_field.xc, dm, max_memory=mean_field.max_memory
    )
    return lib.tag_array(potential, exc1_grid=response, aux=slope)
