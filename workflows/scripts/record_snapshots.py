"""Record what one layer of a chunk's networks puts out along their training."""

from workflows.files import read_dataset, write_dataset
from workflows.job import job

with job(snakemake):
    import torch

    from infotheo.training.device import chosen_device
    from infotheo.training.following import record_along

    torch.set_num_threads(snakemake.threads)
    spec = dict(snakemake.params.spec)
    del spec["code"]
    recorded = record_along(
        read_dataset(snakemake.input.data),
        read_dataset(snakemake.input.snapshots),
        count=spec.pop("samples"),
        device=chosen_device(snakemake.config.get("device", "auto")),
        **spec,
    )
    write_dataset(snakemake.output[0], recorded, spec=snakemake.params.spec)
