"""What jobs ask a scheduler for, against what they took and what PySCF says."""

from __future__ import annotations

import numpy as np
import pytest

from electroscreen.demand import QUICK_MINUTES, SMALL_MINUTES, basis_functions, of_molecule, of_reporting
from electroscreen.project import Project

# Wall seconds on one core of two, README and results/published/quick.
TOOK_S = {
    ("geometry", "LiF"): 4,
    ("geometry", "Li2O"): 13,
    ("geometry", "DOL"): 159,
    ("geometry", "LMC"): 258,
    ("geometry", "LEDC"): 141,
    ("geometry", "o-carborane"): 122,
    ("geometry", "NaTFSI"): 283,
    ("geometry", "Sn_OTf2"): 460,
    ("orbitals", "NaTFSI"): 39,
    ("orbitals", "Sn_OTf2"): 59,
    ("charges", "TFSI"): 20,
    ("binding", "Na_DOL"): 155,
}


@pytest.fixture(scope="module")
def shipped_quick(shipped):
    return Project(shipped, "quick")


@pytest.fixture(scope="module")
def shipped_paper(shipped):
    return Project(shipped, "paper")


@pytest.mark.parametrize(("stage", "name"), TOOK_S)
def test_enough_time_is_asked_for_and_not_days(shipped_quick, stage, name):
    demand = shipped_quick.demand(stage, name)
    core_seconds = 60 * (demand.minutes - 5) * demand.threads
    assert 2 * TOOK_S[stage, name] < core_seconds < 1000 * TOOK_S[stage, name]


def test_the_box_that_was_run_took_less_than_is_asked_for(shipped_quick):
    demand = shipped_quick.demand("dynamics", "natfsi_dol_fec")
    # 530 s on two threads.
    assert 530 * 2 < 60 * demand.minutes * demand.threads < 20 * 530 * 2


def test_paper_asks_for_more_than_quick_of_everything_that_is_longer(shipped_quick, shipped_paper):
    for stage in ("dynamics", "analysis"):
        quick, paper = (project.demand(stage, "natfsi_dol_fec") for project in (shipped_quick, shipped_paper))
        assert paper.minutes > quick.minutes
        assert paper.memory_mb > quick.memory_mb
    # 1.56 ns of annealing with steps of 1 fs, 2 + 0.5 ns of equilibration that may take four times as long and 20 ns of
    # production with steps of 3 fs, 7300 atoms, a million atom steps a second on eight threads: 23.4 h; margin: three.
    # Then 2 ns in which each tenth step is followed by a stress that costs thirteen.
    pressure = 2000 * 1000 / 3 * (1 + 13 / 10)
    hours = 7300 * (1563 * 1000 / 1 + (4 * 2500 + 20000) * 1000 / 3 + pressure) / 1e6 / 3600
    assert shipped_paper.demand("dynamics", "natfsi_dol_fec").minutes == pytest.approx(3 * 60 * hours, rel=0.01)
    geometry = [project.demand("geometry", "DOL").minutes for project in (shipped_quick, shipped_paper)]
    assert geometry[1] > 1.5 * geometry[0], "paper's Hessian"


def test_small_species_are_the_salts_of_few_atoms(shipped_quick):
    small = {n for n in shipped_quick.species_names if shipped_quick.demand("geometry", n).minutes <= SMALL_MINUTES}
    assert {"LiF", "Li", "Na", "LiOH", "Li2O"} <= small
    assert small.isdisjoint({"DOL", "EC", "TFSI", "o-carborane"})
    assert shipped_quick.demand("orbitals", "NaTFSI").minutes <= QUICK_MINUTES


def test_a_long_chain_asks_for_what_its_three_units_take(shipped_quick):
    ten, twenty = (shipped_quick.demand("charges", name) for name in ("PDOL10", "PDOL20"))
    assert ten == twenty


@pytest.mark.parametrize("name", ["LiF", "DOL", "NaTFSI", "o-carborane"])
def test_functions_are_those_of_pyscf_and_memory_holds_their_integrals(shipped_quick, quick, name):
    from pyscf import df

    from electroscreen.quantum.scf import build_molecule

    species = shipped_quick.species(name)
    positions = 2.0 * np.arange(3 * len(species.symbols)).reshape(-1, 3)
    molecule = build_molecule(species.symbols, positions, species.charge, species.multiplicity, quick.level)
    assert basis_functions(species.symbols) == molecule.nao
    auxiliary = df.make_auxmol(molecule, df.make_auxbasis(molecule)).nao
    integrals_mb = 8e-6 * auxiliary * molecule.nao * (molecule.nao + 1) / 2
    asked = shipped_quick.demand("orbitals", name).memory_mb - 1500
    assert asked > 1.5 * integrals_mb


def test_memory_is_bounded_by_what_pyscf_is_allowed(shipped_quick):
    thousand_atoms = of_molecule("orbitals", ["C", "H"] * 500, shipped_quick.settings)
    assert thousand_atoms.memory_mb == 1500 + 1.25 * shipped_quick.settings.quantum.memory_mb


def test_tables_ask_for_more_as_there_are_more():
    assert of_reporting(11_000).memory_mb > 10 * of_reporting(20).memory_mb
    assert of_reporting(11_000).minutes > of_reporting(20).minutes
