"""BibTeX: entries that a program can read, of what the records say was used."""

from __future__ import annotations

import re

from electroscreen.papers import read_papers
from electroscreen.record import write_json
from electroscreen.report.references import BY_LEVEL, BY_QUANTITY, BY_ROWS, BY_STAGE, DOI, bibliography, entries


def keys_in(text: str) -> set[str]:
    return set(re.findall(r"(?m)^@\w+\{([^,]+),", text))


def test_every_entry_that_a_rule_calls_for_is_known_and_whole():
    known = entries()
    called = {key for rule in (BY_STAGE, BY_LEVEL, BY_ROWS, BY_QUANTITY) for keys in rule.values() for key in keys}
    assert called <= set(known)
    for key, text in known.items():
        assert text.count("{") == text.count("}"), key
        assert len(DOI.findall(text)) == 1, key
        for field in ("author", "title", "journal", "year", "volume", "pages"):
            assert f"{field} = {{" in text, (key, field)
        assert text.isascii(), key
    every = [DOI.findall(text)[0].lower() for text in known.values()]
    assert len(set(every)) == len(every)


def test_records_call_for_what_they_used_and_nothing_else(tmp_path):
    write_json(tmp_path / "species" / "X" / "orbitals.json", {"verdict": "ok", "level": "b3lypg/6-31g(d,p) cartesian"})
    write_json(tmp_path / "species" / "Y" / "esp.json", {"verdict": "not computed"})
    sources = ["GAFF 2.2.20, types o, doi 10.1002/jcc.20035", "CL&P, of somebody, doi 10.1021/jp0476545", "RESP"]
    sources.append("A force field of one's own (doi 10.1000/own.1), page 3")
    record = {"verdict": "ok", "parameters": [{"source": source} for source in sources]}
    write_json(tmp_path / "species" / "X" / "forcefield.json", record)
    text = bibliography(tmp_path)
    assert keys_in(text) == {
        *("snakemake", "pyscf", "iao", "b3lyp-becke", "b3lyp", "631g", "631gd"),
        *("gaff", "antechamber", "acpype", "clp", "doi-1"),
    }  # fmt: skip
    assert "doi = {10.1000/own.1}" in text


def test_analysis_calls_for_the_methods_of_its_rows(tmp_path):
    row = {"quantity": "viscosity", "subject": "given by the box file"}
    analysis = {"verdict": "not diffusive", "diffusion": [{"d_corrected_a2_per_ns": None}], "transport": [row]}
    path = tmp_path / "boxes" / "b" / "analysis.json"
    write_json(path, analysis)
    assert keys_in(bibliography(tmp_path)) == {"snakemake", "mdanalysis", "kinisi", "kinisi-method", "calandrini"}
    row["subject"] = "pressure fluctuations"
    write_json(path, analysis | {"diffusion": [{"d_corrected_a2_per_ns": 1.0}]})
    assert {"stacie", "yeh-hummer"} <= keys_in(bibliography(tmp_path))


def test_every_paper_has_an_entry(tmp_path, shipped):
    papers = list(read_papers(sorted((shipped / "molecules" / "papers").glob("*.yaml"))).values())
    text = bibliography(tmp_path, papers)
    assert {paper.name for paper in papers} <= keys_in(text)
    assert all(paper.doi in text for paper in papers)
