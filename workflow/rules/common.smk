# Names, recipes and the check of all inputs; everything else is in the package.

import fcntl
import shlex
import sys
from pathlib import Path

from electroscreen.inputs import InputError
from electroscreen.project import Project
from electroscreen.recipe import as_text
from electroscreen.report.names import figure_names
from electroscreen.settings import read_call
from electroscreen.survey import survey

try:
    CALL = read_call(config)
except InputError as fault:
    sys.exit(f"electroscreen: {fault}")
SETTINGS = CALL.settings
RESULTS = f"results/{SETTINGS}"

# The rules call `electroscreen`: the one that belongs to this Snakemake, whether or not its environment is active. It takes
# the shell's place, so that a signal before the time limit kills no shell over it.
shell.prefix(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"; exec ')

# Snakemake's own lock outlives a kill -9 and must then be removed by hand; the kernel's does not (profiles/default
# switches the former off).
if workflow.is_main_process and not workflow.dryrun:
    try:
        Path(".snakemake").mkdir(exist_ok=True)
        LOCK = Path(".snakemake/electroscreen.lock").open("w")
        fcntl.flock(LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("electroscreen: another snakemake runs in this folder: wait for it, or stop it")
    except PermissionError as fault:
        sys.exit(f"electroscreen: {fault.filename} belongs to somebody else, who runs here: copy the folder")

try:
    PROJECT = Project(Path(), SETTINGS)
    # Jobs on other machines parse this file again; what the main process found right is right.
    SURVEY = survey(PROJECT) if workflow.is_main_process else None
    REPLICAS = range(1, PROJECT.settings.dynamics.replicas + 1)
    DRAWN = figure_names({}, PROJECT.series())
    FIGURES = expand(f"{RESULTS}/figures/{{name}}.{{kind}}", name=DRAWN, kind=["png", "svg"])
except InputError as fault:
    sys.exit(f"electroscreen: {fault}")


wildcard_constraints:
    species=r"[A-Za-z][A-Za-z0-9_-]*",
    complex=r"[A-Za-z][A-Za-z0-9_-]*",
    box=r"[A-Za-z][A-Za-z0-9_-]*",
    replica=r"[1-9][0-9]*",


def subject(wildcards):
    """Return the name of the species, the complex or the box that a job is about."""
    return next(wildcards[kind] for kind in ("species", "complex", "box") if kind in wildcards.keys())


def recipe(stage):
    """Return a params function: what decides the numbers of this stage, so that only its change reruns the job."""
    return lambda wildcards: as_text(PROJECT.recipe(stage, subject(wildcards)))


def of_molecules(file):
    """Return an input function: a file of every molecule in the box."""
    return lambda wildcards: expand(f"{RESULTS}/species/{{name}}/{file}", name=PROJECT.molecules(wildcards.box))


def of_parts(file):
    """Return an input function: a file of every part of the complex, where its DFT geometry is asked for."""

    def parts(wildcards):
        wanted = PROJECT.complex(wildcards.complex)
        by_gfn1 = PROJECT.binding_settings(wanted).geometry == "gfn1"
        return [] if by_gfn1 else expand(f"{RESULTS}/species/{{part}}/{file}", part=wanted.parts)

    return parts
