"""Names of the figure files, for the rules that declare them and the code that draws them."""

from __future__ import annotations

import re


def rdf_name(box: str, center: str) -> str:
    """Return the file name, without suffix, of the g(r) around a center such as 'Na' or 'O(DOL)'."""
    return f"rdf_{box}_{re.sub(r'[^A-Za-z0-9]+', '-', center).strip('-')}"


# Of each box besides its g(r), with what stands below them in the report.
OF_BOX = {
    "molecules": "The first replica as it was packed and at the end of its run; the solvent is grey",
    "solvation": "Shares of free and bound ions, of clusters and of shells; lines: 95 % intervals",
    "shells": "The commonest first shells with their shares, each amid the longest time that it was seen to stand",
    "stays": "How many stays in a first shell outlast a time since entry",
    "msd": "mean square displacement; thick: the fitted window",
    "displacement": "Displacement of each ion since the beginning; thick: their mean",
    "van_hove": "Distribution of displacements after three times, and the non-Gaussian parameter",
    "transport": "Conductivity and transference by every definition; lines: 95 % intervals, arrows: upper bounds",
}


def figure_names(centers: dict[str, list[str]], series: list[str] | None = None) -> list[str]:
    """Return the file names, without suffix, of all figures.

    Parameters
    ----------
    centers
        Boxes to the centers of their g(r).
    series
        Names that boxes of different temperature share.
    """
    of_boxes = [
        [*(rdf_name(box, center) for center in sites), *(f"{kind}_{box}" for kind in OF_BOX)]
        for box, sites in centers.items()
    ]
    of_series = [arrhenius_name(name) for name in series or []]
    return ["orbital_levels", *(name for names in of_boxes for name in names), *of_series]


def arrhenius_name(series: str) -> str:
    """Return the file name, without suffix, of the transport of a series against temperature."""
    return f"arrhenius_{series}"


def box_of(stem: str) -> tuple[str, str] | None:
    """Return the kind and the box of a figure's file name, None where it belongs to no box."""
    # A center's name holds no '_', so what stands before the last one is the whole name of the box.
    if stem.startswith("rdf_"):
        return "rdf", stem[4:].rpartition("_")[0]
    return next(((kind, stem[len(kind) + 1 :]) for kind in OF_BOX if stem.startswith(f"{kind}_")), None)
