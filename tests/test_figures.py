"""Figures: files come out whole and the same each time, and what is missing is said in words."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from tables_helpers import ORBITALS, PAPERS, box_curves, coordination, diffusion, write_box, write_results

from electroscreen.papers import read_papers
from electroscreen.report.curves import draw_msd, draw_rdf
from electroscreen.report.figures import build_figures, paper_levels, rdf_name
from electroscreen.report.ions import (
    draw_arrhenius,
    draw_displacements,
    draw_solvation,
    draw_stays,
    draw_transport,
    draw_van_hove,
)
from electroscreen.report.levels import draw_orbital_levels, label
from electroscreen.report.names import OF_BOX, box_of, figure_names
from electroscreen.report.shells import draw_shells


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
    build_figures(tmp_path, PAPERS, [*ORBITALS, "TFSI", "DFOB"], centers, tmp_path / "figures", ["liquid"])
    drawn = [path for path in (tmp_path / "figures").rglob("*") if path.is_file()]
    names = {path.name for path in drawn}
    boxes = {path.parent.name for path in drawn if box_of(path.stem)}
    assert boxes == set(centers) and all(box_of(p.stem) is None or box_of(p.stem)[1] == p.parent.name for p in drawn)
    stems = [
        "orbital_levels",
        *(f"rdf_{box}_Na" for box in centers),
        *(f"{kind}_{box}" for box in centers for kind in OF_BOX),
        "arrhenius_liquid",
    ]
    assert set(stems) == set(figure_names(centers, ["liquid"]))
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
    # The molecules are drawn from files of their own, which need no analysis.
    assert all("replica 1 blew up" in words(figure) for figure in drawn[4:])


DRIFTS = "not equilibrated: potential energy drifts by +64 kJ/mol over production; one box"


def test_a_flaw_of_the_whole_box_heads_every_figure_once(tmp_path, drawn):
    """Also those that show numbers without verdicts of their own; what a row says besides stays with the row."""
    pair = coordination("O(DOL)", 2.36, 21.0, 4.6, 4.1, 5.1)
    undefined = coordination("O(TFSI)", 2.31, 45.0, None, None, None) | {"cutoff_angstrom": None}
    pairs = [pair | {"verdict": DRIFTS}, undefined | {"verdict": DRIFTS.replace("one box", "no shell; one box")}]
    draw_rdf("Na", pairs, box_curves(), tmp_path / "rdf", DRIFTS)
    still = "not equilibrated: potential energy drifts by +64 kJ/mol over production; not diffusive: D below 72 Å²/ns"
    draw_msd([diffusion(None, None, 72.0, f"{still}; one box")], box_curves(), tmp_path / "msd", DRIFTS)
    stays = {"stay|Na|O|time_ps": np.arange(5.0), "stay|Na|O|share": np.linspace(1, 0, 5)}
    stay = {"center": "Na", "partner": "O", "residence_ps": 41.2, "low": 30.0, "high": 60.0, "verdict": DRIFTS}
    draw_stays([stay], stays, tmp_path / "stays", DRIFTS)
    draw_solvation([share("shell", "4 DOL", 0.2)], tmp_path / "solvation", DRIFTS)
    row = {"quantity": "conductivity, Einstein", "subject": "formal", "value": 1.0, "low": 0.5, "high": 2.0}
    draw_transport([row | {"verdict": DRIFTS}], tmp_path / "transport", DRIFTS)
    assert all(words(figure).count("drifts by +64") == 1 and "one box" in words(figure) for figure in drawn)
    assert " no shell " in f" {words(drawn[0])} " and "n(3.24 Å) = 4.60" in words(drawn[0])
    of_msd, of_stays = (next(f for f in drawn if name in words(f)) for name in ("slope 1", "share of stays"))
    assert "Na: not diffusive: D below 72 Å²/ns" in words(of_msd) and "Na-O: 41.2 ps (30 to 60)" in words(of_stays)


def test_a_stay_with_a_flaw_of_its_own_tells_it_beside_its_mean(tmp_path, drawn):
    stays = {"stay|Na|O|time_ps": np.arange(5.0), "stay|Na|O|share": np.linspace(1, 0, 5)}
    stay = {"center": "Na", "partner": "O", "residence_ps": 41.2, "low": 30.0, "high": 60.0, "verdict": "few exits"}
    draw_stays([stay], stays, tmp_path / "stays", "ok (one box)")
    assert "Na-O: 41.2 ps (30 to 60), few exits" in words(drawn[0]) and "one box" not in words(drawn[0])


def test_words_beside_curves_stay_inside_the_figure(tmp_path, drawn):
    stays = {"stay|Na|O|time_ps": np.arange(5.0), "stay|Na|O|share": np.linspace(1, 0, 5)}
    long = "; ".join(f"reason {number} of some length" for number in range(12))
    draw_stays(
        [{"center": "Na", "partner": "O", "verdict": long}], stays, tmp_path / "stays", f"not equilibrated: {long[:90]}"
    )
    draw_msd([diffusion(None, None, 72.0, long)], box_curves(), tmp_path / "msd", f"not equilibrated: {long[:90]}")
    for figure in {id(figure): figure for figure in drawn}.values():
        figure.canvas.draw()
        width, height = figure.get_size_inches() * figure.dpi
        for text in (*figure.legends, figure._suptitle):
            box = text.get_window_extent()
            assert box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height
        assert figure.axes[0].get_window_extent().height > 1.3 * figure.dpi


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


def test_figures_belong_to_their_box():
    assert box_of("rdf_my_box_Na") == ("rdf", "my_box")
    assert box_of("van_hove_my_box") == ("van_hove", "my_box")
    assert box_of("orbital_levels") is None


def share(kind: str, structure: str, value: float, center: str = "Na") -> dict:
    low, high = max(value - 0.1, 0), min(value + 0.1, 1)
    return {"center": center, "kind": kind, "structure": structure, "value": value, "low": low, "high": high}


def test_shares_are_drawn_as_long_as_they_are(tmp_path, drawn):
    rows = [share("association", "free", 0.3), share("association", "contact pair", 0.7), share("shell", "4 DOL", 0.2)]
    rows += [share("atoms in shell", "all", 5.9)]
    draw_solvation(rows, tmp_path / "solvation")
    ions, shells = drawn[0].axes
    assert [bar.get_width() for bar in ions.patches] == [0.3, 0.7]
    assert [line.get_xdata().tolist() for line in shells.lines] == [pytest.approx([0.1, 0.3])]
    assert "Na: 4 DOL" in words(drawn[0]) and "atoms" not in words(drawn[0])


def shell_curves(structure: str, symbols: list[str], molecule: list[int], bound: list[bool]) -> dict[str, np.ndarray]:
    places = np.array([[0, 0, 0], *([2.4 + 1.2 * i, 0.3 * i, 0.1 * i] for i in range(len(symbols) - 1))], dtype=float)
    parts = {"symbols": symbols, "positions_angstrom": places, "molecule": molecule, "bound": bound}
    return {f"shell|Na|{structure}|{key}": np.array(of) for key, of in parts.items()}


def balls(axes) -> int:
    return sum(isinstance(patch, Circle) for patch in axes.patches)


def test_shells_are_pictures_with_their_shares(tmp_path, drawn):
    curves = shell_curves("1 CO", ["Na", "O", "C"], [0, 1, 1], [True, True, False])
    chain = ["Na", "O", *["C"] * 59]
    curves |= shell_curves("1 PEO", chain, [0, *[3] * 60], [True, True, *[False] * 59])
    rows = [share("association", "free", 0.3), share("shell", "1 CO", 0.2), share("shell", "1 PEO", 0.4)]
    rows += [share("shell", "2 CO", 0.1)]  # of which there is no picture
    draw_shells(rows, curves, tmp_path / "shells")
    assert "Na with 1 CO 20 (10 to 30) %" in words(drawn[0])
    assert "Na with 1 PEO 40 (30 to 50) %" in words(drawn[0]) and "2 CO" not in words(drawn[0])
    small, long = drawn[0].axes
    assert balls(small) == 3
    assert balls(long) == 4  # of the chain only what is within 5 Å
    assert {text.get_text() for text in small.texts} == {"Na", "O"}
    assert np.ptp(small.get_xlim()) == pytest.approx(np.ptp(long.get_xlim()))
    draw_shells([], {}, tmp_path / "none", "not computed: no replica")
    assert "pictures of shells: not computed: no replica" in words(drawn[-1])


def test_stays_show_the_mean_or_why_there_is_none(tmp_path, drawn):
    curves = {}
    for partner in ("O(DOL)", "O(TFSI)"):
        curves[f"stay|Na|{partner}|time_ps"], curves[f"stay|Na|{partner}|share"] = np.arange(5.0), np.linspace(1, 0, 5)
    rows = [
        {"center": "Na", "partner": "O(DOL)", "residence_ps": 41.2, "low": 30.0, "high": 60.0, "verdict": "ok"},
        {"center": "Na", "partner": "O(TFSI)", "residence_ps": None, "low": 59.0, "verdict": "longer than 59 ps"},
    ]
    draw_stays(rows, curves, tmp_path / "stays")
    assert "Na-O(DOL): 41.2 ps (30 to 60)" in words(drawn[0])
    assert "Na-O(TFSI): longer than 59 ps" in words(drawn[0])


def test_every_ion_has_its_line(tmp_path, drawn):
    curves = {"displacement|Na|time_ps": np.arange(10.0), "displacement|Na|a": np.ones((7, 10))}
    row = {"species": "Na", "mean_angstrom": 1.0, "low": 0.5, "high": 1.5, "time_ps": 9.0, "verdict": "ok"}
    draw_displacements([row], curves, tmp_path / "displacement")
    assert len(drawn[0].axes[0].lines) == 7 + 1
    assert "Na: 1 (0.5 to 1.5) Å after 9 ps" in words(drawn[0])


def test_a_distribution_stands_beside_that_of_a_walk(tmp_path, drawn):
    parts = {"lag_ps": np.array([5.0, 15.0, 50.0]), "r_a": np.arange(9.0), "density": np.ones((3, 9))}
    curves = {f"van_hove|Na|{key}": values for key, values in (parts | {"gaussian": np.ones((3, 9))}).items()}
    curves |= {"ngp|Na|lag_ps": np.arange(1.0, 5.0), "ngp|Na|alpha": np.zeros(4)}
    draw_van_hove(curves, tmp_path / "van_hove")
    left, right = drawn[0].axes
    assert (len(left.lines), len(right.lines)) == (6, 2)
    assert "15 ps" in words(drawn[0])


def test_transport_shows_values_and_bounds(tmp_path, drawn):
    rows = [
        {"quantity": "conductivity, Einstein", "subject": "formal charges", "value": 0.6, "low": 0.4, "high": 0.9},
        {"quantity": "conductivity, Nernst-Einstein", "subject": "formal charges", "value": None, "high": 1.4},
        {"quantity": "transference number, self", "subject": "Na", "value": 0.5, "low": 0.3, "high": 0.7},
        {"quantity": "ionicity", "subject": "x", "value": 0.5, "low": 0.3, "high": 0.7},
    ]
    rows = [{"low": None, "verdict": "ok"} | row for row in rows]
    draw_transport(rows, tmp_path / "transport")
    assert [len(axes.patches) for axes in drawn[0].axes] == [1, 1]
    assert "Einstein: formal charges" in words(drawn[0]) and "self: Na" in words(drawn[0])
    draw_transport([rows[0] | {"high": None, "verdict": "not diffusive: Na"}], tmp_path / "none")
    assert "conductivity: not diffusive: Na" in words(drawn[-1])


def test_arrhenius_lines_go_through_their_points(tmp_path, drawn):
    kelvin = np.array([300.0, 350.0, 400.0])
    values = 2e4 * np.exp(-0.2 / (8.617333262e-5 * kelvin))
    key = ("liquid", "diffusion coefficient of Na", "Å²/ns")
    known = zip(kelvin, values, strict=True)
    points = {key: [{"temperature_k": t, "value": v, "low": v / 2, "high": 2 * v} for t, v in known]}
    fit = {"series": "liquid", "quantity": key[1], "model": "Arrhenius", "activation_energy_ev": 0.2}
    draw_arrhenius("liquid", points, [fit | {"low": 0.1, "high": 0.3, "prefactor": 2e4}], tmp_path / "arrhenius")
    line = max(drawn[0].axes[0].lines, key=lambda one: len(one.get_xdata()))
    assert np.interp(1000 / 350, line.get_xdata(), line.get_ydata()) == pytest.approx(values[1], rel=0.01)
    assert "0.200 eV (0.100 to 0.300)" in words(drawn[0]) and "mathdefault" not in words(drawn[0])
    draw_arrhenius("other", points, [], tmp_path / "other")
    assert "no usable number at any temperature" in words(drawn[-1])
