"""BibTeX of what a run has used: programs, methods, force fields, and the papers that it is compared with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from electroscreen.papers import Paper
from electroscreen.record import usable
from electroscreen.report.records import read_record

LIBRARY = Path(__file__).with_name("references.bib")

# Which entries a stage's records call for, whatever they say.
BY_STAGE = {
    "geometry": ("pyscf", "gfn2", "geometric", "etkdg"),
    "orbitals": ("pyscf", "iao"),
    "esp": ("pyscf", "bader"),
    "binding": ("pyscf", "gfn2", "counterpoise"),
    "charges": ("resp",),
    "packing": ("packmol",),
    "equilibration": ("openmm", "pme", "hmr", "nosehoover"),
    "analysis": ("mdanalysis",),
}
# Which entries a level of theory calls for, by what its name holds.
BY_LEVEL = {
    "b3lyp": ("b3lyp-becke", "b3lyp"),
    "6-31g": ("631g", "631gd"),
    "6-311": ("6311g",),
    "def2": ("def2",),
    "wb97x": ("wb97xd",),
    "gfn1": ("gfn1",),
    "d3bj": ("d3bj",),
}
# Which entries a row of an analysis calls for.
BY_ROWS = {
    "diffusion": ("kinisi-method", "kinisi", "calandrini"),
    "residence": ("kaplan-meier", "stable-states"),
    "hopping": ("borodin-smith", "maitra-heuer"),
}
BY_QUANTITY = {
    "conductivity, Einstein": ("onsager",),
    "conductivity, cluster-Nernst-Einstein": ("cluster-ne",),
    "viscosity": ("stacie", "daivis-evans"),
}
DOI = re.compile(r"\b10\.\d{4,9}/[^\s;,{}'\"]*[^\s;,{}'\").]")


def bibliography(results_dir: Path, papers: Sequence[Paper] = ()) -> str:
    """Return BibTeX entries for all that the records of a run say was used, and for the papers.

    What a record names by a DOI that is not among the known entries gets an entry with that DOI and its own words.
    """
    known = entries()
    keys, named = {"snakemake"}, {}
    for stage, record in _records(Path(results_dir)):
        keys.update(_keys_of(stage, record))
        for parameter in record.get("parameters") or []:
            source = parameter.get("source") or ""
            named |= dict.fromkeys(DOI.findall(source), source)
            keys.update(("gaff", "antechamber", "acpype") if source.startswith("GAFF") else ())
    dois = {doi.lower(): key for key, text in known.items() for doi in DOI.findall(text)}
    keys.update(dois[doi.lower()] for doi in named if doi.lower() in dois)
    found = [text for key, text in known.items() if key in keys]
    rest = {doi: words for doi, words in named.items() if doi.lower() not in dois}
    found += [
        _entry(f"doi-{number}", {"note": words, "doi": doi})
        for number, (doi, words) in enumerate(sorted(rest.items()), 1)
    ]
    found += [_entry(paper.name, {"title": paper.title, "note": paper.citation, "doi": paper.doi}) for paper in papers]
    return "\n".join(found)


def entries() -> dict[str, str]:
    """Return the known entries by key, in the order of their file."""
    parts = re.split(r"(?m)^(?=@)", LIBRARY.read_text(encoding="utf-8"))
    return {re.match(r"@\w+\{([^,]+),", part)[1]: part.strip() + "\n" for part in parts if part.startswith("@")}


def _records(results_dir: Path) -> Iterable[tuple[str, dict[str, Any]]]:
    for pattern in ("species/*/*.json", "complexes/*/*.json", "boxes/*/*.json", "boxes/*/replica-*/*.json"):
        for path in sorted(results_dir.glob(pattern)):
            if not path.name.startswith(".") and ".restart." not in path.name:
                yield path.stem, read_record(results_dir, path.relative_to(results_dir).as_posix())


def _keys_of(stage: str, record: dict[str, Any]) -> set[str]:
    keys = set(BY_STAGE.get(stage, ()) if usable(record["verdict"]) or stage == "analysis" else ())
    level = str(record.get("level") or "").lower()
    keys |= {key for part, of in BY_LEVEL.items() if part in level for key in of}
    for kind, of in BY_ROWS.items():
        keys |= set(of if record.get(kind) else ())
    for row in record.get("transport") or []:
        keys |= set(BY_QUANTITY.get(row["quantity"], ()) if row["subject"] != "given by the box file" else ())
    if any(row.get("d_corrected_a2_per_ns") is not None for row in record.get("diffusion") or []):
        keys.add("yeh-hummer")
    return keys


def _entry(key: str, fields: dict[str, str]) -> str:
    lines = [f"  {name} = {{{' '.join(text.split())}}}," for name, text in fields.items()]
    return "\n".join([f"@misc{{{key},", *lines, "}", ""])
