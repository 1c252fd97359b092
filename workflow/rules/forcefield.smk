# The classical model of one species: charges, then parameters.

# What GAFF2 lacks is fitted to a Hessian: seconds by GFN2-xTB, hours by DFT.
DFT_HESSIAN = PROJECT.settings.forcefield.hessian == "dft"


rule charges:
    """RESP charges from the electrostatic potential at the species' geometry."""
    input:
        xyz=rules.geometry.output.xyz,
    output:
        ensure(f"{RESULTS}/species/{{species}}/charges.json", non_empty=True),
    log:
        f"{RESULTS}/species/{{species}}/logs/charges.log",
    priority: 10
    retries: 1
    conda:
        "../../envs/quantum.yaml"
    threads: QUANTUM_THREADS
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
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
    conda:
        "../../envs/dynamics.yaml"
    threads: QUANTUM_THREADS if DFT_HESSIAN else 1
    resources:
        mem_mb=memory(4000 if DFT_HESSIAN else 1000),
        runtime=minutes(240 if DFT_HESSIAN else 10),
    params:
        settings=SETTINGS,
        recipe=recipe("forcefield"),
    shell:
        "electroscreen forcefield {wildcards.species} --settings {params.settings} --threads {threads} &> {log}"
