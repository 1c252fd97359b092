"""One table as CSV for programs, Markdown for readers and LaTeX for manuscripts."""

from __future__ import annotations

import re
from decimal import Context
from pathlib import Path
from typing import Any

import pandas as pd

from electroscreen.record import write_text

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

# Columns of words need a width in LaTeX, or they run off the page.
_LATEX_WIDTHS = {
    **dict.fromkeys(("table", "subject", "where"), "1.8cm"),
    **dict.fromkeys(("quantity", "verdict", "molecules", "citation", "level_of_theory"), "2.4cm"),
    **dict.fromkeys(("note", "title"), "3cm"),
}


def write_table(frame: pd.DataFrame, headings: dict[str, str], path: Path, caption: str) -> None:
    """Write a table as .csv, .md and .tex beside each other.

    Parameters
    ----------
    headings
        Column name to what readers see above it, unit included, in the order of the columns.
    path
        Without suffix.
    """
    path = Path(path)
    write_text(path.with_suffix(".csv"), frame.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    write_text(path.with_suffix(".md"), markdown(frame, headings))
    write_text(path.with_suffix(".tex"), latex(frame, headings, caption))


def frame_of(rows: list[dict[str, Any]], headings: dict[str, str]) -> pd.DataFrame:
    """Return rows as a table with exactly the columns of `headings`; what a row lacks stays empty."""
    frame = pd.DataFrame(rows, columns=list(headings))
    fractions = frame.select_dtypes("float").columns
    frame[fractions] += 0.0  # -0.0 becomes 0.0
    return frame


def readable(value: Any, digits: int = 4) -> str:
    """Return a cell as people read it: four significant digits, nothing where there is nothing."""
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, str):
        return value
    if value == 0 or abs(value) >= 10**digits:
        return f"{value + 0.0:.0f}"
    if abs(value) < 1e-4:
        return f"{value:.{digits}g}"
    # From the shortest decimal form, because 298.15 is a little less than itself in binary.
    return f"{Context(prec=digits).create_decimal(repr(float(value))).normalize():f}"


def markdown(frame: pd.DataFrame, headings: dict[str, str]) -> str:
    """Return a table in GitHub's Markdown, every cell escaped."""
    lines = ["| " + " | ".join(escape_markdown(heading) for heading in headings.values()) + " |"]
    lines.append("|" + "|".join("---:" if _is_numeric(frame[column]) else "---" for column in headings) + "|")
    for _, row in frame.iterrows():
        lines.append("| " + " | ".join(escape_markdown(readable(row[column])) for column in headings) + " |")
    return "\n".join(lines) + "\n"


def latex(frame: pd.DataFrame, headings: dict[str, str], caption: str) -> str:
    """Return a longtable (packages array, booktabs, longtable, textcomp), every cell escaped."""
    columns = "".join(_latex_column(name, frame[name]) for name in headings)
    head = " & ".join(escape_latex(heading) for heading in headings.values())
    lines = [
        "% needs \\usepackage{array,booktabs,longtable,textcomp}; wide tables also a landscape page and \\scriptsize",
        "\\begingroup\\setlength{\\tabcolsep}{3pt}",
        f"\\begin{{longtable}}{{{columns}}}",
        f"\\caption{{{escape_latex(caption)}}} \\\\",
        "\\toprule",
        f"{head} \\\\",
        "\\midrule",
        "\\endhead",
        "\\bottomrule",
        "\\endfoot",
    ]
    for _, row in frame.iterrows():
        lines.append(" & ".join(_latex_cell(row[name]) for name in headings) + " \\\\")
    return "\n".join([*lines, "\\end{longtable}", "\\endgroup"]) + "\n"


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows letter by letter, on one line."""
    return _MARKDOWN_SIGNS.sub(r"\\\1", " ".join(text.split())).replace("&", "&amp;")


def escape_latex(text: str) -> str:
    """Return text that LaTeX prints letter by letter, on one line."""
    return "".join(_LATEX_SIGNS.get(sign, sign) for sign in " ".join(text.split()))


def _latex_cell(value: Any) -> str:
    text = readable(value)
    return f"${text}$" if text and not isinstance(value, str) else escape_latex(text)


def _latex_column(name: str, column: pd.Series) -> str:
    if name in _LATEX_WIDTHS:
        return f">{{\\raggedright\\arraybackslash}}p{{{_LATEX_WIDTHS[name]}}}"
    return "r" if _is_numeric(column) else "l"


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column)
