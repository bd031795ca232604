"""What a correlation of the bounds with generalization owes to the scale of the activations."""

from __future__ import annotations

import numpy as np
import pandas
from numpy.typing import NDArray

from infotheo.study.columns import sweep
from infotheo.study.correlation.association import settled
from infotheo.study.figures.run_selection import needed, of_condition

__all__ = ["scale_table"]

TARGETS = ("test_error", "generalization_gap")


def scale_table(runs: pandas.DataFrame, *, condition: str | None = None) -> pandas.DataFrame:
    """Correlation of the bounds of I(Z;X) with errors before and after the layer's scale is held.

    Parameters
    ----------
    runs
        One row per trained network.
    condition
        Which condition; the first by default.

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
        If the measures ``characteristics`` or ``pairwise`` are missing.

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
    needed(runs, ["log_variance", "pairwise_input_lower"], "scale_table")
    chosen = of_condition(runs, condition, "scale_table")
    rows = []
    for setting in ("noise_variance", "relative_noise_variance"):
        for bound in ("lower", "upper"):
            columns = sweep(chosen.columns, f"pairwise_input_{bound}", setting)
            for value, column in columns.items():
                for target in TARGETS:
                    numbers = chosen[[column, target, "log_variance"]].astype(float)
                    finite = numbers[np.isfinite(numbers).all(axis=1)]  # a run is in or out whole
                    names = chosen.loc[finite.index, "regularizer"]
                    found = finite.groupby(names, sort=False).mean()
                    rows.append(
                        (bound, setting, value, target, *_held(found.to_numpy()), len(found))
                    )
    numbers_of = ["coefficient", "scale_with_target", "bound_with_scale", "partial", "n"]
    return pandas.DataFrame(rows, columns=["bound", "setting", "value", "target", *numbers_of])


def _held(columns: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return r of bound and target, target and scale, bound and scale, and the partial one."""
    columns = settled(columns)
    if len(columns) < 4 or (np.ptp(columns, axis=0) == 0).any():
        return (np.nan,) * 4
    r = np.asarray(np.corrcoef(columns, rowvar=False))
    direct, with_scale, of_scale = float(r[0, 1]), float(r[0, 2]), float(r[1, 2])
    rest = (1 - with_scale**2) * (1 - of_scale**2)
    partial = (direct - with_scale * of_scale) / np.sqrt(rest) if rest > 0 else np.nan
    return direct, of_scale, with_scale, float(partial)
