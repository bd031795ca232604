"""Gather the errors and measures of a study's networks in one table."""

from pathlib import Path

from workflows.files import read_dataset, write_table
from workflows.job import job

with job(snakemake):
    from infotheo.runs_table import run_rows, runs_table

    spec = snakemake.params.spec
    main_layer = spec["layers"][0]
    rows = []
    for condition, regularizer, run, chunk, seeds in spec["rows"]:
        folder = Path("results", "runs", run, chunk)
        own = [Path(file) for file in snakemake.input.estimates if folder in Path(file).parents]
        estimates = [
            (_suffix, read_dataset(file))
            for file in own
            for _suffix in ["" if file.parent.name in (main_layer, "logits") else f"@{file.parent.name}"]
        ]
        found = run_rows(read_dataset(folder / "history.nc"), estimates, seeds)
        rows += [{"condition": condition, "regularizer": regularizer, **row} for row in found]
    write_table(snakemake.output[0], runs_table(spec["study"], rows))
