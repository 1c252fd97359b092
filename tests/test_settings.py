"""Settings: what is shipped says what it should, and what cannot be run is refused before anything runs."""

from __future__ import annotations

import re

import pytest
import yaml

from electroscreen.inputs import InputError
from electroscreen.settings import Level, Settings, read_settings


@pytest.fixture
def change(project):
    """Change one key of quick.yaml, named like 'dynamics.seed'; None removes it."""
    path = project / "config" / "quick.yaml"

    def write(key: str, value) -> None:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
        *parents, last = key.split(".")
        inner = settings
        for parent in parents:
            inner = inner[parent]
        if value is None:
            del inner[last]
        else:
            inner[last] = value
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")

    return write


FAULTS = {
    "quantum.level.functional": (None, r"is missing"),
    "quantum.level.cartesian": ("perhaps", r"should be a valid boolean.*'perhaps'"),
    "quantum.level.bases": ("sto-3g", r"unknown key, did you mean 'basis'\?"),
    "quantum.conformer": (3, r"unknown key, did you mean 'conformers'\?"),
    "quantum.candidates": (0, r"greater than or equal to 1 \(found 0\)"),
    "quantum.grid_final": (10, r"less than or equal to 9 \(found 10\)"),
    "quantum.steps_limit": (1.5, r"valid integer"),
    "quantum.memory_mb": (1, r"greater than or equal to 500"),
    "forcefield.resp_solvent_share": (1.5, r"less than or equal to 1"),
    "forcefield.ion_charge_scale": (1.2, r"number above 0 and up to 1, or 'ecc' \(found 1.2\)"),
    "box.atoms": (10, r"greater than or equal to 100"),
    "box.packing_density_fraction": (1.1, r"less than or equal to 1"),
    "box.boxes": (["natfsi_dol_fce"], r"there is no box 'natfsi_dol_fce', did you mean 'natfsi_dol_fec'\?"),
    "dynamics.timestep_fs": (0, r"greater than 0"),
    "dynamics.hydrogen_mass_amu": (0.5, r"greater than or equal to 1"),
    "dynamics.cutoff_angstrom": (1.0, r"greater than or equal to 8"),
    "dynamics.production_ps": (float("inf"), r"finite number"),
    "dynamics.equilibrate_npt_ps": (float("nan"), r"finite number"),
    "dynamics.equilibrate_limit": (0.5, r"greater than or equal to 1"),
    "dynamics.pme_tolerance": (0.5, r"less than or equal to 0.01"),
    "dynamics.platform": ("cuda", r"should be 'fastest', 'CPU', 'CUDA'.*\(found 'cuda'\)"),
    "dynamics.seed": (-1, r"greater than or equal to 0"),
    "dynamics.replicas": ("two", r"valid integer.*'two'"),
    "dynamics": (None, r"is missing"),
    "dynamic": ({}, r"unknown key, did you mean 'dynamics'\?"),
}


@pytest.mark.parametrize("key", FAULTS)
def test_the_line_names_the_key(change, refused, key):
    value, wanted = FAULTS[key]
    change(key, value)
    assert re.fullmatch(rf"electroscreen: config/quick\.yaml: {re.escape(key)}: .*{wanted}.*", refused())


def test_too_few_frames_for_an_analysis_are_refused(change, refused):
    change("dynamics.production_ps", 150)
    change("dynamics.frame_ps", 18)
    assert "frame_ps is 18, but a production of 150 ps needs at least 10 frames" in refused()


def test_too_few_frames_for_a_mean_density_are_refused(change, refused):
    change("dynamics.frame_ps", 0.3)
    change("dynamics.equilibrate_npt_ps", 5)
    assert "equilibrate_npt_ps is 5, but the mean density needs 20 times frame_ps" in refused()


