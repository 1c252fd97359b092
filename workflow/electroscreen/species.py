"""Species: one molecule, ion or salt a file, checked before anything is computed."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from math import dist, isfinite
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from electroscreen.chains import FRAGMENT_UNITS, Polymer
from electroscreen.inputs import InputError, Model, check_name, did_you_mean, parse_model, read_named
from electroscreen.overrides import OwnForceField, read_own_xml
from electroscreen.smiles import atomic_number, hill_formula, molecule

Role = Literal["cation", "anion", "salt", "solvent", "additive", "interphase", "polymer", "metal"]

# Nothing that belongs together is further apart, ion pairs and parts of complexes included.
LONELY_ANGSTROM = 6.0

_ATOM_LINE = re.compile(r"\s*([A-Z][a-z]?)((?:\s+[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?){3})\s*")


class StartingGeometry(Model):
    """A geometry to start from, so that the optimisation needs a few steps only."""

    level: str = Field(description="level of theory that this geometry came from")
    xyz: str = Field(description="one line an atom: symbol x y z, in angstrom")

    @field_validator("xyz", mode="after")
    @classmethod
    def _readable_atoms(cls, text: str) -> str:
        _check_together(parse_xyz(text))
        return text


def _surrounding(solvent: object) -> object:
    if isinstance(solvent, bool) or not isinstance(solvent, int | float | str | None):
        raise ValueError("should be a dielectric constant, or the name of a solvent in SMD")
    if isinstance(solvent, str):
        from pyscf.solvent.smd import solvent_db

        known = [name for name in solvent_db if name]
        if solvent not in known:
            hint = did_you_mean(solvent, known)
            raise ValueError(f"SMD knows no solvent '{solvent}'{hint}; a dielectric constant will do too")
    elif solvent is not None and not 1 < solvent < 1000:
        raise ValueError(f"a dielectric constant lies above 1 and below 1000, found {solvent:g}")
    return solvent


ImplicitSolvent = Annotated[float | str, BeforeValidator(_surrounding)]
"""A solvent without molecules: a dielectric constant (PCM), or the name of a solvent in SMD."""


def solvent_label(solvent: float | str | None) -> str:
    """Return what tables call a medium."""
    if solvent is None:
        return "vacuum"
    return f"SMD {solvent}" if isinstance(solvent, str) else f"PCM {solvent:g}"


class Species(Model):
    """Whatever has electrons to compute: a molecule, an ion, or a salt as one neutral cluster."""

    name: str
    title: str = Field(description="what a chemist calls it, for tables and figures")
    role: Role
    charge: int = 0
    multiplicity: int = Field(default=1, ge=1, le=11, description="2S + 1")
    smiles: str | None = None
    xyz: str | None = Field(default=None, description="atoms, where no SMILES can say them (cages)")
    polymer: Polymer | None = Field(default=None, description="a chain, in the place of 'smiles'")
    start: StartingGeometry | None = None
    search: bool = Field(
        default=True, description="look for lower structures; false keeps the basin of 'start', as a paper shows it"
    )
    ions: dict[str, int] | None = Field(default=None, description="of a salt: its ions as species, with counts")
    screen: bool = Field(
        default=True, description="compute its orbitals; false: it is only a part of complexes or boxes"
    )
    variant_of: str | None = Field(
        default=None, description="the species of which this is another conformer or site, for tables of levels"
    )
    density_g_per_ml: float | None = Field(default=None, ge=0.1, lt=25, description="of the pure liquid at 25 °C")
    dielectric_constant: float | None = Field(
        default=None, gt=1, lt=1000, description="of the pure liquid, for charges in its continuum"
    )
    refractive_index: float | None = Field(
        default=None, gt=1, lt=3, description="n_D of the pure liquid, for ions' charges scaled by 'ecc'"
    )
    solvent: ImplicitSolvent | None = Field(
        default=None,
        description="around it where redox is computed: a dielectric constant (PCM), or the name of a solvent in SMD",
    )
    forcefield: OwnForceField | None = Field(default=None, description="force-field terms of your own")
    sources: list[str] = Field(default_factory=list)
    notes: str = ""

    @model_validator(mode="before")
    @classmethod
    def _written_chain(cls, data: object) -> object:
        if not isinstance(data, dict) or data.get("polymer") is None or isinstance(data["polymer"], Polymer):
            return data
        if any(data.get(key) is not None for key in ("smiles", "xyz")):
            raise ValueError("give either 'polymer' or 'smiles' or 'xyz', not two of them")
        try:
            chain = Polymer.model_validate(data["polymer"])
        except ValidationError:
            return data  # which the field itself explains
        molecule(chain.smiles(1))
        return data | {"smiles": chain.smiles()}

    @field_validator("xyz", mode="after")
    @classmethod
    def _readable_atoms(cls, text: str | None) -> str | None:
        if text is not None:
            _check_together(parse_xyz(text))
        return text

    @model_validator(mode="after")
    def _one_structure(self) -> Species:
        given = [key for key in ("smiles", "xyz") if getattr(self, key) is not None]
        if len(given) == 2 or not (given or self.start):
            raise ValueError("give its atoms as either 'smiles' or 'xyz', or as 'start' with the level it came from")
        if not self.search and self.start is None:
            raise ValueError("search: false keeps the structure in 'start', but there is none")
        if self.start is not None:
            atoms = [symbol for symbol, _ in parse_xyz(self.start.xyz)]
            if atoms != self.symbols:
                raise ValueError(
                    f"start.xyz must hold the atoms in the order {' '.join(self.symbols)}, found {' '.join(atoms)}"
                )
        return self

    @model_validator(mode="after")
    def _fits_the_molecule(self) -> Species:
        if self.polymer is not None and self.polymer.is_long and self.screen:
            raise ValueError(
                f"polymer: a chain of more than {FRAGMENT_UNITS} units is not computed by DFT: say 'screen: false'"
            )
        if self.forcefield is not None:
            self.forcefield.check_names(self.symbols)
        return self

    @model_validator(mode="after")
    def _charge_and_spin(self) -> Species:
        drawn = self._drawn_charge()
        if drawn is not None and drawn != self.charge:
            raise ValueError(f"charge is {self.charge}, but the SMILES '{self.smiles}' carries {drawn:+d}")
        electrons = self.electrons
        if electrons < self.multiplicity - 1:
            raise ValueError(f"multiplicity {self.multiplicity} needs more than the {electrons} electrons there are")
        if (electrons + self.multiplicity) % 2 == 0:
            raise ValueError(
                f"multiplicity {self.multiplicity} does not fit {electrons} electrons "
                f"(charge {self.charge:+d}): it must be {'odd' if electrons % 2 == 0 else 'even'}"
            )
        return self

    @property
    def symbols(self) -> list[str]:
        """Chemical symbols of all atoms, hydrogens included, in the order of the structure."""
        if self.smiles is not None:
            return [atom.GetSymbol() for atom in molecule(self.smiles).GetAtoms()]
        return [symbol for symbol, _ in parse_xyz(self.xyz or self.start.xyz)]

    @property
    def is_long_chain(self) -> bool:
        """Whether it is a polymer of more than three units, which no quantum chemistry is done on."""
        return self.polymer is not None and self.polymer.is_long

    def trimer(self) -> Species:
        """Return the three units between the same caps that a long chain's parameters come from."""
        written = self.polymer.model_dump() | {"units": FRAGMENT_UNITS}
        charge = self.charge - (self.polymer.units - FRAGMENT_UNITS) * self.polymer.unit_charge()
        return Species(name=self.name, title=self.title, role=self.role, charge=charge, polymer=written)

    @property
    def electrons(self) -> int:
        """Number of electrons, those behind effective core potentials included."""
        return sum(atomic_number(symbol) for symbol in self.symbols) - self.charge

    @property
    def formula(self) -> str:
        """Hill formula without the charge."""
        return hill_formula(self.symbols)

    @property
    def molar_mass_g_per_mol(self) -> float:
        """Standard atomic weights summed."""
        from rdkit import Chem

        table = Chem.GetPeriodicTable()
        return sum(table.GetAtomicWeight(symbol) for symbol in self.symbols)

    def _drawn_charge(self) -> int | None:
        if self.smiles is None:
            return None
        from rdkit import Chem

        return Chem.GetFormalCharge(molecule(self.smiles))


