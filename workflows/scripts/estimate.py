"""Measure a chunk's activations or predictions."""

from workflows.files import read_dataset, write_dataset
from workflows.job import job

with job(snakemake):
    from infotheo.registry import lookup
    from infotheo.study.measures import measure_finite, measures, prediction_measures

    spec = snakemake.params.spec
    (values,) = read_dataset(snakemake.input[0]).data_vars.values()
    measure = lookup(spec["measure"], measures, prediction_measures)
    variables = measure_finite(measure, values, spec["settings"])
    write_dataset(snakemake.output[0], variables, spec=spec)
