"""Gather the errors and measures of a study's networks in one table."""

from workflows.files import write_table
from workflows.job import job
from workflows.study_data import read_chunks

with job(snakemake):
    from infotheo.study.runs_table import runs_table

    spec = snakemake.params.spec
    chunks = read_chunks(spec["rows"], snakemake.input.estimates)
    write_table(snakemake.output[0], runs_table(spec["study"], chunks, spec["layers"][0]))
