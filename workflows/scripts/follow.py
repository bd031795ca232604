"""Measure a chunk's networks along their training, or as whole networks after it."""

from workflows.files import read_dataset, write_dataset
from workflows.job import job

with job(snakemake):
    from infotheo.study.trajectories.follow import follow

    spec = snakemake.params.spec
    measured = follow(
        read_dataset(snakemake.input.data),
        read_dataset(snakemake.input.networks),
        label=f"{snakemake.wildcards.estimate}, {snakemake.wildcards.run}",
        **{key: value for key, value in spec.items() if key != "code"},
        **snakemake.config["jobs"]["measure"],
    )
    write_dataset(snakemake.output[0], measured, spec=spec)
