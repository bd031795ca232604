"""Draw a figure of the study."""

from workflows.job import job
from workflows.study_data import read_needed

with job(snakemake):
    from infotheo.registry import bind
    from infotheo.study.figures import figures
    from infotheo.study.figures.style import save

    spec = snakemake.params.spec
    data = read_needed(snakemake.input.items(), spec)
    draw = bind(spec["figure"], figures, spec["settings"], **data)
    save(draw(), snakemake.output.svg)
