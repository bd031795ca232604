"""Make a data set's file."""

from workflows.files import write_dataset
from workflows.job import job

with job(snakemake):
    from infotheo.data import datasets
    from infotheo.registry import lookup

    settings = dict(snakemake.params.spec)
    code, name = settings.pop("code"), settings.pop("name")
    if "data_dir" in snakemake.config["data"]:
        settings["data_dir"] = snakemake.config["data"]["data_dir"]
    samples = lookup(name, datasets, "data set")(**settings)
    write_dataset(snakemake.output[0], samples, code=code)
