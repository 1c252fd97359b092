# Molecular dynamics, one job a replica. Restart data is no output: Snakemake would delete it with a failed job.

# The pressure is sampled where the settings ask for a viscosity.
PRESSURE = {"pressure": f"{RESULTS}/boxes/{{box}}/replica-{{replica}}/pressure.npz"}
PRESSURE = PRESSURE if PROJECT.settings.dynamics.viscosity_ps else {}


rule dynamics:
    """Minimise, find the density, produce; killed at any moment, the next call goes on."""
    input:
        record=rules.packing.output.record,
        positions=rules.packing.output.positions,
        system=rules.packing.output.system,
        composition=rules.composition.output,
    output:
        **PRESSURE,
        record=ensure(f"{RESULTS}/boxes/{{box}}/replica-{{replica}}/equilibration.json", non_empty=True),
        states=ensure(f"{RESULTS}/boxes/{{box}}/replica-{{replica}}/state.csv", non_empty=True),
        trajectory=f"{RESULTS}/boxes/{{box}}/replica-{{replica}}/trajectory.xtc",
    log:
        f"{RESULTS}/boxes/{{box}}/logs/dynamics-{{replica}}.log",
    priority: 20
    conda:
        "../../envs/dynamics.yaml"
    threads: cores("dynamics")
    resources:
        mem_mb=memory("dynamics"),
        runtime=minutes("dynamics"),
        gpu_percent=100,  # counts where a profile says how much there is
    params:
        settings=SETTINGS,
        recipe=recipe("dynamics"),
    shell:
        "electroscreen dynamics {wildcards.box} --replica {wildcards.replica} --settings {params.settings}"
        " --threads {threads} &> {log}"
