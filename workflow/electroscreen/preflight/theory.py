"""Levels of theory: whether PySCF knows them, and how many basis functions they give each species."""

from __future__ import annotations

from functools import lru_cache

from electroscreen.inputs import InputError
from electroscreen.preflight.asked import Asked
from electroscreen.preflight.findings import Findings
from electroscreen.settings import Level


def look_at_levels(asked: Asked) -> Findings:
    """Say what PySCF does not know: a functional, or a basis for one of the elements there are."""
    from electroscreen.quantum.scf import basis_and_core, checked_functional

    found = Findings()
    elements = sorted({symbol for name in asked.with_geometry for symbol in asked.every[name].symbols})
    for level in asked.levels:
        try:
            if level.functional.lower() != "hf":
                checked_functional(level.functional)
            basis_and_core(elements, level)
        except InputError as error:
            found.faults.append(str(error))
    method, own = asked.settings.forcefield.resp_method, asked.settings.forcefield.resp_basis
    if method.lower() != "hf":
        try:
            checked_functional(method)
        except InputError:
            found.faults.append(f"settings: forcefield.resp_method: '{method}' is not known to PySCF")
    if not shells(own, "C", True) and not shells(own, "H", True):
        found.faults.append(f"settings: forcefield.resp_basis: '{own}' is not known to PySCF")
    return found


def basis_functions(symbols: list[str], level: Level) -> int:
    """Return the number of basis functions of some atoms."""
    return sum(
        shells(level.basis, symbol, level.cartesian) or shells(level.heavy_basis, symbol, level.cartesian)
        for symbol in symbols
    )


@lru_cache(maxsize=1024)
def shells(basis: str, element: str, cartesian: bool) -> int:
    """Return the basis functions of one atom, 0 if the basis does not know the element."""
    import warnings

    from pyscf import gto
    from pyscf.lib.exceptions import BasisNotFoundError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loaded = gto.basis.load(basis, element)
        except (BasisNotFoundError, KeyError, RuntimeError):
            return 0
    count = 0
    for shell in loaded:
        momentum = shell[0]
        contractions = len(next(row for row in shell[1:] if isinstance(row, (list, tuple)))) - 1
        each = (momentum + 1) * (momentum + 2) // 2 if cartesian else 2 * momentum + 1
        count += contractions * each
    return count
