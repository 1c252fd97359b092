"""Sites: which atoms a box file means by "Na", "F", "O(DOL)" or "O(carbonyl of FEC)".

A bare element is every atom of it in the box; an element with a species in brackets is every atom
of it in the molecules of that species; a label is a SMARTS pattern in the box file, of which the
first atom is meant. Nothing heavy is imported here, so that box files can be
checked before anything is computed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from electroscreen.inputs import NAME_PATTERN, did_you_mean

_SITE = re.compile(
    r"(?P<element>[A-Z][a-z]?)"
    rf"(?:\(\s*(?:(?P<label>[A-Za-z][\w-]*)\s+of\s+)?(?P<species>{NAME_PATTERN.pattern})\s*\))?"
)

# Label -> species -> numbers of the atoms in one molecule.
Labels = Mapping[str, Mapping[str, Sequence[int]]]


@dataclass(frozen=True)
class Site:
    """Atoms of one element: in the whole box, in one species, or those of one species that bear a label."""

    element: str
    species: str | None = None
    label: str | None = None

    def __str__(self) -> str:
        if self.species is None:
            return self.element
        return f"{self.element}({self.label} of {self.species})" if self.label else f"{self.element}({self.species})"


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
    return Site(match["element"], match["species"], match["label"])


def check_site(text: str, symbols: Mapping[str, Sequence[str]], labels: Labels | None = None) -> Site:
    """Return the site, having checked that a box of these species can hold it.

    Parameters
    ----------
    text
        What the box file says, such as 'O(DOL)'.
    symbols
        Of each species in the box: the chemical symbols of its atoms.
    labels
        Atoms that the patterns of the box file mean.

    Raises
    ------
    ValueError
        If the text is no site, or names a species, an element or a label that is not there.
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
    if site.label is not None:
        _check_label(text, site, symbols, labels or {})
    return site


def _check_label(text: str, site: Site, symbols: Mapping[str, Sequence[str]], labels: Labels) -> None:
    if site.label not in labels:
        hint = did_you_mean(site.label, list(labels))
        raise ValueError(f"site '{text}': analysis.sites has no '{site.label}'{hint}")
    found = {symbols[site.species][i] for i in labels[site.label].get(site.species, ())}
    if found != {site.element}:
        what = f"is {_listed(found)}" if found else "matches nothing"
        raise ValueError(f"site '{text}': '{site.label}' {what} in {site.species}")


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
        in the trajectory in this order; with `sites`, the atoms of each label, where there are any.
    """
    found = []
    first = 0
    for entry in molecules:
        size = len(entry["symbols"])
        if site.species in (None, entry["species"]):
            named = range(size) if site.label is None else entry.get("sites", {}).get(site.label, ())
            inside = [i for i in named if entry["symbols"][i] == site.element]
            found += [first + size * copy + i for copy in range(entry["count"]) for i in inside]
        first += size * entry["count"]
    return found


def _listed(words: Collection[str]) -> str:
    return ", ".join(sorted(words))
