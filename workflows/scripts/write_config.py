"""Write the study's configuration as it was resolved, beside its results."""

import yaml

from workflows.files import write_atomically
from workflows.job import job

with job(snakemake):
    text = yaml.safe_dump(dict(snakemake.params.spec), sort_keys=False)
    write_atomically(snakemake.output[0], lambda file: file.write_text(text, encoding="utf-8"))
