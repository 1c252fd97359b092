"""Box recipes: one simulated system a file, in the units of a laboratory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator, model_validator

from electroscreen.conversions import Conversion, lengths_of
from electroscreen.inputs import InputError, Model, did_you_mean, parse_model, read_named
from electroscreen.sites import check_site, check_species
from electroscreen.species import Species, hill_formula, molecule

# How an amount may be written, and its sign in print. The first group stands by itself; shares make up the solvent
# mixture; the last group is dissolved in all of these, or added to them.
WEIGHED = {"mass_g": "g", "volume_ml": "mL", "amount_mmol": "mmol"}
RATIOS = {"mole_ratio": "mol parts"}
COUNTED = {"count": "in the box"}
SHARES = {"vol_percent": "vol %", "wt_percent": "wt %"}
DISSOLVED = {"mol_per_l": "mol/L", "mol_per_kg": "mol/kg", "o_per_cation": "O per cation"}
ADDED = {"additive_wt_percent": "wt % of all"}
MEASURES = WEIGHED | RATIOS | COUNTED | SHARES | DISSOLVED | ADDED

# Rounded shares such as three times 33.3 vol % are what a chemist writes for thirds.
PERCENT_SLACK = 0.2


class Amount(Model):
    """How much of a species goes in: exactly one of these."""

    mass_g: float | None = Field(default=None, gt=0)
    volume_ml: float | None = Field(default=None, gt=0)
    amount_mmol: float | None = Field(default=None, gt=0)
    mole_ratio: float | None = Field(default=None, gt=0, description="parts by amount of substance")
    count: int | None = Field(default=None, gt=0, description="formula units in the box, whatever its size setting")
    vol_percent: float | None = Field(default=None, gt=0, le=100, description="share of the solvents' unmixed volumes")
    wt_percent: float | None = Field(default=None, gt=0, le=100, description="share of the solvents' mass")
    mol_per_l: float | None = Field(default=None, gt=0, description="per litre of solution")
    mol_per_kg: float | None = Field(
        default=None, gt=0, description="molality: per kilogram of what it is dissolved in"
    )
    o_per_cation: float | None = Field(
        default=None, gt=0, description="of a salt: oxygen atoms of solvents, monomers and chains per cation"
    )
    additive_wt_percent: float | None = Field(default=None, gt=0, lt=100, description="share of the mass of everything")

    @model_validator(mode="after")
    def _one_measure(self) -> Amount:
        if sum(getattr(self, key) is not None for key in MEASURES) != 1:
            raise ValueError(f"give exactly one of {', '.join(MEASURES)}")
        return self

    @property
    def measure(self) -> str:
        """Which of the measures was given."""
        return next(key for key in MEASURES if getattr(self, key) is not None)

    @property
    def value(self) -> float:
        """The number that was given."""
        return getattr(self, self.measure)

    def moles(self, species: Species) -> float:
        """Return the amount of substance in mol; of a ratio, share or count in parts that suit the other lines'.

        Raises
        ------
        ValueError
            If a volume is given for a species without density, or the amount depends on the other lines.
        """
        measure, value = self.measure, self.value
        if measure in ("mass_g", "wt_percent"):
            return value / species.molar_mass_g_per_mol
        if measure in ("volume_ml", "vol_percent"):
            if species.density_g_per_ml is None:
                raise ValueError(f"a volume needs the density: add density_g_per_ml to the species {species.name}")
            return value * species.density_g_per_ml / species.molar_mass_g_per_mol
        if measure == "amount_mmol":
            return value / 1000
        if measure in DISSOLVED | ADDED:
            raise ValueError(f"{measure} depends on the other lines of the recipe")
        return float(value)

    @property
    def label(self) -> str:
        """What the chemist wrote, such as '10 mL'."""
        return f"{self.value:g} {MEASURES[self.measure]}"


class Pairs(Model):
    """Sites around a center whose g(r) and coordination number are wanted."""

    center: str
    partners: list[str] = Field(min_length=1)
    radius_angstrom: float | None = Field(
        default=None, gt=0, le=20, description="a paper's radius, within which partners are counted as well"
    )


class Viscosity(Model):
    """Viscosity of the box's liquid, for what its size takes from diffusion coefficients where its own is not known."""

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
    conversion: dict[str, Conversion] = Field(default_factory=dict, description="monomers that have become chains")
    density_g_per_ml: float | None = Field(
        default=None, gt=0, lt=25, description="of the mixture, where it is known: packing starts below it"
    )
    edge_angstrom: float | None = Field(default=None, gt=0, description="edge of the cube that is packed")
    atoms_at_least: int | None = Field(
        default=None, ge=100, description="size where the settings' box.atoms is smaller: a trace needs a large box"
    )
    analysis: Wanted = Field(default_factory=Wanted)
    series: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z][A-Za-z0-9_-]*$",
        description="shared by boxes that differ in temperature only: their transport is fitted together",
    )
    sources: list[str] = Field(default_factory=list)
    notes: str = ""

    @model_validator(mode="after")
    def _one_start(self) -> BoxRecipe:
        if self.density_g_per_ml is not None and self.edge_angstrom is not None:
            raise ValueError("give density_g_per_ml or edge_angstrom to start from, not both")
        return self

    @field_validator("recipe")
    @classmethod
    def _measures_go_together(cls, recipe: dict[str, Amount]) -> dict[str, Amount]:
        kinds: dict[str, str] = {}
        for name, amount in recipe.items():
            if amount.measure not in DISSOLVED | ADDED:
                kinds.setdefault("g, mL or mmol" if amount.measure in WEIGHED else amount.measure, name)
        if not kinds:
            raise ValueError("says of nothing how much there is: give the solvent an amount or a share of its own")
        if len(kinds) > 1:
            (one, first), (other, second), *_ = kinds.items()
            raise ValueError(f"{first} is given in {one} and {second} in {other}, which do not add up: use one of them")
        for measure in SHARES:
            shares = [amount.value for amount in recipe.values() if amount.measure == measure]
            if shares and abs(sum(shares) - 100) > PERCENT_SLACK:
                raise ValueError(
                    f"the {SHARES[measure]} of the solvents add up to {sum(shares):g} instead of 100 "
                    "(what is added on top is given as additive_wt_percent)"
                )
        return recipe

    @field_validator("conversion")
    @classmethod
    def _monomers_are_there(cls, conversions: dict[str, Conversion], info: ValidationInfo) -> dict[str, Conversion]:
        recipe = list(info.data.get("recipe", {}))
        chains = [name for conversion in conversions.values() for name in conversion.chains]
        for monomer, conversion in conversions.items():
            if recipe and monomer not in recipe:
                raise ValueError(f"the recipe holds no {monomer}{did_you_mean(monomer, recipe)}")
            for name in conversion.chains:
                if name in recipe or chains.count(name) > 1:
                    raise ValueError(f"{name} comes from {monomer} and from elsewhere: name the chains apart")
        return conversions


