"""How every figure looks, and how it is written."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from electroscreen.record import whole

COLUMN_INCHES = 3.4
PAGE_INCHES = 7.0

# Okabe and Ito's colours, which the colour-blind tell apart (jfly.uni-koeln.de/color).
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
GREY = "#666666"

LETTERS_PER_INCH, LINE_INCHES = 16, 0.14  # of text of 7 points

STYLE = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.spines.top": False,
    "text.parse_math": False,  # names are data: a '$' in one is a dollar
    "svg.hashsalt": "electroscreen",
    "savefig.dpi": 200,
}


@contextmanager
def new_figure(path: Path, width_inches: float, height_inches: float, flaw: str = "") -> Iterator[Figure]:
    """Give an empty figure, headed by a flaw of all that it shows; it is written as .png and .svg.

    The same bytes for the same data.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
        if flaw:
            words = textwrap.fill(flaw, int(width_inches * LETTERS_PER_INCH))
            figure.suptitle(words, x=0.01, ha="left", size=7, color=VERMILLION)
            _grow(figure, words)
        yield figure
        for suffix, metadata in ((".png", {"Software": None}), (".svg", {"Date": None, "Creator": None})):
            with whole(Path(path).parent / f"{Path(path).name}{suffix}") as partial:
                figure.savefig(partial, metadata=metadata)


def say(axes: Axes, words: str) -> None:
    """Write why there is nothing to see in the place where it would be."""
    axes.set_axis_off()
    width = int(axes.figure.get_figwidth() * 14)
    text = "\n".join(textwrap.fill(line, width) for line in words.splitlines())
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=GREY)


def legend_below(figure: Figure, axes: Axes) -> None:
    """Write the names of lines below, one under the other, for which the figure grows."""
    lines, names = axes.get_legend_handles_labels()
    names = [textwrap.fill(name, int((figure.get_figwidth() - 0.5) * LETTERS_PER_INCH)) for name in names]
    figure.legend(lines, names, loc="outside lower center", frameon=False)
    _grow(figure, "\n".join(names))


def _grow(figure: Figure, words: str) -> None:
    figure.set_figheight(figure.get_figheight() + LINE_INCHES * len(words.splitlines()))


def footnote(figure: Figure, words: str) -> None:
    if words:
        figure.supxlabel(words, x=0.01, ha="left", fontsize=6, color=GREY)
