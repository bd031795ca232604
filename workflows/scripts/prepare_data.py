"""Make a data set's file."""

from workflows.files import write_dataset
from workflows.job import job

with job(snakemake):
    from infotheo.data import datasets
    from infotheo.file_settings import with_paths
    from infotheo.registry import bind, lookup
    from workflows.plan.contents import CONTENTS

    spec = snakemake.params.spec
    settings = {key: value for key, value in spec.items() if key not in ("code", "name", CONTENTS)}
    settings = with_paths(lookup(spec["name"], datasets), settings)
    make = bind(spec["name"], datasets, settings, **snakemake.config["jobs"]["data"])
    write_dataset(snakemake.output[0], make(), spec=spec)