def read_box(path: Path) -> BoxRecipe:
    """Return the recipe in a YAML file.

    Raises
    ------
    InputError
        One line: which file, which field, what is wrong.
    """
    return parse_model(read_named(Path(path)), BoxRecipe, Path(path))


def species_of(box: BoxRecipe) -> list[str]:
    """Return the species that a box names: those of the recipe, and the chains that some become."""
    return [*box.recipe, *(name for conversion in box.conversion.values() for name in conversion.chains)]


def formula_units_of(box: BoxRecipe) -> list[str]:
    """Return the species that are left to stand in the box once monomers have become chains, in recipe order."""
    names = []
    for name in box.recipe:
        conversion = box.conversion.get(name)
        names += [] if conversion and conversion.percent == 100 else [name]
        names += conversion.chains if conversion else []
    return names


def molecules_of(box: BoxRecipe, every: Mapping[str, Species]) -> list[str]:
    """Return the species that stand in the box as molecules: ions in place of salts, each once, in recipe order."""
    units = formula_units_of(box)
    return list(dict.fromkeys(part for name in units for part in (every[name].ions or {name: 1})))


def end_groups(monomer: Species, chain: Species, units: int) -> str:
    """Return the Hill formula of what a chain holds besides its monomers.

    Raises
    ------
    ValueError
        If the chain does not hold so many monomers, or could hold more.
    """
    one, whole = Counter(monomer.symbols), Counter(chain.symbols)
    fits = min(whole[symbol] // number for symbol, number in one.items())
    if fits != units:
        raise ValueError(
            f"{chain.name} ({chain.formula}) holds {fits} of {monomer.name} ({monomer.formula}), not {units}"
        )
    rest = whole - Counter({symbol: units * number for symbol, number in one.items()})
    return hill_formula(list(rest.elements()))


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
        For an unknown species, a volume without density, a charged mixture, a chain that does not fit its monomer, or
        a site that the box does not hold.
    """
    check_lines(path, box, every)
    for name, amount in box.recipe.items():
        if amount.measure not in DISSOLVED | ADDED:
            try:
                amount.moles(every[name])
            except ValueError as error:
                raise InputError(f"{path}: recipe.{name}: {error}") from None
        elif amount.measure == "o_per_cation" and not cations(every[name], every):
            raise InputError(f"{path}: recipe.{name}: o_per_cation is a salt's, but {name} holds no cation")
    for name, conversion in box.conversion.items():
        try:
            for length in lengths_of(conversion, every):
                end_groups(every[name], every[length.species], length.units)
        except ValueError as error:
            raise InputError(f"{path}: conversion.{name}.into: {error}") from None
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


def check_lines(path: Path, box: BoxRecipe, every: Mapping[str, Species]) -> None:
    """Check that a box names species that there are, and none with a charge.

    Raises
    ------
    InputError
    """
    for name in box.recipe:
        _check_line(f"{path}: recipe.{name}", name, every)
    for name, conversion in box.conversion.items():
        for chain in conversion.chains:
            _check_line(f"{path}: conversion.{name}.into", chain, every)


def cations(salt: Species, every: Mapping[str, Species]) -> int:
    """Return how many cations a formula unit holds."""
    return sum(count for ion, count in (salt.ions or {}).items() if every[ion].charge > 0)


def _check_line(field: str, name: str, every: Mapping[str, Species]) -> None:
    if name not in every:
        raise InputError(f"{field}: there is no such species{did_you_mean(name, list(every))}")
    if every[name].charge:
        raise InputError(
            f"{field}: carries {every[name].charge:+d} e: a box must be neutral, so give the salt "
            "(a species with 'ions') and not the ion"
        )
    if "." in (every[name].smiles or "") and every[name].ions is None:
        raise InputError(f"{field}: is a salt without 'ions': add them to the species {name}")
