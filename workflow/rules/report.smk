# Tables, figures and the report: cheap, and made anew whenever a result or a paper's file changed.

TABLES = ["frontier_orbitals", "level_scan", "redox", "esp_extrema", "charges", "binding_energies"]
TABLES += ["coordination", "solvation", "residence", "diffusion", "displacement", "transport", "temperature", "boxes"]
TABLES += ["compared_with_papers", "papers"]
OF_SPECIES = ["geometry", "orbitals", *PICTURED, "charges"]
RECORDS = [
    *expand(f"{RESULTS}/species/{{species}}/{{stage}}.json", species=SPECIES, stage=OF_SPECIES),
    *map(str, PROJECT.optional_records()),
    *expand(f"{RESULTS}/complexes/{{complex}}/binding.json", complex=COMPLEXES),
    *expand(f"{RESULTS}/boxes/{{box}}/{{stage}}.json", box=BOXES, stage=["composition", "analysis"]),
    *expand(f"{RESULTS}/boxes/{{box}}/replica-{{r}}/equilibration.json", box=BOXES, r=REPLICAS),
]
# Snakemake deletes what a failed job should have written, and does not miss it as long as what was made from it is there.
NOT_TO_MISS = [
    *RECORDS,
    *expand(
        f"{RESULTS}/species/{{species}}/forcefield.json", species=sorted({m for b in BOXES for m in molecules_in(b)})
    ),
    *expand(f"{RESULTS}/boxes/{{box}}/replica-{{r}}/packing.json", box=BOXES, r=REPLICAS),
]


rule tables:
    """All tables as CSV, Markdown and LaTeX: ours, the paper's, difference, verdict."""
    input:
        records=RECORDS,
        papers=PROJECT.paper_files,
    output:
        csv=ensure(expand(f"{RESULTS}/tables/{{table}}.csv", table=TABLES), non_empty=True),
        text=ensure(expand(f"{RESULTS}/tables/{{table}}.{{kind}}", table=TABLES, kind=["md", "tex"]), non_empty=True),
    log:
        f"{RESULTS}/logs/tables.log",
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        settings=SETTINGS,
        # A species or box that was removed changes no input file, but the table; so does what a complex is compared with.
        names=[*SPECIES, *BOXES],
        boxes=PROJECT.box_names,
        # In a function, because Snakemake looks for wildcards in texts, and a title may hold braces.
        complexes=lambda wildcards: [as_text(PROJECT.complex(name).model_dump()) for name in PROJECT.complex_names],
    shell:
        "electroscreen tables --settings {params.settings} &> {log}"


rule figures:
    """Orbital levels, g(r) with n(r), mean squared displacements."""
    input:
        records=RECORDS,
        curves=expand(f"{RESULTS}/boxes/{{box}}/curves.npz", box=BOXES),
        papers=PROJECT.paper_files,
    output:
        ensure(FIGURES, non_empty=True),
    log:
        f"{RESULTS}/logs/figures.log",
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        settings=SETTINGS,
        names=[*SPECIES, *BOXES],
    shell:
        "electroscreen figures --settings {params.settings} &> {log}"


rule report:
    """One HTML file with everything, which needs no network."""
    input:
        rules.tables.output,
        rules.figures.output,
        expand(
            f"{RESULTS}/species/{{species}}/{{file}}",
            species=SPECIES,
            file=[
                *(["esp.png", "esp.npz"] if "esp" in PICTURED else []),
                *(["orbitals.png"] if "cubes" in PICTURED else []),
            ],
        ),
    output:
        ensure(f"{RESULTS}/report.html", non_empty=True),
    log:
        f"{RESULTS}/logs/report.log",
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        settings=SETTINGS,
    shell:
        "electroscreen report --settings {params.settings} &> {log}"
