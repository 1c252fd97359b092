"""Figures: files come out whole and the same each time, and what is missing is said in words."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure
from test_tables import ORBITALS, PAPERS, box_curves, coordination, diffusion, write_box, write_results

from electroscreen.papers import read_papers
from electroscreen.report.curves import draw_msd, draw_rdf
from electroscreen.report.figures import build_figures, paper_levels, rdf_name
from electroscreen.report.levels import draw_orbital_levels, label


@pytest.fixture
def drawn(monkeypatch) -> list[Figure]:
    """Keep every figure that is saved, so that what it says can be read."""
    figures: list[Figure] = []
    save = Figure.savefig

    def keep(figure, *arguments, **options):
        figures.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def words(figure: Figure) -> str:
    texts = [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    return " ".join(" ".join(texts).split())


def test_every_figure_is_drawn_in_both_formats(tmp_path):
    write_results(tmp_path)
    centers = {"natfsi_dol_fec": ["Na"], "lost_box": ["Na"]}
    build_figures(tmp_path, PAPERS, [*ORBITALS, "TFSI", "DFOB"], centers, tmp_path / "figures")
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    stems = [
        "orbital_levels",
        *(f"{kind}_{box}{end}" for box in centers for kind, end in (("rdf", "_Na"), ("msd", ""))),
    ]
    assert names == {f"{stem}{suffix}" for stem in stems for suffix in (".png", ".svg")}
    image = matplotlib.image.imread(tmp_path / "figures" / "orbital_levels.png")
    assert image.shape[1] == pytest.approx(7 * 200, abs=2)
    assert len(np.unique(image.reshape(-1, image.shape[2]), axis=0)) > 50  # ink, and of several colours


def test_the_same_data_give_the_same_bytes(tmp_path):
    for folder in ("a", "b"):
        draw_msd([diffusion(3.1, 0.4, 8.2)], box_curves(), tmp_path / folder / "msd")
    for suffix in (".png", ".svg"):
        a, b = ((tmp_path / folder / f"msd{suffix}").read_bytes() for folder in ("a", "b"))
        assert a == b


def test_svg_loads_nothing_from_a_network(tmp_path):
    draw_msd([diffusion(3.1, 0.4, 8.2)], box_curves(), tmp_path / "msd")
    svg = (tmp_path / "msd.svg").read_text(encoding="utf-8")
    assert not re.search(r"""(?:href|src)\s*=\s*["']https?:""", svg)
    assert "<dc:date>" not in svg


def test_levels_stand_where_they_were_computed(tmp_path, drawn):
    levels = [
        {"species": "LiOH", "homo_ev": -5.61, "lumo_ev": -1.145, "verdict": "ok"},
        {"species": "LiF", "homo_ev": -6.98, "lumo_ev": -1.342, "verdict": "ok"},
    ]
    printed = [{"species": "LiF", "key": "lumo_ev", "value": -1.34, "paper": "p"}]
    draw_orbital_levels(levels, printed, tmp_path / "levels")
    axes = drawn[0].axes[0]
    heights = sorted(segment[0][1] for lines in axes.collections for segment in lines.get_segments())
    assert heights == [-6.98, -5.61, -1.342, -1.145]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["LiF", "LiOH"]  # lowest LUMO first
    marks = [
        tuple(np.ravel(line.get_data())) for line in axes.lines if line.get_marker() == "D" and len(line.get_xdata())
    ]
    assert marks == [(pytest.approx(0.42), -1.34)]


def test_a_level_far_outside_is_an_arrow_with_its_number(tmp_path, drawn):
    levels = [
        {"species": "Na", "homo_ev": -39.6, "lumo_ev": -6.1, "verdict": "ok"},
        {"species": "LiF", "homo_ev": -6.98, "lumo_ev": -1.342, "verdict": "ok"},
    ]
    draw_orbital_levels(levels, [], tmp_path / "levels")
    assert drawn[0].axes[0].get_ylim()[0] > -10
    assert "−39.60" in words(drawn[0])


def test_species_without_levels_are_named_with_their_reason(tmp_path, drawn):
    levels = [
        {"species": "LiF", "homo_ev": -6.98, "lumo_ev": -1.342, "verdict": "geometry not converged"},
        {"species": "TFSI", "homo_ev": None, "lumo_ev": None, "verdict": "not converged: SCF"},
    ]
    draw_orbital_levels(levels, [], tmp_path / "levels")
    assert "TFSI: not converged: SCF" in words(drawn[0]) and "LiF*" in words(drawn[0])
    draw_orbital_levels(levels[1:], [], tmp_path / "nothing")
    assert "TFSI: not converged: SCF" in words(drawn[-1]) and (tmp_path / "nothing.png").stat().st_size > 1000


