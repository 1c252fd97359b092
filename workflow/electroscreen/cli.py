"""The command `electroscreen`: every stage by hand, the same commands that the rules call.

A stage is imported only when it is called, so that `--help` and `check` answer at once.
"""

from __future__ import annotations

import argparse
import errno
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path

from electroscreen import __version__
from electroscreen.damage import DamagedError, files_read, set_aside_damaged
from electroscreen.inputs import InputError
from electroscreen.numerics import set_up_numerics
from electroscreen.project import Project
from electroscreen.stopping import StoppedError, signals_wait_for_a_checkpoint

READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
# No room, no quota left, or a limit on the size of files.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, or after one line of explanation a number that says what went wrong.

    1: tables that are not the same; 2: the input; 3: another runs; 4: the disk is full; 5: stopped by a signal, at a
    checkpoint; 6: half a file.
    """
    options = _parser().parse_args(arguments)
    try:
        project = Project(options.project, options.settings)
        subject = next((vars(options)[key] for key in ("species", "complex", "box") if key in options), None)
        set_aside_damaged(files_read(project, options.stage, subject, vars(options).get("replica")))
        with signals_wait_for_a_checkpoint() if options.run in RESUMABLE else nullcontext():
            return options.run(project, options) or 0
    except InputError as error:
        print(f"electroscreen: {error}", file=sys.stderr)
        return 2
    except FileNotFoundError as error:
        print(f"electroscreen: {error.filename} is missing: run the stage that writes it first", file=sys.stderr)
        return 2
    except BlockingIOError:
        print("electroscreen: another process works on this already: wait for it, or stop it", file=sys.stderr)
        return 3
    except StoppedError:
        print("electroscreen: stopped at a checkpoint: the same command goes on from there", file=sys.stderr)
        return 5
    except DamagedError as error:
        print(f"electroscreen: {error}", file=sys.stderr)
        return 6
    except OSError as error:
        if error.errno in READ_ONLY:
            print(f"electroscreen: no right to use {error.filename} ({error.strerror})", file=sys.stderr)
            return 2
        if error.errno not in DISK_FULL:
            raise
        where = f" ({error.filename})" if error.filename else ""
        print(
            f"electroscreen: the disk is full{where}: make room, and the same command goes on where this one stopped",
            file=sys.stderr,
        )
        return 4


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="electroscreen", description=__doc__.splitlines()[0])
    parser.add_argument("--version", action="version", version=__version__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--settings", default="quick", help="name of a file in config/ (default: quick)")
    common.add_argument("--threads", type=_positive, default=1, help="threads to use (default: 1)")
    common.add_argument("--project", type=Path, default=Path(), help="folder that holds molecules/ (default: .)")
    stages = parser.add_subparsers(title="stages, in the order of the pipeline", metavar="STAGE", required=True)
    for name, (run, subject, help_text) in STAGES.items():
        stage = stages.add_parser(name, parents=[common], help=help_text, description=run.__doc__)
        stage.set_defaults(run=run, stage=name)
        if subject:
            stage.add_argument(subject, help=f"name of a file in molecules/{_folder(subject)}/, without .yaml")
        if name == "status":
            stage.add_argument("--json", action="store_true", help="every job, for programs")
        if name == "figures":
            stage.add_argument("boxes", nargs="*", metavar="BOX", help="draw the figures of these boxes only")
            stage.add_argument("--overall", action="store_true", help="draw only those over all species and boxes")
        if name == "publish":
            stage.add_argument(
                "--largest-mb", type=_positive, default=8, help="leave out larger trajectories (default: 8)"
            )
        if name == "verify":
            stage.add_argument("names", nargs="*", metavar="NAME", help="folders of results/published (default: all)")
        if name in ("packing", "dynamics"):
            stage.add_argument("--replica", type=_positive, default=1, help="number of the replica (default: 1)")
        if name == "check":
            stage.add_argument("--elsewhere", action="store_true", help="jobs will run on other machines than this one")
    return parser


def _folder(subject: str) -> str:
    return {"species": "species", "complex": "complexes", "box": "boxes"}[subject]


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, found {text}")
    return int(text)


def check(project: Project, options: argparse.Namespace) -> None:
    """Check every file that a user writes, whether it can be done here, and what it costs; compute nothing."""
    project.check()
    from electroscreen.preflight.run import look_ahead

    found = look_ahead(project, options.elsewhere)
    counts = (
        f"{len(project.species_names)} species, {len(project.complex_names)} complexes, {len(project.box_names)} boxes"
    )
    lines = [f"{counts}: all inputs can be used", *found.facts, *(f"warning: {text}" for text in found.warnings)]
    if found.faults:
        raise InputError("; ".join(found.faults))
    print("\n".join(lines))


def geometry(project: Project, options: argparse.Namespace) -> None:
    """Find the lowest structure: conformers or ion sites by GFN2-xTB, the best ones by DFT."""
    species = project.species(options.species)
    recipe = project.recipe("geometry", species.name)
    set_up_numerics(options.threads)
    from electroscreen.quantum.geometry import GeometryFiles, find_geometry

    folder = project.species_folder(species.name)
    files = GeometryFiles(folder / "geometry.xyz", folder / "geometry.json", folder / "density.npy")
    find_geometry(species, project.settings.quantum, recipe, files, options.threads)


def orbitals(project: Project, options: argparse.Namespace) -> None:
    """HOMO, LUMO, dipole, Mulliken and IAO charges at the geometry of the stage before."""
    species = project.species(options.species)
    recipe = project.recipe("orbitals", species.name)
    set_up_numerics(options.threads)
    from electroscreen.quantum.orbitals import find_orbitals

    folder = project.species_folder(species.name)
    record, output = folder / "geometry.json", folder / "orbitals.json"
    find_orbitals(species, project.settings.quantum, recipe, record, output, options.threads)


def levels(project: Project, options: argparse.Namespace) -> None:
    """HOMO and LUMO at the further levels of theory that the settings name."""
    species = project.species(options.species)
    recipe = project.recipe("levels", species.name)
    set_up_numerics(options.threads)
    from electroscreen.quantum.levels import find_levels

    folder = project.species_folder(species.name)
    record, output = folder / "geometry.json", folder / "levels.json"
    find_levels(species, project.settings.quantum, recipe, record, output, options.threads)


def redox(project: Project, options: argparse.Namespace) -> None:
    """Ionisation energy and electron affinity, in vacuum and in the species' solvent, and potentials."""
    species = project.species(options.species)
    recipe = project.recipe("redox", species.name)
    set_up_numerics(options.threads)
    from electroscreen.quantum.redox import find_redox

    folder = project.species_folder(species.name)
    record, output = folder / "geometry.json", folder / "redox.json"
    find_redox(species, project.settings.quantum, recipe, record, output, options.threads)


