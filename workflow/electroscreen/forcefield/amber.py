"""AmberTools' typing programs, which come with the acpype package, and the tables they write.

antechamber gives every atom its GAFF2 type, parmchk2 every term its numbers and says where it borrowed
them (Wang, Wolf, Caldwell, Kollman and Case, J. Comput. Chem. 25, 1157 (2004), doi 10.1002/jcc.20035).
Both are programs of their own, called with a list of arguments in a folder that is thrown away.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

SECONDS_LIMIT = 300
_FOLDERS = {"linux": "amber_linux", "darwin": "amber_macos"}
_PROGRAMS = ("antechamber", "atomtype", "bondtype", "parmchk2")
_GAFF2 = Path("dat") / "leap" / "parm" / "gaff2.dat"
_PENALTY = re.compile(r",?\s*penalty score=\s*([\d.]+)[\s)]*(\(use general term[\s)]*)?")
LJ_PRINTED = 1e-4  # Å and kcal/mol; GAFF and GAFF2 differ by at least ten times that in every type
CANNOT_START = 126  # a shell's exit codes from here on: not executable, not found, or killed


class ProgramError(RuntimeError):
    """A typing program is missing, does not start, or breaks off."""


class TypingRefusedError(ValueError):
    """antechamber ran, but gives this molecule no types; the message says why."""


Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Entry:
    """One parameter in AMBER's own numbers and units; a torsion has one row of numbers a periodicity."""

    rows: Rows
    remark: str = ""
    penalty: float | None = None

    @property
    def needs_revision(self) -> bool:
        """Whether the program says that it found nothing."""
        return "ATTN" in self.remark


Entries = dict[tuple[str, ...], Entry]


@dataclass
class Table:
    """Parameters by atom types, in the order in which they are written."""

    bonds: Entries = field(default_factory=dict)
    angles: Entries = field(default_factory=dict)
    torsions: Entries = field(default_factory=dict)
    impropers: Entries = field(default_factory=dict)
    lj: Entries = field(default_factory=dict)


def gaff2_types(sdf: str, charge: int) -> tuple[list[str], Table]:
    """Return the GAFF2 type of every atom, and the table of all terms between such atoms.

    Parameters
    ----------
    sdf
        The molecule with bond orders, coordinates and all hydrogens.

    Raises
    ------
    ProgramError
        If a program is missing, does not start or breaks off.
    TypingRefusedError
        If antechamber cannot type the molecule.
    """
    with tempfile.TemporaryDirectory(prefix="gaff2-") as folder:
        work = Path(folder)
        # The programs hand this path to a shell without quotes; the link has no spaces, whatever its target has.
        (work / "amber").symlink_to(amber_home(), target_is_directory=True)
        (work / "molecule.sdf").write_text(sdf, encoding="utf-8")
        files = ("-i", "molecule.sdf", "-fi", "sdf", "-o", "typed.mol2", "-fo", "mol2")
        said = _run(work, "antechamber", *files, "-at", "gaff2", "-nc", str(charge), "-dr", "no", "-pf", "y")
        typed = work / "typed.mol2"
        if not typed.exists():
            raise TypingRefusedError(f"antechamber gives no types: {said}")
        # By number and by file: asked by name ("-s gaff2"), parmchk2 reads the old GAFF in one run of four.
        files = ("-i", "typed.mol2", "-f", "mol2", "-o", "all.frcmod", "-p", str(Path("amber") / _GAFF2))
        said = _run(work, "parmchk2", *files, "-s", "2", "-a", "Y")
        terms = work / "all.frcmod"
        if not terms.exists():
            raise ProgramError(f"parmchk2 wrote nothing: {said}")
        table = read_frcmod(terms.read_text(encoding="utf-8"))
        assert_gaff2(table)
        return _mol2_types(typed.read_text(encoding="utf-8")), table


def assert_gaff2(table: Table) -> None:
    """Refuse terms from another force field than GAFF2, told by the Lennard-Jones parameters, none of which agree.

    Raises
    ------
    ProgramError
        Naming the first type that differs from GAFF2's own file.
    """
    for types, entry in table.lj.items():
        known = gaff2_own().lj.get(types)
        if known and any(abs(a - b) > LJ_PRINTED for a, b in zip(entry.rows[0], known.rows[0], strict=True)):
            raise ProgramError(
                f"parmchk2 took its terms from another force field than GAFF2: {types[0]} has radius and depth "
                f"{entry.rows[0]}, {gaff2_version()} has {known.rows[0]}"
            )


