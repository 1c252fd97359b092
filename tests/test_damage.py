"""Half a file of every kind that a stage reads: told, set aside, and never taken for a whole one."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from electroscreen.damage import (
    CHECKS,
    OF_ALL,
    OF_BOX,
    OF_PARTS,
    OF_REPLICA,
    OF_SPECIES,
    DamagedError,
    fault,
    files_read,
    set_aside_damaged,
)
from electroscreen.project import Project
from electroscreen.record import write_json, write_text

RECORD = {"verdict": "ok", "warnings": [], "deep": [{"a": {"b": [1, {}]}}, {}], "text": "}\n}\n"}


def write_xtc(path: Path, frames: int, atoms: int = 20) -> None:
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    positions = np.random.default_rng(5).uniform(0, 2, (frames, atoms, 3)).astype(np.float32)
    with XTCFile(str(path), "w") as file:
        for i, x in enumerate(positions):
            file.write(x, 2 * np.eye(3, dtype=np.float32), i, float(i), 1000)


def write_picture(path: Path) -> None:
    from PIL import Image

    Image.effect_noise((20, 20), 50).save(path)


def write_svg(path: Path) -> None:
    write_text(path, "<svg xmlns='http://www.w3.org/2000/svg'><g><path d='M0 0'/></g></svg>\n")


def write_npz(path: Path) -> None:
    np.savez(path, a=np.arange(30.0), b=np.zeros((0, 3)))


WHOLE = {
    "geometry.json": lambda path: write_json(path, RECORD),
    "geometry.xyz": lambda path: write_text(path, "2\nenergy -1.5\nLi 0.0 0.0 0.0\nF 0.0 0.0 1.5789\n"),
    "density.npy": lambda path: np.save(path, np.eye(7)),
    "frontier.npz": write_npz,
    "forcefield.xml": lambda path: write_text(path, "<ForceField>\n <A b='1'/>\n <A/>\n</ForceField>\n"),
    "frontier_orbitals.csv": lambda path: write_text(path, 'species,note\nA,"two\nlines, quoted"\nB,x\n'),
    "frontier_orbitals.md": lambda path: write_text(path, "| species |\n|---|\n| A |\n"),
    "frontier_orbitals.tex": lambda path: write_text(path, "\\begingroup\nA \\\\\n\\endgroup\n"),
    "packed.pdb": lambda path: write_text(path, "ATOM      1  C   EC\nCONECT    1    2\nEND\n"),
    "trajectory.xtc": lambda path: write_xtc(path, 12),
    "esp.png": write_picture,
    "orbital_levels.svg": write_svg,
}


def test_every_kind_that_a_stage_reads_is_tried_here():
    read = {
        Path(name).suffix
        for table in (OF_SPECIES, OF_PARTS, OF_BOX, OF_REPLICA, OF_ALL)
        for names in table.values()
        for name in names
    }
    assert read == set(CHECKS) == {Path(name).suffix for name in WHOLE}


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_cut_anywhere_is_told_from_a_whole_one(tmp_path, name):
    path = tmp_path / name
    WHOLE[name](path)
    assert fault(path) is None
    content = path.read_bytes()
    dice = random.Random(name)
    for cut in [0, 1, len(content) // 2, len(content) - 2, *(dice.randrange(len(content) - 1) for _ in range(60))]:
        if content[:cut].endswith(b"\n") and path.suffix in (".csv", ".md"):
            continue  # cut between two lines, such a file is a shorter one
        path.write_bytes(content[:cut])
        assert fault(path), f"cut at {cut} of {len(content)}: {content[:cut][-40:]}"


def test_a_trajectory_cut_between_frames_is_too_short_for_its_record(tmp_path):
    from electroscreen.dynamics.restart import frame_ends

    path = tmp_path / "trajectory.xtc"
    write_xtc(path, 12)
    times = {"frame_ps": 0.3, "timestep_fs": 3.0, "production_ps": 3.6}
    write_json(tmp_path / "equilibration.json", RECORD | times)
    assert fault(path) is None
    path.write_bytes(path.read_bytes()[: frame_ends(path)[9]])
    assert fault(path) == "holds 10 frames instead of 12"


def test_an_empty_file_is_right_only_where_its_record_says_so(tmp_path):
    for name, record in (("system.xml", "packing.json"), ("trajectory.xtc", "equilibration.json")):
        write_text(tmp_path / name, "")
        assert fault(tmp_path / name) == "is empty"
        write_json(tmp_path / record, {"verdict": "ok"})
        assert fault(tmp_path / name) == "is empty"
        write_json(tmp_path / record, {"verdict": "not built: no force field" if "pack" in record else "not run: x"})
        assert fault(tmp_path / name) is None


def test_a_damaged_file_is_set_aside_and_told_until_it_is_there_again(tmp_path):
    good, bad, gone = (tmp_path / "a b" / name for name in ("charges.json", "geometry.xyz", "density.npy"))
    write_json(good, RECORD)
    write_text(bad, "2\nx\nLi 0 0")
    with pytest.raises(DamagedError) as told:
        set_aside_damaged([good, bad, gone])
    assert str(told.value).startswith(f"{bad} ends in the middle: set aside as geometry.xyz.damaged; the next call")
    assert sorted(path.name for path in good.parent.iterdir()) == ["charges.json", "geometry.xyz.damaged"]
    with pytest.raises(DamagedError, match="ends in the middle: set aside"):
        set_aside_damaged([good, bad])
    write_text(bad, "1\nx\nLi 0 0 0\n")
    set_aside_damaged([good, bad, gone])
    assert sorted(path.name for path in good.parent.iterdir()) == ["charges.json", "geometry.xyz"]


@pytest.mark.parametrize(
    ("words", "damaged"),
    [
        (("orbitals", "LiF"), "species/LiF/geometry.json"),
        (("esp", "LiF"), "species/LiF/density_final.npy"),
        (("cubes", "LiF"), "species/LiF/frontier.npz"),
        (("forcefield", "DOL"), "species/DOL/charges.json"),
        (("binding", "Na_DOL"), "species/DOL/geometry.xyz"),
        (("composition", "natfsi_dol_fec"), "species/TFSI/forcefield.json"),
        (("packing", "natfsi_dol_fec"), "species/Na/forcefield.xml"),
        (("dynamics", "natfsi_dol_fec"), "boxes/natfsi_dol_fec/replica-1/system.xml"),
        (("analysis", "natfsi_dol_fec"), "boxes/natfsi_dol_fec/replica-1/trajectory.xtc"),
        (("tables",), "complexes/Na_DOL/binding.json"),
        (("figures",), "boxes/natfsi_dol_fec/curves.npz"),
        (("report",), "tables/diffusion.csv"),
    ],
)
def test_the_command_tells_it_in_one_line(project, electroscreen, words, damaged):
    path = project / "results" / "quick" / damaged
    write_text(path, "[1, 2")
    code, out, err = electroscreen(*words, "--project", project)
    assert (code, out, len(err)) == (6, [], 1), err
    assert err[0].startswith(f"electroscreen: {path} ")
    assert err[0].endswith(f"; the next call makes it anew where it is needed, and at once: snakemake {path}")
    assert not path.exists()


def test_a_name_that_leads_elsewhere_moves_nothing(project, electroscreen):
    outside = project / "results" / "quick" / "outside" / "geometry.json"
    write_text(outside, "{")
    for words in (("orbitals", "../outside"), ("composition", "../outside"), ("dynamics", "../outside")):
        assert electroscreen(*words, "--project", project)[0] == 2
    assert outside.exists()


def test_what_a_running_job_writes_aside_is_left_alone(project):
    folder = project / "results" / "quick" / "species" / "DOL"
    for name in (".charges.host-1.partial.json", "geometry.restart.json", "charges.json"):
        write_text(folder / name, "{")
    found = [path.name for path in files_read(Project(project, "quick"), "tables", None)]
    assert found == ["charges.json"]


def test_a_second_try_does_not_take_half_a_record_for_one_that_was_never_made(project):
    results = project / "results" / "quick"
    for path in ("complexes/Na_DOL/binding.json", "complexes/Old/binding.json", "species/FEC/esp.png"):
        write_text(results / path, "{")
    write_text(results / "inventory.csv", "stage,subject,record\nbinding,Na_DOL,complexes/Na_DOL/binding.json\n")
    read = Project(project, "quick")
    for _ in range(2):
        with pytest.raises(DamagedError, match=r"binding\.json .* more"):
            set_aside_damaged(files_read(read, "report", None))
    # Nobody asks for that one any more: it is told once, and is then no obstacle.
    write_json(results / "complexes/Na_DOL/binding.json", RECORD)
    (results / "species/FEC/esp.png.damaged").unlink()
    set_aside_damaged(files_read(read, "report", None))
    assert not (results / "complexes/Na_DOL/binding.json.damaged").exists()