def esp(project: Project, options: argparse.Namespace) -> None:
    """Electrostatic potential on the molecular surface: extrema, areas, a picture, and the surface for viewers."""
    species = project.species(options.species)
    if project.settings.quantum.esp is None:
        raise InputError(f"config/{project.settings_name}.yaml: quantum.esp is missing, so there is nothing to compute")
    recipe = project.recipe("esp", species.name)
    set_up_numerics(options.threads)
    from electroscreen.quantum.esp import map_potential

    folder = project.species_folder(species.name)
    map_potential(species, project.settings.quantum, recipe, folder, options.threads)


def cubes(project: Project, options: argparse.Namespace) -> None:
    """HOMO and LUMO as cube files and as a picture."""
    species = project.species(options.species)
    if project.settings.quantum.cubes is None:
        raise InputError(f"config/{project.settings_name}.yaml: quantum.cubes is missing, so there is nothing to draw")
    recipe = project.recipe("cubes", species.name)
    set_up_numerics(options.threads)
    from electroscreen.quantum.cubes import draw_frontier

    folder = project.species_folder(species.name)
    draw_frontier(species, project.settings.quantum, recipe, folder, options.threads)


def binding(project: Project, options: argparse.Namespace) -> None:
    """Binding energy of a complex: placements by GFN2-xTB, the best by DFT, counterpoise and deformation."""
    wanted = project.complex(options.complex)
    every = project.complex_species(wanted)
    recipe = project.recipe("binding", wanted.name)
    set_up_numerics(options.threads)
    from electroscreen.complexes import check_cluster
    from electroscreen.quantum.binding import find_binding
    from electroscreen.quantum.energies import Method

    check_cluster(project.complex_file(wanted.name), wanted, every)
    search = project.binding_settings(wanted)
    method = Method(project.settings.quantum, search.dispersion)
    folders = {name: project.species_folder(name) for name in every}
    output = project.complex_folder(wanted.name)
    shared = project.results / "parts"
    find_binding(wanted, every, method, search, recipe, folders, output, options.threads, shared)


