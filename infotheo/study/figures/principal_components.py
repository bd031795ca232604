"""A layer's first three principal components (paper 2, figures 2, 4 and 5)."""

from __future__ import annotations

import numpy as np
import xarray
from matplotlib.figure import Figure
from numpy.typing import NDArray

from infotheo.study.figures import activation_panels as panel
from infotheo.study.figures import style

__all__ = ["component_scores", "principal_components"]


@style.styled
def principal_components(
    activations: dict[str, xarray.DataArray],
    *,
    seed: int = 0,
    samples: int = 2000,
    columns: int = 4,
) -> Figure:
    """First principal component against the second and the third, per regularizer and by class.

    Percentages are shares of the layer's variance. Both axes of a panel have the same scale.

    Parameters
    ----------
    activations
        One array per regularizer with dimensions (seed, sample, unit) and coordinate ``class``.
    seed
        Position along the seed dimension.
    samples
        Draw at most so many samples, chosen at random; components use all samples.
    columns
        Regularizers in a row.

    Raises
    ------
    ValueError
        If a dimension, the class coordinate or the seed is missing, or a setting out of range.

    Notes
    -----
    Paper 2, figures 2, 4 and 5.
    """
    panel.check_least(1, "principal_components", samples=samples, columns=columns)
    networks = panel.select_seed(activations, seed, "principal_components")
    classes = panel.all_classes(networks)
    colours, _ = style.class_colours(classes)
    columns = min(columns, len(networks))
    bands = -(-len(networks) // columns)
    figure = Figure(figsize=(style.WIDTH, 1.2 + 3.6 * bands), layout="constrained")
    grid = figure.subplots(2 * bands, columns, squeeze=False)
    for index, (name, network) in enumerate(networks.items()):
        band, column = divmod(index, columns)
        upper, lower = grid[2 * band, column], grid[2 * band + 1, column]
        if len(panel.most_variable_units(network.values)) < 1:
            finite = np.isfinite(network.values).all()
            panel.leave_empty(upper, "no live unit" if finite else "diverged")
            lower.set_axis_off()
            upper.set_title(name)
            continue
        scores, share = component_scores(network.values)
        drawn = panel.random_positions(len(scores), samples)
        for axes, other in ((upper, 1), (lower, 2)):
            axes.scatter(
                scores[drawn, 0], scores[drawn, other], s=6, linewidths=0, alpha=0.75,
                c=[colours[int(label)] for label in network.classes[drawn]], rasterized=True,
            )  # fmt: skip
            panel.thin_ticks(axes)
            axes.set_aspect("equal", adjustable="datalim")
            if column == 0:
                axes.set_ylabel(f"PC{other + 1}")
        lower.set_xlabel("PC1")
        upper.set_title(
            f"{name}\n" + " / ".join(f"{100 * part:.0f}" for part in share) + " % of variance"
        )
    for index in range(len(networks), bands * columns):
        band, column = divmod(index, columns)
        grid[2 * band, column].set_axis_off()
        grid[2 * band + 1, column].set_axis_off()
    figure.suptitle("First three principal components of each network, by class", x=0.01, ha="left")
    panel.show_classes(figure, list(grid.ravel()), classes)
    return figure


def component_scores(
    values: NDArray[np.float64], components: int = 3
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores on the first principal components, and each one's share of the variance.

    Parameters
    ----------
    values
        Activations, shape (sample, unit).
    components
        How many components; those beyond the number of units are zero.

    Returns
    -------
    Scores of shape (sample, component), and shares of shape (component,). A component's sign is
    such that its largest loading in absolute value is positive.

    Examples
    --------
    >>> scores, share = component_scores(np.array([[0.0, 0.0], [3.0, 4.0]]))
    >>> scores[:, 0], share
    (array([-2.5,  2.5]), array([1., 0., 0.]))
    """
    centred = values - values.mean(axis=0)
    variances, loadings = np.linalg.eigh(centred.T @ centred)
    variances, loadings = variances[::-1].clip(0), loadings[:, ::-1]
    count = min(components, values.shape[1])
    largest = np.abs(loadings[:, :count]).argmax(axis=0)
    loadings = loadings[:, :count] * np.sign(loadings[largest, np.arange(count)])
    scores = np.zeros((len(values), components))
    scores[:, :count] = centred @ loadings
    share = np.zeros(components)
    if variances.sum() > 0:
        share[:count] = variances[:count] / variances.sum()
    return scores, share
