"""Gather the errors and measures of a study's networks in one table."""

from pathlib import Path

from workflows.files import read_dataset, write_table
from workflows.job import job

with job(snakemake):
    from infotheo.study.runs_table import run_rows, runs_table

    spec = snakemake.params.spec
    plain = (spec["layers"][0], "logits", "network_estimates")
    rows = []
    for condition, regularizer, run, chunk, seeds in spec["rows"]:
        folder = Path("results", "runs", run, chunk)
        own = [Path(file) for file in snakemake.input.estimates if folder in Path(file).parents]
        layers = [file.parent.name for file in own]
        suffixes = ["" if layer in plain else f"@{layer}" for layer in layers]
        estimates = list(zip(suffixes, map(read_dataset, own), strict=True))
        found = run_rows(read_dataset(folder / "history.nc"), estimates, seeds)
        rows += [{"condition": condition, "regularizer": regularizer, **row} for row in found]
    write_table(snakemake.output[0], runs_table(spec["study"], rows))
