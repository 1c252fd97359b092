# What each job asks for: cores, memory and time by the size of its subject, more on every retry; and which jobs go to a
# scheduler together. On one machine only the cores count.

from functools import cache

from electroscreen.demand import QUICK_MINUTES, SMALL_MINUTES, of_reporting

CORES = workflow.resource_settings.cores or 8
REPORTING = of_reporting(len(PROJECT.species_names) + len(PROJECT.asked_complexes) + len(PROJECT.asked_boxes))


def demand(stage, wildcards):
    """Return what a job needs, unless it fails for want of it."""
    return REPORTING if stage in ("figures", "report") else PROJECT.demand(stage, subject(wildcards))


def cores(stage):
    """Return a threads function: what pays off, within what the machine has."""

    def wanted(wildcards):
        most = demand(stage, wildcards).threads
        # A job of a scheduler has its cores for itself. At home two small jobs side by side use two cores better than
        # one on both, so that runs of boxes share what there is among those that are still to come.
        if workflow.remote_exec or not workflow.local_exec:
            return most
        return max(1, min(most, CORES // (waiting_runs() if stage == "dynamics" else 2)))

    return wanted


@cache
def waiting_runs():
    """Return how many replicas of boxes are not settled, at least 1."""
    states = SURVEY.states.values() if SURVEY is not None else []
    return max(1, sum(state.job.stage == "dynamics" and not state.settled for state in states))


def memory(stage):
    """Return a resource function: twice as much on the second try, four times as much on the third and later ones."""
    return lambda wildcards, attempt: demand(stage, wildcards).memory_mb * 2 ** min(attempt - 1, 2)


def minutes(stage):
    """Return a resource function: more on every retry, up to the longest job; what takes longer goes on in the next."""
    return lambda wildcards, attempt: min(CALL.longest_job_minutes, demand(stage, wildcards).minutes * min(attempt, 4))


def together(stage):
    """Return a group function: all of a small species is one job, and so is what is quick once a larger one has a geometry."""

    def group(wildcards):
        # A dry run asks too, but shows no groups.
        if workflow.local_exec:
            return None
        if PROJECT.demand("geometry", wildcards.species).minutes <= SMALL_MINUTES:
            return "small"
        quick = stage != "geometry" and PROJECT.demand(stage, wildcards.species).minutes <= QUICK_MINUTES
        return "derived" if quick else None

    return group
