"""The DAG as a user meets it: what reruns when, what a kill leaves, how wrong input ends."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

EC = """
name: EC
title: ethylene carbonate
role: solvent
smiles: C1COC(=O)O1
density_g_per_ml: 1.32
"""

EC_STAGES = [f"{stage} EC" for stage in ("geometry", "orbitals", "esp", "cubes", "charges")]
TELLING = ["figures", "report", "tables"]
REPORTING = ["inventory", *TELLING]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_finished_project_has_nothing_to_do(workflow):
    workflow.run()
    assert workflow.calls() == []


def test_added_species_runs_its_own_jobs_and_the_tables(workflow):
    (workflow.folder / "molecules/species/EC.yaml").write_text(EC)
    workflow.run()
    assert workflow.calls() == sorted([*EC_STAGES, *REPORTING, "summary"])
    assert "\nEC," in (workflow.folder / "results/quick/tables/frontier_orbitals.csv").read_text()


def test_removed_species_leaves_the_tables_without_any_other_job(workflow):
    path = workflow.folder / "molecules/species/EC.yaml"
    path.write_text(EC)
    workflow.run()
    workflow.calls()
    path.unlink()
    workflow.run()
    assert workflow.calls() == sorted([*TELLING, "summary"])
    assert "\nEC," not in (workflow.folder / "results/quick/tables/frontier_orbitals.csv").read_text()


def test_comment_notes_and_touch_rerun_nothing(workflow):
    path = workflow.folder / "molecules/species/DOL.yaml"
    path.write_text("# a remark\n" + path.read_text() + "notes: nothing that matters\n")
    os.utime(workflow.folder / "molecules/boxes/natfsi_dol_fec.yaml")
    os.utime(workflow.folder / "config/quick.yaml")
    workflow.run()
    assert workflow.calls() == []


def test_changed_structure_reruns_that_species_and_what_depends_on_it(workflow):
    edit(workflow.folder / "molecules/species/FEC.yaml", "O=C1OCC(F)O1", "O=C1OC[C@H](F)O1")
    calls = set(workflow.run() and workflow.calls())
    stages = ("geometry", "orbitals", "esp", "cubes", "charges", "forcefield")
    assert {f"{stage} FEC" for stage in stages} <= calls
    assert {f"{stage} natfsi_dol_fec" for stage in ("composition", "packing", "dynamics", "analysis")} <= calls
    others = {call for call in calls if call.split()[0] in stages and not call.endswith(" FEC")}
    assert others == set()


COMPLEX = """
name: Na_DOL_FEC
title: sodium ion with two solvents
parts: {Na: 1, DOL: 1, FEC: 1}
compared_with:
  - {Na_DOL: 1, FEC: 1}
"""


def test_added_complex_runs_its_own_job_when_it_is_asked_for(workflow):
    (workflow.folder / "molecules/complexes/Na_DOL_FEC.yaml").write_text(COMPLEX)
    table = workflow.folder / "results/quick/tables/binding_energies.csv"
    workflow.run()
    assert workflow.calls() == sorted(["tables", "report", "summary"])
    assert "Na_DOL_FEC,Na + DOL + FEC,,,,,,,,,not computed: not asked for" in table.read_text()
    edit(workflow.folder / "config/quick.yaml", "complexes: [Na_DOL]", "complexes: [Na_DOL_FEC]")
    workflow.run()
    assert workflow.calls() == sorted(["binding Na_DOL_FEC", *REPORTING, "summary"])
    assert "Na_DOL_FEC,Na + DOL + FEC,Na_DOL + FEC,fake,vacuum" in table.read_text()


BOX = """
name: dol_alone
title: DOL
temperature_k: 298.15
recipe:
  DOL: {volume_ml: 10}
analysis:
  diffusion: [DOL]
