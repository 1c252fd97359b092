# From a recipe in grams and millilitres to packed molecules.


rule composition:
    """Whole molecules from a recipe, and what rounding did to it."""
    input:
        box=ancient("molecules/boxes/{box}.yaml"),
        forcefields=of_molecules("forcefield.json"),
    output:
        ensure(f"{RESULTS}/boxes/{{box}}/composition.json", non_empty=True),
    log:
        f"{RESULTS}/boxes/{{box}}/logs/composition.log",
    priority: 10
    group:
        "box"
    conda:
        "../../envs/dynamics.yaml"
    resources:
        mem_mb=memory("composition"),
        runtime=minutes("composition"),
    params:
        settings=SETTINGS,
        recipe=recipe("composition"),
    shell:
        "electroscreen composition {wildcards.box} --settings {params.settings} &> {log}"


rule packing:
    """Pack one replica and write its OpenMM system; empty files and a verdict where that cannot be done."""
    input:
        composition=rules.composition.output,
        geometries=of_molecules("geometry.xyz"),
        forcefields=of_molecules("forcefield.xml"),
    output:
        record=ensure(f"{RESULTS}/boxes/{{box}}/replica-{{replica}}/packing.json", non_empty=True),
        positions=f"{RESULTS}/boxes/{{box}}/replica-{{replica}}/packed.pdb",
        system=f"{RESULTS}/boxes/{{box}}/replica-{{replica}}/system.xml",
    log:
        f"{RESULTS}/boxes/{{box}}/logs/packing-{{replica}}.log",
    priority: 10
    group:
        "box"
    conda:
        "../../envs/dynamics.yaml"
    resources:
        mem_mb=memory("packing"),
        runtime=minutes("packing"),
    params:
        settings=SETTINGS,
        recipe=recipe("packing"),
    shell:
        "electroscreen packing {wildcards.box} --replica {wildcards.replica} --settings {params.settings} &> {log}"
