"""Draw a figure of the study."""

from workflows.job import job
from workflows.study_data import read_needed

with job(snakemake):
    from infotheo.registry import lookup
    from infotheo.study.figures import figures
    from infotheo.study.figures.style import save

    spec = snakemake.params.spec
    needed = read_needed(snakemake.input.items(), spec)
    function = lookup(spec["figure"], figures)
    save(function(**needed, **spec["settings"]), snakemake.output.svg)
