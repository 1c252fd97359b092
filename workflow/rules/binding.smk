# Complexes: how strongly species hold each other. Their parts' geometries come from rule geometry.


localrules:
    binding_energies,


rule binding_energies:
    """Binding energies of the complexes that the settings ask for."""
    input:
        wanted("binding"),


rule binding:
    """Lowest placement of the parts by GFN2-xTB and DFT, then its binding energy with counterpoise correction."""
    input:
        wanted=ancient("molecules/complexes/{complex}.yaml"),
        records=of_parts("geometry.json"),
        geometries=of_parts("geometry.xyz"),
    output:
        record=ensure(f"{RESULTS}/complexes/{{complex}}/binding.json", non_empty=True),
        xyz=ensure(f"{RESULTS}/complexes/{{complex}}/geometry.xyz", non_empty=True),
    log:
        f"{RESULTS}/complexes/{{complex}}/logs/binding.log",
    conda:
        "../../envs/quantum.yaml"
    threads: cores("binding")
    resources:
        mem_mb=memory("binding"),
        runtime=minutes("binding"),
    params:
        settings=SETTINGS,
        recipe=recipe("binding"),
    shell:
        "electroscreen binding {wildcards.complex} --settings {params.settings} --threads {threads} &> {log}"
