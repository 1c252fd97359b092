"""What is asked of a box, and the replicas of it that ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from electroscreen.analysis import diffusion, verdicts
from electroscreen.analysis.trajectory import Harvest, Pair
from electroscreen.analysis.viscosity import Pressure
from electroscreen.analysis.walk import Curve
from electroscreen.sites import Labels, Site, atoms_of, check_site, check_species, parse_site


@dataclass(frozen=True)
class Request:
    """What is asked of a box, and which atoms and molecules it has for it.

    Attributes
    ----------
    molecules
        The entry `molecules` of composition.json, empty if the box was not built.
    pairs
        Of each pair of texts asked for: its sites, empty if the box was not built.
    species
        Species whose diffusion is asked for.
    temperature_k, charge_scale
        Of the box, and the factor on the charges of its ions.
    radii_a
        Of some pairs: a paper's radius.
    viscosity
        `mpa_s` and `source`, as the box file gives them; None where it does not.
    own_viscosity
        Whether that of the box itself is wanted, from its pressure.
    displacement_ps
        Time over which displacements are told, None for the whole run.
    """

    molecules: Sequence[Mapping[str, Any]]
    pairs: dict[tuple[str, str], Pair]
    species: Sequence[str]
    temperature_k: float
    charge_scale: float = 1.0
    radii_a: dict[tuple[str, str], float] = field(default_factory=dict)
    viscosity: Mapping[str, Any] | None = None
    displacement_ps: float | None = None
    own_viscosity: bool = False

    @classmethod
    def of(cls, recipe: Mapping[str, Any], molecules: Sequence[Mapping[str, Any]]) -> Request:
        """Read a recipe, and check it against the molecules there are."""
        asked = [(entry["center"], partner) for entry in recipe["coordination"] for partner in entry["partners"]]
        labels = recipe.get("sites", {})
        molecules = [entry | {"sites": _sites_of(entry["species"], labels)} for entry in molecules]
        symbols = {entry["species"]: entry["symbols"] for entry in molecules}
        radii = {
            (entry["center"], partner): entry.get("radius_angstrom")
            for entry in recipe["coordination"]
            for partner in entry["partners"]
        }
        state = {
            "temperature_k": recipe["temperature_k"],
            "charge_scale": recipe.get("ion_charge_scale", 1.0),
            "viscosity": recipe.get("viscosity"),
            "own_viscosity": recipe.get("own_viscosity", False),
            "displacement_ps": recipe.get("displacement_ps"),
            "radii_a": {pair: radius for pair, radius in radii.items() if radius},
        }
        if not molecules:
            pairs = {pair: (parse_site(pair[0]), parse_site(pair[1])) for pair in asked}
            return cls(molecules, pairs, recipe["diffusion"], **state)
        pairs = {pair: (check_site(pair[0], symbols, labels), check_site(pair[1], symbols, labels)) for pair in asked}
        return cls(molecules, pairs, [check_species(name, symbols) for name in recipe["diffusion"]], **state)

    @property
    def ions(self) -> list[str]:
        """Species that carry a charge and are in the box."""
        return [entry["species"] for entry in self.molecules if entry["charge_e"] and entry["count"]]

    @property
    def followed(self) -> list[str]:
        """Species whose molecules are followed one by one."""
        return list(dict.fromkeys([*self.species, *self.ions]))

    def without_atoms(self, pair: Pair) -> Site | None:
        """Return the first site of a pair that has no atom in the box."""
        return next((site for site in pair if not atoms_of(site, self.molecules)), None)

    def number_of(self, species: str) -> int:
        """Return which of the species of the box this one is."""
        return [entry["species"] for entry in self.molecules].index(species)

    def count(self, species: str) -> int:
        """Return the number of molecules of a species."""
        return sum(entry["count"] for entry in self.molecules if entry["species"] == species)


@dataclass
class Replicas:
    """The replicas of a box that ran, and what is wrong with them and with those that did not."""

    harvests: list[Harvest] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    pressures: list[Pressure] = field(default_factory=list)
    _motions: dict[str, Any] = field(default_factory=dict)

    def motion(self, name: str) -> tuple[dict[str, Any], Curve, tuple[np.ndarray, np.ndarray]]:
        """Return what `diffusion.motion` makes of the molecules of a species, computed once."""
        if name not in self._motions:
            paths_a = [harvest.paths_a[name] for harvest in self.harvests]
            self._motions[name] = diffusion.motion(paths_a, self.harvests[0].frame_ps)
        row, *curves = self._motions[name]
        return {key: list(value) if isinstance(value, list) else value for key, value in row.items()}, *curves

    def verdict(self, flaws: Sequence[str] = ()) -> str:
        """Return the verdict on a number that has these flaws besides those of the replicas."""
        return verdicts.combined([*self.flaws, *flaws], len(self.harvests))

    @property
    def volume_a3(self) -> float:
        """Mean volume of a box."""
        return float(np.mean([harvest.volume_a3 for harvest in self.harvests]))

    @property
    def followed(self) -> bool:
        """Whether molecules can be followed from frame to frame."""
        return all(harvest.followed for harvest in self.harvests)


def _sites_of(species: str, labels: Labels) -> dict[str, Sequence[int]]:
    return {label: of[species] for label, of in labels.items() if species in of}
