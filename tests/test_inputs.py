"""Whatever a user writes, however broken: one line that names file and field, never a traceback, never a guess."""

from __future__ import annotations

import os
import random
import re
import time

import pytest
import yaml

from electroscreen import inputs

SPECIES = "name: X\ntitle: x\nrole: solvent\nsmiles: COC\n"
BOX = "name: Y\ntitle: y\ntemperature_k: 300\nrecipe:\n  DOL: {volume_ml: 10}\n  FEC: {volume_ml: 1}\n"

# What stands in molecules/species/X.yaml, and what the one line must say of it.
BAD_FILES = {
    "empty": ("", r"must hold fields like 'name: value', found nothing"),
    "only a comment": ("# later\n", r"found nothing"),
    "a list": ("- C\n- O\n", r"found a list"),
    "a single text": ("COC\n", r"found a single text"),
    "a tab": ("name: X\n\ttitle: x\n", r"line 2: not valid YAML: .*(\\t|tab)"),
    "binary bytes": (b"\x89PNG\r\n\x1a\n\xff\xfe", r"cannot be read as text"),
    "a zero byte": ("name: X\x00\n", r"not valid YAML: .*#x0000"),
    "two documents": (f"{SPECIES}---\n{SPECIES}", r"line 5: not valid YAML: but found another document"),
    "open quote": ("name: 'X\n", r"not valid YAML"),
    "open bracket": ("name: [X\n", r"not valid YAML"),
    "undefined alias": ("name: *x\n", r"line 1: not valid YAML: found undefined alias"),
    "key twice": (f"{SPECIES}title: z\n", r"line 5: not valid YAML: the key 'title' is written twice"),
    "inner key twice": (f"{SPECIES}ions: {{Na: 1, Na: 2}}\n", r"the key 'Na' is written twice"),
    "key that is a list": (f"{SPECIES}? [a]\n: 1\n", r"line 5: not valid YAML: a key must be a word"),
    "key that is a number": (f"{SPECIES}1: 1\n", r": 1: Keys should be strings"),
    "key that is NaN": (f"{SPECIES}.nan: 1\n", r": nan: Keys should be strings"),
    "key of two lines": (f'{SPECIES}"a\\nb": 1\n', r": a b: unknown key"),
    "merged mapping": (f"{SPECIES}<<: {{roll: salt}}\n", r"<<: unknown key"),
    "python object": (
        "name: !!python/object/apply:os.system ['touch OWNED']\n",
        r"line 1: not valid YAML: could not determine a constructor for the tag .*os\.system",
    ),
    "python name": ("name: !!python/name:os.system\n", r"not valid YAML: could not determine a constructor"),
    "empty !!int": (f"{SPECIES}charge: !!int ''\n", r"not valid YAML"),
    "!!bool of nothing known": (f"{SPECIES}charge: !!bool perhaps\n", r"not valid YAML"),
    "!!timestamp that is none": (f"{SPECIES}notes: !!timestamp soon\n", r"not valid YAML"),
    "recursion": (f"{SPECIES}sources: &s [*s]\n", r": sources\.0: should be a valid string"),
    "recursion in the name": ("name: &n [*n]\n", r": name: should be a valid string"),
    "nested too deeply": (f"name: {'[' * 5000}\n", r"not valid YAML: .*"),
    "unknown key": (f"{SPECIES}chrage: 1\n", r": chrage: unknown key, did you mean 'charge'\?"),
    "unknown key far from all": (f"{SPECIES}qqqq: 1\n", r": qqqq: unknown key; known are charge, density_g_per_ml"),
    "unknown inner key": (
        "name: X\ntitle: x\nrole: solvent\nstart: {level: a, xyz: 'He 0 0 0', lvel: b}\n",
        r": start\.lvel: unknown key, did you mean 'level'\?",
    ),
    "missing field": ("name: X\nrole: solvent\nsmiles: COC\n", r": title: is missing"),
    "word for a number": (f"{SPECIES}charge: minus one\n", r": charge: should be a valid integer.*'minus one'"),
    "list for a text": (f"{SPECIES}notes: [a]\n", r": notes: should be a valid string"),
    "text for a list": (f"{SPECIES}sources: a\n", r": sources: should be a valid list.*'a'"),
    "half a charge": (f"{SPECIES}charge: 0.5\n", r": charge: should be a valid integer.*0\.5"),
    "density not a number": (f"{SPECIES}density_g_per_ml: .nan\n", r": density_g_per_ml: should be .*nan"),
    "density infinite": (f"{SPECIES}density_g_per_ml: .inf\n", r": density_g_per_ml: should be .*inf"),
    "density in g per litre": (f"{SPECIES}density_g_per_ml: 1060\n", r": density_g_per_ml: should be less than 25"),
    "density negative": (
        f"{SPECIES}density_g_per_ml: -1\n",
        r": density_g_per_ml: should be greater than or equal to 0.1",
    ),
    "unknown role": (f"{SPECIES.replace('solvent', 'solvant')}", r": role: should be 'cation', .*'solvant'"),
    "another name": (SPECIES.replace("X", "Z"), r": name: is 'Z', but the file is 'X'"),
    "name of two lines": (SPECIES.replace("X", '"X\\n\\nY"'), r": name: is 'X  Y', but the file is 'X'"),
    "name that YAML takes for no": (SPECIES.replace("X", "no"), r": name: is 'no', but the file is 'X'"),
    "a huge number": (f"{SPECIES}charge: 1{'0' * 5000}\n", r"X\.yaml: .*digits"),
    "a number as programmers write it": (f"{SPECIES}charge: 0x1\n", r"charge: should be a valid integer.*'0x1'"),
}


