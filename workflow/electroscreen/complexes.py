"""Complexes: species that hold together, one cluster a file, whose binding energy is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from electroscreen.inputs import InputError, Model, did_you_mean, parse_model, read_named
from electroscreen.species import ImplicitSolvent, Species, StartingGeometry, parse_xyz

EV_KJ_PER_MOL = 96.48533212331  # CODATA 2018: elementary charge times Avogadro's number

# Smaller ones reach the same lowest minimum in Cartesian coordinates, and sooner.
ATOMS_IN_CARTESIANS = 30

Count = Annotated[int, Field(ge=1, le=50)]
Dispersion = Literal["none", "d3bj"]


class Complex(Model):
    """A cluster of species, and into what it may fall apart."""

    name: str
    title: str = Field(description="what a chemist calls it, for tables")
    parts: dict[str, Count] = Field(min_length=1, description="species and how many of each")
    multiplicity: int | None = Field(
        default=None, ge=1, le=11, description="2S + 1; needed when more than one part has unpaired electrons"
    )
    start: StartingGeometry | None = Field(default=None, description="its atoms in the order of the parts")
    solvent: ImplicitSolvent | None = Field(
        default=None,
        description="besides vacuum: a single point at the same geometry; a dielectric constant (PCM) or a name in SMD",
    )
    dispersion: Dispersion | None = Field(default=None, description="in place of that of the settings")
    compared_with: list[Annotated[dict[str, Count], Field(min_length=1)]] = Field(
        default_factory=list,
        description="besides its single parts: species and complexes into which it may fall apart",
    )
    sources: list[str] = Field(default_factory=list)
    notes: str = ""

    @model_validator(mode="after")
    def _several_parts(self) -> Complex:
        if sum(self.parts.values()) < 2:
            raise ValueError("parts: a complex has two parts or more")
        return self


@dataclass(frozen=True)
class Cluster:
    """The atoms of a complex, part after part, with charge and spin: what is computed as if it were one species."""

    name: str
    symbols: list[str]
    charge: int
    multiplicity: int
    copies: list[tuple[str, range]]
    """Species and atoms of each part."""


def read_complex(path: Path) -> Complex:
    """Return the complex in a YAML file.

    Raises
    ------
    InputError
        One line: which file, which field, what is wrong.
    """
    return parse_model(read_named(Path(path)), Complex, Path(path))


def cluster_of(wanted: Complex, every: Mapping[str, Species]) -> Cluster:
    """Return the atoms of a complex: its parts in the order of the file, with their charges added.

    Raises
    ------
    ValueError
        If the multiplicity does not follow from the parts, or does not fit the number of electrons.
    """
    copies, symbols = [], []
    for name, count in wanted.parts.items():
        for _ in range(count):
            copies.append((name, range(len(symbols), len(symbols) + len(every[name].symbols))))
            symbols += every[name].symbols
    parts = [every[name] for name, _ in copies]
    multiplicity = wanted.multiplicity or _multiplicity(parts)
    electrons = sum(part.electrons for part in parts)
    if (electrons + multiplicity) % 2 == 0 or electrons < multiplicity - 1:
        raise ValueError(f"multiplicity: {multiplicity} does not fit {electrons} electrons")
    return Cluster(wanted.name, symbols, sum(part.charge for part in parts), multiplicity, copies)


def atoms_of(wanted: Complex, every: Mapping[str, Species]) -> int:
    """Return how many atoms a complex has."""
    return sum(count * len(every[name].symbols) for name, count in wanted.parts.items())


def total_parts(groups: Mapping[str, int], complexes: Mapping[str, Complex]) -> dict[str, int]:
    """Return how many of each species there are in species and complexes together, sorted by name."""
    found: dict[str, int] = {}
    for name, count in groups.items():
        inside = complexes[name].parts if name in complexes else {name: 1}
        for part, each in inside.items():
            found[part] = found.get(part, 0) + count * each
    return dict(sorted(found.items()))


def check_complexes(folder: Path, complexes: Mapping[str, Complex], every: Mapping[str, Species]) -> None:
    """Check complexes against the species that there are, and against each other.

    Raises
    ------
    InputError
        For an unknown name, a name that a species bears, a spin or a start that does not fit, or a comparison with
        something that holds other parts.
    """
    lower = {name.lower(): name for name in every}
    for name, wanted in complexes.items():
        path = Path(folder) / f"{name}.yaml"
        if name.lower() in lower:
            raise InputError(f"{path}: name: the species '{lower[name.lower()]}' bears it already: rename one")
        check_parts(path, wanted, every)
        check_cluster(path, wanted, every)
        for number, groups in enumerate(wanted.compared_with):
            _check_comparison(f"{path}: compared_with.{number}", wanted, groups, complexes, every)


def check_parts(path: Path, wanted: Complex, every: Mapping[str, Species]) -> None:
    """Check that the parts of a complex are species that there are.

    Raises
    ------
    InputError
    """
    for part in wanted.parts:
        if part not in every:
            raise InputError(f"{path}: parts.{part}: there is no such species{did_you_mean(part, list(every))}")


def parts_label(parts: Mapping[str, int]) -> str:
    """Return what tables say, such as 'Na + 2 DOL'."""
    return " + ".join(name if count == 1 else f"{count} {name}" for name, count in parts.items())


def _multiplicity(parts: list[Species]) -> int:
    open_shells = [part for part in parts if part.multiplicity > 1]
    if len(open_shells) > 1:
        names = ", ".join(part.name for part in open_shells)
        raise ValueError(f"multiplicity: is missing, and {names} have unpaired electrons each")
    return open_shells[0].multiplicity if open_shells else 1


def check_cluster(path: Path, wanted: Complex, every: Mapping[str, Species]) -> None:
    """Check that the parts of a complex make a cluster, and that its start holds their atoms.

    Raises
    ------
    InputError
    """
    try:
        cluster = cluster_of(wanted, every)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    if wanted.start is None:
        return
    atoms = [symbol for symbol, _ in parse_xyz(wanted.start.xyz)]
    if atoms != cluster.symbols:
        raise InputError(
            f"{path}: start.xyz: must hold the atoms of {parts_label(wanted.parts)} in this order: "
            f"{' '.join(cluster.symbols)}, found {' '.join(atoms)}"
        )


def _check_comparison(
    where: str,
    wanted: Complex,
    groups: Mapping[str, int],
    complexes: Mapping[str, Complex],
    every: Mapping[str, Species],
) -> None:
    known = [name for name in (*every, *complexes) if name != wanted.name]
    for name in groups:
        if name not in known:
            raise InputError(f"{where}.{name}: there is no such species or other complex{did_you_mean(name, known)}")
    ours, theirs = dict(sorted(wanted.parts.items())), total_parts(groups, complexes)
    if ours != theirs:
        raise InputError(f"{where}: holds {parts_label(theirs)}, the complex {parts_label(ours)}")
