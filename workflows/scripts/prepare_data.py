"""Make a data set's file."""

from workflows.files import write_dataset
from workflows.job import job

with job(snakemake):
    from infotheo.data import datasets
    from infotheo.registry import bind

    spec = snakemake.params.spec
    settings = {key: value for key, value in spec.items() if key not in ("code", "name")}
    make = bind(spec["name"], datasets, settings, **snakemake.config["jobs"]["data"])
    write_dataset(snakemake.output[0], make(), spec=spec)
