"""Record what one layer of a chunk's networks puts out, after training or along it."""

from workflows.files import read_dataset, write_dataset
from workflows.job import job

with job(snakemake):
    from infotheo.study.trajectories.follow import record

    spec = snakemake.params.spec
    recorded = record(
        read_dataset(snakemake.input.data),
        read_dataset(snakemake.input.networks),
        **{key: value for key, value in spec.items() if key != "code"},
        **snakemake.config["jobs"]["record"],
    )
    write_dataset(snakemake.output[0], recorded, spec=spec)
