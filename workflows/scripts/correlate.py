"""Correlate every measure with the test error and the generalization gap."""

from workflows.files import read_table, write_table
from workflows.job import job

with job(snakemake):
    from infotheo.study.correlation.table import correlation_table
    from infotheo.study.runs_table import measure_columns

    runs = read_table(snakemake.input[0])
    columns = measure_columns(runs)
    if not columns:
        raise ValueError(
            f"{snakemake.input[0]}: no network has a measure, as where all of them diverged; "
            "expected one that trains: a smaller learning rate or loss weight, say"
        )
    table = correlation_table(runs, columns, **snakemake.params.spec["settings"])
    write_table(snakemake.output[0], table)
