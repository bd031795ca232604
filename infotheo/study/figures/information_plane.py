"""The information plane: I(X;T) against I(T;Y) over training (Shwartz-Ziv & Tishby 2017)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from infotheo.arrays.labels import Units
from infotheo.study.figures import over_time, style, time_scale
from infotheo.study.figures.information_paths import Paths
from infotheo.study.figures.path_numbers import number_ends
from infotheo.study.figures.plane_layout import (
    MARKERS,
    Planes,
    all_paths,
    divergence_remark,
    join_sentences,
    lay_out,
    read_planes,
    show_layers,
)

__all__ = ["information_plane"]


@style.styled
def information_plane(
    trajectories: dict[str, xarray.Dataset],
    *,
    estimator: Literal["both", "binned", "pairwise"] = "both",
    noise_variance: float | None = None,
    relative_noise_variance: float | None = None,
    units: Units = "bits",
) -> Figure:
    """Information plane of every layer over training: mean over seeds coloured by epoch.

    A thin grey line is one network. Binned estimates, and below them the pairwise bounds: a stroke
    from the lower bound of I(X;T) and Chernoff's estimate of I(T;Y) to the upper bound and the
    estimate by Kullback-Leibler divergences, its middle marked. Numbers stand at the end of
    training; dotted lines are the ceilings, the logarithm of the number of samples and H(Y).

    Parameters
    ----------
    trajectories
        Measures over training per label: the variables of ``measures: binned`` and ``pairwise``
        over (layer, seed, epoch or step), in nats.
    estimator
        ``"binned"``, ``"pairwise"`` or ``"both"``.
    noise_variance, relative_noise_variance
        Where to take the pairwise bounds: a value of the study's sweep; by default its first.
    units
        ``"bits"`` or ``"nats"``.

    Raises
    ------
    ValueError
        If a variable is missing, the noise variance was not measured or a setting is unknown.

    Notes
    -----
    After Shwartz-Ziv & Tishby 2017 and Saxe et al. 2018; paper 5, sections 1.2 and 3.4, figure 6.
    The estimates of I(T;Y) from one divergence are no bounds; their rigorous bounds are drawn by
    ``information_over_training``.
    """
    name = "information_plane"
    planes, titles = read_planes(
        trajectories, name, estimator, noise_variance, relative_noise_variance, units
    )
    times = np.concatenate([paths.time for paths in all_paths(planes)])
    norm, scale, ticks = time_scale.time_colours(times)
    figure, panels = lay_out(planes, titles, units)
    for (kind, label), axes in panels.items():
        _paths(axes, planes[kind][label], norm, scale)
    any_paths, *_ = all_paths(planes)
    bar = figure.colorbar(
        ScalarMappable(norm, scale), ax=list(panels.values()), label=any_paths.time_name,
        aspect=35, shrink=0.8 if len(panels) <= 8 else 0.45, pad=0.015,
    )  # fmt: skip
    bar.set_ticks(ticks, labels=[time_scale.plain(tick) for tick in ticks])
    bar.minorticks_off()
    show_layers(figure, planes, remark=join_sentences([*_key(planes), divergence_remark(planes)]))
    seeds = over_time.seed_words(trajectories).replace("mean and range", "mean")
    figure.suptitle(f"Information plane over training ({seeds})", x=0.01, ha="left")
    return figure


def _paths(axes: Axes, paths: Paths, norm: Normalize, scale: Colormap) -> None:
    """Draw every layer of one label: thin lines of the seeds, and the mean coloured by time."""
    x, y = paths.input.mean(axis=0), paths.label.mean(axis=0)  # (layer, seed, time)
    ends = {}
    for index, layer in enumerate(paths.layers):
        if x.shape[1] > 1:
            seeds = np.stack([x[index], y[index]], axis=-1)  # (seed, time, 2)
            axes.add_collection(
                LineCollection(
                    list(seeds),
                    colors="#9a9a9a",
                    linewidths=0.4,
                    alpha=0.45,
                    zorder=1,
                    rasterized=True,  # 20 seeds of 6 layers are megabytes of lines
                )
            )
        strokes = np.stack(
            [_means(paths.input[:, index]), _means(paths.label[:, index])], axis=-1
        ).swapaxes(0, 1)  # (time, side, 2)
        middle = np.stack([_mean(x[index]), _mean(y[index])], axis=-1)  # (time, 2)
        if strokes.shape[1] > 1:
            axes.add_collection(
                LineCollection(
                    list(strokes), array=paths.time, norm=norm, cmap=scale, linewidths=0.8,
                    alpha=0.4, zorder=2,
                )
            )  # fmt: skip
        axes.plot(*middle.T, color="#777777", linewidth=0.5, zorder=3, label=f"mean of {layer}")
        number = paths.places[index]
        marker = MARKERS[number % len(MARKERS)]
        edge = 0.3 if len(middle) <= 50 else 0.0  # edges of many would cover the colours
        axes.scatter(
            middle[:, 0], middle[:, 1], c=paths.time, norm=norm, cmap=scale, marker=marker,
            s=15 if edge else 11, edgecolors="white" if edge else "none", linewidths=edge,
            zorder=4, label=layer,
        )  # fmt: skip
        finite = np.flatnonzero(np.isfinite(middle).all(axis=1))
        if finite.size:
            ends[number + 1] = middle[finite[-1]]
    number_ends(axes, ends)


def _key(planes: Planes) -> list[str]:
    """Explain what is drawn, in sentences."""
    several = any(paths.input.shape[2] > 1 for paths in all_paths(planes))
    sentences = ["Grey: single seeds."] if several else []
    if "pairwise" in planes:
        sentences.append(
            "Pairwise: strokes from (lower bound, Chernoff estimate) to (upper bound, KL estimate),"
            " middle marked."
        )
    return sentences


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return over_time.summarize_seeds(values).mean


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over seeds for each side: (side, seed, time) → (side, time)."""
    return np.stack([_mean(side) for side in values])
