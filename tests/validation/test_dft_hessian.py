"""A borate's force field from its DFT Hessian, at the DFT geometry that the species ships with."""

from __future__ import annotations

import numpy as np
import pytest
from forcefield_helpers import force_field
from test_energies import DFOB_E

from electroscreen.settings import read_settings
from electroscreen.species import parse_xyz, read_species


@pytest.mark.slow
def test_dfob_by_the_hessian_of_the_shipped_level(tmp_path, shipped, as_published):
    one = read_species(shipped / "molecules" / "species" / "DFOB.yaml")
    x = np.array([position for _, position in parse_xyz(one.start.xyz)])
    quantum = read_settings(shipped / "config" / "quick.yaml").quantum
    asked = {"level": quantum.level.model_dump(), "grid_final": quantum.grid_final, "scf_limit": quantum.scf_limit}
    _, record = force_field(tmp_path, one, x, DFOB_E, hessian="dft", quantum=asked)
    assert record["verdict"] == "ok"
    quality = record["quality"]
    print(
        f"DFOB by {quality['level']}: {quality['mean_frequency_error_per_cm']:.0f} cm-1 mean, "
        f"{quality['largest_frequency_error_per_cm']:.0f} largest, {quality['relative_frequency_error']:.1%}, "
        f"bonds {quality['largest_bond_error_angstrom']:.4f} Å, angles {quality['largest_angle_error_degree']:.2f}°"
    )
    assert quality["level"] == quantum.level.label
    assert {t["source"] for t in record["parameters"] if t["term"] == "bond"} == {
        f"fit to the {quality['level']} Hessian"
    }
    # The C=O stretches of oxalatoborates lie near 1800 cm-1 (B3LYP without scaling: a little above). It is a minimum.
    assert 1750 < max(quality["reference_frequencies_per_cm"]) < 1950
    assert min(quality["reference_frequencies_per_cm"]) > 20
    assert quality["mean_frequency_error_per_cm"] < 90
    assert quality["relative_frequency_error"] < 0.25
    assert quality["largest_bond_error_angstrom"] < 0.02
    assert quality["largest_angle_error_degree"] < 2.0
    as_published("DFOB", "B3LYP/6-31G(d,p)", quality)
