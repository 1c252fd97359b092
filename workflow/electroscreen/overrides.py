"""A user's own force-field terms, as they stand in the species file: the layer that speaks before all others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from electroscreen.inputs import InputError, Model


class Size(Model):
    """A Lennard-Jones sphere."""

    sigma_angstrom: float = Field(gt=0, le=10)
    epsilon_kj_per_mol: float = Field(ge=0)


class Bond(Model):
    """k/2 (r - r0)²."""

    length_angstrom: float = Field(gt=0.5, le=4)
    k_kj_per_mol_angstrom2: float = Field(gt=0)


class Angle(Model):
    """k/2 (θ - θ0)²."""

    angle_degree: float = Field(gt=0, le=180)
    k_kj_per_mol_rad2: float = Field(ge=0)


class Torsion(Model):
    """Σ k (1 + cos(nφ - phase))."""

    periodicity: list[Annotated[int, Field(ge=1, le=6)]]
    phase_degree: list[float]
    k_kj_per_mol: list[float]

    @model_validator(mode="after")
    def _one_row_each(self) -> Torsion:
        if not len(self.periodicity) == len(self.phase_degree) == len(self.k_kj_per_mol):
            raise ValueError("periodicity, phase_degree and k_kj_per_mol must be lists of one length")
        return self


def _named(count: int):
    def check(terms: dict) -> dict:
        for name in terms:
            if len(name.split("-")) != count:
                raise ValueError(
                    f"'{name}' must name {count} atoms, such as {'-'.join(('C1', 'O2', 'C3', 'H4')[:count])}"
                )
        return terms

    return AfterValidator(check)


class OwnForceField(Model):
    """Terms that replace, or add to, those of the other layers; atoms are named by symbol and number, from 1.

    A term holds in all places that are the same by the symmetry of the bond graph, unless they are named themselves.
    """

    source: str = Field(min_length=3, description="where the numbers come from: a DOI, or what you did")
    xml: str | None = Field(
        default=None, description="a whole OpenMM force field: a file beside the species file, or its text"
    )
    charges_e: dict[str, float] = Field(default_factory=dict)
    lj: dict[str, Size] = Field(default_factory=dict)
    bonds: Annotated[dict[str, Bond], _named(2)] = Field(default_factory=dict)
    angles: Annotated[dict[str, Angle], _named(3)] = Field(default_factory=dict)
    torsions: Annotated[dict[str, Torsion], _named(4)] = Field(default_factory=dict)
    impropers: Annotated[dict[str, Torsion], _named(4)] = Field(
        default_factory=dict, description="the atom with three neighbours stands third"
    )

    @property
    def by_kind(self) -> dict[str, dict[str, dict]]:
        """Values of all terms: kind, then name, as other layers have them."""
        charges = {name: {"charge_e": charge} for name, charge in self.charges_e.items()}
        kinds = {"lj": self.lj, "bond": self.bonds, "angle": self.angles}
        kinds |= {"torsion": self.torsions, "improper": self.impropers}
        return {"charge": charges} | {
            kind: {name: values.model_dump() for name, values in terms.items()} for kind, terms in kinds.items()
        }

    def check_names(self, symbols: list[str]) -> None:
        """Refuse names of atoms that a molecule does not have.

        Raises
        ------
        ValueError
        """
        known = [f"{symbol}{i}" for i, symbol in enumerate(symbols, start=1)]
        for kind, terms in self.by_kind.items():
            for name in terms:
                for atom in name.split("-"):
                    if atom not in known:
                        raise ValueError(
                            f"forcefield: {kind} {name}: there is no atom {atom}: it has {' '.join(known)}"
                        )


def read_own_xml(data: dict, path: Path) -> None:
    """Put the text of the user's OpenMM file in the place of its name, so that its content decides about reruns.

    Raises
    ------
    InputError
    """
    own = data.get("forcefield")
    name = own.get("xml") if isinstance(own, dict) else None
    if isinstance(name, str) and "<" not in name:
        if Path(name).name != name:
            raise InputError(f"{path}: forcefield.xml: '{name}' is no name of a file beside it")
        try:
            own["xml"] = (path.parent / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise InputError(f"{path}: forcefield.xml: there is no file '{name}' beside it") from None
