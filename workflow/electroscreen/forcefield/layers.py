"""Which layer speaks for a molecule: the user's terms, the library, GAFF2, or a fit to the molecule's own Hessian."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from electroscreen.forcefield import graph, user
from electroscreen.forcefield.derived import Reference, derived
from electroscreen.forcefield.hessian_fit import hessian_in_kj_per_mol
from electroscreen.forcefield.published import ION_SET, published
from electroscreen.forcefield.terms import Missing, Parameters, Term
from electroscreen.forcefield.typing import gaff2
from electroscreen.quantum.structures import xtb_hessian
from electroscreen.settings import Level, Quantum
from electroscreen.species import Species


def layered(
    species: Species,
    positions_angstrom: np.ndarray | None,
    charges: list[Term],
    masses_amu: list[float],
    recipe: dict[str, Any],
    threads: int = 1,
) -> Parameters:
    """Return all terms of a species, charges included, with the layer and source of each.

    Parameters
    ----------
    positions_angstrom
        (N, 3); None is enough for a single atom.
    charges
        Of the charges stage; none if it failed.
    recipe
        May hold "ion_set", "library_charges", "hessian" and, for a DFT Hessian, "quantum".

    Raises
    ------
    electroscreen.forcefield.amber.ProgramError
        If the typing programs are needed but do not run on this machine.
    """
    if positions_angstrom is None and len(species.symbols) > 1:
        return Parameters(missing=[Missing("there is no geometry")])
    plain = graph.skeleton(species, positions_angstrom)
    own = user.own_parameters(species.forcefield, species, plain) if species.forcefield else Parameters()
    if own.missing:
        return own
    charges = user.replaced(charges, [term for term in own.terms if term.term == "charge"])
    if own.terms and not user.gaps(own.terms, species, plain):
        return _charged(own, charges, species)
    own_charges = recipe.get("library_charges") == "published"
    found = published(species, plain, positions_angstrom, recipe.get("ion_set", ION_SET), own_charges)
    found = user.overridden(found or gaff2(species, positions_angstrom, plain), own)
    if found.missing and len(species.symbols) > 1 and not species.is_long_chain:
        found = _else_derived(found, species, positions_angstrom, plain, charges, masses_amu, recipe, own, threads)
    return _charged(found, charges, species)


def _else_derived(
    found: Parameters,
    species: Species,
    positions: np.ndarray,
    plain,
    charges: list[Term],
    masses: list[float],
    recipe: dict[str, Any],
    own: Parameters,
    threads: int,
) -> Parameters:
    """What the Hessian gives; where that fails too, the reasons of both layers and what the user's terms still lack."""
    sizes = {term.atoms[0]: term for term in own.terms if term.term == "lj"}
    charge_of = {term.atoms[0]: term.values["charge_e"] for term in charges}
    charges_e = [charge_of.get(i, 0.0) for i in range(len(species.symbols))]
    reference = partial(_reference, species, positions, recipe, threads)
    fitted = user.overridden(derived(species, positions, plain, charges_e, masses, reference, sizes), own)
    if not fitted.missing and len(charge_of) < len(species.symbols):
        return Parameters(missing=found.missing)
    if not fitted.missing:
        return fitted
    reasons = {str(missing): missing for missing in (*found.missing, *fitted.missing)}
    if own.terms:
        reasons |= {str(gap): gap for gap in user.gaps(own.terms, species, plain)}
    return Parameters(missing=list(reasons.values()))


def _charged(found: Parameters, charges: list[Term], species: Species) -> Parameters:
    """Add the charges, unless a layer brought its own for all atoms or for some, and check their sum."""
    brought = {term.atoms for term in found.terms if term.term == "charge"}
    found.terms = [*(term for term in charges if term.atoms not in brought), *found.terms]
    charged = {term.atoms[0] for term in found.terms if term.term == "charge"}
    if not found.missing and len(charged) == len(species.symbols):
        found.missing = user.charge_fault(found.terms, species)
    return found


def _reference(species: Species, positions: np.ndarray, recipe: dict[str, Any], threads: int) -> Reference:
    """The Hessian that the settings ask for."""
    if recipe.get("hessian", "gfn2") == "gfn2":
        return Reference(hessian_in_kj_per_mol(xtb_hessian(species, positions)), "GFN2-xTB")
    from pyscf import lib

    from electroscreen.quantum.optimise import Surface
    from electroscreen.quantum.vibrations import HESSIAN_GRID, dft_hessian

    lib.num_threads(threads)
    asked = recipe["quantum"]
    quantum = Quantum(
        level=Level(**asked["level"]),
        scf_limit=asked["scf_limit"],
        stability="none",
        conformers=1,
        ion_sites=1,
        candidates=1,
        grid_while_moving=asked["grid_final"],
        grid_final=asked["grid_final"],
        steps_limit=1,
    )
    surface = Surface(species, quantum, max(HESSIAN_GRID, quantum.grid_final))
    hessian = dft_hessian(surface, positions, [], lambda rows: None)
    return Reference(hessian_in_kj_per_mol(hessian), quantum.level.label)
