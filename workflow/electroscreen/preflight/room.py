"""Boxes: what they hold, and whether the molecules fit before and the cut-off after the density is found."""

from __future__ import annotations

from itertools import combinations
from math import dist

from electroscreen.boxes.chains import coil_fault
from electroscreen.boxes.cost import expected_cost
from electroscreen.boxes.packing import TOLERANCE_ANGSTROM
from electroscreen.preflight.asked import Asked
from electroscreen.preflight.findings import Findings
from electroscreen.species import Species, molecule, parse_xyz

STRETCHED_BOND_ANGSTROM = 1.3  # a bond along a zigzag chain, 1.5 Å at 109.5°, goes on by this much
SHRINKS_BY = 0.97  # an edge, when a mixture gets a tenth denser than its parts
LIQUID_K = (150.0, 1000.0)
HIGH_PRESSURE_BAR = 50.0


def look_at_boxes(asked: Asked) -> Findings:
    """Say of each box its atoms, rounding, size and cost, and what will not fit."""
    found = Findings()
    for name, composition in asked.compositions.items():
        box, settings = asked.boxes[name], asked.settings
        worst = max(composition.components, key=lambda c: abs(c.rounding_percent))
        density = box.density_g_per_ml or composition.ideal_density_g_per_ml
        edge = composition.edge_angstrom(density)
        packed = box.edge_angstrom or edge / settings.box.packing_density_fraction ** (1 / 3)
        found.facts.append(
            f"box {name}: {composition.atoms} atoms "
            f"({', '.join(f'{c.count} {c.species}' for c in composition.components)}), neutral, rounding "
            f"{worst.rounding_percent:+.1f} % at most ({worst.species}), packed in {packed:.1f} Å, {edge:.1f} Å at "
            f"{density:.2f} g/mL; {expected_cost(composition.atoms, settings.dynamics, asked.project.results)}"
        )
        found.warnings += [f"box {name}: {text}" for text in composition.warnings]
        cutoff = settings.dynamics.cutoff_angstrom
        if SHRINKS_BY * edge < 2 * cutoff:
            found.warnings.append(
                f"box {name}: {edge:.1f} Å leave little room for two cut-offs of {cutoff:g} Å: it may not run; "
                f"{_atoms_for(composition.atoms, edge, 2 * cutoff / SHRINKS_BY)} atoms would do (settings: box.atoms)"
            )
        for species in composition.molecules:
            if asked.every[species].role == "polymer":
                fault = coil_fault(species, _heavy_bonds_along(asked.every[species]), packed)
                found.warnings += [f"box {name}: {fault[0]}"] if fault else []
                continue
            length, exact = longest_angstrom(asked.every[species])
            if length + TOLERANCE_ANGSTROM > packed:
                how = "is" if exact else "stretched out is"
                found.warnings.append(
                    f"box {name}: {species} {how} {length:.0f} Å long and the box {packed:.0f} Å: "
                    "it may meet its own image, and then is not built (settings: box.atoms)"
                )
        found.warnings += _odd_conditions(name, box.temperature_k, box.pressure_bar)
    return found


def longest_angstrom(species: Species) -> tuple[float, bool]:
    """Return the length of a species, and whether it is known from coordinates rather than from its bonds."""
    given = species.xyz or (species.start.xyz if species.start else None)
    if given:
        positions = [x for _, x in parse_xyz(given)]
        return max((dist(a, b) for a, b in combinations(positions, 2)), default=0.0), True
    from rdkit import Chem

    steps = Chem.GetDistanceMatrix(molecule(species.smiles))
    # Between the parts of a salt there is no path, which RDKit gives as a hundred million.
    return STRETCHED_BOND_ANGSTROM * float(steps[steps < 1e6].max(initial=0)), False


def _heavy_bonds_along(species: Species) -> int:
    from rdkit import Chem

    return int(Chem.GetDistanceMatrix(Chem.RemoveHs(molecule(species.smiles))).max())


def _atoms_for(atoms: int, edge: float, wanted: float) -> int:
    return int(-(-atoms * (wanted / edge) ** 3 // 100) * 100)


def _odd_conditions(name: str, temperature_k: float, pressure_bar: float) -> list[str]:
    odd = []
    if not LIQUID_K[0] <= temperature_k <= LIQUID_K[1]:
        odd.append(f"box {name}: {temperature_k:g} K: is that in kelvin?")
    if pressure_bar >= HIGH_PRESSURE_BAR:
        odd.append(f"box {name}: {pressure_bar:g} bar: is that in bar? (1 atm is 1.013 bar or 101.3 kPa)")
    return odd
