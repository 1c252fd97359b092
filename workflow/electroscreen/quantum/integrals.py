"""Integrals of a density fitting that outlive the SCF they were computed for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from electroscreen.quantum.fitting import OrbitalFitting


class LastIntegrals:
    """The integrals of the basis functions that came last, for all that has the same ones at the same places.

    That is a charged form, a part among ghosts, the same in a solvent or on a finer grid. Only one set at a time: it
    may fill the job's memory, or ten gigabytes of its scratch, and no mean field that is done with holds another.
    """

    def __init__(self):
        self._given: list[OrbitalFitting] = []

    def fitting(self, mol, auxiliary_basis: dict | None, max_memory_mb: float) -> OrbitalFitting:
        """Return a fitting for a molecule, with integrals where those of the last molecule are the same."""
        from electroscreen.quantum.fitting import OrbitalFitting

        last = self._given[0] if self._given else None
        if last is not None and last._cderi is not None and _same_functions(last.mol, mol):
            found = _for_molecule(last, mol, auxiliary_basis)
            # Parts of the interaction: PySCF wants the very same molecule there.
            found._rsh_df = {key: _for_molecule(one, mol, auxiliary_basis) for key, one in last._rsh_df.items()}
        else:
            self.release()
            found = OrbitalFitting(mol, auxiliary_basis)
        found.max_memory = max_memory_mb
        self._given.append(found)
        return found

    def release(self) -> None:
        """Give back memory and disk; who needs the integrals after all computes them again."""
        for one in self._given:
            one.reset()._cderi_to_save = None
        self._given = []


def _for_molecule(fitting: OrbitalFitting, mol, auxiliary_basis: dict | None) -> OrbitalFitting:
    found = fitting.copy()
    # Ghosts have names of their own. Set as `auxbasis` it would throw the integrals away.
    found.mol, found._auxbasis = mol, auxiliary_basis
    return found


def _same_functions(one, other) -> bool:
    if one.nao != other.nao or not np.array_equal(one.atom_coords(), other.atom_coords()):
        return False
    return np.allclose(one.intor("int1e_ovlp"), other.intor("int1e_ovlp"), rtol=0, atol=1e-12)
