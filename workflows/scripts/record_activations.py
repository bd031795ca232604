"""Record what one layer of a chunk's networks puts out for the test samples."""

from workflows.files import read_dataset, write_dataset
from workflows.job import job

with job(snakemake):
    import torch

    from infotheo.training.device import chosen_device
    from infotheo.training.recording import record

    torch.set_num_threads(snakemake.threads)
    spec = snakemake.params.spec
    recorded = record(
        read_dataset(snakemake.input.data),
        read_dataset(snakemake.input.weights),
        network=spec["network"],
        regularizer=spec["regularizer"],
        layer=spec["layer"],
        device=chosen_device(snakemake.config.get("device", "auto")),
    )
    write_dataset(snakemake.output[0], recorded, spec=spec)
