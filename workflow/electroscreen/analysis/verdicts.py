"""The words in which the analysis judges its numbers: a closed vocabulary.

A verdict is `ok`, `ok (one box)`, or the flaws that apply, joined by "; ", gravest first. The flaw
`one box` stands last wherever only one replica was analysed: its interval cannot see how much
boxes differ from each other.

Of a whole row
    `not computed: REASON`  no number at all: the box was not built, no replica ran, the pair is not in the box
    `not equilibrated...`   as the dynamics stage wrote it; the numbers are given, but belong to a box still relaxing
    `trajectory is wrapped or frames too far apart`  molecules jump by more than half a box edge: no diffusion

Of a coordination number
    `no contact`            partners never came within the sum of the van der Waals radii: the number is zero
    `shell not defined`     g(r) shows no clear peak within contact: no radius, no number
    `shell not defined: no clear end`  the first peak is there, but no clear minimum follows it: no radius, no number
    `shell not defined: too few contacts`  there is a peak within contact, which so few pairs may also make by chance
    `shell beyond contact`  the first peak lies farther than the radii reach: these neighbours do not touch
    `shell of few contacts` the peak is no chance, but does not stand clear of how much centres differ
    `no exchange seen`      no partner left or entered a shell: the number is that of the starting structure
    `few exchanges`         fewer partners exchanged than there are centres
    `few samples`           fewer than three independent centres

Of a diffusion coefficient
    `not diffusive: D below X Å²/ns`  the motion has not become a random walk; only a bound
    `not diffusive: still ballistic`  the motion is faster than a random walk to the end; not even a bound

Of a displacement
    `run shorter than X ps` the time asked for is longer than the run, whose length stands in

Of a residence time
    `longer than X ps`      stays outlast the run: only a lower bound
    `never entered`         no partner came into the shell

Of hopping
    `none seen`             no ion moved in this way: an upper bound of the rate
    `frames too far apart`  in so many frames something happened that there will have been more between them

Of solvation
    `no radius`             where a shell ends is known for none of the pairs asked for

Of transport
    `not diffusive: IONS`     these ions have not become random walkers: no conductivity, at most a bound
    `not converged: above X mPa s`  the pressure remembers for longer than was sampled: a lower bound of the viscosity
    `given, not computed`     a viscosity from the box file
    `not told from zero`      the collective displacement of charge is within its noise: a bound, and no ratios
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from electroscreen.record import OK

ONE_BOX = "one box"
WRAPPED = "trajectory is wrapped or frames too far apart"

NO_CONTACT = "no contact"
SHELL_NOT_DEFINED = "shell not defined"
NO_CLEAR_END = f"{SHELL_NOT_DEFINED}: no clear end"
TOO_FEW_CONTACTS = f"{SHELL_NOT_DEFINED}: too few contacts"
SHELL_BEYOND_CONTACT = "shell beyond contact"
SPARSE_SHELL = "shell of few contacts"
NO_EXCHANGE = "no exchange seen"
FEW_EXCHANGES = "few exchanges"
FEW_SAMPLES = "few samples"

BALLISTIC = "not diffusive: still ballistic"
NEVER_ENTERED = "never entered"
NONE_SEEN = "none seen"
FRAMES_TOO_FAR_APART = "frames too far apart"
NO_RADIUS = "no radius"
NOT_FROM_ZERO = "not told from zero"
GIVEN = "given, not computed"


def not_computed(reason: str) -> str:
    """Return the verdict of a row without numbers."""
    return f"not computed: {reason}"


def not_diffusive(bound_a2_per_ns: float) -> str:
    """Return the verdict of a motion for which only an upper bound is known."""
    return f"not diffusive: D below {float(f'{bound_a2_per_ns:.2g}'):g} Å²/ns"


def shorter_than(asked_ps: float) -> str:
    """Return the verdict of a displacement over less than the time asked for."""
    return f"run shorter than {asked_ps:g} ps"


def longer_than(bound_ps: float) -> str:
    """Return the verdict of a residence time for which only a lower bound is known."""
    return f"longer than {float(f'{bound_ps:.2g}'):g} ps"


def ions_not_diffusive(names: Sequence[str]) -> str:
    """Return the verdict of a conductivity of which these ions have no diffusion coefficient."""
    return f"not diffusive: {', '.join(names)}"


def viscosity_above(bound_mpa_s: float) -> str:
    """Return the verdict of a viscosity for which only a lower bound is known."""
    return f"not converged: above {float(f'{bound_mpa_s:.2g}'):g} mPa s"


def combined(flaws: Iterable[str], boxes: int) -> str:
    """Return one verdict from all flaws of a number that rests on `boxes` replicas."""
    flaws = list(dict.fromkeys(flaws))
    if boxes == 1:
        return "; ".join([*flaws, ONE_BOX]) if flaws else f"{OK} ({ONE_BOX})"
    return "; ".join(flaws) or OK
