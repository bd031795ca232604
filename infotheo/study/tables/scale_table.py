"""Correlations of the bounds with generalization, before and after the scale is held."""

from __future__ import annotations

import numpy as np
import pandas
from numpy.typing import NDArray

from infotheo.study.columns import Column, sweep
from infotheo.study.correlation.association import round_to_bits
from infotheo.study.figures.run_selection import (
    check_layer,
    require_columns,
    require_networks,
    select_condition,
)

__all__ = ["scale_table"]

TARGETS = ("test_error", "generalization_gap")
COLUMNS = [
    "bound", "setting", "value", "target", "coefficient", "scale_with_target", "bound_with_scale",
    "partial", "n",
]  # fmt: skip


def scale_table(
    runs: pandas.DataFrame, *, condition: str | None = None, layer: str | None = None
) -> pandas.DataFrame:
    """Correlation of the bounds of I(Z;X) with errors before and after the layer's scale is held.

    Parameters
    ----------
    runs
        One row per trained network.
    condition
        Which condition; the first by default.
    layer
        Which layer, of those that the study measured besides its first; None takes the first.

    Returns
    -------
    Data frame with columns bound, setting, value, target; ``coefficient``: Pearson's r of the bound
    with the target over regularizers, seeds averaged; ``scale_with_target``: r of ``log_variance``
    with the target; ``bound_with_scale``: r of the bound with ``log_variance``; ``partial``: r of
    bound and target after ``log_variance`` is regressed out of both; ``n`` regularizers. NaN where
    a quantity is constant.

    Raises
    ------
    ValueError
        If the measures ``characteristics`` or ``pairwise`` are missing, the layer was not
        measured, or all networks diverged.

    Notes
    -----
    Partial correlation: (r_bt − r_bs r_ts) / sqrt((1 − r_bs²)(1 − r_ts²)).

    Examples
    --------
    >>> runs = pandas.DataFrame({"condition": "default", "regularizer": list("abcd"), "seed": 0,
    ...     "test_error": [0.0, 1.0, 2.0, 4.0], "generalization_gap": [0.0, 1.0, 2.0, 4.0],
    ...     "log_variance": [0.0, 1.0, 2.0, 4.0], "pairwise_input_lower": [1.0, 2.0, 2.0, 3.0],
    ...     "pairwise_input_lower@noise_variance=1": [1.0, 2.0, 2.0, 3.0]})
    >>> float(scale_table(runs)["scale_with_target"][0])
    1.0
    """
    require_networks(runs, "scale_table")
    check_layer(runs.columns, layer, "scale_table")
    scale = str(Column("log_variance", layer))
    require_columns(runs, [scale, str(Column("pairwise_input_lower", layer))], "scale_table")
    chosen = select_condition(runs, condition, "scale_table")
    rows = []
    for setting in ("noise_variance", "relative_noise_variance"):
        for bound in ("lower", "upper"):
            columns = sweep(chosen.columns, f"pairwise_input_{bound}", setting, layer)
            for value, column in columns.items():
                for target in TARGETS:
                    table = chosen[[column, target, scale]].astype(float)
                    finite = table[np.isfinite(table).all(axis=1)]  # a run is in or out whole
                    names = chosen.loc[finite.index, "regularizer"]
                    means = finite.groupby(names, sort=False).mean()
                    numbers = _partial_correlation(means.to_numpy())
                    rows.append((bound, setting, value, target, *numbers, len(means)))
    return pandas.DataFrame(rows, columns=COLUMNS)


def _partial_correlation(columns: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return r of bound and target, target and scale, bound and scale, and the partial one."""
    columns = round_to_bits(columns)
    if len(columns) < 4 or (np.ptp(columns, axis=0) == 0).any():
        return (np.nan,) * 4
    r = np.asarray(np.corrcoef(columns, rowvar=False))
    bound_target, bound_scale, target_scale = float(r[0, 1]), float(r[0, 2]), float(r[1, 2])
    rest = (1 - bound_scale**2) * (1 - target_scale**2)
    partial = (bound_target - bound_scale * target_scale) / np.sqrt(rest) if rest > 0 else np.nan
    return bound_target, target_scale, bound_scale, float(partial)