def charges(project: Project, options: argparse.Namespace) -> None:
    """Atomic charges for the force field: RESP, fitted to the electrostatic potential."""
    species = project.species(options.species)
    recipe = project.recipe("charges", species.name)
    set_up_numerics(options.threads)
    from electroscreen.forcefield.charges import derive_charges

    folder = project.species_folder(species.name)
    derive_charges(species, folder / "geometry.xyz", recipe, folder / "charges.json", options.threads)


def forcefield(project: Project, options: argparse.Namespace) -> None:
    """Force field as OpenMM XML, with the source of every parameter."""
    species = project.species(options.species)
    recipe = project.recipe("forcefield", species.name)
    set_up_numerics(options.threads)
    from electroscreen.forcefield.assemble import write_forcefield

    folder = project.species_folder(species.name)
    write_forcefield(
        species,
        folder / "charges.json",
        folder / "geometry.xyz",
        recipe,
        folder / "forcefield.xml",
        folder / "forcefield.json",
        options.threads,
    )


def composition(project: Project, options: argparse.Namespace) -> None:
    """Whole molecules from a recipe in grams and millilitres, and what rounding did to it."""
    box = project.box(options.box)
    every = project.box_species(box)
    from electroscreen.boxes.build import write_composition
    from electroscreen.recipes import check_box, molecules_of

    check_box(project.box_file(box.name), box, every)

    records = {name: project.species_folder(name) / "forcefield.json" for name in molecules_of(box, every)}
    output = project.box_folder(box.name) / "composition.json"
    write_composition(box, every, project.settings, records, project.recipe("composition", box.name), output)


def packing(project: Project, options: argparse.Namespace) -> None:
    """Pack the molecules of one replica into a periodic cube and write its OpenMM system."""
    box = project.box(options.box)
    from electroscreen.boxes.build import write_packing
    from electroscreen.recipes import molecules_of

    names = molecules_of(box, project.box_species(box))
    write_packing(
        project.box_folder(box.name) / "composition.json",
        {name: project.species_folder(name) / "geometry.xyz" for name in names},
        {name: project.species_folder(name) / "forcefield.xml" for name in names},
        project.settings,
        options.replica,
        project.recipe("packing", box.name),
        project.box_folder(box.name) / f"replica-{options.replica}",
    )


def dynamics(project: Project, options: argparse.Namespace) -> None:
    """Run one replica to the end of production, or go on where it was interrupted."""
    recipe = project.recipe("dynamics", options.box)
    set_up_numerics(options.threads)
    from electroscreen.dynamics.run import run_dynamics

    folder = project.box_folder(options.box)
    packing_record = folder / f"replica-{options.replica}" / "packing.json"
    run_dynamics(packing_record, folder / "composition.json", project.settings.dynamics, recipe, options.threads)


def analysis(project: Project, options: argparse.Namespace) -> None:
    """Radial distributions, coordination numbers and diffusion coefficients over all replicas of a box."""
    recipe = project.recipe("analysis", options.box)
    set_up_numerics(options.threads)
    from electroscreen.analysis.run import analyse

    folder = project.box_folder(options.box)
    replicas = [folder / f"replica-{r}" for r in range(1, project.settings.dynamics.replicas + 1)]
    outputs = folder / "analysis.json", folder / "curves.npz"
    analyse(folder / "composition.json", replicas, recipe, *outputs, options.threads)


def status(project: Project, options: argparse.Namespace) -> None:
    """Tell of each stage and species or box what is done, running, failed and why, stale or missing."""
    from electroscreen.status import as_json, print_status
    from electroscreen.survey import survey

    found = survey(project)
    if options.json:
        print(as_json(found))
    else:
        print_status(found)


def inventory(project: Project, options: argparse.Namespace) -> None:
    """List every record with its verdict and the hash of its recipe, in results/SETTINGS/inventory.csv."""
    from electroscreen.status import write_inventory
    from electroscreen.survey import survey

    write_inventory(survey(project), project.results / "inventory.csv")


def tables(project: Project, options: argparse.Namespace) -> None:
    """All tables as CSV, Markdown and LaTeX, ours beside the papers'."""
    from electroscreen.report.tables import build_tables

    output = project.results / "tables"
    complexes = {name: project.complex(name) for name in project.complex_names}
    build_tables(
        project.results,
        project.paper_files,
        project.screened_species,
        project.box_names,
        output,
        complexes,
        project.asked_complexes,
        project.asked_boxes,
    )


