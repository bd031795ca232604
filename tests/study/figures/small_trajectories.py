"""Measures over training made up for the figures: information rises and then falls, or does not.

``EXTRA`` holds functions ``(dataset, draw)`` that add the variables of other measures; a test of
every figure draws what they add.
"""

import numpy as np
import xarray

NOISES = (0.001, 0.1)
LABELS = ("tanh SGD", "tanh full batch", "ReLU SGD", "ReLU full batch")
SAMPLES, POSITIVE = 4096, 2118
INPUT_CEILING = np.log(SAMPLES)
_P = POSITIVE / SAMPLES
LABEL_CEILING = -_P * np.log(_P) - (1 - _P) * np.log(1 - _P)

EXTRA = []


def _components(dataset, draw):
    """Add what ``measures: components`` makes: fewer components suffice as training goes on."""
    time = "epoch" if "epoch" in dataset.dims else "step"
    counts = np.array([1, 2, 3, 5, 10])
    done = np.linspace(0, 1, dataset.sizes[time])[:, None]
    shape = (dataset.sizes["seed"], dataset.sizes[time], len(counts))
    dims = ("seed", time, "components")
    for name, best in (
        ("svm_accuracy", 0.9),
        ("neighbor_accuracy", 0.8),
        ("explained_variance", 1),
    ):
        values = best * (1 - np.exp(-counts / (1 + 9 * (1 - done))))
        values = np.clip(values + 0.02 * draw.normal(size=shape), 0, 1)
        dataset[f"component_{name}"] = (dims, values)
    return dataset.assign_coords(components=counts)


EXTRA.append(_components)


def _margins(dataset, draw):
    """Add what ``measures: margins`` and ``diagnostics`` make: margins that widen with training."""
    time = "epoch" if "epoch" in dataset.dims else "step"
    shape = (dataset.sizes["seed"], dataset.sizes[time])
    done = np.linspace(0, 1, shape[1]) * np.ones((shape[0], 1))
    quantiles = np.round(np.linspace(0, 1, 21), 2)
    middle = 0.3 * done + 0.005 * draw.normal(size=shape)
    spread = middle[..., None] + (0.25 - 0.1 * done[..., None]) * (quantiles - 0.5)
    dims = ("seed", time)
    dataset["margin_distribution"] = ((*dims, "quantile"), spread)
    dataset["margin_relative_min"] = (dims, spread[..., 0])
    for name in ("q05", "q25", "q50", "q75", "q95"):
        place = int(np.argmin(np.abs(quantiles - int(name[1:]) / 100)))
        dataset[f"margin_relative_{name}"] = (dims, spread[..., place])
    for kind in ("relative", "normalized"):
        dataset[f"margin_{kind}_mean"] = (dims, spread.mean(axis=-1))
    separable = done > 0.3
    dataset["margin_separable"] = (dims, separable.astype(float))
    widest = np.where(separable, 0.2 * done, np.nan)
    dataset["hard_margin_relative"] = (dims, widest)
    angle = (1.4 - done) * (1 + 0.03 * draw.normal(size=shape))
    dataset["margin_angle"] = (dims, np.where(separable, angle, np.nan))
    dataset["fano_bound"] = (dims, 0.7 * dataset["error"].transpose(*dims).values)
    dataset["prediction_variance_diagnostic"] = (dims, 0.4 * done * (1 - done))
    return dataset.assign_coords(quantile=quantiles)


EXTRA.append(_margins)


def _residual(dataset, draw):
    """Add what ``measures: residual`` and ``invertibility`` make: contractions that cease to be."""
    time = "epoch" if "epoch" in dataset.dims else "step"
    names = [f"stage{stage}.{n}" for stage in (1, 2, 3) for n in range(2)]
    shape = (dataset.sizes["seed"], dataset.sizes[time], len(names))
    done = np.linspace(0, 1, shape[1])[:, None]
    depth = np.linspace(0, 1, len(names))
    ratio = (0.15 + 0.5 * depth) * (0.5 + done) * np.exp(0.05 * draw.normal(size=shape))
    lower = (0.3 + 2 * depth) * np.exp(2 * done * depth) * np.exp(0.05 * draw.normal(size=shape))
    upper = 2.2 * lower
    identity = np.array([name not in ("stage2.0", "stage3.0") for name in names])
    succeeded = np.where(identity, np.clip(2.2 - lower, 0, 1), np.nan)
    dims = ("seed", time, "block")
    for name, values in {
        **{f"residual_norm_{kind}": ratio for kind in ("pooled", "mean", "median", "q95")},
        "lipschitz_lower": lower,
        "lipschitz_upper": upper,
        "inversion_converged": succeeded,
        "inversion_succeeded": succeeded,
        "inversion_rate": np.where(identity, 0.8 * lower, np.nan),
        "reconstruction_error": np.where(identity, 1e-5 * np.exp(4 * lower), np.nan),
        "licensed": np.where(identity, upper < 1, np.nan),
        "inverted": np.where(identity, succeeded == 1, np.nan),
    }.items():
        dataset[name] = (dims, values)
    return dataset.assign_coords(block=names)


