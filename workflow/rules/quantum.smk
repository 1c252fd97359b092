# Quantum chemistry of one species: geometry, then orbitals and their potential, and what the settings ask for besides.


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
    group:
        together("geometry")
    conda:
        "../../envs/quantum.yaml"
    threads: cores("geometry")
    resources:
        mem_mb=memory("geometry"),
        runtime=minutes("geometry"),
    params:
        settings=SETTINGS,
        recipe=recipe("geometry"),
    shell:
        "electroscreen geometry {wildcards.species} --settings {params.settings} --threads {threads} &> {log}"


rule orbital_energies:
    """HOMO, LUMO, dipole and charges at the final grid, and the density that they belong to."""
    input:
        record=rules.geometry.output.record,
        xyz=rules.geometry.output.xyz,
        density=rules.geometry.output.density,
    output:
        record=ensure(f"{RESULTS}/species/{{species}}/orbitals.json", non_empty=True),
        density=ensure(f"{RESULTS}/species/{{species}}/density_final.npy", non_empty=True),
        frontier=ensure(f"{RESULTS}/species/{{species}}/frontier.npz", non_empty=True),
    log:
        f"{RESULTS}/species/{{species}}/logs/orbitals.log",
    group:
        together("orbitals")
    conda:
        "../../envs/quantum.yaml"
    threads: cores("orbitals")
    resources:
        mem_mb=memory("orbitals"),
        runtime=minutes("orbitals"),
    params:
        settings=SETTINGS,
        recipe=recipe("orbitals"),
    shell:
        "electroscreen orbitals {wildcards.species} --settings {params.settings} --threads {threads} &> {log}"


rule electrostatic_potential:
    """Potential on the molecular surface: extrema, areas, a picture, the surface for viewers."""
    input:
        record=rules.orbital_energies.output.record,
        xyz=rules.geometry.output.xyz,
        density=rules.orbital_energies.output.density,
    output:
        record=ensure(f"{RESULTS}/species/{{species}}/esp.json", non_empty=True),
        surface=ensure(f"{RESULTS}/species/{{species}}/esp.npz", non_empty=True),
        picture=ensure(f"{RESULTS}/species/{{species}}/esp.png", non_empty=True),
        polygons=ensure(f"{RESULTS}/species/{{species}}/esp.ply", non_empty=True),
    log:
        f"{RESULTS}/species/{{species}}/logs/esp.log",
    group:
        together("esp")
    conda:
        "../../envs/quantum.yaml"
    threads: cores("esp")
    resources:
        mem_mb=memory("esp"),
        runtime=minutes("esp"),
    params:
        settings=SETTINGS,
        recipe=recipe("esp"),
    shell:
        "electroscreen esp {wildcards.species} --settings {params.settings} --threads {threads} &> {log}"


rule orbital_cubes:
    """HOMO and LUMO in space: cube files, and a picture of both."""
    input:
        record=rules.orbital_energies.output.record,
        xyz=rules.geometry.output.xyz,
        frontier=rules.orbital_energies.output.frontier,
    output:
        record=ensure(f"{RESULTS}/species/{{species}}/cubes.json", non_empty=True),
        cubes=expand(f"{RESULTS}/species/{{{{species}}}}/{{orbital}}.cube", orbital=["homo", "lumo"]),
        picture=ensure(f"{RESULTS}/species/{{species}}/orbitals.png", non_empty=True),
    log:
        f"{RESULTS}/species/{{species}}/logs/cubes.log",
    group:
        together("cubes")
    conda:
        "../../envs/quantum.yaml"
    threads: cores("cubes")
    resources:
        mem_mb=memory("cubes"),
        runtime=minutes("cubes"),
    params:
        settings=SETTINGS,
        recipe=recipe("cubes"),
    shell:
        "electroscreen cubes {wildcards.species} --settings {params.settings} --threads {threads} &> {log}"


rule further_levels:
    """HOMO and LUMO at further levels of theory, at the same geometry."""
    input:
        record=rules.geometry.output.record,
        xyz=rules.geometry.output.xyz,
        density=rules.orbital_energies.output.density,
    output:
        ensure(f"{RESULTS}/species/{{species}}/levels.json", non_empty=True),
    log:
        f"{RESULTS}/species/{{species}}/logs/levels.log",
    group:
        together("levels")
    conda:
        "../../envs/quantum.yaml"
    threads: cores("levels")
    resources:
        mem_mb=memory("levels"),
        runtime=minutes("levels"),
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
    group:
        together("redox")
    conda:
        "../../envs/quantum.yaml"
    threads: cores("redox")
    resources:
        mem_mb=memory("redox"),
        runtime=minutes("redox"),
    params:
        settings=SETTINGS,
        recipe=recipe("redox"),
    shell:
        "electroscreen redox {wildcards.species} --settings {params.settings} --threads {threads} &> {log}"
