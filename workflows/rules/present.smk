rule figure:
    input:
        unpack(lambda wildcards: study.layout.drawing_inputs("figure", wildcards.name)),
    output:
        svg=report(
            f"results/{study.name}/figures/{{name}}.svg",
            caption="../captions/drawn.rst",
            category="Figures",
            labels={"figure": "{name}"},
        ),
        png=f"results/{study.name}/figures/{{name}}.png",
    log:
        f"results/logs/{study.name}/figures/{{name}}.log",
    params:
        spec=lambda wildcards: study.drawing_params("figure", wildcards.name),
    message:
        "figure {wildcards.name}"
    script:
        "../scripts/draw_figure.py"


rule animation:
    input:
        unpack(lambda wildcards: study.layout.drawing_inputs("animation", wildcards.name)),
    output:
        report(
            f"results/{study.name}/animations/{{name}}.gif",
            caption="../captions/drawn.rst",
            category="Animations",
            labels={"animation": "{name}"},
        ),
    log:
        f"results/logs/{study.name}/animations/{{name}}.log",
    params:
        spec=lambda wildcards: study.drawing_params("animation", wildcards.name),
    message:
        "animation {wildcards.name}"
    script:
        "../scripts/draw_animation.py"


rule table:
    input:
        unpack(lambda wildcards: study.layout.drawing_inputs("table", wildcards.name)),
    output:
        report(
            f"results/{study.name}/tables/{{name}}.csv",
            caption="../captions/drawn.rst",
            category="Tables",
            labels={"table": "{name}"},
        ),
    log:
        f"results/logs/{study.name}/tables/{{name}}.log",
    params:
        spec=lambda wildcards: study.drawing_params("table", wildcards.name),
    message:
        "table {wildcards.name}"
    script:
        "../scripts/make_table.py"


rule resolved_config:
    output:
        f"results/{study.name}/config.yaml",
    log:
        f"results/logs/{study.name}/config.log",
    params:
        spec=study.resolved(),
    message:
        "the configuration as resolved"
    script:
        "../scripts/write_config.py"
