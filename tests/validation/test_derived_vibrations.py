"""Derived force fields against the Hessian that they came from, species by species: the table of the README."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_hessian_fit import derive

from electroscreen.species import read_species

SHIPPED = Path(__file__).parents[2] / "molecules" / "species"

# RESP charges of HF/6-31G(d) by kind of atom (cages: C, H at C, and next to nothing on B and its H).
CHARGES = {
    "DFOB": {"F": -0.353, "B": 0.574, "O1": -0.619, "O2": -0.479, "C": 0.664},
    "BOB": {"B": 0.546, "O1": -0.585, "O2": -0.464, "C": 0.662},
}
# Mean error (cm-1), mean relative error, largest errors of bonds (Å) and angles (degree): what was measured, and some.
LIMITS = {
    "DFOB": (80, 0.20, 0.02, 2.0),
    "BOB": (90, 0.25, 0.02, 2.0),
    "o-carborane": (60, 0.10, 0.02, 2.0),
    "m-carborane": (60, 0.10, 0.02, 2.0),
    "p-carborane": (60, 0.10, 0.02, 2.0),
    "BPh4": (60, 0.10, 0.02, 2.0),
}


def charges_of(species) -> list[float] | None:
    """By element; of oxygens those with two neighbours (O2) apart from those with one."""
    from electroscreen.forcefield import graph

    if species.name not in CHARGES:
        return None
    known = CHARGES[species.name]
    plain = graph.skeleton(species, None)
    atoms = [plain.GetAtomWithIdx(i) for i in range(len(species.symbols))]
    keys = [f"O{a.GetDegree()}" if a.GetSymbol() == "O" else a.GetSymbol() for a in atoms]
    charges = [known[key] for key in keys]
    return [q + (species.charge - sum(charges)) / len(charges) for q in charges]


@pytest.mark.slow
@pytest.mark.parametrize("name", LIMITS)
def test_vibrations_and_minimum(name, as_published):
    one = read_species(SHIPPED / f"{name}.yaml")
    more = {"start": one.start} if one.smiles is None and one.start else {"xyz": one.xyz} if one.xyz else {}
    found, _ = derive(name, one.smiles, one.charge, charges_of(one), **more)
    assert not found.missing
    quality = found.quality
    print(
        f"{name}: {quality['mean_frequency_error_per_cm']:.0f} cm-1 mean, "
        f"{quality['largest_frequency_error_per_cm']:.0f} largest, {quality['relative_frequency_error']:.1%}, "
        f"bonds {quality['largest_bond_error_angstrom']:.4f} Å, angles {quality['largest_angle_error_degree']:.2f}°"
    )
    mean, relative, bond, angle = LIMITS[name]
    assert quality["mean_frequency_error_per_cm"] < mean
    assert quality["relative_frequency_error"] < relative
    assert quality["largest_bond_error_angstrom"] < bond
    assert quality["largest_angle_error_degree"] < angle
    as_published(name, "GFN2-xTB", quality)