def test_annealing_that_cannot_be_is_refused(change, refused):
    change("dynamics.anneal", [{"ensemble": "NVT", "length_ps": 5, "pressure_bar": 10}])
    assert "dynamics.anneal.steps.0: pressure_bar has no meaning in NVT" in refused()
    change("dynamics.anneal", "22-step")
    assert "dynamics.anneal.name: should be 'none' or '21-step' (found '22-step')" in refused()


def test_the_limits_themselves_are_allowed(change, electroscreen, project):
    change("dynamics.frame_ps", 3.0)
    change("dynamics.production_ps", 30.0)
    change("dynamics.equilibrate_npt_ps", 60.0)
    assert electroscreen("check", "--project", project)[0] == 0


@pytest.mark.parametrize("name", ["qick", "Quick.yaml", "../quick", "a b", ""])
def test_settings_that_are_not_there(refused, name):
    assert "config/" in refused("--settings", name)


def test_the_nearest_settings_are_offered(refused):
    assert refused("--settings", "qick") == "electroscreen: config/qick.yaml: no such file, did you mean 'quick'?"


def test_every_shipped_level_of_effort_can_be_read(shipped):
    files = [path for path in (shipped / "config").glob("*.yaml") if path.stem != "defaults"]
    assert "quick" in {path.stem for path in files}
    for path in files:
        assert isinstance(read_settings(path), Settings)


def test_quick_is_the_level_of_the_carborane_paper(shipped):
    """Gaussian's B3LYP/6-31G(d,p): VWN(III), six Cartesian d functions (facts.md, section 2)."""
    level = read_settings(shipped / "config" / "quick.yaml").quantum.level
    assert (level.functional, level.basis, level.cartesian) == ("b3lypg", "6-31g(d,p)", True)
    assert level.label == "b3lypg/6-31g(d,p) cartesian"


def test_the_label_says_when_functions_are_spherical():
    level = Level(functional="pbe0", basis="def2-svp", cartesian=False, heavy_basis="def2-svp")
    assert level.label == "pbe0/def2-svp"


def test_settings_cannot_be_changed_after_they_were_read(shipped):
    settings = read_settings(shipped / "config" / "quick.yaml")
    with pytest.raises(ValueError, match="frozen"):
        settings.dynamics.seed = 1


def test_a_seed_beyond_32_bits_is_refused(change, refused):
    change("dynamics.seed", 3_000_000_000)
    assert "dynamics.seed" in refused()


def test_intervals_that_steps_cannot_hit_are_refused(change, refused):
    change("dynamics.timestep_fs", 3.0)
    change("dynamics.frame_ps", 0.1)
    assert "frame_ps" in refused()


def test_settings_are_a_name_and_not_a_path(project, refused):
    (project / "other.yaml").write_text((project / "config" / "quick.yaml").read_text(), encoding="utf-8")
    assert "../other" in refused("--settings", "../other")


def test_settings_based_on_others_say_only_what_differs(project):
    folder = project / "config"
    quick = read_settings(folder / "quick.yaml")
    (folder / "mine.yaml").write_text("based_on: quick\nquantum:\n  grid_final: 4\n  esp: null\n", encoding="utf-8")
    mine = read_settings(folder / "mine.yaml")
    assert mine.quantum == quick.quantum.model_copy(update={"grid_final": 4, "esp": None})
    assert mine.dynamics == quick.dynamics


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("based_on: quik", r"quik\.yaml: no such file"),
        ("based_on: ../quick", r"mine\.yaml: file name: '\.\./quick' must start with a letter"),
        ("based_on: 3", r"mine\.yaml: .*"),
        ("based_on: quick\nquantum:\n  grid: 4", r"mine\.yaml: quantum\.grid: unknown key"),
        ("based_on: other", r"mine\.yaml: based_on: 'other' is itself based on 'quick': name that one"),
    ],
)
def test_a_wrong_base_is_one_line(project, text, fault):
    folder = project / "config"
    (folder / "other.yaml").write_text("based_on: quick\n", encoding="utf-8")
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=fault):
        read_settings(folder / "mine.yaml")
