"""Amounts of substance: what each line of a recipe comes to, whichever way it was written."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from electroscreen.inputs import InputError
from electroscreen.recipes import ADDED, DISSOLVED, BoxRecipe, cations
from electroscreen.species import Species, molecule, parse_xyz

AVOGADRO_PER_MOL = 6.02214076e23  # exact, SI 2019
CM3_PER_ANGSTROM3 = 1e-24

# Share of a molecular crystal's volume that van der Waals spheres fill (Kitaigorodskii, Molecular Crystals and
# Molecules, 1973: 0.65 to 0.77); used where a salt has no density.
CRYSTAL_PACKING = 0.70

GRID_ANGSTROM = 0.15


def moles_of(box: BoxRecipe, every: Mapping[str, Species]) -> dict[str, float]:
    """Return the moles of each line of a recipe, before any monomer has become chains.

    Lines with an amount or a share of their own are what the others are dissolved in. Per litre of solution means a
    volume that is ideal (unmixed volumes add up), or that of the mass at the box's `density_g_per_ml`. Of m kilograms
    of solvent with V litres, each dissolved line j and each additive a gives one linear equation:
    n_j = c_j (V + Σ v_k n_k), n_j = b_j m, and n_a M_a = w_a (m + Σ M_k n_k).

    Raises
    ------
    InputError
        If so much cannot be dissolved.
    """
    amounts = {name: amount for name, amount in box.recipe.items() if amount.measure in DISSOLVED | ADDED}
    moles = {name: box.recipe[name].moles(every[name]) for name in box.recipe if name not in amounts}
    if not amounts:
        return moles
    masses = {name: every[name].molar_mass_g_per_mol for name in box.recipe}
    liters = _liters_per_mol(box, every) if any(a.measure == "mol_per_l" for a in amounts.values()) else {}
    solvent_g = sum(n * masses[name] for name, n in moles.items())
    oxygens = sum(n * every[name].symbols.count("O") for name, n in moles.items() if every[name].ions is None)
    rows = np.eye(len(amounts))
    known = np.zeros(len(amounts))
    for row, (name, amount) in enumerate(amounts.items()):
        if amount.measure == "mol_per_kg":
            known[row] = amount.value * solvent_g / 1000
        elif amount.measure == "o_per_cation":
            known[row] = oxygens / amount.value / cations(every[name], every)
        elif amount.measure == "mol_per_l":
            known[row] = amount.value * sum(n * liters[other] for other, n in moles.items())
            rows[row] -= [amount.value * liters[other] for other in amounts]
        else:
            share = amount.value / 100 / masses[name]
            known[row] = share * solvent_g
            rows[row] -= [share * masses[other] for other in amounts]
    found = np.linalg.solve(rows, known) if abs(np.linalg.det(rows)) > 1e-9 else np.full(len(amounts), -1.0)
    for (name, amount), n in zip(amounts.items(), found, strict=True):
        if not n > 0:
            dry = amount.measure == "o_per_cation" and not oxygens
            why = (
                "what it is dissolved in holds no oxygen"
                if dry
                else "no room would be left for what it is dissolved in"
            )
            raise InputError(f"box {box.name}: recipe.{name}: {amount.label} cannot be: {why}")
    solved = dict(zip(amounts, map(float, found), strict=True))
    return {name: moles[name] if name in moles else solved[name] for name in box.recipe}


def molar_volume_ml_per_mol(species: Species) -> tuple[float, bool]:
    """Return the volume of a mole, and whether it had to be estimated as that of a molecular crystal."""
    if species.density_g_per_ml is not None:
        return species.molar_mass_g_per_mol / species.density_g_per_ml, False
    return van_der_waals_volume_ml_per_mol(species) / CRYSTAL_PACKING, True


def van_der_waals_volume_ml_per_mol(species: Species) -> float:
    """Return the molar volume inside the van der Waals spheres of a species; lone cations count as nothing."""
    atoms = species.xyz or (species.start and species.start.xyz)
    volume = _atoms_angstrom3(atoms) if species.smiles is None else _drawn_angstrom3(species.smiles)
    return volume * CM3_PER_ANGSTROM3 * AVOGADRO_PER_MOL


# Half a second for a salt that may stand in every box.
@lru_cache(maxsize=1024)
def _atoms_angstrom3(xyz: str) -> float:
    from rdkit import Chem

    atoms, table = parse_xyz(xyz), Chem.GetPeriodicTable()
    return spheres_volume_angstrom3([x for _, x in atoms], [table.GetRvdw(symbol) for symbol, _ in atoms])


@lru_cache(maxsize=1024)
def _drawn_angstrom3(smiles: str) -> float:
    from rdkit import Chem
    from rdkit.Chem import AllChem

    table = Chem.GetPeriodicTable()
    volume = 0.0
    for part in Chem.GetMolFrags(molecule(smiles), asMols=True, sanitizeFrags=False):
        if part.GetNumAtoms() == 1 and part.GetAtomWithIdx(0).GetFormalCharge() > 0:
            # Van der Waals radii are those of the neutral atoms; a cation is a few Å³ and sits between the anions.
            continue
        if part.GetNumAtoms() == 1:
            volume += 4 / 3 * np.pi * table.GetRvdw(part.GetAtomWithIdx(0).GetSymbol()) ** 3
            continue
        AllChem.EmbedMolecule(part, randomSeed=2026, useRandomCoords=True)
        volume += AllChem.ComputeMolVolume(part)
    return volume


def spheres_volume_angstrom3(centers_angstrom, radii_angstrom) -> float:
    """Return the volume of a union of spheres, by counting the points of a grid inside of it (0.15 Å apart)."""
    centers, radii = np.asarray(centers_angstrom, dtype=float), np.asarray(radii_angstrom, dtype=float)
    low, high = centers.min(axis=0) - radii.max(), centers.max(axis=0) + radii.max()
    axes = [np.arange(a, b + GRID_ANGSTROM, GRID_ANGSTROM) for a, b in zip(low, high, strict=True)]
    inside = np.zeros([len(axis) for axis in axes], dtype=bool)
    for center, radius in zip(centers, radii, strict=True):
        x, y, z = (axis - c for axis, c in zip(axes, center, strict=True))
        inside |= x[:, None, None] ** 2 + y[:, None] ** 2 + z**2 < radius**2
    return float(inside.sum() * GRID_ANGSTROM**3)


def _liters_per_mol(box: BoxRecipe, every: Mapping[str, Species]) -> dict[str, float]:
    if box.density_g_per_ml is not None:
        return {name: every[name].molar_mass_g_per_mol / box.density_g_per_ml / 1000 for name in box.recipe}
    return {name: molar_volume_ml_per_mol(every[name])[0] / 1000 for name in box.recipe}
