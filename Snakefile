# From molecules/ to results/: the table of contents of the project.
#
#   snakemake                                   everything, with config/quick.yaml
#   snakemake --config settings=paper           everything, with config/paper.yaml
#   snakemake --config whole=true --report jobs.html     after a run: which job made which file, and how long it took
#   snakemake orbitals                          a part: geometries, orbitals, binding_energies, boxes, tables...
#   snakemake results/quick/species/EC/orbitals.json     one file and what it needs

from snakemake.utils import min_version

min_version("9.10")


configfile: "config/defaults.yaml"


report: "workflow/rules/captions/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/plan.smk"
include: "workflow/rules/quantum.smk"
include: "workflow/rules/binding.smk"
include: "workflow/rules/forcefield.smk"
include: "workflow/rules/boxes.smk"
include: "workflow/rules/dynamics.smk"
include: "workflow/rules/analysis.smk"
include: "workflow/rules/report.smk"


localrules:
    screen,
    geometries,
    orbitals,
    further,
    boxes,


rule screen:
    """Everything: all species, all boxes, tables, figures and the report."""
    default_target: True
    input:
        f"{RESULTS}/report.html",
        lost,


rule geometries:
    """Geometries of all species."""
    input:
        wanted("geometry"),


rule orbitals:
    """HOMO and LUMO of all species."""
    input:
        wanted("orbitals"),


rule further:
    """Redox and further levels of theory, of the species for which the settings ask for them."""
    input:
        wanted("levels", "redox"),


rule boxes:
    """Dynamics and analysis of all boxes."""
    input:
        wanted("analysis"),


onstart:
    # With a limit on jobs a second Snakemake 9 looks at all that waits once a second for every job that has ended, each
    # time from a thread of its own. At home cores are the limit.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
    # What is asked for, whether it can be done here, what it will cost: seconds, and no job's input.
    shell("electroscreen check --settings {SETTINGS}" + ("" if workflow.local_exec else " --elsewhere"))


onsuccess:
    if not workflow.dryrun and Path(f"{RESULTS}/report.html").exists():
        shell("electroscreen summary --settings {SETTINGS}")