def read_frcmod(text: str) -> Table:
    """Return the terms of a frcmod file."""
    table = Table()
    sections: dict[str, tuple[Entries, int, int]] = {
        "BOND": (table.bonds, 2, 2),
        "ANGLE": (table.angles, 3, 2),
        "DIHE": (table.torsions, 4, 4),
        "IMPROPER": (table.impropers, 4, 3),
        "NONBON": (table.lj, 1, 2),
    }
    current = None
    for line in text.splitlines():
        if not line.strip():
            current = None
        elif current is None:
            current = sections.get(line.strip())
        else:
            _read_line(line, *current)
    return table


@lru_cache(maxsize=1)
def gaff2_version() -> str:
    """Return the version that GAFF2's own file states, such as 'GAFF 2.2.20'."""
    title = _gaff2_text().splitlines()[0]
    version = re.search(r"Version ([\d.]+)", title)
    return f"GAFF {version[1]}" if version else title.strip()


@lru_cache(maxsize=1)
def gaff2_own() -> Table:
    """Return bonds, impropers and Lennard-Jones parameters as GAFF2's own file has them, "X" where any type will do.

    parmchk2 prints the same bonds with one digit less.
    """
    blocks = _gaff2_text().split("\n\n")
    table = Table()
    for line in blocks[1].splitlines()[1:]:  # the first line lists hydrophilic types
        _read_line(line, table.bonds, 2, 2)
    for line in blocks[4].splitlines():
        _read_line(line, table.impropers, 4, 3)
    for line in _gaff2_text().split("MOD4      RE\n")[1].split("\n\n")[0].splitlines():
        _read_line(line, table.lj, 1, 2)
    for entries in (table.bonds, table.impropers, table.lj):
        for types, entry in entries.items():
            entries[types] = Entry(entry.rows)
    return table


def amber_home() -> Path:
    """Return the folder of AmberTools inside the acpype package.

    Raises
    ------
    ProgramError
        Naming what is missing.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        raise ProgramError(f"acpype's AmberTools programs are made for x86-64, this machine is {platform.machine()}")
    found = importlib.util.find_spec("acpype")
    if found is None or not found.submodule_search_locations:
        raise ProgramError("the package 'acpype', which brings antechamber and parmchk2, is not installed")
    home = Path(found.submodule_search_locations[0]) / _FOLDERS.get(sys.platform, "amber_linux")
    programs = [home / "bin" / program for program in _PROGRAMS]
    missing = [str(path) for path in (*programs, home / _GAFF2) if not path.exists()]
    missing += [f"{path} (may not be executed)" for path in programs if path.exists() and not os.access(path, os.X_OK)]
    if missing:
        raise ProgramError(f"AmberTools of the package 'acpype' is incomplete, missing: {', '.join(missing)}")
    return home


def _run(work: Path, program: str, *arguments: str) -> str:
    """Run a program in `work` and return the last of what it said."""
    home = work / "amber"
    try:
        done = subprocess.run(
            [str(home / "bin" / program), *arguments],
            cwd=work,
            env={**os.environ, "AMBERHOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProgramError(f"{program} does not run: {error}") from error
    lines = [line.strip() for line in done.stdout.decode(errors="replace").splitlines() if line.strip()]
    said = " ".join(lines[-4:]) or "it said nothing"
    if done.returncode < 0 or done.returncode >= CANNOT_START:
        raise ProgramError(f"{program} broke off with exit code {done.returncode}: {said}")
    return said


def _read_line(line: str, entries: Entries, atoms: int, numbers: int) -> None:
    """Add one line; the series of a torsion goes on after a negative periodicity.

    Types fill two columns each and are joined by dashes; a Lennard-Jones line starts with blanks.
    """
    if atoms == 1:
        name, line = line.split(None, 1)
        types: tuple[str, ...] = (name,)
    else:
        types = tuple(line[3 * i : 3 * i + 2].strip() for i in range(atoms))
        line = line[3 * atoms - 1 :]
    words = line.split(None, numbers)
    row = tuple(float(word) for word in words[:numbers])
    remark = words[numbers] if len(words) > numbers else ""
    penalty = _PENALTY.search(remark)
    before = entries.get(types)
    goes_on = before is not None and numbers == 4 and before.rows[-1][3] < 0
    entries[types] = Entry(
        rows=(*before.rows, row) if goes_on else (row,),
        remark=_PENALTY.sub("", remark).strip(),
        penalty=float(penalty[1]) if penalty else None,
    )


def _mol2_types(text: str) -> list[str]:
    atoms = text.split("@<TRIPOS>ATOM")[1].split("@<TRIPOS>")[0]
    return [line.split()[5] for line in atoms.splitlines() if line.strip()]


def _gaff2_text() -> str:
    return (amber_home() / _GAFF2).read_text(encoding="utf-8", errors="replace")
