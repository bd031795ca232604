"""Measure a chunk's networks along their training, or as whole networks after it."""

from workflows.files import read_dataset, write_dataset
from workflows.job import job

with job(snakemake):
    import torch

    from infotheo.study.trajectories.follow import follow
    from infotheo.training.device import chosen_device

    torch.set_num_threads(snakemake.threads)
    spec = dict(snakemake.params.spec)
    del spec["code"]
    measured = follow(
        read_dataset(snakemake.input.data),
        read_dataset(snakemake.input.networks),
        count=spec.pop("samples", None),
        device=chosen_device(snakemake.config.get("device", "auto")),
        label=f"{snakemake.wildcards.estimate}, {snakemake.wildcards.run}",
        **spec,
    )
    write_dataset(snakemake.output[0], measured, spec=snakemake.params.spec)
