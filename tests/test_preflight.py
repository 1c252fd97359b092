"""The look ahead: what will have a force field, what will fit, what is missing here, and what it will cost."""

from __future__ import annotations

import time

import pytest

from electroscreen.forcefield.amber import ProgramError
from electroscreen.preflight import effort, machine
from electroscreen.preflight.asked import Asked
from electroscreen.preflight.coverage import FITTED, GAFF2, NONE, expected_layer
from electroscreen.preflight.effort import Estimate, efforts
from electroscreen.preflight.room import longest_angstrom
from electroscreen.preflight.theory import basis_functions
from electroscreen.project import Project
from electroscreen.record import read_json, write_json
from electroscreen.settings import Level
from electroscreen.species import Species


@pytest.fixture(scope="module")
def shipped_project(shipped):
    return Project(shipped, "quick")


def told(electroscreen, project) -> list[str]:
    code, out, err = electroscreen("check", "--project", project)
    assert (code, err) == (0, [])
    return out


def edit(project, name: str, old: str, new: str) -> None:
    path = project / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "layer", "why"),
    [
        ("Na", "library", ""),
        ("TFSI", "library", ""),
        ("PF6", "library", ""),
        ("DOL", GAFF2, ""),
        ("PDOL20", GAFF2, ""),
        ("DFOB", FITTED, ""),
        ("o-carborane", FITTED, ""),
        ("Sn_OTf2", NONE, "several molecules"),
        ("Li-atom", NONE, "charge +0"),
    ],
)
def test_the_layer_is_foreseen(shipped_project, name, layer, why):
    found, reason = expected_layer(shipped_project.species(name), shipped_project.settings.forcefield)
    assert found == layer, reason
    assert why in reason


def test_the_layers_foreseen_are_those_of_the_published_screen(shipped_project):
    """results/published/quick was built with the library for the ions and GAFF2 for the two solvents."""
    asked = Asked(shipped_project)
    layers = {name: expected_layer(asked.every[name], asked.settings.forcefield)[0] for name in asked.in_boxes}
    assert layers == {"Na": "library", "TFSI": "library", "DOL": GAFF2, "FEC": GAFF2}


def test_basis_functions_are_those_of_pyscf(shipped_project):
    """LiF 30, DOL 105, o-carborane 240, TFSI 233, Sn(OTf)2 276: as the orbitals stage counted them."""
    level = shipped_project.settings.quantum.level
    for name, count in {"LiF": 30, "DOL": 105, "o-carborane": 240, "TFSI": 233, "Sn_OTf2": 276}.items():
        assert basis_functions(shipped_project.species(name).symbols, level) == count
    spherical = level.model_copy(update={"cartesian": False})
    # Each of the two heavy atoms has one d shell: six functions become five.
    assert basis_functions(["Li", "F"], spherical) == 28


def test_a_length_is_that_of_the_coordinates_or_an_upper_bound_from_the_bonds(shipped_project):
    fluoride = Species(name="HF", title="", role="additive", xyz="H 0 0 0\nF 0 0.72 0.54")
    assert longest_angstrom(fluoride) == (pytest.approx(0.9), True)
    chain, exact = longest_angstrom(shipped_project.species("PDOL20"))
    assert not exact
    # 20 units of five backbone atoms and two ends: some 100 bonds.
    assert 100 < chain < 160


def test_it_takes_seconds_and_says_what_there_is(shipped, electroscreen):
    begin = time.process_time()
    lines = told(electroscreen, shipped)
    assert time.process_time() - begin < 20
    text = "\n".join(lines)
    assert lines[0].endswith(" boxes: all inputs can be used")
    assert "box natfsi_dol_fec: 1439 atoms (4 NaTFSI, 115 DOL, 11 FEC), neutral, rounding " in text
    assert "force fields of 4 species in boxes: " in text
    assert "packmol found, antechamber and parmchk2 found; OpenMM's platforms: " in text
    assert "core-hours left" in text
    stages = [line.split()[0] for line in lines[-13:]]
    assert {"geometry", "orbitals", "esp", "charges", "forcefield", "binding", "dynamics", "all"} <= set(stages)


