# The classical model of one species: charges, then parameters.


rule charges:
    """RESP charges from the electrostatic potential at the species' geometry."""
    input:
        xyz=rules.geometry.output.xyz,
    output:
        ensure(f"{RESULTS}/species/{{species}}/charges.json", non_empty=True),
    log:
        f"{RESULTS}/species/{{species}}/logs/charges.log",
    priority: 10
    group:
        together("charges")
    conda:
        "../../envs/quantum.yaml"
    threads: cores("charges")
    resources:
        mem_mb=memory("charges"),
        runtime=minutes("charges"),
    params:
        settings=SETTINGS,
        recipe=recipe("charges"),
    shell:
        "electroscreen charges {wildcards.species} --settings {params.settings} --threads {threads} &> {log}"


rule forcefield:
    """Force field of a species as OpenMM XML, with the source of every parameter."""
    input:
        charges=rules.charges.output,
        xyz=rules.geometry.output.xyz,
    output:
        xml=ensure(f"{RESULTS}/species/{{species}}/forcefield.xml", non_empty=True),
        record=ensure(f"{RESULTS}/species/{{species}}/forcefield.json", non_empty=True),
    log:
        f"{RESULTS}/species/{{species}}/logs/forcefield.log",
    priority: 10
    group:
        together("forcefield")
    conda:
        "../../envs/dynamics.yaml"
    threads: cores("forcefield")
    resources:
        mem_mb=memory("forcefield"),
        runtime=minutes("forcefield"),
    params:
        settings=SETTINGS,
        recipe=recipe("forcefield"),
    shell:
        "electroscreen forcefield {wildcards.species} --settings {params.settings} --threads {threads} &> {log}"