def read_species(path: Path) -> Species:
    """Return the species in a YAML file.

    Raises
    ------
    InputError
        One line: which file, which field, what is wrong.
    """
    path = Path(path)
    data = read_named(path)
    smiles = data.get("smiles")
    if isinstance(smiles, str):
        _check_smiles(smiles, path)
    read_own_xml(data, path)
    return parse_model(data, Species, path)


def species_names(folder: Path) -> list[str]:
    """Return the names of all species files in a folder, without opening them.

    Raises
    ------
    InputError
        If two names differ in nothing but case: on many file systems their results would be one folder.
    """
    for path in Path(folder).glob("*.yml"):
        raise InputError(f"{path}: file name: must end in .yaml, or it is not read")
    names = sorted(path.stem for path in Path(folder).glob("*.yaml"))
    seen: dict[str, str] = {}
    for name in names:
        check_name(name, Path(folder) / f"{name}.yaml")
        twin = seen.setdefault(name.lower(), name)
        if twin != name:
            raise InputError(f"{Path(folder) / name}.yaml: name: '{name}' and '{twin}' differ in case only: rename one")
    return names


def check_all_species(folder: Path) -> dict[str, Species]:
    """Read and check every species file, and that the ions of salts exist and add up.

    Raises
    ------
    InputError
        For the first fault found.
    """
    every = {name: read_species(Path(folder) / f"{name}.yaml") for name in species_names(folder)}
    for name, species in every.items():
        check_ions(Path(folder) / f"{name}.yaml", species, every)
    return every