def test_jobs_are_those_of_the_rules(shipped_project):
    """Counted by hand for quick: one complex of two species, one box of four, and 16 species by themselves."""
    asked, counts = Asked(shipped_project), {}
    for job in asked.jobs():
        counts[job.stage] = counts.get(job.stage, 0) + 1
    screened = len(shipped_project.screened_species)
    assert counts["orbitals"] == counts["esp"] == counts["cubes"] == screened
    assert counts["geometry"] == len({*shipped_project.screened_species, "Na", "TFSI", "DOL", "FEC"})
    assert counts["forcefield"] == 4
    assert [counts[s] for s in ("binding", "packing", "dynamics", "analysis")] == [1, 1, 1, 1]
    assert "levels" not in counts
    assert "redox" not in counts


def test_a_finished_run_scales_the_model(project):
    """A geometry that took ten times what the model says makes the others ten times as dear; a resumed one does not."""
    asked = Asked(Project(project, "quick"))
    estimate = Estimate(asked)
    before = {row.stage: row for row in efforts(asked, estimate)}
    assert before["geometry"].source == "model"
    assert before["geometry"].done == 0
    jobs = [job for job in asked.jobs() if job.stage == "geometry" and estimate.core_seconds(job) > 10][:2]
    for job, resumed in zip(jobs, (False, True), strict=True):
        seconds = 5 * estimate.core_seconds(job)
        written = {"verdict": "ok", "resumed": resumed, "provenance": {"wall_seconds": seconds, "threads": 2}}
        write_json(job.record, written)
    after = {row.stage: row for row in efforts(asked, estimate)}
    left = before["geometry"].core_hours_left - sum(map(estimate.core_seconds, jobs)) / 3600
    assert after["geometry"].core_hours_left == pytest.approx(10 * left, rel=1e-6)
    assert after["geometry"].done == 2
    assert after["geometry"].source == "1 finished here, 10 times the model"
    assert after["orbitals"] == before["orbitals"]


def test_the_cost_of_dynamics_is_steps_times_atoms_over_speed(shipped_project, monkeypatch):
    """273 ps, 3 of them at 1 fs and 270 at 3 fs, are 93 000 steps; of 1439 atoms at 1e5 a second 1338 s, 3 threads."""
    from electroscreen.boxes.cost import Speed

    monkeypatch.setattr(effort, "speed_here", lambda _: Speed(1e5, "so", 3))
    asked = Asked(shipped_project)
    estimate = Estimate(asked)
    (job,) = (job for job in asked.jobs() if job.stage == "dynamics")
    assert estimate.core_seconds(job) == pytest.approx(3 * 93_000 * 1439 / 1e5, rel=1e-3)


def test_faults_stop_it_in_one_line(project, refused):
    edit(project, "config/quick.yaml", "functional: b3lypg", "functional: b3lypx")
    assert "settings: quantum.level.functional: 'b3lypx' is not known to PySCF" in refused()
    edit(project, "config/quick.yaml", "functional: b3lypx", "functional: b3lypg")
    edit(project, "config/quick.yaml", "basis: 6-31g(d,p)", "basis: 6-31gg")
    assert "'6-31gg' is not known to PySCF" in refused()
    edit(project, "config/quick.yaml", "basis: 6-31gg", "basis: 6-31g(d,p)")
    edit(project, "config/quick.yaml", "resp_method: hf", "resp_method: b3lypx")
    assert "settings: forcefield.resp_method: 'b3lypx' is not known to PySCF" in refused()


def test_a_basis_is_a_name_and_no_file(project, refused):
    edit(project, "config/quick.yaml", "basis: 6-31g(d,p)", "basis: ../basis.nw")
    assert "quantum.level.basis: " in refused()


