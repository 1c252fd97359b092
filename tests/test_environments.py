"""The conda files and the container against what pyproject.toml asks for, what is pinned, and what the code imports."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = ROOT / "workflow" / "electroscreen"

# Conda-forge's names where they differ from PyPI's, and names of modules where they differ from both.
PYPI_NAMES = {"dftd3-python": "dftd3", "matplotlib-base": "matplotlib", "tblite-python": "tblite"}
MODULES = {
    "mdanalysis": ["MDAnalysis"],
    "pyyaml": ["yaml"],
    "scikit-image": ["skimage"],
    "kinisi": ["kinisi", "scipp"],
    "jinja2": ["jinja2", "markupsafe"],
}
# Used where they are, missed nowhere.
NOT_NEEDED = {"cupy", "gpu4pyscf"}
# Programs that stages call, and what others need beside them.
NOT_IMPORTED = {"acpype", "packmol", "geometric"}
STAGES = {
    "quantum": [
        *("quantum.geometry", "quantum.orbitals", "quantum.levels", "quantum.redox", "quantum.esp"),
        *("quantum.cubes", "quantum.binding", "forcefield.charges"),
    ],
    "dynamics": ["forcefield.assemble", "boxes.build", "dynamics.run", "analysis.run"],
    "report": ["report.tables", "report.figures", "report.page"],
}


@cache
def wanted() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    every = [*project["dependencies"], *extras["test"], *extras["cluster"]]
    return {canonicalize_name(r.name): r for r in map(Requirement, every)}


@cache
def pinned() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    text = "".join((ROOT / "envs" / name).read_text() for name in ("requirements.txt", "cluster.txt"))
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.M):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


@cache
def conda(name: str) -> dict[str, Requirement]:
    """Packages of a conda file under the names that they have on PyPI."""
    listed = yaml.safe_load((ROOT / "envs" / f"{name}.yaml").read_text())["dependencies"]
    every = [entry for entry in listed if isinstance(entry, str)]
    every += [entry for part in listed if isinstance(part, dict) for entry in part["pip"]]
    found = {}
    for entry in map(Requirement, every):
        entry.name = PYPI_NAMES.get(entry.name, entry.name)
        found[canonicalize_name(entry.name)] = entry
    return found


def imports_of(module: str) -> tuple[set[str], set[str]]:
    """Return the modules that one of ours imports at its top, and those that only its functions import."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = set().union(*map(names_in, tree.body))
    return top, set().union(*map(names_in, ast.walk(tree))) - top


def names_in(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if not isinstance(node, ast.ImportFrom) or not node.module:
        return set()
    folder = PACKAGE.joinpath(*node.module.split(".")[1:])
    return {node.module, *(f"{node.module}.{a.name}" for a in node.names if (folder / f"{a.name}.py").exists())}


def third_party(entries: list[str]) -> set[str]:
    """Return the modules of others that our modules need, those that they import included.

    What functions of modules further down import of ours is not followed: that is another stage's way.
    """
    entries = [f"electroscreen.{entry}" for entry in entries]
    waiting, seen, others = list(entries), set(), set()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        top, inner = imports_of(module)
        others |= {name.split(".")[0] for name in top | inner}
        followed = top | inner if module in entries else top
        waiting += [name for name in followed if name.split(".")[0] == "electroscreen"]
    return others - {"electroscreen"} - sys.stdlib_module_names


def test_everything_asked_for_is_pinned_within_its_range():
    for name, requirement in wanted().items():
        assert name in pinned(), f"{name} is not pinned: make requirements"
        for version in pinned()[name]:
            assert requirement.specifier.contains(version), (name, version)


def test_the_plugin_for_slurm_finds_what_it_needs_among_what_is_pinned():
    """It is pinned without its dependencies, so that these are the ones that are there already."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        needed = requires("snakemake-executor-plugin-slurm")
    except PackageNotFoundError:
        pytest.skip("the plugin for Slurm is not installed: make cluster")
    for requirement in map(Requirement, needed):
        versions = pinned()[canonicalize_name(requirement.name)]
        assert any(requirement.specifier.contains(version) for version in versions), requirement


@pytest.mark.parametrize("name", STAGES)
def test_conda_files_ask_for_the_versions_of_pyproject(name):
    for package, entry in conda(name).items():
        if package in ("python", "pip"):
            continue
        assert package in wanted(), f"envs/{name}.yaml: {package} is in no list of pyproject.toml"
        assert entry.specifier == wanted()[package].specifier, (name, package)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert str(conda(name)["python"].specifier) == project["requires-python"]


@pytest.mark.parametrize("name", STAGES)
def test_conda_files_hold_what_their_stages_import_and_no_more(name):
    packages = set(conda(name)) - {"python", "pip"}
    offered = {module for package in packages for module in MODULES.get(package, [package])}
    needed = third_party(["project", *STAGES[name]]) - NOT_NEEDED
    assert needed - offered == set()
    idle = {p for p in packages - NOT_IMPORTED if not set(MODULES.get(p, [p])) & needed}
    assert idle == set()


def test_container_installs_what_is_pinned():
    text = (ROOT / "envs/Dockerfile").read_text()
    assert re.search(r"^FROM python:(3\.\d+)-slim", text, re.M)
    for copied in re.findall(r"^COPY (.+) \S+$", text, re.M):
        for path in copied.split():
            assert (ROOT / path).exists(), path
    for line in (
        "--require-hashes -r envs/build.txt",
        "--require-hashes --no-build-isolation -r envs/requirements.txt",
    ):
        assert line in text
        assert line in (ROOT / "Makefile").read_text()


def test_no_requirement_names_a_host():
    for path in (ROOT / "envs").iterdir():
        assert not re.search(r"https?://|--(extra-)?index-url|--find-links|git\+", path.read_text()), path
