"""What a newer version of this package would compute anew, told before it does so."""

from __future__ import annotations

from electroscreen.recipe import PROTOCOL
from electroscreen.survey import STALE, Survey


def notice(survey: Survey) -> str:
    """Return which records an older protocol made, and what can be done about it; nothing where there are none."""
    outdated = survey.outdated()
    if not outdated:
        return ""
    told = ", ".join(
        f"{count} of stage {stage} (protocol {older}, now {PROTOCOL[stage]})"
        for (stage, older), count in sorted(outdated.items())
    )
    stale = sum(state.name == STALE for state in survey.states.values())
    after = f", and with them {stale - outdated.total()} more that are stale" if stale > outdated.total() else ""
    return (
        f"this version computes something else than the one that made {told}{after}. "
        "Look at the plan: snakemake -n. Compute them anew: snakemake --config upgrade=rerun. "
        "Keep them as they are: snakemake --touch."
    )
