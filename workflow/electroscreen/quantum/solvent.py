"""An implicit solvent around a mean field, and what turns an energy into a potential against lithium or sodium."""

from __future__ import annotations

# Absolute potential of the standard hydrogen electrode at 298.15 K: Trasatti, Pure Appl. Chem. 58, 955 (1986).
HYDROGEN_ABSOLUTE_V = 4.44
# Standard potentials in water at 298.15 K: Bard, Parsons and Jordan, Standard Potentials in Aqueous Solution (1985).
LITHIUM_V, SODIUM_V = -3.04, -2.71
CONVERSION = (
    "potential = free energy of ionisation / e - absolute potential of the electrode; electrode = 4.44 V (hydrogen, "
    "Trasatti 1986) - 3.04 V (Li+/Li) or - 2.71 V (Na+/Na), both aqueous: an organic solvent moves them by tenths of "
    "a volt"
)


def potential_v(energy_ev: float, electrode_v: float) -> float:
    """Return the potential in volts of a one-electron couple against an electrode given by its standard potential.

    Parameters
    ----------
    energy_ev
        Energy needed to take the electron out of the reduced form, in the solvent.
    """
    return energy_ev - (HYDROGEN_ABSOLUTE_V + electrode_v)


def in_solvent(mean_field, solvent: float | str | None):
    """Return the mean field in an implicit solvent that has come to equilibrium with it; itself where there is none.

    Parameters
    ----------
    solvent
        A dielectric constant (IEF-PCM: Cancès, Mennucci and Tomasi, J. Chem. Phys. 107, 3032, 1997; cavity of 1.2 times
        Bondi's radii) or a solvent's name in SMD (Marenich, Cramer and Truhlar, J. Phys. Chem. B 113, 6378, 2009).
    """
    if solvent is None:
        return mean_field
    from electroscreen.quantum.continuum import PCM, SMD

    if isinstance(solvent, str):
        solvated = mean_field.SMD(SMD(mean_field.mol, solvent))
    else:
        solvated = mean_field.PCM(PCM(mean_field.mol))
        solvated.with_solvent.method = "IEF-PCM"
        solvated.with_solvent.eps = solvent
    solvated.with_solvent.fitting = getattr(mean_field, "with_df", None)
    # PySCF would take the molecule's.
    solvated.with_solvent.max_memory = mean_field.max_memory
    return solvated
