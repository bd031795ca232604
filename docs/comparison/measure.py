"""What other packages say where the truth is known, written to ``measured.csv`` beside this file.

Run it once for each environment; it measures the packages that import and keeps the other rows::

    pip install infomeasure==0.6.3 ennemi==1.5.0 scikit-learn npeet_plus==0.2.0
    python docs/comparison/measure.py infomeasure ennemi sklearn npeet_plus
    pip install benchmark-mi==0.1.3 jax==0.4.33 jaxlib==0.4.33   # an environment of its own
    python docs/comparison/measure.py bmi
    python docs/comparison/measure.py infotheo

Every cell is the mean and standard deviation over ten seeds, in nats, k = 3.
"""

import argparse
import importlib.metadata
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas

HERE = Path(__file__).parent
SEEDS = 10
DISTRIBUTIONS = {"bmi": "benchmark-mi", "sklearn": "scikit-learn"}


def pairs(seed: int, size: int, dims: int, informative: int, rho: float) -> tuple[Any, Any, float]:
    """Draw Gaussian pairs (x_i, y_i), the first ``informative`` of correlation rho."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(size, dims)), rng.normal(size=(size, dims))
    y[:, :informative] = rho * x[:, :informative] + np.sqrt(1 - rho**2) * y[:, :informative]
    return x, y, -informative / 2 * np.log(1 - rho**2)


def clusters(seed: int, size: int, dims: int) -> tuple[Any, Any, float]:
    """Draw ten clusters, 1 wide and at least 12 apart, with the cluster as the label."""
    rng = np.random.default_rng(seed)
    centres = 8 * rng.normal(size=(10, dims))
    centres[:, 0] = 12 * np.arange(10)
    y = np.arange(size) % 10
    return centres[y] + rng.normal(size=(size, dims)), y, float(np.log(10))


def constant(seed: int, size: int) -> tuple[Any, Any, float]:
    """Draw a rare label beside a dead unit."""
    y = np.zeros(size, dtype=np.int64)
    y[: max(2, size // 2000)] = 1
    return np.zeros((size, 1)), np.random.default_rng(seed).permutation(y), 0.0


TASKS: dict[str, tuple[Callable[[int], tuple[Any, Any, float]], str]] = {
    "1+1 Gaussian": (lambda seed: pairs(seed, 1000, 1, 1, 0.75), "continuous"),
    "5+5 Gaussian, one informative": (lambda seed: pairs(seed, 1000, 5, 1, 0.75), "continuous"),
    "10+10 Gaussian": (lambda seed: pairs(seed, 1000, 10, 10, 0.75), "continuous"),
    "25+25 Gaussian, two informative": (lambda seed: pairs(seed, 1000, 25, 2, 0.8), "continuous"),
    "10 clusters in 1 dimension, label": (lambda seed: clusters(seed, 1000, 1), "label"),
    "10 clusters in 32 dimensions, label": (lambda seed: clusters(seed, 1000, 32), "label"),
    "constant unit, rare label": (lambda seed: constant(seed, 4000), "label"),
}


def infomeasure(x: Any, y: Any, kind: str) -> dict[str, float]:
    """KSG; a label goes in as a number, since there is no estimator for mixed kinds."""
    import infomeasure as im

    return {"ksg": float(im.mutual_information(x, y, approach="ksg", k=3))}


def ennemi(x: Any, y: Any, kind: str) -> dict[str, float]:
    """KSG and Ross; one dimension on either side."""
    import ennemi

    if x.shape[1] > 1:
        return {"ksg": np.nan}
    target = y if kind == "label" else y[:, 0]
    return {
        "ksg": float(ennemi.estimate_mi(target, x[:, 0], k=3, discrete_y=kind == "label")[0, 0])
    }


def sklearn(x: Any, y: Any, kind: str) -> dict[str, float]:
    """KSG and Ross between one feature and one target."""
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    if x.shape[1] > 1:
        return {"ksg": np.nan}
    if kind == "label":
        return {"ksg": float(mutual_info_classif(x, y, n_neighbors=3, random_state=0)[0])}
    return {"ksg": float(mutual_info_regression(x, y[:, 0], n_neighbors=3, random_state=0)[0])}


def npeet_plus(x: Any, y: Any, kind: str) -> dict[str, float]:
    """KSG and its mixed form; bits unless base is given."""
    import npeet_plus

    if kind == "label":
        return {"ksg": float(npeet_plus.micd(x, y[:, None], k=3, base=np.e))}
    return {"ksg": float(npeet_plus.mi(x, y, k=3, base=np.e))}


def bmi(x: Any, y: Any, kind: str) -> dict[str, float]:
    """KSG and canonical correlation; labels have no estimator."""
    import bmi.estimators as estimators

    if kind == "label":
        return {"ksg": np.nan}
    return {
        "ksg": float(estimators.KSGEnsembleFirstEstimator(neighborhoods=(3,)).estimate(x, y)),
        "gaussian": float(estimators.CCAMutualInformationEstimator().estimate(x, y)),
    }


def infotheo(x: Any, y: Any, kind: str) -> dict[str, float]:
    """Neighbours, and what fits the case better: the Gaussian form, or bounds with noise."""
    import infotheo as it

    if kind == "label":
        bounds = it.pairwise_information(x, y, noise_variance=1.0)
        return {
            "ksg": float(it.neighbor_information(x, y, k=3, discrete_y=True).value),
            "pairwise lower": float(bounds.lower),
            "pairwise upper": float(bounds.upper),
        }
    return {
        "ksg": float(it.neighbor_information(x, y, k=3).value),
        "gaussian": float(it.gaussian_information(x, y).value),
    }


PACKAGES = {f.__name__: f for f in (infomeasure, ennemi, sklearn, npeet_plus, bmi, infotheo)}


def measured(package: str) -> pandas.DataFrame:
    """All tasks for one package."""
    version = importlib.metadata.version(DISTRIBUTIONS.get(package, package))
    rows = []
    for task, (draw, kind) in TASKS.items():
        found: dict[str, list[float]] = {}
        said: set[str] = set()
        for seed in range(SEEDS):
            x, y, truth = draw(seed)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    values = PACKAGES[package](x, y, kind)
                except Exception as error:  # what a user would see
                    values, said = {"ksg": np.nan}, said | {type(error).__name__}
            said |= {str(each.category.__name__) for each in caught}
            for estimator, value in values.items():
                found.setdefault(estimator, []).append(value)
        for estimator, values in found.items():
            deviation = np.std(values) if np.isfinite(values).all() else np.nan
            rows.append(
                (package, version, task, estimator, truth, np.mean(values), deviation)
                + (" ".join(sorted(said)),)
            )
    columns = ["package", "version", "task", "estimator", "truth", "mean", "deviation", "said"]
    return pandas.DataFrame(rows, columns=columns)


def main() -> None:
    """Measure the packages named, replace their rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", nargs="+", choices=list(PACKAGES))
    path = HERE / "measured.csv"
    before = pandas.read_csv(path) if path.is_file() else pandas.DataFrame()
    for package in parser.parse_args().packages:
        kept = before[before["package"] != package] if len(before) else before
        before = pandas.concat([kept, measured(package)])
    before["order"] = before["package"].map(list(PACKAGES).index)
    before = before.sort_values("order", kind="stable").drop(columns="order")
    before.to_csv(path, index=False, float_format="%.4f")
    print(before.to_string(index=False))


if __name__ == "__main__":
    main()