def check_ions(path: Path, species: Species, every: Mapping[str, Species]) -> None:
    """Check that the ions of a salt exist and add up to it, and that what a species is a variant of exists.

    Raises
    ------
    InputError
        For an unknown species, or charges or atoms that differ from the salt's.
    """
    others = [name for name in every if name != species.name]
    if species.variant_of is not None and species.variant_of not in others:
        known = did_you_mean(species.variant_of, others)
        raise InputError(f"{path}: variant_of: there is no other species '{species.variant_of}'{known}")
    if species.ions is None:
        return
    check_ion_names(path, species, every)
    for ion, count in species.ions.items():
        if count < 1:
            raise InputError(f"{path}: ions.{ion}: is {count}, must be 1 or more")
    charge = sum(count * every[ion].charge for ion, count in species.ions.items())
    if charge != species.charge:
        raise InputError(f"{path}: ions: their charges add up to {charge:+d}, the species carries {species.charge:+d}")
    atoms = sorted(symbol for ion, count in species.ions.items() for symbol in count * every[ion].symbols)
    if atoms != sorted(species.symbols):
        raise InputError(f"{path}: ions: their atoms are {hill_formula(atoms)}, the species is {species.formula}")


def check_ion_names(path: Path, species: Species, names: Collection[str]) -> None:
    """Check that the ions of a salt are species that there are.

    Raises
    ------
    InputError
    """
    for ion in species.ions or ():
        if ion not in names:
            raise InputError(f"{path}: ions.{ion}: there is no such species{did_you_mean(ion, list(names))}")


def parse_xyz(text: str) -> list[tuple[str, tuple[float, float, float]]]:
    """Return symbols and positions (angstrom) from lines 'symbol x y z'.

    Raises
    ------
    ValueError
        If a line cannot be read, an element is unknown, or two atoms sit on each other (< 0.4 angstrom).
    """
    atoms: list[tuple[str, tuple[float, float, float]]] = []
    for number, line in enumerate((line for line in text.splitlines() if line.strip()), start=1):
        match = _ATOM_LINE.fullmatch(line)
        if not match:
            raise ValueError(f"atom line {number} must be 'symbol x y z', found '{line.strip()[:60]}'")
        atomic_number(match[1])
        x, y, z = (float(word) for word in match[2].split())
        if not isfinite(x + y + z):
            raise ValueError(f"atom line {number} holds a number that is not finite")
        atoms.append((match[1], (x, y, z)))
    if not atoms:
        raise ValueError("holds no atoms")
    for i, (_, a) in enumerate(atoms):
        for j, (_, b) in enumerate(atoms[:i]):
            if sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) < 0.4**2:
                raise ValueError(f"atoms {j + 1} and {i + 1} are closer than 0.4 Å")
    return atoms


def _check_together(atoms: list[tuple[str, tuple[float, float, float]]]) -> None:
    """A coordinate with its point in the wrong place leaves an atom far from all others."""
    if len(atoms) == 1:
        return
    for i, (symbol, x) in enumerate(atoms):
        nearest = min(dist(x, y) for j, (_, y) in enumerate(atoms) if j != i)
        if nearest > LONELY_ANGSTROM:
            raise ValueError(
                f"atom {i + 1} ({symbol}) is {nearest:.3g} Å from its nearest neighbour: are these angstrom?"
            )


def _check_smiles(smiles: str, path: Path) -> None:
    try:
        molecule(smiles)
    except ValueError as error:
        raise InputError(f"{path}: smiles: {error}") from None