def test_missing_programs_are_told_where_they_are_needed(project, electroscreen, refused, monkeypatch):
    from electroscreen.forcefield import amber

    def missing():
        raise ProgramError("AmberTools is incomplete")

    monkeypatch.setattr(amber, "amber_home", missing)
    assert "antechamber and parmchk2 do not run: AmberTools is incomplete" in refused()
    code, out, _ = electroscreen("check", "--project", project, "--elsewhere")
    assert code == 0
    assert any(line.startswith("warning: on this machine, antechamber and parmchk2 do not run") for line in out)
    edit(project, "config/quick.yaml", "boxes: [natfsi_dol_fec]", "boxes: []")
    assert "programs" not in "\n".join(told(electroscreen, project))


def test_a_force_field_of_the_old_gaff_is_told(project, shipped, electroscreen, refused):
    """Written when parmchk2 read gaff.dat instead of gaff2.dat: there "os" is 1.6837 Å and 0.17 kcal/mol."""
    record = read_json(shipped / "results" / "published" / "quick" / "species" / "FEC" / "forcefield.json")
    path = Project(project, "quick").species_folder("FEC") / "forcefield.json"
    write_json(path, record)
    told(electroscreen, project)
    for term in record["parameters"]:
        if term["term"] == "lj" and term["source"].endswith(", os"):
            term["values"] = {"sigma_angstrom": 1.6837 * 2 ** (5 / 6), "epsilon_kj_per_mol": 0.17 * 4.184}
    write_json(path, record)
    said = refused()
    assert "results/quick/species/FEC/forcefield.json: its terms are named GAFF2's and are the old GAFF's (os)" in said


def test_a_disk_or_memory_that_is_too_small_is_told(project, electroscreen, refused, monkeypatch):
    monkeypatch.setattr(machine, "memory_bytes", lambda: 3e8)
    assert any("GB of memory and there are 0.3: " in line for line in told(electroscreen, project))
    monkeypatch.setattr(machine, "_free_bytes", lambda _: 10**6)
    assert "GB of disk are free: make room" in refused()


def test_boxes_that_will_not_do_are_told(project, electroscreen):
    edit(project, "config/quick.yaml", "atoms: 1500", "atoms: 700")
    edit(project, "molecules/boxes/natfsi_dol_fec.yaml", "temperature_k: 298.15", "temperature_k: 25")
    warnings = [line for line in told(electroscreen, project) if line.startswith("warning: ")]
    assert any("leave little room for two cut-offs of 10 Å" in line for line in warnings)
    assert any("25 K: is that in kelvin?" in line for line in warnings)


def test_a_species_without_force_field_is_told_with_its_boxes(project, electroscreen):
    edit(project, "config/quick.yaml", "boxes: [natfsi_dol_fec]", "boxes: [natfsi_dol_fec, odd]")
    text = (
        "name: odd\ntitle: odd\ntemperature_k: 300\nrecipe:\n  THF: {wt_percent: 100}\n  radical: {mol_per_kg: 0.5}\n"
    )
    (project / "molecules/boxes/odd.yaml").write_text(text, encoding="utf-8")
    radical = "name: radical\ntitle: r\nrole: additive\nsmiles: C[CH2]\nmultiplicity: 2\n"
    (project / "molecules/species/radical.yaml").write_text(radical, encoding="utf-8")
    (line,) = (line for line in told(electroscreen, project) if "radical gets no force field" in line)
    assert "open shells" in line
    assert line.endswith("so these are not built: odd")


def test_a_container_with_less_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    whole = machine.memory_bytes()
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text("1000000\n")
    assert machine.processors() == 1
    assert machine.memory_bytes() == 1e6 < whole
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.memory_bytes() == whole


def test_levels_that_no_setting_asks_for_are_not_looked_at(shipped_project):
    assert [level.basis for level in Asked(shipped_project).levels] == ["6-31g(d,p)"]
    assert isinstance(Asked(shipped_project).levels[0], Level)