EXTRA.append(_residual)


def schedule(epochs):
    """Epoch 0, and about thirty epochs in even steps of the logarithm."""
    return np.unique(np.round(np.append(0, np.geomspace(1, epochs, 30)))).astype(float)


def make_trajectories(labels=LABELS, layers=6, seeds=3, epochs=1000, noises=NOISES, time="epoch"):
    """Trajectories of a study: layers of tanh networks lose information, others keep it."""
    draw = np.random.default_rng(3)
    return {label: _dataset(label, layers, seeds, epochs, noises, time, draw) for label in labels}


def diverged(trajectories):
    """The same without the first label's first seed from the fifth time, and its last label."""
    first, *_, last = trajectories
    changed = dict(trajectories)
    time = "epoch" if "epoch" in changed[first].dims else "step"
    seeds, times = changed[first]["seed"], changed[first][time]
    fine = (seeds > 0) | (times < times[4])
    for label, finite in ((first, fine), (last, fine & (times < 0))):
        lost = changed[label].copy(deep=True)
        for name, values in lost.data_vars.items():
            if "seed" in values.dims:
                lost[name] = values.where(finite).transpose(*values.dims)
        changed[label] = lost
    return changed


def _dataset(label, layers, seeds, epochs, noises, time, draw):
    at = schedule(epochs)
    depth = np.arange(layers)[:, None, None] / max(1, layers - 1)  # (layer, 1, 1)
    jitter = 1 + 0.04 * draw.normal(size=(layers, seeds, 1))
    noise = 0.005 * draw.normal(size=(layers, seeds, len(at)))
    rise = 1 - np.exp(-at / (3 + 4 * draw.uniform(size=(1, seeds, 1))))
    lost = (0.7 * depth if "tanh" in label else 0.0) * np.log1p(at) / np.log1p(epochs)
    known = np.clip(1 - 0.6 * depth * jitter + 0.3 * depth * rise - lost + noise, 0, 1)
    label_share = np.clip((1 - depth + depth * rise) * (1 - 0.01 * jitter) + noise, 0, 1)
    x, y = INPUT_CEILING * known, LABEL_CEILING * label_share
    dims = ("layer", "seed", time)
    variables = {"binned_input": (dims, x), "binned_label": (dims, y)}
    power = 1 / (1 + 3 * np.asarray(noises) / max(noises))  # more noise, less information
    swept = (*dims, "noise_variance")
    for name, values in {
        "input_lower": 0.8 * x, "input_upper": x, "label_lower": 0.2 * y, "label_chernoff": 0.8 * y,
        "label_kl": y, "label_upper": np.minimum(1.5 * y, LABEL_CEILING),
    }.items():  # fmt: skip
        variables[f"pairwise_{name}@noise_variance"] = (swept, values[..., None] * power)
    for subject in ("binned", "pairwise"):
        variables[f"{subject}_input_ceiling"] = ((), INPUT_CEILING)
        variables[f"{subject}_label_ceiling"] = ((), LABEL_CEILING)
    output = (("seed", time), y[-1])
    variables |= {
        "prediction_input": (("seed", time), np.maximum(x[-1], y[-1])),
        "prediction_label": output,
        "prediction_irrelevant": (("seed", time), np.maximum(x[-1] - y[-1], 0)),
        "error": (("seed", time), 0.5 * (1 - label_share[-1])),
        "cross_entropy": (("seed", time), np.log(2) * (1 - label_share[-1])),
    }  # fmt: skip
    other = "step" if time == "epoch" else "epoch"
    dataset = xarray.Dataset(
        variables,
        coords={
            "layer": [f"layer{number}" for number in range(1, layers + 1)],
            "seed": np.arange(seeds),
            time: at,
            other: (time, 16 * at if other == "step" else at / 16),
            "noise_variance": list(noises),
        },
    )
    for add in EXTRA:
        dataset = add(dataset, draw)
    return dataset
