# Tables, figures and the report: cheap, and made anew whenever a result or a paper's file changed.

TABLES = ["frontier_orbitals", "ranking", "level_scan", "redox", "esp_extrema", "charges", "binding_energies"]
TABLES += ["coordination", "solvation", "residence", "diffusion", "displacement", "transport", "temperature", "boxes"]
TABLES += ["hopping", "chains", "compared_with_papers", "papers"]
INVENTORY = f"{RESULTS}/inventory.csv"


localrules:
    inventory,


# Where all is settled, the list is as it was: without this rule no job of those before it is looked at.
if SURVEY is None or WHOLE or SURVEY.unsettled or not Path(INVENTORY).exists():

    rule inventory:
        """The list of all records, written when the last of them is there."""
        input:
            wanted(),
        output:
            ensure(INVENTORY, non_empty=True),
        log:
            f"{RESULTS}/logs/inventory.log",
        conda:
            "../../envs/report.yaml"
        params:
            settings=SETTINGS,
        shell:
            "electroscreen inventory --settings {params.settings} &> {log}"


rule tables:
    """All tables as CSV, Markdown and LaTeX: ours, the paper's, difference, verdict."""
    input:
        inventory=INVENTORY,
        papers=paper_files,
    output:
        csv=report(
            ensure(expand(f"{RESULTS}/tables/{{table}}.csv", table=TABLES), non_empty=True),
            caption="captions/tables.rst",
            category="Tables",
        ),
        text=ensure(expand(f"{RESULTS}/tables/{{table}}.{{kind}}", table=TABLES, kind=["md", "tex"]), non_empty=True),
        references=f"{RESULTS}/tables/references.bib",
    log:
        f"{RESULTS}/logs/tables.log",
    group:
        "report"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        settings=SETTINGS,
        # A species or box that was removed changes no input file, but the table; so does what a complex is compared with.
        names=names_of(*PROJECT.box_names),
        complexes=lambda wildcards: [as_text(PROJECT.complex(name).model_dump()) for name in PROJECT.complex_names],
    shell:
        "electroscreen tables --settings {params.settings} &> {log}"


rule figures:
    """Orbital levels of all species, and transport against temperature."""
    input:
        inventory=INVENTORY,
        papers=paper_files,
    output:
        png=ensure([path for path in FIGURES if path.endswith(".png")], non_empty=True),
        svg=report(
            ensure([path for path in FIGURES if path.endswith(".svg")], non_empty=True),
            caption="captions/figures.rst",
            category="Figures",
        ),
    log:
        f"{RESULTS}/logs/figures.log",
    group:
        "report"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        settings=SETTINGS,
        names=names_of(),
    shell:
        "electroscreen figures --overall --settings {params.settings} &> {log}"


rule box_figures:
    """g(r) with n(r), mean square displacements and the others of one box."""
    input:
        record=rules.analysis.output.record,
        curves=rules.analysis.output.curves,
        moments=expand(f"{RESULTS}/boxes/{{{{box}}}}/replica-1/{{file}}", file=["packed.pdb", "trajectory.xtc"]),
    output:
        report(
            directory(f"{RESULTS}/figures/{{box}}"),
            patterns=["{name}.svg"],
            caption="captions/box_figures.rst",
            category="Figures",
            subcategory="{box}",
        ),
    log:
        f"{RESULTS}/boxes/{{box}}/logs/figures.log",
    group:
        "figures"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=memory("figures"),
        runtime=minutes("figures"),
    params:
        settings=SETTINGS,
    shell:
        "electroscreen figures {wildcards.box} --settings {params.settings} &> {log}"


rule report:
    """One HTML file with everything, which needs no network."""
    input:
        rules.tables.output,
        rules.figures.output,
    output:
        report(
            ensure(f"{RESULTS}/report.html", non_empty=True),
            caption="captions/report.rst",
            category="Report",
        ),
    log:
        f"{RESULTS}/logs/report.log",
    group:
        "report"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        settings=SETTINGS,
    shell:
        "electroscreen report --settings {params.settings} &> {log}"
