"""Box recipes: one simulated system a file, in the units of a laboratory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, model_validator

from electroscreen.inputs import InputError, Model, did_you_mean, parse_model, read_named
from electroscreen.sites import check_site, check_species
from electroscreen.species import Species, molecule


class Amount(Model):
    """How much of a species goes in: exactly one of these."""

    mass_g: float | None = Field(default=None, gt=0)
    volume_ml: float | None = Field(default=None, gt=0)
    amount_mmol: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_measure(self) -> Amount:
        if [self.mass_g, self.volume_ml, self.amount_mmol].count(None) != 2:
            raise ValueError("give exactly one of mass_g, volume_ml, amount_mmol")
        return self

    def moles(self, species: Species) -> float:
        """Return the amount of substance in mol.

        Raises
        ------
        ValueError
            If a volume is given for a species without density.
        """
        if self.amount_mmol is not None:
            return self.amount_mmol / 1000
        if self.mass_g is not None:
            return self.mass_g / species.molar_mass_g_per_mol
        if species.density_g_per_ml is None:
            raise ValueError(f"a volume needs the density: add density_g_per_ml to the species {species.name}")
        return self.volume_ml * species.density_g_per_ml / species.molar_mass_g_per_mol

    @property
    def label(self) -> str:
        """What the chemist wrote, such as '10 mL'."""
        written = ((self.mass_g, "g"), (self.volume_ml, "mL"), (self.amount_mmol, "mmol"))
        return next(f"{value:g} {unit}" for value, unit in written if value is not None)


class Pairs(Model):
    """Sites around a center whose g(r) and coordination number are wanted."""

    center: str
    partners: list[str] = Field(min_length=1)
    radius_angstrom: float | None = Field(
        default=None, gt=0, le=20, description="a paper's radius, within which partners are counted as well"
    )


class Viscosity(Model):
    """Viscosity of the box's liquid, for what its size takes from diffusion coefficients."""

    mpa_s: float = Field(gt=0, description="best that of the same force field; 1 mPa s is 1 cP")
    source: str = Field(min_length=1, description="where it is from")


class Wanted(Model):
    """What to analyse."""

    sites: dict[str, str] = Field(
        default_factory=dict,
        description="label to SMARTS, whose first atom is meant: with 'carbonyl', 'O(carbonyl of FEC)' is a site",
    )
    coordination: list[Pairs] = Field(default_factory=list)
    diffusion: list[str] = Field(default_factory=list)
    viscosity: Viscosity | None = None
    displacement_ps: float | None = Field(
        default=None, gt=0, description="time over which each ion's displacement is told; the whole run by default"
    )


class BoxRecipe(Model):
    """One simulated system."""

    name: str
    title: str
    temperature_k: float = Field(gt=0, le=2000)
    pressure_bar: float = Field(default=1.0, ge=0, le=1e5)
    recipe: dict[str, Amount] = Field(min_length=1, description="species and amounts; salts split into their ions")
    analysis: Wanted = Field(default_factory=Wanted)
    series: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z][A-Za-z0-9_-]*$",
        description="shared by boxes that differ in temperature only: their transport is fitted together",
    )
    sources: list[str] = Field(default_factory=list)
    notes: str = ""


def read_box(path: Path) -> BoxRecipe:
    """Return the recipe in a YAML file.

    Raises
    ------
    InputError
        One line: which file, which field, what is wrong.
    """
    return parse_model(read_named(Path(path)), BoxRecipe, Path(path))


def molecules_of(box: BoxRecipe, every: Mapping[str, Species]) -> list[str]:
    """Return the species that stand in the box as molecules: ions in place of salts, each once, in recipe order."""
    return list(dict.fromkeys(part for name in box.recipe for part in (every[name].ions or {name: 1})))


def labelled_atoms(box: BoxRecipe, every: Mapping[str, Species]) -> dict[str, dict[str, list[int]]]:
    """Return which atoms the patterns of a box mean: label to species to numbers in one molecule.

    Species without SMILES (cages) have no bonds that a pattern could match.

    Raises
    ------
    ValueError
        If a pattern is no SMARTS.
    """
    from rdkit import Chem, rdBase

    found = {}
    for label, smarts in box.analysis.sites.items():
        with rdBase.BlockLogs():
            pattern = Chem.MolFromSmarts(smarts)
        if pattern is None:
            raise ValueError(f"sites.{label}: '{smarts}' is no SMARTS pattern")
        drawn = {name: molecule(every[name].smiles) for name in molecules_of(box, every) if every[name].smiles}
        matches = {name: one.GetSubstructMatches(pattern, maxMatches=100_000) for name, one in drawn.items()}
        found[label] = {name: sorted({match[0] for match in of}) for name, of in matches.items() if of}
    return found


def check_box(path: Path, box: BoxRecipe, every: Mapping[str, Species]) -> None:
    """Check a recipe against the species that there are.

    Raises
    ------
    InputError
        For an unknown species, a volume without density, a charged mixture, or a site that the box does not hold.
    """
    for name, amount in box.recipe.items():
        if name not in every:
            raise InputError(f"{path}: recipe.{name}: there is no such species{did_you_mean(name, list(every))}")
        if every[name].charge:
            raise InputError(
                f"{path}: recipe.{name}: carries {every[name].charge:+d} e: a box must be neutral, so give the salt "
                "(a species with 'ions') and not the ion"
            )
        if "." in (every[name].smiles or "") and every[name].ions is None:
            raise InputError(f"{path}: recipe.{name}: is a salt without 'ions': add them to the species {name}")
        try:
            amount.moles(every[name])
        except ValueError as error:
            raise InputError(f"{path}: recipe.{name}: {error}") from None
    symbols = {name: every[name].symbols for name in molecules_of(box, every)}
    try:
        labels = labelled_atoms(box, every)
        for pairs in box.analysis.coordination:
            for site in (pairs.center, *pairs.partners):
                check_site(site, symbols, labels)
        for name in box.analysis.diffusion:
            check_species(name, symbols)
    except ValueError as error:
        raise InputError(f"{path}: analysis: {error}") from None
