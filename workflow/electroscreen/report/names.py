"""Names of the figure files, for the rules that declare them and the code that draws them."""

from __future__ import annotations

import re


def rdf_name(box: str, center: str) -> str:
    """Return the file name, without suffix, of the g(r) around a center such as 'Na' or 'O(DOL)'."""
    return f"rdf_{box}_{re.sub(r'[^A-Za-z0-9]+', '-', center).strip('-')}"


def figure_names(centers: dict[str, list[str]]) -> list[str]:
    """Return the file names, without suffix, of all figures; `centers` maps boxes to the centers of their g(r)."""
    of_boxes = [[*(rdf_name(box, center) for center in sites), f"msd_{box}"] for box, sites in centers.items()]
    return ["orbital_levels", *(name for names in of_boxes for name in names)]
