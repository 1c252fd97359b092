# What the trajectories say, all replicas of a box together.


rule analysis:
    """Radial distributions, coordination numbers and diffusion coefficients with intervals and verdicts."""
    input:
        composition=rules.composition.output,
        records=expand(rules.dynamics.output.record, replica=REPLICAS, allow_missing=True),
        trajectories=expand(rules.dynamics.output.trajectory, replica=REPLICAS, allow_missing=True),
        pressures=expand(list(PRESSURE.values()), replica=REPLICAS, allow_missing=True),
    output:
        record=ensure(f"{RESULTS}/boxes/{{box}}/analysis.json", non_empty=True),
        curves=ensure(f"{RESULTS}/boxes/{{box}}/curves.npz", non_empty=True),
    log:
        f"{RESULTS}/boxes/{{box}}/logs/analysis.log",
    conda:
        "../../envs/dynamics.yaml"
    threads: 2
    resources:
        mem_mb=memory("analysis"),
        runtime=minutes("analysis"),
    params:
        settings=SETTINGS,
        recipe=recipe("analysis"),
    shell:
        "electroscreen analysis {wildcards.box} --settings {params.settings} --threads {threads} &> {log}"
