"""The validation tables of the force field as one Markdown page: `python tests/validation/table.py`."""

from __future__ import annotations

import csv
from pathlib import Path

PUBLISHED = Path(__file__).parents[2] / "results" / "published" / "forcefield"
TITLES = {
    "liquids": "Pure liquids: density (g/cm³) and heat of vaporisation (kJ/mol), with 95 % intervals of one run",
    "torsions": "Torsions: energy along the scan against the reference (kJ/mol)",
    "derived": "Derived species: vibrations (cm-1) and minimum beside what they were fitted to",
    "species": "New species, one molecule in vacuum, 100 ps at 400 K, bonds to hydrogen rigid, steps of 2 fs",
    "contacts": "Cations beside an ether oxygen: distance (Å) and depth (kJ/mol) of the minimum",
    "cages": "A plastic crystal of cages at 450 K and 1 bar",
}
NOTES = {
    "liquids": "NPT at 1 bar, about 800 atoms, cut-off 9 Å with the correction for what lies beyond, PME, steps of 4 "
    "fs with hydrogens of 3 amu; 20 to 40 ps before the sampled part. The intervals are those of six "
    'blocks and too narrow: the runs called "again", on another processor, moved by 0.008 to 0.017 g/cm³ and by 0.6 to '
    "1.1 kJ/mol (so 1,3-dioxolane with three quarters of the continuum came out lighter than with half of it, though "
    "it is more polar). Heat: <U> of a molecule alone, less <U> of the box for each molecule, plus RT; nothing for "
    "polarisation or quanta.",
    "torsions": "A verdict needs both the root mean square and the difference of the barriers within 4 kJ/mol; the "
    "barrier is that of the whole circle, eclipsed tops included. TFSI-, every 45°: at 90° DFT lies 14 kJ/mol above "
    "its lowest point, GFN2-xTB 1 and the force field 0, at geometries of GFN2-xTB; who is wrong is not known. "
    "A phenyl of BPh4-, every 45° (charges of HF/STO-3G), turns by pushing at three others; the bond alone (PhBH3-) "
    "has no barrier by either, so that the force field most likely has too much of their repulsion.",
    "contacts": "B3LYP/6-31G(d,p), def2-SVP on tin, no counterpoise correction; the cation on the axis of the rigid "
    "ether. ok: within 0.1 Å at full charge.",
    "cages": "32 molecules on a face-centred cubic lattice, turned at random at the start; 20 ps, then 100 ps sampled. "
    "A cage is whole if none of its bonds ever changes by more than 35 % (the next atoms are 62 % farther than the "
    "nearest). Cosine of the turn: 1 where molecules stand still, 0 where they have forgotten how they stood.",
    "derived": "All modes, lowest with lowest, at each one's own minimum. Charges: RESP of DFOB- and the last, "
    "even ones of the others. ok: bonds within 0.02 Å, angles within 2°.",
    "species": "A bond counts as whole while it is stretched or squeezed by less than 20 %.",
}
HEADS = {
    "liquids": "liquid|charges|T (K)|molecules, ps|density|measured|off (%)|heat|measured|off (%)|verdict",
    "torsions": "molecule|torsion|reference|points|rms|barrier|by force field|verdict",
    "derived": "species|atoms|Hessian|mean error|largest|relative (%)|bonds off by (Å)|angles off by (°)|verdict",
    "species": "species|atoms|bonded terms|largest stretch of a bond (%)|mean temperature (K)|verdict",
    "cages": "species|T (K)|molecules|ps|density (g/cm³)|low|high|largest change of a cage's bond (%)|"
    "cosine of the turn|way of the centres (Å)|verdict",
    "contacts": "ion|ligand|DFT|depth|full charge|depth|charge × 0.8|depth|verdict",
}


def cells(table: str, row: dict[str, str]) -> list[str]:
    """One line of the page."""
    if table != "liquids":
        return list(row.values())
    return [
        row["liquid"],
        row["charges"],
        row["temperature_k"],
        f"{row['molecules']}, {row['production_ps']}",
        f"{row['density_g_per_cm3']} ({row['density_low']} to {row['density_high']})",
        row["density_measured"],
        row["density_off_percent"],
        f"{row['heat_of_vaporisation_kj_per_mol']} ({row['heat_low']} to {row['heat_high']})",
        row["heat_measured"],
        row["heat_off_percent"],
        row["verdict"],
    ]


def page() -> str:
    """All tables there are."""
    lines = ["# The force field against experiment and DFT", ""]
    for table, title in TITLES.items():
        path = PUBLISHED / f"{table}.csv"
        if path.exists():
            with path.open(encoding="utf-8") as stream:
                rows = [cells(table, row) for row in csv.DictReader(stream)]
            head = HEADS[table].split("|")
            lines += [f"## {title}", "", NOTES[table], "", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
            lines += [*(f"| {' | '.join(row)} |" for row in rows), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    (PUBLISHED / "validation.md").write_text(page(), encoding="utf-8")
