"""Make a table of the study."""

from workflows.files import write_table
from workflows.job import job
from workflows.study_data import read_needed

with job(snakemake):
    from infotheo.registry import bind
    from infotheo.study.tables import tables

    spec = snakemake.params.spec
    data = read_needed(snakemake.input.items(), spec)
    make = bind(spec["table"], tables, spec["settings"], **data)
    write_table(snakemake.output[0], make())
