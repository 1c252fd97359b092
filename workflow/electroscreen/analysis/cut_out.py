"""A shell as it stood in a trajectory: the centre and the molecules around it, cut out of one frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from electroscreen.analysis.layout import Layout
from electroscreen.analysis.shells import Bound

_ANGSTROM_PER_NM = 10.0


def cut_out(path: Path, layout: Layout, bound: Bound, center: int, number: int, frame: int) -> dict[str, np.ndarray]:
    """Return the atoms of a shell, molecule by molecule, that of the centre first.

    Parameters
    ----------
    path
        The trajectory, with whole molecules.
    bound
        Atoms in the first shells.
    center, number
        The central atom, and its number among the centres.
    frame
        Number of the frame among those that `bound` looked at.

    Returns
    -------
    dict
        `atom`, `molecule`: numbers in the box, shape (atoms,); `positions_angstrom`: relative to the centre, shape
        (atoms, 3); `bound`: whether an atom is the centre or in its first shell, shape (atoms,).
    """
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    with XTCFile(str(path)) as file:
        file.seek(frame * bound.every)
        read = file.read()
    positions, edges = _ANGSTROM_PER_NM * read.x.astype(float), _ANGSTROM_PER_NM * np.diag(read.box).astype(float)
    positions -= positions[center]
    held = np.array([center, *bound.atom[(bound.frame == frame) & (bound.center == number)]])
    atoms = []
    # Each molecule is moved as a whole to where its bound atom is nearest; the first of several decides.
    for molecule, first in zip(*np.unique(layout.molecule[held], return_index=True), strict=True):
        own = np.flatnonzero(layout.molecule == molecule)
        positions[own] -= edges * np.round(positions[held[first]] / edges)
        atoms.append((first, own))
    atom = np.concatenate([own for _, own in sorted(atoms, key=lambda of: of[0])])
    return {
        "atom": atom,
        "molecule": layout.molecule[atom],
        "positions_angstrom": positions[atom],
        "bound": np.isin(atom, held),
    }
