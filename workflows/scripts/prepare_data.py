"""Make a data set's file."""

from workflows.files import write_dataset
from workflows.job import job

with job(snakemake):
    from infotheo.data import datasets
    from infotheo.registry import lookup, takes_setting

    settings = dict(snakemake.params.spec)
    del settings["code"]
    name = settings.pop("name")
    function = lookup(name, datasets, "data set")
    # Conditions may compare data sets of which only some are read from a folder.
    if "data_dir" in snakemake.config["data"] and takes_setting(function, "data_dir"):
        settings["data_dir"] = snakemake.config["data"]["data_dir"]
    samples = function(**settings)
    write_dataset(snakemake.output[0], samples, spec=snakemake.params.spec)
