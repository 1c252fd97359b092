"""Papers: what others measured or computed, as data, and which result of ours each number is set beside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from electroscreen.complexes import Complex, parts_label, total_parts
from electroscreen.inputs import InputError, Model, did_you_mean, parse_model, read_named
from electroscreen.sites import parse_site

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]

OrbitalKey = Literal["homo_ev", "lumo_ev", "gap_ev", "dipole_debye"]
CoordinationKey = Literal[
    "coordination_number", "number_at_radius", "first_peak_angstrom", "peak_height", "cutoff_angstrom"
]
BindingKey = Literal["binding_ev", "binding_uncorrected_ev", "interaction_ev"]
DiffusionKey = Literal["d_a2_per_ns", "d_corrected_a2_per_ns"]
TransportKey = Literal[
    "conductivity, Einstein",
    "conductivity, Nernst-Einstein",
    "conductivity, cluster-Nernst-Einstein",
    "ionicity",
    "transference number, self",
    "transference number, barycentric frame",
    "transference number, solvent frame",
]

UNITS = {
    "homo_ev": "eV",
    "lumo_ev": "eV",
    "gap_ev": "eV",
    "dipole_debye": "D",
    "binding_ev": "eV",
    "binding_uncorrected_ev": "eV",
    "interaction_ev": "eV",
    "coordination_number": "1",
    "number_at_radius": "1",
    "first_peak_angstrom": "Å",
    "peak_height": "1",
    "cutoff_angstrom": "Å",
    "d_a2_per_ns": "Å²/ns",
    "d_corrected_a2_per_ns": "Å²/ns",
    **{key: "mS/cm" if key.startswith("conductivity") else "1" for key in get_args(TransportKey)},
}

# Only these come with an interval of ours, so only these can be judged without a stated tolerance.
WITH_INTERVAL = ("coordination_number", "number_at_radius", "d_a2_per_ns", *get_args(TransportKey))


class OrbitalResult(Model):
    """A number of results/…/species/SPECIES/orbitals.json."""

    species: Text
    key: OrbitalKey


class CoordinationResult(Model):
    """A number of one pair in results/…/boxes/BOX/analysis.json."""

    box: Text
    center: Text
    partner: Text
    key: CoordinationKey = "coordination_number"


class DiffusionResult(Model):
    """A diffusion coefficient in results/…/boxes/BOX/analysis.json."""

    box: Text
    species: Text
    key: DiffusionKey = "d_a2_per_ns"


class TransportResult(Model):
    """A row of the ions' transport in results/…/boxes/BOX/analysis.json."""

    box: Text
    key: TransportKey
    subject: Text = Field(default="formal charges", description="of a transference number: the ion")


class BindingResult(Model):
    """A binding energy in results/…/complexes/COMPLEX/binding.json, against what the complex may fall apart into."""

    complex: Text
    compared_with: dict[str, Annotated[int, Field(ge=1)]] | None = Field(
        default=None, description="species and complexes with the same parts; the single parts by default"
    )
    solvent: Text = Field(default="vacuum", description="as the table binding_energies names it")
    key: BindingKey = "binding_ev"


class Result(Model):
    """What of ours a paper's value is set beside: exactly one of these."""

    orbital: OrbitalResult | None = None
    coordination: CoordinationResult | None = None
    diffusion: DiffusionResult | None = None
    transport: TransportResult | None = None
    binding: BindingResult | None = None
    not_computed: Text | None = Field(default=None, description="why there is nothing of ours to set beside it")

    @model_validator(mode="after")
    def _exactly_one(self) -> Result:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            found = f"found {' and '.join(given)}" if given else "found none"
            raise ValueError(f"give exactly one of {', '.join(type(self).model_fields)}; {found}")
        return self

    @property
    def key(self) -> str | None:
        """Key of the number in our record, None where nothing is computed."""
        target = self.orbital or self.coordination or self.diffusion or self.transport or self.binding
        return target.key if target else None

    @property
    def of_box(self) -> tuple[str, CoordinationResult | DiffusionResult | TransportResult] | None:
        """Field and content of what is asked of a box, None where it is no box that is asked."""
        asked = [(name, getattr(self, name)) for name in ("coordination", "diffusion", "transport")]
        return next(((name, target) for name, target in asked if target is not None), None)


class StandIn(Model):
    """A box of ours that is set beside a paper's value while the one that is meant has not been computed."""

    box: Text
    note: Text = Field(description="in what it differs from the paper's")


class Value(Model):
    """One number of a paper."""

    table: Text = Field(description="heading under which it is listed")
    quantity: Text
    subject: Text = Field(description="of which species, box or sample")
    value: Number
    unit: Text = Field(description="'1' for a pure number")
    where: Text = Field(description="figure, table or section of the paper")
    conditions: str = ""
    kind: Literal["computed", "experiment"]
    tolerance: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="largest difference, in `unit`, that still counts as agreement"
    )
    not_comparable: Text | None = Field(
        default=None, description="why the two numbers may stand side by side but must not be judged"
    )
    note: str = ""
    result: Result
    stand_in: StandIn | None = None

    @property
    def stand_in_result(self) -> Result | None:
        """What `result` asks for, of the box that stands in; None where none does."""
        asked = self.result.of_box
        if self.stand_in is None or asked is None:
            return None
        name, target = asked
        return Result(**{name: target.model_copy(update={"box": self.stand_in.box})})

    @model_validator(mode="after")
    def _stands_in_for_a_box(self) -> Value:
        if self.stand_in and self.result.of_box is None:
            raise ValueError("stand_in: names a box, but the result is of none")
        return self

    @model_validator(mode="after")
    def _can_be_judged(self) -> Value:
        key = self.result.key
        if key is None:
            return self
        if self.unit != UNITS[key]:
            raise ValueError(f"unit is '{self.unit}', but our {key} is in '{UNITS[key]}'")
        if key not in WITH_INTERVAL and self.tolerance is None and self.not_comparable is None:
            raise ValueError(f"our {key} has no interval: give a 'tolerance', or say in 'not_comparable' why not")
        return self


