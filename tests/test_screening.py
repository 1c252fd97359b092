"""Ions' charges by what the solvent's electrons screen."""

from __future__ import annotations

import pytest

from electroscreen.boxes.screening import ion_charge_scale
from electroscreen.inputs import InputError
from electroscreen.recipes import BoxRecipe
from electroscreen.species import Species


def solvent(name: str, index: float | None, density: float = 1.0, smiles: str = "C1COCO1") -> Species:
    return Species(
        name=name, title=name, role="solvent", smiles=smiles, density_g_per_ml=density, refractive_index=index
    )


SALT = Species(name="NaF", title="", role="salt", smiles="[Na+].[F-]", ions={"Na": 1, "F": 1})


def box(**amounts) -> BoxRecipe:
    return BoxRecipe(name="Y", title="y", temperature_k=300, recipe=amounts)


def test_one_solvent_screens_by_its_refractive_index():
    every = {"A": solvent("A", 1.4), "NaF": SALT}
    liquid = box(A={"amount_mmol": 100}, NaF={"amount_mmol": 5})
    assert ion_charge_scale(liquid, every, "ecc") == pytest.approx(1 / 1.4, abs=1e-4)
    assert ion_charge_scale(liquid, every, 0.8) == 0.8


def test_refractions_add_up_by_volume():
    """Benzene and methanol of equal volumes, by hand: 0.29467 and 0.20334 make 0.24900, which is n = 1.4123."""
    every = {"B": solvent("B", 1.5011, 0.9), "M": solvent("M", 1.3288, 1.3)}
    liquid = box(B={"volume_ml": 10}, M={"volume_ml": 10})
    assert ion_charge_scale(liquid, every, "ecc") == pytest.approx(1 / 1.4123, abs=1e-4)
    lopsided = box(B={"volume_ml": 1}, M={"volume_ml": 99})
    assert ion_charge_scale(lopsided, every, "ecc") == pytest.approx(1 / 1.3305, abs=2e-4)


def test_a_solvent_without_refractive_index_is_named():
    every = {"A": solvent("A", 1.4), "B": solvent("B", None), "NaF": SALT}
    with pytest.raises(InputError, match=r"box Y: .*ecc: give refractive_index of B, or set a number"):
        ion_charge_scale(box(A={"amount_mmol": 1}, B={"amount_mmol": 1}), every, "ecc")
    with pytest.raises(InputError, match="no neutral solvent"):
        ion_charge_scale(box(NaF={"amount_mmol": 1}), every, "ecc")
