"""Terms of a force field, as plain data: what acts on which atoms, how strongly, and who says so.

Energies: bond k/2 (r - r0)², angle k/2 (θ - θ0)², torsion and improper Σ k (1 + cos(nφ - phase)),
Lennard-Jones 4ε((σ/r)¹² - (σ/r)⁶) with Lorentz-Berthelot mixing. The central atom of an improper stands third.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

KCAL_KJ = 4.184
AMBER_14 = {"coulomb": 0.8333333333, "lj": 0.5}
"""Factors on interactions between atoms three bonds apart."""


@dataclass(frozen=True)
class Term:
    """One term; `values` carry their unit in their name."""

    term: str
    atoms: tuple[int, ...]
    values: dict[str, Any]
    layer: str
    source: str
    penalty: float | None = None

    def as_record(self) -> dict[str, Any]:
        """Return the term as it stands in forcefield.json."""
        return asdict(self)


@dataclass(frozen=True)
class Missing:
    """Why a molecule has no force field; with `term` and `atoms` where it is one term, which a user could give."""

    reason: str
    term: str = ""
    atoms: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.reason


@dataclass
class Parameters:
    """All terms of a molecule, and what could not be had; charges only where a layer brings its own."""

    terms: list[Term] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    layers: dict[str, str] = field(default_factory=dict)
    scaling_14: dict[str, float] = field(default_factory=lambda: dict(AMBER_14))
    excluded_pairs: list[tuple[int, int]] = field(default_factory=list)
    quality: dict[str, Any] = field(default_factory=dict)

    @property
    def refusal(self) -> str:
        """All reasons in one line, each once."""
        return "; ".join(dict.fromkeys(map(str, self.missing)))


def bond_values(length_angstrom: float, k_kj_per_mol_angstrom2: float) -> dict[str, float]:
    """Return the values of a bond with the energy k/2 (r - r0)²."""
    return {"length_angstrom": length_angstrom, "k_kj_per_mol_angstrom2": k_kj_per_mol_angstrom2}


def angle_values(angle_degree: float, k_kj_per_mol_rad2: float) -> dict[str, float]:
    """Return the values of an angle with the energy k/2 (θ - θ0)²."""
    return {"angle_degree": angle_degree, "k_kj_per_mol_rad2": k_kj_per_mol_rad2}


def torsion_values(series: list[tuple[int, float, float]]) -> dict[str, list]:
    """Return the values of a torsion Σ k (1 + cos(nφ - phase)) from (n, phase in degree, k in kJ/mol)."""
    return {
        "periodicity": [n for n, _, _ in series],
        "phase_degree": [phase for _, phase, _ in series],
        "k_kj_per_mol": [k for _, _, k in series],
    }


def lj_values(rmin_half_angstrom: float, epsilon_kcal_per_mol: float) -> dict[str, float]:
    """Return σ and ε from the half distance of the minimum and the depth that AMBER's tables print."""
    return {
        "sigma_angstrom": 2.0 * rmin_half_angstrom * 2.0 ** (-1.0 / 6.0),
        "epsilon_kj_per_mol": epsilon_kcal_per_mol * KCAL_KJ,
    }


def opls_series(v1: float, v2: float, v3: float, v4: float) -> list[tuple[int, float, float]]:
    """Return an OPLS torsion as a series of periodic terms, exactly.

    E = V1/2 (1 + cos φ) + V2/2 (1 - cos 2φ) + V3/2 (1 + cos 3φ) + V4/2 (1 - cos 4φ)
    (Jorgensen, Maxwell and Tirado-Rives, J. Am. Chem. Soc. 118, 11225 (1996), doi 10.1021/ja9621760).
    """
    every = [(1, 0.0, v1 / 2), (2, 180.0, v2 / 2), (3, 0.0, v3 / 2), (4, 180.0, v4 / 2)]
    return [term for term in every if term[2] != 0.0]
