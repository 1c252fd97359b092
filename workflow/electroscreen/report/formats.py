"""One table as CSV for programs, Markdown for readers and LaTeX for manuscripts."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from decimal import Context
from pathlib import Path
from typing import Any, TextIO

from electroscreen.record import whole

_MARKDOWN_SIGNS = re.compile(r"([\\`*_\[\]<>|#~$])")

_LATEX_SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "Å": r"\AA{}",
    "°": r"\textdegree{}",
    "µ": r"\textmu{}",
    "−": r"$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "–": "--",
    "—": "---",
    "²": r"\textsuperscript{2}",
    "³": r"\textsuperscript{3}",
    "⁺": r"\textsuperscript{+}",
    "⁻": r"\textsuperscript{--}",
    **{chr(0x2080 + digit): rf"\textsubscript{{{digit}}}" for digit in range(10)},
}

_LATEX = str.maketrans(_LATEX_SIGNS)

# Columns of words need a width in LaTeX, or they run off the page.
_LATEX_WIDTHS = {
    **dict.fromkeys(("table", "subject", "where"), "1.8cm"),
    **dict.fromkeys(("quantity", "verdict", "molecules", "citation", "level_of_theory"), "2.4cm"),
    **dict.fromkeys(("note", "title"), "3cm"),
}


def write_table(
    rows: Iterable[dict[str, Any]], headings: dict[str, str], words: Collection[str], path: Path, caption: str
) -> None:
    """Write a table as .csv, .md and .tex beside each other, row by row as they come.

    Parameters
    ----------
    rows
        What a row lacks stays empty; what stands under no heading is left out.
    headings
        Column name to what readers see above it, unit included, in the order of the columns.
    words
        Columns that hold no numbers.
    path
        Without suffix.
    """
    path = Path(path)
    numeric = [column not in words for column in headings]
    with (
        _text(path.with_suffix(".csv")) as one,
        _text(path.with_suffix(".md")) as two,
        _text(path.with_suffix(".tex")) as three,
    ):
        sheet = csv.writer(one, lineterminator="\n")
        sheet.writerow(headings)
        two.write(_markdown_line(headings.values()))
        two.write("|" + "|".join("---:" if number else "---" for number in numeric) + "|\n")
        three.write(_latex_head(headings, words, caption))
        for row in rows:
            cells = [_cell(row.get(column)) for column in headings]
            shown = [readable(cell) for cell in cells]
            sheet.writerow([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in cells])
            two.write(_markdown_line(shown))
            three.write(" & ".join(map(_latex_cell, cells, shown)) + " \\\\\n")
        three.write("\\end{longtable}\n\\endgroup\n")


@contextmanager
def _text(path: Path) -> Iterator[TextIO]:
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        yield stream


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return None if value != value else value + 0.0  # -0.0 becomes 0.0
    return value


def readable(value: Any, digits: int = 4) -> str:
    """Return a cell as people read it: four significant digits, nothing where there is nothing."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, str):
        return value
    if value == 0 or abs(value) >= 10**digits:
        return f"{value + 0.0:.0f}"
    if abs(value) < 1e-4:
        return f"{value:.{digits}g}"
    # From the shortest decimal form, because 298.15 is a little less than itself in binary.
    return f"{Context(prec=digits).create_decimal(repr(float(value))).normalize():f}"


def _markdown_line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(map(escape_markdown, cells)) + " |\n"


def _latex_head(headings: dict[str, str], words: Collection[str], caption: str) -> str:
    """Return the beginning of a longtable (packages array, booktabs, longtable, textcomp)."""
    columns = "".join(_latex_column(name, name in words) for name in headings)
    lines = [
        "% needs \\usepackage{array,booktabs,longtable,textcomp}; wide tables also a landscape page and \\scriptsize",
        "\\begingroup\\setlength{\\tabcolsep}{3pt}",
        f"\\begin{{longtable}}{{{columns}}}",
        f"\\caption{{{escape_latex(caption)}}} \\\\",
        "\\toprule",
        " & ".join(map(escape_latex, headings.values())) + " \\\\",
        "\\midrule",
        "\\endhead",
        "\\bottomrule",
        "\\endfoot",
    ]
    return "\n".join(lines) + "\n"


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows letter by letter, on one line."""
    return _MARKDOWN_SIGNS.sub(r"\\\1", " ".join(text.split())).replace("&", "&amp;")


def escape_latex(text: str) -> str:
    """Return text that LaTeX prints letter by letter, on one line."""
    return " ".join(text.split()).translate(_LATEX)


def _latex_cell(value: Any, shown: str) -> str:
    return f"${shown}$" if shown and not isinstance(value, str) else escape_latex(shown)


def _latex_column(name: str, words: bool) -> str:
    if name in _LATEX_WIDTHS:
        return f">{{\\raggedright\\arraybackslash}}p{{{_LATEX_WIDTHS[name]}}}"
    return "l" if words else "r"
