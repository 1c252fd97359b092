"""From a recipe in lab units to whole molecules, with what rounding did said aloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from electroscreen.inputs import InputError
from electroscreen.recipes import BoxRecipe
from electroscreen.species import Species, molecule

AVOGADRO_PER_MOL = 6.02214076e23  # exact, SI 2019
CM3_PER_ANGSTROM3 = 1e-24

# How far the number of atoms may move from the one asked for, to make the rounding small.
SIZE_FREEDOM = 0.05

# Share of a molecular crystal's volume that van der Waals spheres fill (Kitaigorodskii, Molecular Crystals and
# Molecules, 1973: 0.65 to 0.77); used where a salt has no density.
CRYSTAL_PACKING = 0.70


@dataclass(frozen=True)
class Component:
    """One line of a recipe, as whole formula units."""

    species: str
    written: str
    moles: float
    count: int
    rounding_percent: float


@dataclass(frozen=True)
class Composition:
    """A box as whole molecules."""

    components: list[Component]
    molecules: dict[str, int]
    atoms: int
    net_charge_e: int
    mass_g_per_mol: float
    ideal_density_g_per_ml: float
    warnings: list[str]

    def edge_angstrom(self, density_g_per_ml: float) -> float:
        """Edge of the cube that holds this composition at a density."""
        volume_cm3 = self.mass_g_per_mol / AVOGADRO_PER_MOL / density_g_per_ml
        return float((volume_cm3 / CM3_PER_ANGSTROM3) ** (1 / 3))


def compose(box: BoxRecipe, every: Mapping[str, Species], atoms: int) -> Composition:
    """Scale a recipe to about `atoms` atoms and round it to whole formula units.

    The size is chosen within 5 % of `atoms` so that the largest relative rounding error is least.

    Raises
    ------
    InputError
        If a component would vanish, or the box would not be neutral.
    """
    components = whole_formula_units(box, every, atoms)
    counts = {component.species: component.count for component in components}
    molecules = _split_salts(counts, every)
    mass = sum(count * every[name].molar_mass_g_per_mol for name, count in counts.items())
    volume_ml, warnings = _ideal_volume_ml_per_mol(counts, every)
    return Composition(
        components=components,
        molecules=molecules,
        atoms=sum(count * len(every[name].symbols) for name, count in molecules.items()),
        net_charge_e=sum(count * every[name].charge for name, count in molecules.items()),
        mass_g_per_mol=mass,
        ideal_density_g_per_ml=mass / volume_ml,
        warnings=warnings,
    )


def whole_formula_units(box: BoxRecipe, every: Mapping[str, Species], atoms: int) -> list[Component]:
    """Scale a recipe to about `atoms` atoms and round each line of it; raises as `compose` does."""
    moles = {name: amount.moles(every[name]) for name, amount in box.recipe.items()}
    atoms_per_mole = sum(amount * len(every[name].symbols) for name, amount in moles.items())
    counts, scale = _round(moles, atoms / atoms_per_mole)
    for name, count in counts.items():
        if count == 0:
            needed = int(np.ceil(atoms_per_mole / moles[name]))
            raise InputError(
                f"box {box.name}: recipe.{name}: {box.recipe[name].label} is less than half a molecule in {atoms} "
                f"atoms; a box of {needed} atoms would hold one (settings: box.atoms)"
            )
    net_charge = sum(count * every[name].charge for name, count in counts.items())
    if net_charge:
        raise InputError(f"box {box.name}: recipe: carries {net_charge:+d} e: add the counter-ion")
    return [
        Component(name, box.recipe[name].label, moles[name], count, 100 * (count / (scale * moles[name]) - 1))
        for name, count in counts.items()
    ]


def _round(moles: dict[str, float], scale: float) -> tuple[dict[str, int], float]:
    """Return the counts and the exact factor (molecules per mole) that they round."""
    amounts = np.array(list(moles.values()))
    best: tuple[float, float, np.ndarray] | None = None
    # From the middle outwards, so that of equal errors the size asked for wins.
    for step in sorted(np.linspace(-SIZE_FREEDOM, SIZE_FREEDOM, 401), key=abs):
        counts = np.rint(scale * (1 + step) * amounts)
        fitted = scale if not counts.any() else float((counts @ amounts) / (amounts @ amounts))
        error = float(np.abs(counts / (fitted * amounts) - 1).max())
        if best is None or error < best[0] - 1e-12:
            best = (error, fitted, counts)
    _, fitted, counts = best
    return {name: int(count) for name, count in zip(moles, counts, strict=True)}, fitted


def _split_salts(counts: dict[str, int], every: Mapping[str, Species]) -> dict[str, int]:
    molecules: dict[str, int] = {}
    for name, count in counts.items():
        for part, number in (every[name].ions or {name: 1}).items():
            molecules[part] = molecules.get(part, 0) + count * number
    return molecules


def _ideal_volume_ml_per_mol(counts: dict[str, int], every: Mapping[str, Species]) -> tuple[float, list[str]]:
    """Volume of the unmixed components; those without density at the packing of a molecular crystal."""
    volume, warnings = 0.0, []
    for name, count in counts.items():
        species = every[name]
        if species.density_g_per_ml is not None:
            volume += count * species.molar_mass_g_per_mol / species.density_g_per_ml
            continue
        volume += count * _van_der_waals_volume_ml_per_mol(species) / CRYSTAL_PACKING
        warnings.append(f"ideal density: {name} has no density, so it counts with its van der Waals volume / 0.7")
    return volume, warnings


def _van_der_waals_volume_ml_per_mol(species: Species) -> float:
    """Molar van der Waals volume; of a cage without SMILES, overlapping spheres are counted whole."""
    from rdkit import Chem
    from rdkit.Chem import AllChem

    table = Chem.GetPeriodicTable()
    if species.smiles is None:
        volume = sum(4 / 3 * np.pi * table.GetRvdw(symbol) ** 3 for symbol in species.symbols)
        return volume * CM3_PER_ANGSTROM3 * AVOGADRO_PER_MOL
    volume = 0.0
    for part in Chem.GetMolFrags(molecule(species.smiles), asMols=True, sanitizeFrags=False):
        if part.GetNumAtoms() == 1 and part.GetAtomWithIdx(0).GetFormalCharge() > 0:
            # Van der Waals radii are those of the neutral atoms; a cation is a few Å³ and sits between the anions.
            continue
        if part.GetNumAtoms() == 1:
            volume += 4 / 3 * np.pi * table.GetRvdw(part.GetAtomWithIdx(0).GetSymbol()) ** 3
            continue
        AllChem.EmbedMolecule(part, randomSeed=2026, useRandomCoords=True)
        volume += AllChem.ComputeMolVolume(part)
    return volume * CM3_PER_ANGSTROM3 * AVOGADRO_PER_MOL
