"""Measure a chunk's activations or predictions."""

from workflows.files import read_dataset, write_dataset
from workflows.job import job

with job(snakemake):
    from infotheo.registry import lookup
    from infotheo.study.measures import measure_finite, measures, prediction_measures

    spec = snakemake.params.spec
    (values,) = read_dataset(snakemake.input[0]).data_vars.values()
    function = lookup(spec["measure"], measures, prediction_measures)
    measured = measure_finite(function, values, spec["settings"])
    write_dataset(snakemake.output[0], measured, spec=spec)
