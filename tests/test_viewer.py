"""The page's own viewer: what it is given, and that nothing in it can break out of the page."""

from __future__ import annotations

import base64
import json

import numpy as np
from scipy.spatial import ConvexHull
from tables_helpers import write_json, write_results
from test_page import Page, report

from electroscreen.quantum.mapped import MappedSurface, empty_surface, read_mapped, write_mapped
from electroscreen.report.viewer import packed_surfaces, thinned


def ball(count: int = 3000) -> MappedSurface:
    """A sphere of 2 Å about (5, 0, 0), with the potential x - 5."""
    k = np.arange(count) + 0.5
    z, turn = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    normals = np.column_stack([np.sqrt(1 - z**2) * np.cos(turn), np.sqrt(1 - z**2) * np.sin(turn), z])
    faces = ConvexHull(normals).simplices.astype(np.int32)
    a, b, c = normals[faces].swapaxes(0, 1)
    inward = np.einsum("fi,fi->f", np.cross(b - a, c - a), a) < 0
    faces[inward] = faces[inward][:, ::-1]
    positions = np.array([[5.0, 0.0, 0.0]])
    return MappedSurface(2 * normals + positions, faces, normals, 2 * normals[:, 0], np.array(["Na"]), positions)


def test_files_come_back_as_they_were(tmp_path):
    surface = ball(200)
    write_mapped(surface, tmp_path / "esp.npz")
    for name, value in vars(read_mapped(tmp_path / "esp.npz")).items():
        np.testing.assert_array_equal(value, getattr(surface, name))


def test_thinning_keeps_the_shape_and_the_potential():
    surface = ball()
    vertices, faces, potential = thinned(surface, 0.4)
    assert 100 < len(vertices) < 800 and len(faces) < 0.3 * len(surface.faces)
    np.testing.assert_allclose(np.linalg.norm(vertices - [5, 0, 0], axis=1), 2, atol=0.06)
    np.testing.assert_allclose(potential, vertices[:, 0] - 5, atol=1e-9)
    edges = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    assert {tuple(e) for e in edges.tolist()} == {tuple(e) for e in edges[:, ::-1].tolist()}


def test_what_the_viewer_unpacks_is_the_surface(tmp_path):
    write_mapped(ball(), tmp_path / "species" / "Na" / "esp.npz")
    write_mapped(empty_surface(["H"], np.zeros((1, 3))), tmp_path / "species" / "H" / "esp.npz")
    data = json.loads(packed_surfaces(tmp_path, ["Na", "H", "lost"]))
    assert list(data["surfaces"]) == ["Na"]
    one = data["surfaces"]["Na"]
    points = np.frombuffer(base64.b64decode(one["points"]), "<i2").reshape(-1, 3) / 32767
    faces = np.frombuffer(base64.b64decode(one["faces"]), "<u2").reshape(-1, 3)
    steps = np.frombuffer(base64.b64decode(one["steps"]), "u1")
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=0.04)
    a, b, c = points[faces].swapaxes(0, 1)
    outwards = np.einsum("fi,fi->f", np.cross(b - a, c - a), a + b + c)
    assert (outwards > 0).mean() > 0.97
    potential = one["low"] + (one["high"] - one["low"]) * steps / 255
    assert (one["low"], one["high"]) == (-one["high"], one["high"])
    assert np.abs(potential).max() <= one["high"] and len(potential) == len(points)
    axis = np.linalg.lstsq(points, potential, rcond=None)[0]
    np.testing.assert_allclose(points @ axis, potential, atol=0.05)
    # Red is the first stop, blue the last.
    assert data["colours"][0][0] > data["colours"][0][2] and data["colours"][-1][2] > data["colours"][-1][0]


def test_the_page_shows_surfaces_without_a_network(tmp_path):
    write_results(tmp_path)
    folder = tmp_path / "species" / "LiF"
    write_mapped(ball(), folder / "esp.npz")
    (folder / "esp.png").write_bytes(b"\x89PNG")
    write_json(folder / "esp.json", {"verdict": "ok", "v_max_ev": 2.0, "v_min_ev": -2.0, "v_max_atom": "Li1"})
    page = Page(report(tmp_path))
    scripts = page.all("script")
    assert len(scripts) == 2 and not any("src" in script for script in scripts)
    assert "http" not in (tmp_path / "report.html").read_text().partition("<script>")[2].partition("</script>")[0]
    assert any(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert {"Li1", "2", "−2"} <= set(page.cells)
    assert "not computed: species/FEC/esp.json is missing" in page.cells


def test_a_name_cannot_end_the_script(tmp_path):
    write_mapped(ball(300), tmp_path / "species" / "x" / "esp.npz")
    (tmp_path / "species" / "x").rename(tmp_path / "species" / "<!--")
    text = packed_surfaces(tmp_path, ["<!--"])
    assert "<" not in text and list(json.loads(text)["surfaces"]) == ["<!--"]
