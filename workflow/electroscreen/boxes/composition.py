"""From a recipe in lab units to whole molecules, with what rounding did said aloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from electroscreen.boxes.amounts import AVOGADRO_PER_MOL, CM3_PER_ANGSTROM3, molar_volume_ml_per_mol, moles_of
from electroscreen.conversions import Length, lengths_of
from electroscreen.inputs import InputError
from electroscreen.recipes import BoxRecipe, formula_units_of
from electroscreen.species import Species

# How far the number of atoms may move from the one asked for, to make the rounding small.
SIZE_FREEDOM = 0.05

# Rounding that changes a concentration by more is a warning.
ROUNDING_TOLD_PERCENT = 10.0

# A mixture that shrinks or swells by more against its unmixed components is a slip of the pen.
DENSITY_AGAINST_IDEAL = (0.5, 1.5)


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

    def density_g_per_ml(self, edge_angstrom: float) -> float:
        """Density of this composition in a cube."""
        return self.mass_g_per_mol / AVOGADRO_PER_MOL / (edge_angstrom**3 * CM3_PER_ANGSTROM3)


def compose(box: BoxRecipe, every: Mapping[str, Species], atoms: int) -> Composition:
    """Scale a recipe to about `atoms` atoms and round it to whole formula units.

    The size is chosen within 5 % of `atoms` so that the largest relative rounding error is least; a recipe in counts is
    taken as it stands.

    Raises
    ------
    InputError
        If a component would vanish, the box would not be neutral, or could not have the density or edge given.
    """
    atoms = max(atoms, box.atoms_at_least or 0)
    components = whole_formula_units(box, every, atoms)
    counts = {component.species: component.count for component in components}
    molecules = _split_salts(counts, every)
    mass = sum(count * every[name].molar_mass_g_per_mol for name, count in counts.items())
    volume_ml, warnings = _ideal_volume_ml_per_mol(counts, every)
    composition = Composition(
        components=components,
        molecules=molecules,
        atoms=sum(count * len(every[name].symbols) for name, count in molecules.items()),
        net_charge_e=sum(count * every[name].charge for name, count in molecules.items()),
        mass_g_per_mol=mass,
        ideal_density_g_per_ml=mass / volume_ml,
        warnings=[*warnings, *rounding_warnings(components, atoms)],
    )
    _check_start(box, composition)
    return composition


def whole_formula_units(box: BoxRecipe, every: Mapping[str, Species], atoms: int) -> list[Component]:
    """Scale a recipe to about `atoms` atoms and round each line of it; raises as `compose` does."""
    atoms = max(atoms, box.atoms_at_least or 0)
    moles, written = _after_conversion(box, moles_of(box, every), every)
    atoms_per_mole = sum(amount * len(every[name].symbols) for name, amount in moles.items())
    if any(amount.measure == "count" for amount in box.recipe.values()):
        # A count is a number of molecules and no ratio, so there is nothing to scale.
        counts, scale = {name: int(np.rint(amount)) for name, amount in moles.items()}, 1.0
    else:
        counts, scale = _round(moles, atoms / atoms_per_mole)
    for name, count in counts.items():
        if count == 0:
            needed = int(np.ceil(atoms_per_mole / moles[name]))
            raise InputError(
                f"box {box.name}: recipe.{name}: {written[name]} is less than half a molecule in {atoms} "
                f"atoms; a box of {needed} atoms would hold one (settings: box.atoms, or the box's own atoms_at_least)"
            )
    net_charge = sum(count * every[name].charge for name, count in counts.items())
    if net_charge:
        raise InputError(f"box {box.name}: recipe: carries {net_charge:+d} e: add the counter-ion")
    return [
        Component(name, written[name], moles[name], count, 100 * (count / (scale * moles[name]) - 1))
        for name, count in counts.items()
    ]


def rounding_warnings(components: list[Component], atoms: int) -> list[str]:
    """Say of each component that rounding changed by more than 10 % how large a box would do better."""
    told = []
    for component in components:
        exact = component.count / (1 + component.rounding_percent / 100)
        if abs(component.rounding_percent) > ROUNDING_TOLD_PERCENT:
            # Half a molecule is the most that rounding can take or add.
            needed = int(np.ceil(atoms * 0.5 / exact / (ROUNDING_TOLD_PERCENT / 100) / 100) * 100)
            told.append(
                f"{component.species}: {component.count} stands for {exact:.2f}, so its concentration is off by "
                f"{component.rounding_percent:+.0f} %; {needed} atoms would keep that below {ROUNDING_TOLD_PERCENT:g} %"
            )
    return told


def concentrations(
    composition: Composition, every: Mapping[str, Species], density_g_per_ml: float
) -> list[dict[str, float]]:
    """Return of each component its mass share and mol/L at a density, and the mol/L before rounding."""
    counts = np.array([component.count for component in composition.components])
    rounding = np.array([component.rounding_percent / 100 for component in composition.components])
    masses = np.array([every[component.species].molar_mass_g_per_mol for component in composition.components])
    exact = counts / (1 + rounding)
    return [
        {"wt_percent": 100 * n * m / (counts @ masses), "mol_per_l": c, "mol_per_l_before_rounding": before}
        for n, m, c, before in zip(
            counts,
            masses,
            1000 * density_g_per_ml * counts / (counts @ masses),
            1000 * density_g_per_ml * exact / (exact @ masses),
            strict=True,
        )
    ]


def chain_counts(
    box: BoxRecipe, components: list[Component], every: Mapping[str, Species]
) -> dict[str, list[tuple[Length, int]]]:
    """Return for each monomer that has become chains these chains, and how many there are of each."""
    counts = {component.species: component.count for component in components}
    return {
        monomer: [(length, counts[length.species]) for length in lengths_of(conversion, every)]
        for monomer, conversion in box.conversion.items()
    }


def conversion_percent(box: BoxRecipe, components: list[Component], every: Mapping[str, Species]) -> dict[str, float]:
    """Return for each monomer how much of it is in whole chains, in percent, after rounding."""
    counts = {component.species: component.count for component in components}
    chains = chain_counts(box, components, every)
    taken = {monomer: sum(length.units * count for length, count in of_one) for monomer, of_one in chains.items()}
    return {monomer: 100 * units / (units + counts.get(monomer, 0)) for monomer, units in taken.items()}


def _after_conversion(
    box: BoxRecipe, moles: Mapping[str, float], every: Mapping[str, Species]
) -> tuple[dict[str, float], dict[str, str]]:
    """Return moles of what is left to stand in the box, and what the chemist wrote of each."""
    made, written = {}, {}
    for monomer, conversion in box.conversion.items():
        lengths = lengths_of(conversion, every)
        chains = moles[monomer] * conversion.percent / 100 / sum(length.share * length.units for length in lengths)
        for length in lengths:
            made[length.species] = chains * length.share
            part = f", {100 * length.share:.3g} % of its chains" if len(lengths) > 1 else ""
            written[length.species] = f"{conversion.percent:g} % of {monomer}{part}"
    for name, amount in box.recipe.items():
        conversion = box.conversion.get(name)
        share = 1 - conversion.percent / 100 if conversion else 1.0
        made[name] = share * moles[name]
        written[name] = amount.label + (f", {100 * share:g} % left" if conversion else "")
    names = formula_units_of(box)
    return {name: made[name] for name in names}, {name: written[name] for name in names}


def _check_start(box: BoxRecipe, composition: Composition) -> None:
    ideal = composition.ideal_density_g_per_ml
    least, most = (factor * ideal for factor in DENSITY_AGAINST_IDEAL)
    if box.density_g_per_ml is not None and not least <= box.density_g_per_ml <= most:
        raise InputError(
            f"box {box.name}: density_g_per_ml: is {box.density_g_per_ml:g}, but the unmixed components come to "
            f"{ideal:.3g} g/mL: a mixture lies between {least:.2g} and {most:.2g}"
        )
    if box.edge_angstrom is not None and composition.density_g_per_ml(box.edge_angstrom) > ideal:
        raise InputError(
            f"box {box.name}: edge_angstrom: {composition.atoms} atoms in a cube of {box.edge_angstrom:g} Å are "
            f"{composition.density_g_per_ml(box.edge_angstrom):.3g} g/mL and the unmixed components {ideal:.3g}: "
            f"packing needs {composition.edge_angstrom(0.8 * ideal):.0f} Å, or fewer atoms (settings: box.atoms)"
        )


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
        one, estimated = molar_volume_ml_per_mol(every[name])
        volume += count * one
        if estimated:
            warnings.append(f"ideal density: {name} has no density, so it counts with its van der Waals volume / 0.7")
    return volume, warnings