class Order(Model):
    """A ranking that a paper states, for species whose numbers it does not print."""

    table: Text
    quantity: Text
    subjects: list[Annotated[list[Text], Field(min_length=1)]] = Field(
        min_length=2, description="groups of species, lowest first; inside a group nothing is claimed"
    )
    key: OrbitalKey
    where: Text
    note: str = ""

    @model_validator(mode="after")
    def _each_once(self) -> Order:
        members = [member for group in self.subjects for member in group]
        twice = sorted({member for member in members if members.count(member) > 1})
        if twice:
            raise ValueError(f"subjects: {', '.join(twice)} stands in it twice")
        return self


class Given(Model):
    """A number that is an input (recipe, crystal, sample) and so is compared with nothing."""

    quantity: Text
    subject: Text
    value: Number
    unit: Text
    where: Text
    note: str = ""


class Paper(Model):
    """One paper."""

    name: str
    title: Text
    citation: Text
    doi: str = Field(pattern=r"^10\.\d{4,9}/\S+$")
    level_of_theory: Text = Field(description="of its computed numbers; say so where the paper does not")
    notes: str = ""
    values: list[Value]
    orders: list[Order] = Field(default_factory=list)
    givens: list[Given] = Field(default_factory=list)


def read_paper(path: Path) -> Paper:
    """Return the paper in a YAML file.

    Raises
    ------
    InputError
        One line: which file, which field, what is wrong.
    """
    return parse_model(read_named(Path(path)), Paper, Path(path))


def read_papers(paths: list[Path]) -> dict[Path, Paper]:
    """Return the papers in YAML files, in the order of their names."""
    return {Path(path): read_paper(path) for path in sorted(paths, key=lambda path: Path(path).stem)}


def check_papers(
    papers: dict[Path, Paper],
    species_names: list[str],
    box_names: list[str],
    complexes: Mapping[str, Complex] | None = None,
) -> None:
    """Refuse papers that are set beside species, boxes or complexes which nobody defined.

    Raises
    ------
    InputError
        For the first unknown name: which file, which field, which name was perhaps meant.
    """
    complexes = complexes or {}
    known = {"species": list(species_names), "box": list(box_names), "complex": list(complexes)}
    known["species or complex"] = known["species"] + known["complex"]
    for path, paper in papers.items():
        for field, kind, name in _references(paper):
            if name not in known[kind]:
                raise InputError(f"{path}: {field}: there is no {kind} '{name}'{did_you_mean(name, known[kind])}")
        _check_sites(path, paper)
        _check_comparisons(path, paper, complexes)


def _check_sites(path: Path, paper: Paper) -> None:
    """A site that is none would stand in the table as not computed for ever."""
    for number, value in enumerate(paper.values):
        asked = value.result.coordination
        for end, site in (("center", asked.center), ("partner", asked.partner)) if asked else ():
            try:
                parse_site(site)
            except ValueError as error:
                raise InputError(f"{path}: values.{number}.result.coordination.{end}: {error}") from None


def _check_comparisons(path: Path, paper: Paper, complexes: Mapping[str, Complex]) -> None:
    for number, value in enumerate(paper.values):
        asked = value.result.binding
        if asked is None or asked.compared_with is None:
            continue
        ours = dict(sorted(complexes[asked.complex].parts.items()))
        theirs = total_parts(asked.compared_with, complexes)
        if ours != theirs:
            raise InputError(
                f"{path}: values.{number}.result.binding.compared_with: holds {parts_label(theirs)}, "
                f"the complex {parts_label(ours)}"
            )


def _references(paper: Paper) -> Iterator[tuple[str, str, str]]:
    """Give field, kind ('species' or 'box') and name of everything of ours that a paper refers to."""
    for number, value in enumerate(paper.values):
        result, field = value.result, f"values.{number}.result"
        if value.stand_in:
            yield f"values.{number}.stand_in.box", "box", value.stand_in.box
        if result.orbital:
            yield f"{field}.orbital.species", "species", result.orbital.species
        if result.diffusion:
            yield f"{field}.diffusion.box", "box", result.diffusion.box
            yield f"{field}.diffusion.species", "species", result.diffusion.species
        if result.transport:
            yield f"{field}.transport.box", "box", result.transport.box
        if result.binding:
            yield f"{field}.binding.complex", "complex", result.binding.complex
            for name in result.binding.compared_with or {}:
                yield f"{field}.binding.compared_with", "species or complex", name
        if result.coordination:
            yield f"{field}.coordination.box", "box", result.coordination.box
            for end in ("center", "partner"):
                # 'O(DOL)' is the oxygens of DOL; 'Na' alone may be an element or a species.
                inside = re.fullmatch(r"[A-Z][a-z]?\((?:.+\sof\s+)?(.+)\)", getattr(result.coordination, end))
                if inside:
                    yield f"{field}.coordination.{end}", "species", inside[1]
    for number, order in enumerate(paper.orders):
        for group in order.subjects:
            for name in group:
                yield f"orders.{number}.subjects", "species", name
