"""Draw an animation of the study."""

from workflows.job import job
from workflows.study_data import read_needed

with job(snakemake):
    from infotheo.registry import lookup
    from infotheo.study.figures import animations
    from infotheo.study.figures.animation import save_animation

    spec = snakemake.params.spec
    function = lookup(spec["animation"], animations)
    animation = function(**read_needed(snakemake.input.items(), spec), **spec["settings"])
    save_animation(animation, snakemake.output[0])
