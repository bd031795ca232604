"""Make a table of the study."""

from workflows.files import write_table
from workflows.job import job
from workflows.study_data import read_needed

with job(snakemake):
    from infotheo.registry import lookup
    from infotheo.study.tables import tables

    spec = snakemake.params.spec
    needed = read_needed(snakemake.input.items(), spec)
    function = lookup(spec["table"], tables)
    write_table(snakemake.output[0], function(**needed, **spec["settings"]))
