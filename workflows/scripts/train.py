"""Train a chunk of a run's seeds, or the grid of loss weights to choose from."""

from workflows.checkpoints import checkpoint
from workflows.files import read_dataset, write_dataset
from workflows.job import job

with job(snakemake):
    from infotheo.training.chunk import train_chunk

    spec, wildcards = snakemake.params.spec, snakemake.wildcards
    # Named by the code as well: another version does not go on from where this one stood.
    with checkpoint(f"{wildcards.run}-{wildcards.chunk}", spec["code"]) as path:
        trained = train_chunk(
            read_dataset(snakemake.input.data),
            selection=[read_dataset(file) for file in snakemake.input.selection],
            label=wildcards.run,
            checkpoint_path=path,
            **spec["chunk"],
            **snakemake.config["jobs"]["train"],
        )
        datasets = [dataset for dataset in trained if dataset is not None]
        for file, dataset in zip(snakemake.output, datasets, strict=True):
            write_dataset(file, dataset, spec=spec)
