"""Records: whole or not at all, plain JSON whatever went in, and the same hash everywhere."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time

import numpy as np
import pytest

from electroscreen.recipe import digest
from electroscreen.record import provenance, read_json, whole, write_json, write_text


def test_a_block_that_ends_well_leaves_one_file(tmp_path):
    target = tmp_path / "new" / "folder" / "a.json"
    with whole(target) as partial:
        partial.write_text("content", encoding="utf-8")
        assert not target.exists()
    assert target.read_text(encoding="utf-8") == "content"
    assert [path.name for path in target.parent.iterdir()] == ["a.json"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_a_block_that_fails_leaves_what_was_there(tmp_path, failure):
    target = tmp_path / "a.json"
    for before in (None, "old"):
        if before:
            target.write_text(before, encoding="utf-8")
        with pytest.raises(failure), whole(target) as partial:
            partial.write_text("half", encoding="utf-8")
            raise failure
        assert [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()] == ([before] if before else [])


def test_a_block_that_writes_nothing_is_an_error_and_not_an_empty_file(tmp_path):
    with pytest.raises(FileNotFoundError), whole(tmp_path / "a.json"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.xyz", "a.png", "geometry.restart.json", "state-000001.xml"])
def test_writers_that_go_by_the_ending_still_can(tmp_path, name):
    from pathlib import Path

    with whole(tmp_path / name) as partial:
        assert partial.suffix == Path(name).suffix
        assert partial.parent == tmp_path
        assert partial.name.startswith(".")
        partial.write_text("x", encoding="utf-8")
    assert (tmp_path / name).exists()


def test_an_old_file_is_replaced_and_links_to_it_keep_the_old_content(tmp_path):
    target, link = tmp_path / "a.txt", tmp_path / "link"
    write_text(target, "old")
    link.hardlink_to(target)
    write_text(target, "new")
    assert (target.read_text(), link.read_text()) == ("new", "old")


WRITER = """
import sys
from electroscreen.record import write_json
while True:
    for letter in "ab":
        write_json(sys.argv[1], {"letters": letter * 500_000})
"""


def test_a_reader_never_sees_half_a_file_nor_does_a_kill_leave_one(tmp_path):
    target = tmp_path / "a.json"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(target)])
    try:
        while not target.exists():
            assert process.poll() is None
            time.sleep(0.01)
        seen, deadline = [], time.monotonic() + 60
        while len(seen) < 100 or len(set(seen)) < 2:
            letters = read_json(target)["letters"]
            assert (len(set(letters)), len(letters)) == (1, 500_000)
            seen.append(letters[0])
            assert time.monotonic() < deadline
    finally:
        process.kill()
        process.wait()
    assert len(read_json(target)["letters"]) == 500_000


def test_numpy_and_what_is_not_finite_become_plain(tmp_path):
    from pathlib import Path

    record = {
        "float": np.float64(1.5),
        "single": np.float32(0.5),
        "int": np.int64(3),
        "bool": np.bool_(True),
        "array": np.array([[1.0, np.nan], [np.inf, -np.inf]]),
        "empty": np.zeros((0, 3)),
        "scalar": np.array(2.0),
        "nan": float("nan"),
        "inf": np.float64("inf"),
        "nested": {"tuple": (1, np.float64("nan")), "list": [np.arange(3)]},
        "path": Path("results") / "quick",
        "text": "Å µ ±",
        "none": None,
        4: "key",
    }
    write_json(tmp_path / "a.json", record)
    assert read_json(tmp_path / "a.json") == {
        "float": 1.5,
        "single": 0.5,
        "int": 3,
        "bool": True,
        "array": [[1.0, None], [None, None]],
        "empty": [],
        "scalar": 2.0,
        "nan": None,
        "inf": None,
        "nested": {"tuple": [1, None], "list": [[0, 1, 2]]},
        "path": "results/quick",
        "text": "Å µ ±",
        "none": None,
        "4": "key",
    }
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text
    assert text.endswith("}\n")


def test_numbers_keep_every_digit(tmp_path):
    numbers = np.random.default_rng(1).normal(size=100) * 10.0 ** np.arange(-50, 50)
    write_json(tmp_path / "a.json", {"numbers": numbers})
    assert read_json(tmp_path / "a.json")["numbers"] == numbers.tolist()


def test_what_json_cannot_hold_is_an_error_and_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert read_json(tmp_path / "a.json") == {"a": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_text_is_utf8_with_plain_line_ends(tmp_path):
    write_text(tmp_path / "a.txt", "Å\nb\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\x85\nb\n"


def test_provenance_says_who_and_how_long():
    recipe = {"stage": "geometry", "protocol": 1}
    made = provenance(recipe, ("numpy", "no-such-package"), time.time() - 12.34, threads=3, seed=7)
    assert made["recipe_hash"] == digest(recipe)
    assert made["versions"]["numpy"] == np.__version__
    assert made["versions"]["no-such-package"] is None
    assert made["versions"]["electroscreen"]
    assert made["wall_seconds"] == pytest.approx(12.3, abs=0.3)
    assert (made["threads"], made["seed"]) == (3, 7)
    json.dumps(made)


def test_the_hash_is_the_same_on_every_machine_and_in_every_process():
    """Worked out once by sha256sum; Python's own hash() would change from process to process."""
    import hashlib

    text = '{"a":[1,2.5,null,true],"b":"\\u00c5"}'
    assert digest({"b": "Å", "a": (1, 2.5, None, True)}) == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_what_a_killed_writer_left_is_swept_away(tmp_path):
    # No process bears a number that large, and the one of another machine may still be alive.
    leftover = tmp_path / f".trajectory.{platform.node()}-99999999.partial.xtc"
    own, elsewhere = (tmp_path / f".trajectory.{who}.partial.xtc" for who in (f"{platform.node()}-1", "other-99999999"))
    for path in (leftover, own, elsewhere):
        path.write_bytes(b"half")
    with whole(tmp_path / "trajectory.xtc") as partial:
        partial.write_bytes(b"whole")
    assert not leftover.exists()
    assert own.exists()
    assert elsewhere.exists()
