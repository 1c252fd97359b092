"""SMILES, elements and formulas: what is written about molecules, or in a few words why it cannot be read."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=256)
def molecule(smiles: str):
    """Return the RDKit molecule of a SMILES with all hydrogens."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        # RDKit takes what follows a blank for a name, and so would drop half of a molecule in silence.
        parsed = None if any(letter.isspace() for letter in smiles) else Chem.MolFromSmiles(smiles)
    if parsed is None or parsed.GetNumAtoms() == 0:
        raise ValueError(f"'{smiles}' is not a molecule: {_smiles_problem(smiles)}")
    if any(atom.GetIsotope() for atom in parsed.GetAtoms()):
        raise ValueError(f"'{smiles}' names isotopes, whose masses are not used: write the plain element")
    return Chem.AddHs(parsed)


def _smiles_problem(smiles: str) -> str:
    """Say what RDKit finds wrong: the grammar, or the valence of which atom."""
    from rdkit import Chem, rdBase

    if any(letter.isspace() for letter in smiles):
        return "it holds a blank; parts are joined by '.'"
    with rdBase.BlockLogs():
        drawn = Chem.MolFromSmiles(smiles, sanitize=False)
        if drawn is None or drawn.GetNumAtoms() == 0:
            return "its grammar cannot be read"
        faults = Chem.DetectChemistryProblems(drawn)
    return faults[0].Message() if faults else "it cannot be sanitised"


def atomic_number(symbol: str) -> int:
    """Return the atomic number of an element; ValueError if there is none."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        try:
            return Chem.GetPeriodicTable().GetAtomicNumber(symbol)
        except RuntimeError:
            raise ValueError(f"'{symbol}' is not an element") from None


def hill_formula(symbols: list[str]) -> str:
    """Return the formula, carbon and hydrogen first, without a charge."""
    counts = {symbol: symbols.count(symbol) for symbol in sorted(set(symbols))}
    first = [s for s in ("C", "H") if s in counts and "C" in counts]
    order = first + [s for s in counts if s not in first]
    return "".join(f"{s}{counts[s] if counts[s] > 1 else ''}" for s in order)
