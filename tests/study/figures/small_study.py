"""A small study made up for the figures: regularizers that shrink activations shrink the gap."""

from dataclasses import replace

import numpy as np
import pandas
import xarray

from infotheo.study.columns import parse
from infotheo.study.correlation.table import correlation_table
from infotheo.study.runs_table import measure_columns

ABSOLUTE = (0.01, 0.1, 1.0)
RELATIVE = (0.01, 0.1)
REGULARIZERS = (
    "baseline", "L1W", "L2W", "dropout", "batch_norm", "CR", "cw-CR", "VR", "cw-VR", "L1R", "RR",
    "cw-RR",
)  # fmt: skip


SECOND = "block1.linear"  # a layer's name may have dots


def make_study(regularizers=REGULARIZERS, seeds=3, absolute=ABSOLUTE, relative=RELATIVE):
    """runs.csv of a study in which information follows the amplitude of the activations."""
    draw = np.random.default_rng(0)
    rows = []
    for name in regularizers:
        amplitude, shape = draw.uniform(0.3, 5), draw.uniform(0.5, 2)
        for seed in range(seeds):
            scale = amplitude * draw.uniform(0.9, 1.1)
            error = 0.022 + 0.0012 * scale + 0.0008 * draw.normal()
            train = 0.004 * draw.uniform()
            row = {
                "study": "small", "condition": "default", "regularizer": name, "weight": 0.1,
                "seed": seed, "train_error": train, "test_error": error,
                "generalization_gap": error - train,
                "pairwise_input_ceiling": np.log(1000), "pairwise_label_ceiling": np.log(10),
            }  # fmt: skip
            sweeps = {
                "noise_variance": (absolute, scale**2),
                "relative_noise_variance": (relative, shape),
            }
            for setting, (values, power) in sweeps.items():
                for value in values:
                    lower = np.log(1000) * (1 - np.exp(-0.3 * power / value / 4))
                    upper = np.log(1000) * (1 - np.exp(-0.3 * power / value))
                    at = f"@{setting}={value:g}"
                    row[f"pairwise_input_lower{at}"] = lower
                    row[f"pairwise_input_upper{at}"] = upper
                    row[f"pairwise_label_lower{at}"] = lower / 4
                    row[f"pairwise_label_upper{at}"] = np.log(10) * (0.9 + 0.1 * upper / 7)
            rows.append(row)
            for measure in ("input_lower", "input_upper", "label_lower", "label_upper"):
                row[f"pairwise_{measure}"] = row[f"pairwise_{measure}@noise_variance=0.1"]
            row |= {
                "activation_amplitude": scale, "covariance": scale**2 / 9,
                "correlation": draw.uniform(0.1, 0.5), "sparsity": draw.uniform(0.2, 0.6),
                "dead_unit": 0.05, "stable_rank": draw.uniform(1, 6), "variance": scale**2,
                "class_wise_correlation": draw.uniform(0.1, 0.3),
                "normalized_class_wise_variance": draw.uniform(0.7, 1.5),
            }  # fmt: skip
    return pandas.DataFrame(rows)


def with_second_layer(runs):
    """Return the same study with a second layer measured at the same noise variances."""
    draw = np.random.default_rng(4)
    columns = {name: runs[name] for name in measure_columns(runs)}
    columns |= {name: runs[name] for name in runs.columns if name.endswith("_ceiling")}
    second = {
        str(replace(parse(name), layer=SECOND)): (
            values if name.endswith("_ceiling") else 0.6 * values * draw.uniform(0.9, 1, len(runs))
        )
        for name, values in columns.items()
    }
    # as in the file, where one layer's sweeps stand between the others
    both = pandas.concat([runs, pandas.DataFrame(second)], axis=1)
    swept = [name for name in both.columns if parse(name).setting]
    return both[[*(name for name in both.columns if name not in swept), *sorted(swept)]]


def make_correlations(runs):
    measures = [name for name in runs.columns if name.startswith("pairwise_input_")]
    return correlation_table(runs, measures, resamples=100, permutations=99)


def make_histories(regularizers=REGULARIZERS, seeds=3, epochs=8):
    draw = np.random.default_rng(1)
    epoch = np.arange(1, epochs + 1)
    histories = {}
    for name in regularizers:
        loss = np.exp(-0.4 * epoch * draw.uniform(0.5, 1)) * draw.uniform(0.8, 1.2, (seeds, 1))
        dims = ("seed", "epoch")
        histories[name] = xarray.Dataset(
            {
                "train_loss": (dims, loss),
                "train_error": (dims, loss / 5),
                "validation_error": (dims, 0.03 + loss / 4),
            },
            coords={"seed": np.arange(seeds), "epoch": epoch},
        )
    return histories


def make_activations(regularizers=REGULARIZERS, seeds=2, samples=120, units=12, classes=10):
    draw = np.random.default_rng(2)
    label = np.arange(samples) % classes
    activations = {}
    for name in regularizers:
        centres = draw.normal(size=(seeds, classes, units)) * draw.uniform(0.5, 3)
        values = np.maximum(0, centres[:, label] + 0.4 * draw.normal(size=(seeds, samples, units)))
        values[:, :, 0] = 0.0  # a dead unit
        activations[name] = xarray.DataArray(
            values.astype(np.float32),
            dims=("seed", "sample", "unit"),
            coords={"seed": np.arange(seeds), "class": ("sample", label)},
        )
    return activations
