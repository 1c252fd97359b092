"""Pictures of boxes: every atom in its place and colour, molecules whole and inside, and words where nothing is."""

from __future__ import annotations

import matplotlib.image
import numpy as np
import pytest
from analysis_helpers import write_xtc
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.colors import to_rgb
from tables_helpers import write_json
from test_figures import drawn, words

from electroscreen.report.boxes import BULK, COLOURS, colours_of, draw_box, in_the_box, read_moments

__all__ = ["drawn"]

MOLECULES = [
    {"species": "Na", "symbols": ["Na"], "count": 2, "role": "cation"},
    {"species": "FEC", "symbols": ["O", "C", "F"], "count": 1, "role": "additive"},
    {"species": "DOL", "symbols": ["C", "O"], "count": 5, "role": "solvent"},
]
ATOMS = [symbol for entry in MOLECULES for _ in range(entry["count"]) for symbol in entry["symbols"]]


@pytest.fixture
def results(tmp_path):
    """A box of 15 atoms, packed in 20 Å and at the end in 18 Å."""
    folder = tmp_path / "boxes" / "Y"
    random = np.random.default_rng(2)
    packed = random.uniform(2, 18, (len(ATOMS), 3))
    lines = ["CRYST1   20.000   20.000   20.000  90.00  90.00  90.00 P 1           1"]
    lines += [
        f"HETATM{i + 1:5d} {symbol:>3s}  MOL A{1:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {symbol:>2s}"
        for i, (symbol, (x, y, z)) in enumerate(zip(ATOMS, packed, strict=True))
    ]
    write_json(folder / "composition.json", {"verdict": "ok", "molecules": MOLECULES})
    write_json(folder / "replica-1" / "equilibration.json", {"verdict": "ok", "density_g_per_ml": 1.0625})
    (folder / "replica-1" / "packed.pdb").write_text("\n".join([*lines, "END", ""]), encoding="utf-8")
    frames = np.stack([packed, packed + 40, 0.9 * packed])
    write_xtc(folder / "replica-1" / "trajectory.xtc", frames, 18.0, np.arange(3.0))
    return tmp_path, packed


def test_both_moments_are_read(results):
    root, packed = results
    start, end = read_moments(root / "boxes" / "Y" / "replica-1", {"density_g_per_ml": 1.0625})
    np.testing.assert_allclose(start.positions, packed, atol=6e-4)
    np.testing.assert_allclose(end.positions, 0.9 * packed, atol=6e-3)
    assert (start.edge, end.edge) == pytest.approx((20, 18), abs=1e-4)
    assert (start.label, end.label) == ("packed, edge 20.0 Å", "at the end, edge 18.0 Å, 1.062 g/mL")


def hue(colour) -> tuple:
    """What stays of a colour, however pale."""
    absorbed = 1 - np.array(colour)
    return tuple(np.round(absorbed / absorbed.max(), 2))


def test_every_atom_is_a_ball_of_its_species_colour(results, drawn):
    root, _ = results
    draw_box(root, "Y", root / "molecules_Y")
    figure = drawn[0]
    for axes in figure.axes:
        (balls,) = (c for c in axes.collections if isinstance(c, EllipseCollection))
        # Each with a light spot.
        assert len(balls.get_offsets()) == 2 * len(ATOMS)
        edges = [segment for c in axes.collections if isinstance(c, LineCollection) for segment in c.get_segments()]
        assert len(edges) == 12
        hues = {hue(face[:3]) for face in balls.get_facecolors()}
        wanted = {hue(to_rgb(colour)) for colour in (*COLOURS[:2], BULK)}
        assert hues == wanted
    assert all(word in words(figure) for word in ("Na (2)", "FEC (1)", "DOL (5)", "edge 20.0 Å", "edge 18.0 Å"))
    limits = {axes.get_xlim() for axes in figure.axes}
    assert len(limits) == 1
    image = matplotlib.image.imread(root / "molecules_Y.png")
    assert len(np.unique(image.reshape(-1, image.shape[2]), axis=0)) > 50


def test_what_is_nearer_hides_what_is_farther(tmp_path, drawn, results):
    """Of two balls on one line of sight the one to the viewer is painted last."""
    root, _ = results
    draw_box(root, "Y", tmp_path / "again")
    (balls,) = (c for c in drawn[0].axes[0].collections if isinstance(c, EllipseCollection))
    # Far balls are paler: of one colour, the saturation rises from the first to the last.
    pale = [1 - min(face[:3]) for face in balls.get_facecolors()[::2]]
    greys = [p for p, face in zip(pale, balls.get_facecolors()[::2], strict=True) if np.ptp(face[:3]) < 1e-9]
    assert len(greys) == 10
    assert greys == sorted(greys)


def test_molecules_stay_whole_and_come_into_the_box():
    random = np.random.default_rng(7)
    x = random.uniform(-300, 300, (len(ATOMS), 3))
    x[2:5] = x[2] + [[0, 0, 0], [1.2, 0, 0], [0, 1.4, 0]]
    inside = in_the_box(x, 20.0, MOLECULES)
    shift = (inside - x) / 20.0
    np.testing.assert_allclose(shift, np.round(shift), atol=1e-9)
    assert len(np.unique(np.round(shift[2:5]), axis=0)) == 1
    centre = inside[2:5].mean(axis=0)
    assert (centre >= 0).all()
    assert (centre < 20).all()


def test_grey_is_for_the_solvent():
    assert colours_of(MOLECULES) == {"Na": COLOURS[0], "FEC": COLOURS[1], "DOL": BULK}
    assert colours_of(MOLECULES[2:]) == {"DOL": COLOURS[0]}
    chains = {"species": "PDOL20", "symbols": 229 * ["C"], "count": 9, "role": "polymer"}
    less = {"species": "FEC", "symbols": ["O"], "count": 4, "role": "solvent"}
    wanted = {"PDOL20": COLOURS[0], "FEC": COLOURS[1], "DOL": BULK}
    assert colours_of([chains, less, MOLECULES[2]]) == wanted


@pytest.mark.parametrize("verdict", ["not run: not built: TFSI: not typable", "not run: exploded in phase 'density'"])
def test_a_box_without_an_end_says_why(results, drawn, verdict):
    root, _ = results
    replica = root / "boxes" / "Y" / "replica-1"
    write_json(replica / "equilibration.json", {"verdict": verdict})
    (replica / "trajectory.xtc").write_text("")
    if "exploded" not in verdict:
        (replica / "packed.pdb").write_text("")
    draw_box(root, "Y", root / "molecules_Y")
    assert verdict.split(": ")[-1].split(" ")[0] in words(drawn[0])
    assert ("packed, edge 20.0" in words(drawn[0])) == ("exploded" in verdict)
    draw_box(root, "lost", root / "molecules_lost")
    assert "is missing" in words(drawn[-1])
