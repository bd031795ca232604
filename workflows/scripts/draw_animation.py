"""Draw an animation of the study."""

from workflows.job import job
from workflows.study_data import read_needed

with job(snakemake):
    from infotheo.registry import bind
    from infotheo.study.figures import animations
    from infotheo.study.figures.animation import save_animation

    spec = snakemake.params.spec
    data = read_needed(snakemake.input.items(), spec)
    draw = bind(spec["animation"], animations, spec["settings"], **data)
    save_animation(draw(), snakemake.output[0])