def figures(project: Project, options: argparse.Namespace) -> None:
    """All figures as PNG and SVG, or those of some boxes, or those over all species and boxes."""
    from electroscreen.report.figures import build_box_figures, build_overall_figures

    output = project.results / "figures"
    for name in [] if options.overall else options.boxes or project.asked_boxes:
        build_box_figures(project.results, name, project.centers(name), output / name)
    if options.overall or not options.boxes:
        species, boxes = project.screened_species, project.asked_boxes
        build_overall_figures(project.results, project.paper_files, species, boxes, output, project.series())


def report(project: Project, options: argparse.Namespace) -> None:
    """One HTML file with everything, which needs no network."""
    from electroscreen.report.page import build_report

    build_report(project.results, project.settings_name, project.results / "report.html")


def summary(project: Project, options: argparse.Namespace) -> None:
    """Print the comparison with the papers, and where the report is."""
    from electroscreen.report.tables import print_comparison

    print_comparison(project.results / "tables" / "compared_with_papers.csv")
    print(f"\nReport: {project.results / 'report.html'}")


def publish(project: Project, options: argparse.Namespace) -> None:
    """Tables, DFT results and small trajectories into results/published/SETTINGS, where `verify` makes them again."""
    from electroscreen.publication.publish import publish as publish_results

    folder = project.published / project.settings_name
    publication = publish_results(project, folder, options.largest_mb)
    for box in publication.recorded_boxes:
        print(f"{box}: its trajectory is larger than {options.largest_mb} MB, so its analysis goes without it")
    print(
        f"{folder}: {len(publication.files)} files and the tables made from them; to check them: electroscreen verify"
    )


def verify(project: Project, options: argparse.Namespace) -> int:
    """Make the published tables again, from their trajectories and DFT results, and say whether they are the same."""
    from electroscreen.publication.verify import print_verification, published_names
    from electroscreen.publication.verify import verify as verify_folder

    names = options.names or published_names(project.published)
    if not names:
        raise InputError(f"{project.published}: nothing is published there: run `electroscreen publish` first")
    set_up_numerics(options.threads)
    same = []
    for name in names:
        started = time.monotonic()
        found = verify_folder(Project(project.root, name), project.published / name, options.threads, _bar(name))
        print_verification(found, time.monotonic() - started)
        same.append(found.same)
    return 0 if all(same) else 1


def _bar(name: str) -> Callable[[list[str]], Iterable[str]]:
    from rich.console import Console
    from rich.progress import track

    return lambda boxes: track(boxes, f"{name}: boxes", console=Console(stderr=True), transient=True)


def schemas(project: Project, options: argparse.Namespace) -> None:
    """Write the JSON schemas of all input files to workflow/schemas/, for editors."""
    from electroscreen.schemas import write_schemas

    write_schemas(project.root / "workflow" / "schemas")


STAGES = {
    "check": (check, None, "check all input files"),
    "geometry": (geometry, "species", "optimise the geometry of a species"),
    "orbitals": (orbitals, "species", "HOMO, LUMO, dipole, charges"),
    "levels": (levels, "species", "HOMO and LUMO at further levels of theory"),
    "redox": (redox, "species", "ionisation energy, electron affinity, potentials"),
    "esp": (esp, "species", "electrostatic potential on the molecular surface"),
    "cubes": (cubes, "species", "HOMO and LUMO as cube files and as a picture"),
    "binding": (binding, "complex", "binding energy of a complex"),
    "charges": (charges, "species", "RESP charges"),
    "forcefield": (forcefield, "species", "force field as OpenMM XML"),
    "composition": (composition, "box", "whole molecules from a recipe"),
    "packing": (packing, "box", "pack a replica of a box"),
    "dynamics": (dynamics, "box", "molecular dynamics of a replica"),
    "analysis": (analysis, "box", "RDF, coordination, diffusion"),
    "status": (status, None, "what is done, running, failed and why, stale, missing"),
    "inventory": (inventory, None, "the list of all records"),
    "tables": (tables, None, "tables, ours beside the papers'"),
    "figures": (figures, None, "figures"),
    "report": (report, None, "the HTML report"),
    "summary": (summary, None, "print the comparison with the papers"),
    "publish": (publish, None, "tables with the small files that they follow from, to hand on"),
    "verify": (verify, None, "make published tables again and compare"),
    "schemas": (schemas, None, "write the JSON schemas of all input files"),
}

# Stages that keep how far they got.
RESUMABLE = (geometry, levels, redox, binding, dynamics)


if __name__ == "__main__":
    sys.exit(main())
