"""The command: quick help, one line for wrong input, and nothing heavy loaded before it is needed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from electroscreen import __version__
from electroscreen.cli import STAGES, main

HEAVY = ["numpy", "scipy", "pandas", "matplotlib", "pyscf", "openmm", "rdkit.Chem.AllChem", "ase", "tblite"]
HEAVY += ["MDAnalysis", "kinisi", "jinja2", "snakemake"]


def in_new_python(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Run a few lines in a Python of their own."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | environment, check=False
    )


@pytest.mark.parametrize("stage", [None, *STAGES])
def test_help(stage, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*([stage] if stage else []), "--help"])
    assert ended.value.code == 0
    written = capsys.readouterr()
    assert written.err == ""
    if stage is None:
        assert all(name in written.out for name in STAGES)
        assert list(STAGES)[:3] == ["check", "geometry", "orbitals"]
    else:
        assert f"electroscreen {stage}" in written.out
        assert " ".join(STAGES[stage][0].__doc__.split())[:20] in " ".join(written.out.split())
        assert "--settings" in written.out


def test_version(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "required: STAGE"),
        (["geometri"], "invalid choice: 'geometri'"),
        (["geometry"], "required: species"),
        (["composition"], "required: box"),
        (["check", "--threads", "0"], "must be 1 or more, found 0"),
        (["packing", "x", "--replica", "-1"], "must be 1 or more, found -1"),
        (["check", "extra"], "unrecognized arguments: extra"),
        (["geometry", "LiF", "--replica", "1"], "unrecognized arguments: --replica 1"),
    ],
)
def test_words_that_are_no_command(words, told, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_importing_the_command_loads_nothing_heavy():
    code = f"import sys, electroscreen.cli; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert in_new_python(code).stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["scf", "geometry", "interaction"])
def test_what_other_stages_take_of_quantum_chemistry_loads_no_pyscf(module):
    code = f"import sys, electroscreen.quantum.{module}; print('pyscf' in sys.modules)"
    assert in_new_python(code).stdout.strip() == "False"


def test_checking_all_inputs_loads_nothing_heavy(shipped):
    """RDKit's core reads the SMILES, numpy rounds the recipes; nothing else is needed."""
    code = (
        "import sys; from pathlib import Path; from electroscreen.project import Project; "
        f"Project(Path({str(shipped)!r}), 'quick').check(); "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    assert in_new_python(code).stdout.splitlines()[-1] == "['numpy']"


def test_threads_are_set_before_numerical_libraries_are_loaded(shipped):
    """OpenBLAS and OpenMP read their variables once, when they are loaded."""
    code = f"""
import os, sys
from electroscreen import cli
limit = cli.set_up_numerics
def watched(threads):
    before = "numpy" in sys.modules
    limit(threads)
    print(os.environ["OMP_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"], before)
    raise SystemExit(7)
cli.set_up_numerics = watched
cli.main(sys.argv[1:] or ["geometry", "LiF", "--threads", "3", "--project", {str(shipped)!r}])
"""
    done = in_new_python(code, OMP_NUM_THREADS="1")
    assert (done.returncode, done.stdout.split()) == (7, ["3", "3", "False"])


def test_only_pyscfs_openblas_is_told_what_to_run_on():
    """NumPy's own knows newer processors, and is loaded before the variable is there."""
    code = """
import os, sys
from electroscreen import numerics
numerics._processor_flags = lambda: {"avx2", "fma"}
told = type(os.environ).setdefault
def watched(self, key, value):
    print(key, value, "numpy.linalg" in sys.modules, "scipy.linalg" in sys.modules, "pyscf" in sys.modules)
    return told(self, key, value)
type(os.environ).setdefault = watched
numerics.set_up_numerics(1)
"""
    assert "OPENBLAS_CORETYPE Haswell True True False" in in_new_python(code).stdout.splitlines()


def test_check_counts_what_is_there(shipped, electroscreen):
    code, out, err = electroscreen("check", "--project", shipped)
    species = len(list((shipped / "molecules" / "species").glob("*.yaml")))
    complexes = len(list((shipped / "molecules" / "complexes").glob("*.yaml")))
    boxes = len(list((shipped / "molecules" / "boxes").glob("*.yaml")))
    assert (code, err) == (0, [])
    assert out[0] == f"{species} species, {complexes} complexes, {boxes} boxes: all inputs can be used"
    (box,) = [line for line in out if line.startswith("box ")]
    assert box.startswith("box natfsi_dol_fec: 1439 atoms (4 NaTFSI, 115 DOL, 11 FEC), neutral, rounding ")
    assert "one replica of 273 ps at " in box


def test_a_project_that_is_not_there(tmp_path, electroscreen):
    code, _, err = electroscreen("check", "--project", tmp_path / "nowhere")
    assert code == 2
    assert len(err) == 1
    assert "nowhere/config/quick.yaml: no such file" in err[0]


def test_the_installed_command_and_the_module_are_the_same(shipped):
    code = f"import sys, runpy; sys.argv = ['electroscreen', 'check', '--project', {str(shipped)!r}]; "
    as_module = in_new_python(code + "runpy.run_module('electroscreen.cli', run_name='__main__')")
    assert as_module.returncode == 0
    assert "all inputs can be used" in as_module.stdout


def test_wrong_input_ends_with_two_and_one_line_for_the_shell_too(project):
    (project / "molecules" / "species" / "X.yaml").write_text("name: X\n", encoding="utf-8")
    words = [sys.executable, "-m", "electroscreen.cli", "check", "--project", str(project)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_a_stage_from_words_to_files(project, electroscreen):
    """The sodium ion, whose geometry and orbitals take a second."""
    assert electroscreen("geometry", "Na", "--project", project)[0] == 0
    assert electroscreen("orbitals", "Na", "--project", project)[0] == 0
    folder = project / "results" / "quick" / "species" / "Na"
    assert sorted(p.name for p in folder.glob("[!.]*")) == [
        "density.npy",
        "density_final.npy",
        "frontier.npz",
        "geometry.json",
        "geometry.xyz",
        "orbitals.json",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("orbitals", "LiF"),
        ("esp", "LiF"),
        ("cubes", "LiF"),
        ("binding", "Na_DOL2"),
        ("charges", "LiF"),
        ("forcefield", "LiF"),
        ("composition", "natfsi_dol_fec"),
        ("packing", "natfsi_dol_fec"),
        ("dynamics", "natfsi_dol_fec"),
        ("analysis", "natfsi_dol_fec"),
    ],
)
def test_a_stage_called_too_early_says_which_comes_first(project, electroscreen, words):
    code, _, err = electroscreen(*words, "--project", project)
    assert code == 2
    assert len(err) == 1


def test_threads_that_are_no_number(capsys):
    with pytest.raises(SystemExit):
        main(["check", "--threads", "x"])
    assert "_positive" not in capsys.readouterr().err


def test_a_project_without_species_is_no_project(project, refused):
    for path in (project / "molecules").rglob("*.yaml"):
        path.unlink()
    assert "species" in refused()


def test_a_stage_checks_its_own_input(project, electroscreen):
    text = "name: Y\ntitle: y\ntemperature_k: 300\nrecipe:\n  LiF: {volume_ml: 1}\n"
    (project / "molecules" / "boxes" / "Y.yaml").write_text(text, encoding="utf-8")
    code, _, err = electroscreen("composition", "Y", "--project", project)
    assert (code, len(err)) == (2, 1)


COMPLEX = "name: Y\ntitle: y\nparts: {Na: 1, DOLL: 1}\n"
BOX = "name: Y\ntitle: y\ntemperature_k: 300\nrecipe:\n  DOLL: {volume_ml: 1}\n"
SALT = "name: NaDFOB\ntitle: y\nrole: salt\nsmiles: '[Na+].F[B-]1(F)OC(=O)C(=O)O1'\nions: {Naa: 1, DFOB: 1}\n"


@pytest.mark.parametrize(
    ("words", "file", "text", "line"),
    [
        (("binding", "Y"), "complexes/Y", COMPLEX, "parts.DOLL: there is no such species, did you mean 'DOL'?"),
        (("composition", "Y"), "boxes/Y", BOX, "recipe.DOLL: there is no such species, did you mean 'DOL'?"),
        (("packing", "Y"), "boxes/Y", BOX, "recipe.DOLL: there is no such species, did you mean 'DOL'?"),
        (("analysis", "fb_le"), "species/NaDFOB", SALT, "ions.Naa: there is no such species, did you mean 'Na'?"),
    ],
)
def test_a_stage_names_file_and_field_of_a_species_that_there_is_not(project, electroscreen, words, file, text, line):
    (project / "molecules" / f"{file}.yaml").write_text(text, encoding="utf-8")
    code, out, err = electroscreen(*words, "--project", project)
    assert (code, out) == (2, [])
    assert err == [f"electroscreen: {project / 'molecules' / file}.yaml: {line}"]


def test_check_tells_that_a_component_would_vanish(project, refused):
    text = "name: Y\ntitle: y\ntemperature_k: 300\nrecipe:\n  DOL: {volume_ml: 1000}\n  FEC: {volume_ml: 0.01}\n"
    (project / "molecules" / "boxes" / "natfsi_dol_fec.yaml").write_text(
        text.replace("Y", "natfsi_dol_fec", 1), encoding="utf-8"
    )
    assert "recipe.FEC" in refused()
