"""Sites: which atoms a box file means by "Na", "F" or "O(DOL)".

A bare element is every atom of it in the box; an element with a species in brackets is every atom
of it in the molecules of that species. Nothing heavy is imported here, so that box files can be
checked before anything is computed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from electroscreen.inputs import NAME_PATTERN, did_you_mean

_SITE = re.compile(rf"(?P<element>[A-Z][a-z]?)(?:\(\s*(?P<species>{NAME_PATTERN.pattern})\s*\))?")


@dataclass(frozen=True)
class Site:
    """Atoms of one element, in one species or (`species` is None) in the whole box."""

    element: str
    species: str | None = None

    def __str__(self) -> str:
        return self.element if self.species is None else f"{self.element}({self.species})"


def parse_site(text: str) -> Site:
    """Return the site that a text such as 'Na' or 'O(DOL)' means.

    Raises
    ------
    ValueError
        If the text is neither an element nor an element with a species in brackets.
    """
    match = _SITE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"site '{text}': must be an element, or an element of a species: 'Na', 'O(DOL)'")
    return Site(match["element"], match["species"])


def check_site(text: str, symbols: Mapping[str, Collection[str]]) -> Site:
    """Return the site, having checked that a box of these species can hold it.

    Parameters
    ----------
    text
        What the box file says, such as 'O(DOL)'.
    symbols
        Of each species in the box: the chemical symbols of its atoms.

    Raises
    ------
    ValueError
        If the text is no site, or names a species or an element that is not there.
    """
    site = parse_site(text)
    if site.species is not None:
        check_species(site.species, symbols, f"site '{text}'")
        known = set(symbols[site.species])
        where = site.species
    else:
        known = {symbol for atoms in symbols.values() for symbol in atoms}
        where = "the box"
    if site.element not in known:
        raise ValueError(f"site '{text}': {where} holds no {site.element}; its elements are {_listed(known)}")
    return site


def check_species(name: str, known: Collection[str], context: str = "diffusion") -> str:
    """Return the name, having checked that the box holds such a species.

    Raises
    ------
    ValueError
        If it does not, with the species that are known.
    """
    if name not in known:
        raise ValueError(f"{context}: the box holds no species '{name}'{did_you_mean(name, list(known))}")
    return name


def atoms_of(site: Site, molecules: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the indices of a site's atoms, in the order of the trajectory.

    Parameters
    ----------
    site
        A site that `check_site` let pass.
    molecules
        The entry `molecules` of composition.json: dicts with `species`, `count` and `symbols`, whose atoms stand
        in the trajectory in this order.
    """
    found = []
    first = 0
    for entry in molecules:
        size = len(entry["symbols"])
        if site.species in (None, entry["species"]):
            inside = [i for i, symbol in enumerate(entry["symbols"]) if symbol == site.element]
            found += [first + size * copy + i for copy in range(entry["count"]) for i in inside]
        first += size * entry["count"]
    return found


def _listed(words: Collection[str]) -> str:
    return ", ".join(sorted(words))
