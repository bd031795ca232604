"""Record what one layer of a chunk's networks puts out, after training or along it."""

from workflows.files import read_dataset, write_dataset
from workflows.job import job

with job(snakemake):
    import torch

    from infotheo.study.trajectories.follow import record
    from infotheo.training.device import chosen_device

    torch.set_num_threads(snakemake.threads)
    spec = dict(snakemake.params.spec)
    del spec["code"]
    along = snakemake.config.get("snapshots") or {}
    if "gigabytes" in along:
        spec["gigabytes"] = along["gigabytes"]
    recorded = record(
        read_dataset(snakemake.input.data),
        read_dataset(snakemake.input.networks),
        count=spec.pop("samples", None),
        device=chosen_device(snakemake.config.get("device", "auto")),
        **spec,
    )
    write_dataset(snakemake.output[0], recorded, spec=snakemake.params.spec)