def test_the_papers_levels_are_found():
    found = {(mark["species"], mark["key"]): mark["value"] for mark in paper_levels(read_papers(PAPERS).values())}
    assert found["LiF", "lumo_ev"] == -1.34 and found["Sn_OTf2", "homo_ev"] == -7.37 and len(found) == 12


def test_rdf_shows_peak_cutoff_and_count(tmp_path, drawn):
    pairs = [coordination("O(DOL)", 2.36, 21.0, 4.6, 4.1, 5.1), coordination("O(TFSI)", 2.31, 45.0, 1.1, 0.6, 1.6)]
    draw_rdf("Na", pairs, box_curves(), tmp_path / "rdf")
    said = words(drawn[0])
    assert "Na-O(DOL): n(3.24 Å) = 4.60 (4.10 to 5.10)" in said and "2.36 Å" in said and "2.31 Å" in said
    panel = next(axes for axes in drawn[0].axes if "O(DOL)" in axes.get_title(loc="left"))
    assert any(np.allclose(line.get_xdata(), 3.24) for line in panel.lines)


def test_a_shell_that_is_not_defined_is_told_in_its_panel(tmp_path, drawn):
    pair = coordination("O(DOL)", 2.36, 21.0, None, None, None) | {"verdict": "no shell: the minimum is at 0.9"}
    draw_rdf("Na", [pair | {"cutoff_angstrom": None}], box_curves(), tmp_path / "rdf")
    assert "no shell: the minimum is at 0.9" in words(drawn[0]) and "n(" not in words(drawn[0]).replace("n(r)", "")


def test_msd_shows_the_coefficient_or_why_there_is_none(tmp_path, drawn):
    draw_msd([diffusion(3.1, 0.4, 8.2)], box_curves(), tmp_path / "msd")
    assert "Na: D = 3.1 (0.4 to 8.2) Å²/ns, ok (one box)" in words(drawn[0])
    window = [line for line in drawn[0].axes[0].lines if line.get_alpha() and len(line.get_xdata())]
    assert (window[0].get_xdata().min(), window[0].get_xdata().max()) == (pytest.approx(15), pytest.approx(49.8))
    draw_msd([diffusion(None, None, 4.2, "not diffusive: D < 4.2")], box_curves(), tmp_path / "msd2")
    assert "Na: not diffusive: D < 4.2" in words(drawn[-1]) and "D =" not in words(drawn[-1])


@pytest.mark.parametrize("curves", [{}, {"msd|Na|lag_ps": np.zeros(3), "msd|Na|msd_a2": np.full(3, np.nan)}])
def test_missing_curves_are_said_in_words(tmp_path, drawn, curves):
    draw_rdf("Na", [], curves, tmp_path / "rdf", "not computed: no trajectory")
    draw_msd([], curves, tmp_path / "msd", "not computed: no trajectory")
    assert "g(r) around Na: not computed: no trajectory" in words(drawn[0])
    assert "mean square displacement: not computed: no trajectory" in words(drawn[-1])
    assert all((tmp_path / name).stat().st_size > 500 for name in ("rdf.png", "rdf.svg", "msd.png", "msd.svg"))


def test_a_failed_analysis_gives_its_reason(tmp_path, drawn):
    write_box(tmp_path, "b", verdict="not computed: replica 1 blew up", coordination=[], diffusion=[])
    (tmp_path / "boxes" / "b" / "curves.npz").unlink()
    build_figures(tmp_path, [], [], {"b": ["Na"]}, tmp_path / "figures")
    assert "replica 1 blew up" in words(drawn[-1])


def test_names_are_text_and_not_mathematics(tmp_path, drawn):
    levels = [{"species": r"$\frac{Li_2", "homo_ev": -5.0, "lumo_ev": -1.0, "verdict": "ok"}]
    draw_orbital_levels(levels, [], tmp_path / "levels")
    assert r"$\frac{Li_2" in words(drawn[0])


@pytest.mark.parametrize(
    ("name", "expected"), [("Li2CO3", "Li₂CO₃"), ("Sn_OTf2", "Sn_OTf₂"), ("o-carborane", "o-carborane"), ("LiF", "LiF")]
)
def test_formulas_get_subscripts(name, expected):
    assert label(name) == expected


def test_file_names_of_centers():
    assert rdf_name("my_box", "Na") == "rdf_my_box_Na"
    assert rdf_name("my_box", "O(DOL)") == "rdf_my_box_O-DOL"
    assert Path(rdf_name("b", "../x")).name == rdf_name("b", "../x")
