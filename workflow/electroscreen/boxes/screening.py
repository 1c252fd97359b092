"""By how much the charges of ions are scaled in a box: a number, or what the solvent's electrons screen."""

from __future__ import annotations

from collections.abc import Mapping

from electroscreen.boxes.amounts import molar_volume_ml_per_mol, moles_of
from electroscreen.inputs import InputError
from electroscreen.recipes import BoxRecipe
from electroscreen.species import Species

ECC = "ecc"


def ion_charge_scale(box: BoxRecipe, every: Mapping[str, Species], asked: float | str) -> float:
    """Return the factor on the charges of ions in a box.

    Parameters
    ----------
    every
        Species by name.
    asked
        A number, or "ecc": the electronic continuum correction 1/n (Leontyev and Stuchebrukhov, Phys. Chem. Chem.
        Phys. 13, 2613 (2011), doi 10.1039/c0cp01971b), with the refractive index n of the neutral components together.

    Raises
    ------
    InputError
        If a neutral component has no refractive index, or there is none.
    """
    return round(1 / refractive_index(box, every), 4) if asked == ECC else float(asked)


def refractive_index(box: BoxRecipe, every: Mapping[str, Species]) -> float:
    """Return n of the neutral components: their (n² - 1)/(n² + 2) add up by volume (Lorentz and Lorenz)."""
    moles = {name: n for name, n in moles_of(box, every).items() if not every[name].charge and not every[name].ions}
    unknown = [name for name in moles if every[name].refractive_index is None]
    if unknown or not moles:
        missing = f"give refractive_index of {', '.join(unknown)}" if unknown else "there is no neutral solvent"
        raise InputError(f"box {box.name}: forcefield.ion_charge_scale: ecc: {missing}, or set a number")
    volumes = {name: n * molar_volume_ml_per_mol(every[name])[0] for name, n in moles.items()}
    squares = {name: every[name].refractive_index ** 2 for name in moles}
    share = sum(v * (squares[name] - 1) / (squares[name] + 2) for name, v in volumes.items()) / sum(volumes.values())
    return ((1 + 2 * share) / (1 - share)) ** 0.5
