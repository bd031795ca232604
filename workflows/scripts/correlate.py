"""Correlate every measure with the test error and the generalization gap."""

from workflows.files import read_table, write_table
from workflows.job import job

with job(snakemake):
    from infotheo.study.correlation.table import correlation_table
    from infotheo.study.runs_table import measure_columns

    runs = read_table(snakemake.input[0])
    table = correlation_table(runs, measure_columns(runs), **snakemake.params.spec["settings"])
    write_table(snakemake.output[0], table)
