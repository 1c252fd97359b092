# Quantum chemistry of one species: geometry, then orbitals, and what the settings ask for besides.


rule geometry:
    """Lowest structure of a species: conformers or ion sites by GFN2-xTB, the best ones by DFT."""
    input:
        ancient("molecules/species/{species}.yaml"),
    output:
        record=ensure(f"{RESULTS}/species/{{species}}/geometry.json", non_empty=True),
        xyz=ensure(f"{RESULTS}/species/{{species}}/geometry.xyz", non_empty=True),
        density=ensure(f"{RESULTS}/species/{{species}}/density.npy", non_empty=True),
    log:
        f"{RESULTS}/species/{{species}}/logs/geometry.log",
    retries: 1
    conda:
        "../../envs/quantum.yaml"
    threads: QUANTUM_THREADS
    resources:
        mem_mb=memory(4000),
        runtime=minutes(240),
    params:
        settings=SETTINGS,
        recipe=recipe("geometry"),
    shell:
        "electroscreen geometry {wildcards.species} --settings {params.settings} --threads {threads} &> {log}"


rule orbital_energies:
    """HOMO, LUMO, dipole and Mulliken charges at the final grid."""
    input:
        record=rules.geometry.output.record,
        xyz=rules.geometry.output.xyz,
        density=rules.geometry.output.density,
    output:
        ensure(f"{RESULTS}/species/{{species}}/orbitals.json", non_empty=True),
    log:
        f"{RESULTS}/species/{{species}}/logs/orbitals.log",
    retries: 1
    conda:
        "../../envs/quantum.yaml"
    threads: QUANTUM_THREADS
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        settings=SETTINGS,
        recipe=recipe("orbitals"),
    shell:
        "electroscreen orbitals {wildcards.species} --settings {params.settings} --threads {threads} &> {log}"


rule further_levels:
    """HOMO and LUMO at further levels of theory, at the same geometry."""
    input:
        record=rules.geometry.output.record,
        xyz=rules.geometry.output.xyz,
    output:
        ensure(f"{RESULTS}/species/{{species}}/levels.json", non_empty=True),
    log:
        f"{RESULTS}/species/{{species}}/logs/levels.log",
    retries: 1
    conda:
        "../../envs/quantum.yaml"
    threads: QUANTUM_THREADS
    resources:
        mem_mb=memory(4000),
        runtime=minutes(240),
    params:
        settings=SETTINGS,
        recipe=recipe("levels"),
    shell:
        "electroscreen levels {wildcards.species} --settings {params.settings} --threads {threads} &> {log}"


rule redox:
    """Ionisation energy and electron affinity, in vacuum and in the species' solvent."""
    input:
        record=rules.geometry.output.record,
        xyz=rules.geometry.output.xyz,
    output:
        ensure(f"{RESULTS}/species/{{species}}/redox.json", non_empty=True),
    log:
        f"{RESULTS}/species/{{species}}/logs/redox.log",
    retries: 1
    conda:
        "../../envs/quantum.yaml"
    threads: QUANTUM_THREADS
    resources:
        mem_mb=memory(4000),
        runtime=minutes(480),
    params:
        settings=SETTINGS,
        recipe=recipe("redox"),
    shell:
        "electroscreen redox {wildcards.species} --settings {params.settings} --threads {threads} &> {log}"
