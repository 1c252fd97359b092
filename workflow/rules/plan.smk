# What is planned: that which is not settled, and nothing that was not meant.

from functools import cache

from electroscreen.damage import is_reported
from electroscreen.recipe import digest
from electroscreen.upgrade import notice

# What is settled has no place in the plan, which so stays small in a large project; `--config whole=true` plans all.
WHOLE = CALL.whole


def wanted(*stages):
    """Return an input function: the records of all jobs of these stages that are not settled (of all stages: none).

    And what the report shows of those that are done, if it is lost: what nobody asks for, Snakemake does not make anew.
    """

    def records(wildcards):
        if SURVEY is None:
            return []
        ask_before_too_much_or_too_little()
        states = [state for state in SURVEY.states.values() if WHOLE or not state.settled]
        states = [state for state in states if not stages or state.job.stage in stages]
        shown = [path for state in states if state.recorded for path in state.job.others if is_reported(path)]
        records = [state.job.record for state in states]
        return [f"{RESULTS}/{path}" for path in records + [path for path in shown if SURVEY.lacks(path)]]

    return records


def lost(wildcards):
    """Return what is missing beneath a report that is there: Snakemake alone would not see it, and find nothing to do."""
    if not Path(f"{RESULTS}/report.html").exists():
        return []
    beneath = [*wanted()(wildcards), INVENTORY, *rules.tables.output, *rules.figures.output]
    return [path for path in beneath if not Path(path).exists()]


@cache
def ask_before_too_much_or_too_little():
    """Stop where a newer package would compute anew what is there, or where jobs are forced that are not planned."""
    asked = workflow.dag_settings
    forced = set(asked.forcerun) - {"inventory", "tables", "figures", "report"}
    if not WHOLE and (asked.forceall or forced):
        sys.exit("electroscreen: what is settled is not in the plan; to force it, add --config whole=true")
    told = notice(SURVEY) if "PARAMS" in {trigger.name for trigger in asked.rerun_triggers} else ""
    runs = workflow.executor_plugin is not None and not (workflow.dryrun or workflow.touch)
    if told and runs and CALL.upgrade != "rerun":
        sys.exit(f"electroscreen: {told}")
    if told and not runs:
        print(f"electroscreen: {told}", file=sys.stderr)


def paper_files(wildcards):
    """Return all papers; an input function, because a plan in which all is settled asks for these as well."""
    if SURVEY is not None:
        ask_before_too_much_or_too_little()
    return list(map(str, PROJECT.paper_files))


def names_of(*more):
    """Return a params function: a hash of the names of all that is screened, and of more."""

    def hashed(wildcards):
        screened = SURVEY.screened if SURVEY else PROJECT.screened_species
        return digest({"names": [*screened, *PROJECT.asked_boxes], "more": more})

    return hashed