@pytest.mark.parametrize("fault", BAD_FILES)
def test_one_line_names_file_and_field(project, refused, monkeypatch, fault):
    content, wanted = BAD_FILES[fault]
    monkeypatch.chdir(project)
    path = project / "molecules" / "species" / "X.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    line = refused()
    assert line.startswith("electroscreen: molecules/species/X.yaml: ")
    assert re.search(wanted, line), line
    assert len(line) < 400
    assert not (project / "OWNED").exists()


def test_an_anchor_bomb_costs_neither_time_nor_memory(project, refused):
    """Nine levels of nine aliases are a handful of objects, and 387 million words once somebody prints them."""
    levels = "".join(
        f"{name}: &{name} [{', '.join(9 * [f'*{below}'])}]\n"
        for below, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    for field in ("name", "notes", "smiles", "xyz", "sources", "ions", "start", "charge"):
        given = {"name": "X", "title": "x", "role": "solvent", field: "*i"}
        text = f"a: &a [{', '.join(9 * 'x')}]\n{levels}" + "".join(f"{k}: {v}\n" for k, v in given.items())
        (project / "molecules" / "species" / "X.yaml").write_text(text, encoding="utf-8")
        begin = time.perf_counter()
        assert len(refused()) < 400
        assert time.perf_counter() - begin < 5


def test_both_loaders_read_every_shipped_file_alike(shipped):
    files = [*shipped.glob("molecules/*/*.yaml"), *shipped.glob("config/*.yaml")]
    assert len(files) > 50
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert yaml.load(text, Loader=inputs._FastLoader) == yaml.load(text, Loader=inputs._Loader)


def test_what_could_overrun_the_stack_of_the_loader_in_c_is_read_in_python():
    assert inputs._loader_for("a: {b: [1, 2]}\n") is inputs._FastLoader
    for text in ("a: " + "[" * 6000, "a: " + "{b: " * 6000, "- " * 6000 + "a", "? " * 6000 + "a"):
        assert inputs._loader_for(text) is inputs._Loader


@pytest.mark.parametrize("stem", ["a b", "1X", "_X", ".X", "X.old", "é", "X+", "-X", "X\ny"])
@pytest.mark.parametrize("folder", ["species", "boxes"])
def test_file_names_that_cannot_be_folder_names(project, refused, folder, stem):
    (project / "molecules" / folder / f"{stem}.yaml").write_text("", encoding="utf-8")
    assert re.search(rf"molecules/{folder}/.*: file name: '.*' must start with a letter", refused())


@pytest.mark.parametrize("name", ["../DOL", "molecules/species/DOL", "a b", "", "dol", "DOL.yaml", "/etc/passwd", "*"])
@pytest.mark.parametrize("stage", ["geometry", "orbitals", "charges", "forcefield"])
def test_a_stage_takes_names_and_not_paths(project, electroscreen, stage, name):
    code, _, err = electroscreen(stage, name, "--project", project)
    assert code == 2
    assert len(err) == 1
    assert f"there is no species '{name}'" in err[0]


@pytest.mark.parametrize("stage", ["composition", "packing", "dynamics", "analysis"])
def test_an_unknown_box_is_answered_with_the_nearest(project, electroscreen, stage):
    code, _, err = electroscreen(stage, "natfsi_dol_fce", "--project", project)
    assert code == 2
    assert err == ["electroscreen: there is no box 'natfsi_dol_fce', did you mean 'natfsi_dol_fec'?"]


def test_a_folder_where_a_file_should_be(project, refused):
    (project / "molecules" / "species" / "X.yaml").mkdir()
    assert "molecules/species/X.yaml: cannot be read as text" in refused()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(project, refused):
    (project / "molecules" / "species" / "DOL.yaml").chmod(0)
    assert "molecules/species/DOL.yaml: cannot be read as text" in refused()


def test_a_windows_text_file_is_a_text_file(project, electroscreen):
    for ending, mark in (("\r\n", ""), ("\n", "\ufeff")):
        text = mark + SPECIES.replace("\n", ending)
        (project / "molecules" / "species" / "X.yaml").write_bytes(text.encode())
        assert electroscreen("check", "--project", project)[0] == 0


# Fragments that mean something to YAML, to Python, or to chemistry.
WORDS = """
    .nan -.inf 1e400 -1 0 0x1F 1_0 1:30 ~ null yes 2026-13-45 2026-01-01 !!null !!seq !!map !x &a *a
    [] {} [ ] { } ' " | > % @ ` ! # --- ... \\ C(C)(C)(C)(C)C [Na+] c1ccc1 ../x é 😀
"""
NASTY = [
    *WORDS.split(),
    *("!!int ''", "!!float ''", "!!set {a, b}", "!!omap [a: 1]", "!!binary '='", "<<: {a: 1}", "? ", ": ", "- ", "a b"),
    *("\t", "\r", "\n\n", "  ", "\x00", "\x07", "\u2028", "\u00a0", "\ufeff", "9" * 5000, "[" * 400, "{a: " * 400),
]


def _mutated(text: str, dice: random.Random) -> str:
    """Spoil a text in one to three places."""
    for _ in range(dice.randint(1, 3)):
        lines = text.split("\n")
        at, line = dice.randrange(len(text) + 1), dice.randrange(len(lines))
        kind = dice.randrange(8)
        if kind == 0:
            text = text[:at] + dice.choice(NASTY) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + dice.randint(1, 12) :]
        elif kind == 2:
            text = text[:at]
        elif kind == 3:
            lines.insert(dice.randrange(len(lines)), lines[line])
        elif kind == 4:
            del lines[line]
        elif kind == 5:
            lines[line] = " " * dice.randint(0, 5) + lines[line]
        elif kind == 6:
            lines[line] = lines[line].split(":")[0] + ": " + dice.choice(NASTY)
        else:
            text = text[:at] + chr(dice.randrange(256)) + text[at + 1 :]
        if kind in (3, 4, 5, 6):
            text = "\n".join(lines)
    return text


@pytest.mark.parametrize("seed", range(7))
def test_random_mistakes_end_in_one_line(project, electroscreen, seed):
    dice = random.Random(f"mistakes {seed}")
    # Long, and like the others.
    (project / "molecules" / "papers" / "sn_fb_quasi_solid.yaml").unlink()
    files = [*sorted((project / "molecules").rglob("*.yaml")), project / "config" / "quick.yaml"]
    refusals = 0
    for _ in range(30):
        path = dice.choice(files)
        sound = path.read_text(encoding="utf-8")
        spoilt = _mutated(sound, dice)
        path.write_bytes(spoilt.encode("utf-8", errors="surrogatepass"))
        code, out, err = electroscreen("check", "--project", project)
        path.write_text(sound, encoding="utf-8")
        assert code in (0, 2), spoilt
        assert (bool(out), len(err)) == ((True, 0) if code == 0 else (False, 1)), (err, spoilt)
        refusals += code == 2
        if code == 2:
            assert "molecules/" in err[0] or "config/" in err[0], err
    assert refusals >= 10