"""


def test_added_box_runs_its_own_jobs_when_it_is_asked_for(workflow):
    (workflow.folder / "molecules/boxes/dol_alone.yaml").write_text(BOX)
    table = workflow.folder / "results/quick/tables/boxes.csv"
    workflow.run()
    assert workflow.calls() == sorted(["tables", "report", "summary"])
    row = next(line for line in table.read_text().splitlines() if line.startswith("dol_alone"))
    assert row.endswith(",not computed: not asked for by box.boxes in the settings")
    assert "dol_alone" not in (workflow.folder / "results/quick/tables/diffusion.csv").read_text()
    edit(workflow.folder / "config/quick.yaml", "boxes: [natfsi_dol_fec]", "boxes: all")
    workflow.run()
    stages = [f"{stage} dol_alone" for stage in ("composition", "packing", "dynamics", "analysis")]
    assert workflow.calls() == sorted([*stages, "figures dol_alone", *REPORTING, "summary"])


def test_species_that_are_only_parts_run_with_the_complex_that_holds_them(workflow):
    (workflow.folder / "molecules/species/EC.yaml").write_text(EC + "screen: false\n")
    workflow.run()
    assert workflow.calls() == []
    path = workflow.folder / "molecules/complexes/Na_EC.yaml"
    path.write_text("name: Na_EC\ntitle: pair\nparts: {Na: 1, EC: 1}\n")
    edit(workflow.folder / "config/quick.yaml", "complexes: [Na_DOL]", "complexes: [Na_DOL, Na_EC]")
    workflow.run()
    assert workflow.calls() == sorted(["geometry EC", "binding Na_EC", *REPORTING, "summary"])


def test_changed_solvent_reruns_the_complex_and_a_changed_part_reruns_it_too(workflow):
    edit(workflow.folder / "molecules/complexes/Na_DOL.yaml", "solvent: 7.1", "solvent: 7.2")
    workflow.run()
    assert workflow.calls() == sorted(["binding Na_DOL", *REPORTING, "summary"])
    edit(workflow.folder / "molecules/species/DOL.yaml", "-1.665690", "-1.665700")
    workflow.run()
    assert "binding Na_DOL" in workflow.calls()


def test_wanted_pair_reruns_the_analysis_and_no_dynamics(workflow):
    edit(workflow.folder / "molecules/boxes/natfsi_dol_fec.yaml", "O(FEC), F]", "O(FEC)]")
    workflow.run()
    drawn = "figures natfsi_dol_fec"
    assert workflow.calls() == sorted(["analysis natfsi_dol_fec", drawn, *REPORTING, "summary"])


def test_changed_grid_reruns_orbitals_and_potential_and_no_geometry(workflow):
    edit(workflow.folder / "config/quick.yaml", "grid_final: 3", "grid_final: 4")
    workflow.run()
    assert {call.split()[0] for call in workflow.calls()} == {
        "orbitals",
        "esp",
        "cubes",
        "binding",
        *REPORTING,
        "summary",
    }


def test_redox_asked_for_later_runs_redox_and_nothing_before_it(workflow):
    edit(workflow.folder / "config/quick.yaml", "redox: none", "redox: vertical")
    workflow.run()
    calls = workflow.calls()
    assert {call.split()[0] for call in calls} == {"redox", *REPORTING, "summary"}
    assert "redox FEC" in calls
    edit(workflow.folder / "molecules/species/FEC.yaml", "solvent: 7.1", "solvent: 7.2")
    workflow.run()
    assert workflow.calls() == sorted(["redox FEC", *REPORTING, "summary"])


def test_a_level_is_scanned_for_the_species_named(workflow):
    level = '{functional: hf, basis: "6-31g", cartesian: true, heavy_basis: def2-svp}'
    scan = f"redox: none\n  scan_species: [FEC, DOL]\n  scan_levels:\n    - {level}"
    edit(workflow.folder / "config/quick.yaml", "redox: none", scan)
    workflow.run()
    assert workflow.calls() == sorted(["levels DOL", "levels FEC", *REPORTING, "summary"])


def test_species_that_does_not_converge_keeps_no_table_from_being_built(workflow):
    (workflow.folder / "molecules/species/EC.yaml").write_text(EC)
    workflow.run(FAKE_FAIL="EC")
    record = json.loads((workflow.folder / "results/quick/species/EC/geometry.json").read_text())
    assert record["verdict"] == "not converged: as asked"
    assert (workflow.folder / "results/quick/report.html").exists()


def test_killed_job_leaves_nothing_that_is_taken_as_done(workflow):
    (workflow.folder / "molecules/species/EC.yaml").write_text(EC)
    failed = workflow.run(check=False, FAKE_KILL="geometry EC")
    assert failed.returncode != 0
    assert not (workflow.folder / "results/quick/species/EC/geometry.xyz").exists()
    workflow.calls()
    workflow.run()
    assert workflow.calls() == sorted([*EC_STAGES, *REPORTING, "summary"])


def test_restart_data_outlives_a_killed_run(workflow):
    edit(workflow.folder / "config/quick.yaml", "production_ps: 150", "production_ps: 180")
    failed = workflow.run(check=False, FAKE_KILL="dynamics natfsi_dol_fec")
    assert failed.returncode != 0
    assert "dynamics natfsi_dol_fec" in workflow.calls()
    replica = workflow.folder / "results/quick/boxes/natfsi_dol_fec/replica-1"
    assert (replica / "restart/progress").exists()
    assert not (replica / "equilibration.json").exists()


def test_killed_snakemake_leaves_no_lock_and_a_second_one_is_refused(workflow):
    (workflow.folder / "molecules/species/EC.yaml").write_text(EC)
    process = workflow.start(FAKE_HANG="geometry EC")
    deadline = time.time() + 120
    while not (workflow.folder / "calls.log").exists() and time.time() < deadline:
        time.sleep(0.2)
    second = workflow.run(check=False)
    assert second.returncode != 0
    assert "another snakemake runs in this folder" in second.stderr
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert workflow.calls() == ["geometry EC"]
    workflow.run()
    assert workflow.calls() == sorted([*EC_STAGES, *REPORTING, "summary"])


def test_wrong_input_ends_in_one_line_before_any_job(workflow):
    path = workflow.folder / "molecules/species/EC.yaml"
    path.write_text(EC + "chargee: 0\n")
    done = workflow.run(check=False)
    assert done.returncode != 0
    assert "molecules/species/EC.yaml: chargee: unknown key, did you mean 'charge'?" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert workflow.calls() == []


def test_unknown_settings_end_in_one_line(workflow):
    done = workflow.run("--config", "settings=quik", check=False)
    assert done.returncode != 0
    assert "config/quik.yaml: no such file, did you mean 'quick'?" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_dry_run_tells_the_jobs_and_does_none(workflow):
    (workflow.folder / "molecules/species/EC.yaml").write_text(EC)
    done = workflow.run("-n")
    assert "electroscreen geometry EC --settings quick" in done.stdout + done.stderr
    assert workflow.calls() == []


def test_lint_finds_nothing(workflow):
    done = workflow.run("--lint")
    assert "good condition" in done.stdout + done.stderr


def test_figure_code_is_no_input_of_any_rule(workflow):
    """Editing a plot reruns no science: asking for the figures again runs them and nothing else."""
    time.sleep(1.1)
    workflow.run("--forcerun", "figures")
    assert workflow.calls() == sorted(["figures", "report", "summary"])


@pytest.mark.parametrize(
    ("lost", "made"),
    [
        ("tables/diffusion.csv", {"tables"}),
        ("species/FEC/esp.png", {"electrostatic_potential", "inventory", "tables", "figures"}),
        ("complexes/Na_DOL/binding.json", {"binding", "inventory", "tables", "figures"}),
        # Which only a new geometry would need; that the list is written again costs seconds.
        ("species/FEC/density.npy", {"inventory", "tables", "figures"}),
    ],
)
def test_what_is_lost_beneath_a_report_is_made_anew_and_nothing_else(workflow, lost, made):
    (workflow.folder / "results" / "quick" / lost).unlink()
    told = workflow.run("-n")
    text = told.stdout + told.stderr
    planned = set(re.findall(r"^ *(?:local)?rule (\w+):", text, re.MULTILINE))
    assert planned == made | {"report", "screen"}, text


def test_snakemakes_own_report_of_a_finished_run_holds_tables_figures_and_the_page(workflow):
    workflow.run("--report", "jobs.html")
    page = (workflow.folder / "jobs.html").read_text(encoding="utf-8")
    for name in ("report.html", "tables/compared_with_papers.csv", "figures/orbital_levels.svg"):
        assert f'"results/quick/{name}": {{"name"' in page
    assert "One row a fact" in page
    assert workflow.calls() == []


def test_jobs_that_have_ended_leave_no_threads_behind(workflow):
    """With a limit on jobs a second each of them left one that looked at all that waits once a second."""
    config = workflow.folder / "config/quick.yaml"
    edit(config, "grid_final: 3", "grid_final: 4")
    process = workflow.start("orbitals", "--config", "whole=true", "--forceall")
    tasks, most = Path(f"/proc/{process.pid}/task"), 0
    while process.poll() is None:
        try:
            most = max(most, sum(1 for _ in tasks.iterdir()))
        except FileNotFoundError:
            break
        time.sleep(0.05)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert len(workflow.calls()) > 12
    assert most < 10, f"{most} threads"
