"""Monomers that have become chains: of one length, of several in given numbers, or of several by mean and PDI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from electroscreen.inputs import Model
from electroscreen.species import Species

if TYPE_CHECKING:
    import numpy as np


class Conversion(Model):
    """Part of a monomer that has become chains, such as 85 % of DOL in chains of 20 units."""

    into: str | list[str] | dict[str, float] = Field(
        description="the species of one whole chain, end groups included; or several such species, by mean_units and "
        "polydispersity or with how many there are of each for how many of the others"
    )
    units: int | None = Field(default=None, ge=2, description="monomers that one chain took up, where there is one")
    mean_units: float | None = Field(default=None, gt=1, description="number average over the chains")
    polydispersity: float | None = Field(
        default=None, gt=1, le=20, description="PDI: the weight average of the units of a chain over the number average"
    )
    percent: float = Field(gt=0, le=100, description="of the monomer")

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Conversion:
        distribution = [key for key in ("mean_units", "polydispersity") if getattr(self, key) is not None]
        if isinstance(self.into, str):
            if self.units is None:
                raise ValueError("units: is missing: how many monomers one chain took up")
            if distribution:
                raise ValueError(f"{distribution[0]}: needs chains of three lengths or more: into: [one, other, third]")
            return self
        if self.units is not None:
            raise ValueError("units: is that of a single chain; those of several are in their species' files")
        if isinstance(self.into, dict):
            if distribution:
                raise ValueError(f"{distribution[0]}: follows from the numbers given with each chain")
            if len(self.into) < 2 or not all(number > 0 and isfinite(number) for number in self.into.values()):
                raise ValueError("into: give two chains or more, each with a number above zero")
            return self
        if len(set(self.into)) < 3 or len(set(self.into)) < len(self.into):
            raise ValueError("into: a mean and a PDI need chains of three different lengths or more")
        if len(distribution) < 2:
            raise ValueError("a list of chains needs mean_units and polydispersity; or give a number with each of them")
        return self

    @property
    def chains(self) -> list[str]:
        """The species of whole chains."""
        return [self.into] if isinstance(self.into, str) else list(self.into)


@dataclass(frozen=True)
class Length:
    """Chains of one length: their species, their units, and their share of all chains by number."""

    species: str
    units: int
    share: float


def lengths_of(conversion: Conversion, every: Mapping[str, Species]) -> list[Length]:
    """Return the chains that a monomer becomes.

    Raises
    ------
    ValueError
        If chains of several lengths are not written with `polymer`, two are equally long, or no shares of them have
        the mean and the PDI.
    """
    names = conversion.chains
    if isinstance(conversion.into, str):
        return [Length(names[0], conversion.units, 1.0)]
    for name in names:
        if every[name].polymer is None:
            raise ValueError(f"{name}: chains of several lengths must be written with 'polymer', which tells the units")
    units = [every[name].polymer.units for name in names]
    if len(set(units)) < len(units):
        raise ValueError(f"two of {', '.join(names)} are equally long")
    if isinstance(conversion.into, dict):
        shares = [number / sum(conversion.into.values()) for number in conversion.into.values()]
    else:
        shares = schulz_zimm_shares(units, conversion.mean_units, conversion.polydispersity)
    return [Length(*each) for each in zip(names, units, map(float, shares), strict=True)]


def mean_and_polydispersity(units: Sequence[float], numbers: Sequence[float]) -> tuple[float, float]:
    """Return the number average and the PDI of chains of some lengths, from how many there are of each."""
    total = sum(numbers)
    mean = sum(n * number for n, number in zip(units, numbers, strict=True)) / total
    return mean, sum(n**2 * number for n, number in zip(units, numbers, strict=True)) / total / mean**2


def schulz_zimm_shares(units: Sequence[int], mean: float, polydispersity: float) -> np.ndarray:
    """Return the shares by number of a few lengths with exactly this mean and PDI, close to Schulz and Zimm's.

    Their distribution is that of chains with as many units n as n^(k-1) exp(-k n / mean), k = 1 / (PDI - 1) (Zimm, J.
    Chem. Phys. 16, 1099, 1948). Each length stands for those up to half-way to the next ones; exponent and decay are
    moved until mean and PDI are those asked for, which costs nothing where the lengths are close together.

    Raises
    ------
    ValueError
        If no shares of these lengths have that mean and PDI.
    """
    import numpy as np
    from scipy.optimize import brentq
    from scipy.special import softmax

    order = np.argsort(units)
    n = np.asarray(units, dtype=float)[order]
    least, most = _polydispersities(n, mean)
    if not least < polydispersity < most:
        raise ValueError(
            f"chains of {', '.join(f'{each:g}' for each in n)} units with a mean of {mean:g} have a PDI between "
            f"{least:.3g} and {most:.3g}, not {polydispersity:g}: add longer or shorter ones, or move the mean"
        )
    edges = np.concatenate([[n[0]], (n[1:] + n[:-1]) / 2, [n[-1]]])
    # The ends stand for as much beyond them as before.
    widths = np.diff(edges)
    widths[[0, -1]] *= 2

    def shares(exponent: float) -> np.ndarray:
        def tilted(decay: float) -> np.ndarray:
            return softmax(np.log(widths) + exponent * np.log(n / mean) - decay * n / mean)

        reach = 10.0
        while not tilted(reach) @ n < mean < tilted(-reach) @ n:
            reach *= 2
        return tilted(brentq(lambda decay: tilted(decay) @ n - mean, -reach, reach, xtol=1e-14))

    def wider(exponent: float) -> float:
        return mean_and_polydispersity(n, shares(exponent))[1] - polydispersity

    low, high = -2.0, 2.0
    while wider(low) < 0:
        low *= 2
    while wider(high) > 0:
        high *= 2
    found = np.empty(len(n))
    found[order] = shares(brentq(wider, low, high, xtol=1e-12))
    return found


def _polydispersities(units: np.ndarray, mean: float) -> tuple[float, float]:
    """Least and greatest PDI of lengths with a mean: from the two around it, and from the shortest and longest."""
    import numpy as np

    if not units[0] < mean < units[-1]:
        raise ValueError(f"chains of {units[0]:g} to {units[-1]:g} units cannot have a mean of {mean:g}")

    def of_two(short: float, long: float) -> float:
        return ((short + long) * mean - short * long) / mean**2

    above = int(np.searchsorted(units, mean))
    return of_two(units[above - 1], units[above]), of_two(units[0], units[-1])
