"""Kraskov's first estimator against the peers' way of computing it, and against the peers.

Gaussian pairs of correlation 0.75, 2 + 2 and 10 + 10 dimensions, 10,000 samples, k = 3. Both cores
are everyone's: scipy's trees take them, scikit-learn's hold the interpreter's lock and its
brute-force search takes them. All must return the same number; packages that move the radius or
the data a little are held to 1e-6, the others to 1e-9. Ours is timed with and without its check of
trust.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma
from sklearn.neighbors import KDTree, NearestNeighbors

import infotheo as it
from benchmarks.race import Row, medians

SAMPLES, K, CORRELATION = 10_000, 3, 0.75
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def pairs(units: int) -> tuple[np.ndarray, np.ndarray]:
    x, noise = np.random.default_rng(0).normal(size=(2, SAMPLES, units))
    return x, CORRELATION * x + np.sqrt(1 - CORRELATION**2) * noise


def formula(n_x: np.ndarray, n_y: np.ndarray) -> float:
    """Kraskov et al. 2004, eq. 8, from counts that include the sample itself."""
    return float(digamma(K) + digamma(SAMPLES) - np.mean(digamma(n_x) + digamma(n_y)))


def scipy_style(x: np.ndarray, y: np.ndarray) -> float:
    """Trees as infomeasure and ennemi use them, given all cores."""
    joint = np.c_[x, y]
    radius = cKDTree(joint).query(joint, k=[K + 1], p=np.inf, workers=CORES)[0][:, 0]
    inside = np.nextafter(radius, 0)
    return formula(
        *(
            cKDTree(z).query_ball_point(z, inside, p=np.inf, return_length=True, workers=CORES)
            for z in (x, y)
        )
    )


def sklearn_counts(x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> float:
    inside = np.nextafter(radius, 0)
    return formula(
        *(KDTree(z, metric="chebyshev").query_radius(z, inside, count_only=True) for z in (x, y))
    )


def sklearn_trees(x: np.ndarray, y: np.ndarray) -> float:
    """Trees as NPEET uses them, and as scikit-learn does for one unit."""
    joint = np.c_[x, y]
    radius = KDTree(joint, metric="chebyshev").query(joint, k=K + 1)[0][:, -1]
    return sklearn_counts(x, y, radius)


def sklearn_brute(x: np.ndarray, y: np.ndarray) -> float:
    """All distances in the joint space, on all cores; trees for the counts."""
    search = NearestNeighbors(n_neighbors=K, metric="chebyshev", algorithm="brute", n_jobs=CORES)
    return sklearn_counts(x, y, search.fit(np.c_[x, y]).kneighbors()[0][:, -1])


def infomeasure(package: object, x: np.ndarray, y: np.ndarray) -> float:
    return float(
        package.mutual_information(  # type: ignore[attr-defined]
            x, y, approach="ksg", k=K, noise_level=0, base="e"
        )
    )


def ennemi(package: object, x: np.ndarray, y: np.ndarray) -> float:
    estimators = importlib.import_module("ennemi._entropy_estimators")
    return float(estimators._estimate_single_mi(x, y, K))


def npeet_plus(package: object, x: np.ndarray, y: np.ndarray) -> float:
    return float(package.mi(x, y, k=K, base=np.e))  # type: ignore[attr-defined]


MOVING = ("ennemi", "npeet_plus")  # which move the radius by 1e-12, or the data by 1e-10
PEERS = {"infomeasure": infomeasure, "ennemi": ennemi, "npeet_plus": npeet_plus}


def contenders(x: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], float]]:
    runs: dict[str, Callable[[], float]] = {
        "scipy trees, all cores": lambda: scipy_style(x, y),
        "scikit-learn trees": lambda: sklearn_trees(x, y),
        "scikit-learn brute force, all cores": lambda: sklearn_brute(x, y),
    }
    for name, estimate in PEERS.items():
        try:
            package = importlib.import_module(name)
        except ImportError:
            print(f"{name} is not installed: left out")
            continue
        runs[name] = lambda estimate=estimate, package=package: estimate(package, x, y)
    return runs


def rows(dimensions: tuple[int, ...] = (2, 10)) -> list[Row]:
    table = []
    for units in dimensions:
        x, y = pairs(units)

        def ours(check: bool = False, x: np.ndarray = x, y: np.ndarray = y) -> float:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", it.NeighborTrustWarning)
                return float(it.neighbor_information(x, y, k=K, check_trust=check).value)

        peers = contenders(x, y)
        expected = ours()
        for name, run in peers.items():
            noisy = name in MOVING
            np.testing.assert_allclose(run(), expected, rtol=0, atol=1e-6 if noisy else 1e-9)
        spent = medians(
            {"ours": ours, "ours, trust checked": lambda ours=ours: ours(True), **peers}, rounds=3
        )
        what = f"KSG {units}+{units} dimensions, {SAMPLES} samples"
        for name in peers:
            table.append(
                Row(
                    f"{what}, against {name}",
                    spent["ours"],
                    spent[name],
                    spent[name] / spent["ours"],
                    ">= 1",
                )
            )
        fastest = min(spent[name] for name in peers)
        checked = spent["ours, trust checked"]
        name = f"{what}, trust checked, against the fastest"
        table.append(Row(name, checked, fastest, fastest / checked, ">= 1"))
    return table
