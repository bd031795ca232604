"""Errors, gap and measures of every regularizer, over seeds."""

from __future__ import annotations

import numpy as np
import pandas

from infotheo.study.columns import parse
from infotheo.study.figures.run_selection import RUN_COLUMNS, require_columns

__all__ = ["regularizer_table"]


def regularizer_table(runs: pandas.DataFrame) -> pandas.DataFrame:
    """Mean and standard deviation over seeds of errors, gap and measures of every regularizer.

    Parameters
    ----------
    runs
        One row per trained network.

    Returns
    -------
    Data frame with one row per condition and regularizer, in the order of ``runs``: weight (all
    that occur, as text), runs, diverged (how many of them have no finite test error), and for each
    measure its mean and ``<measure>_std`` over the finite values; columns of a sweep are left out.

    Raises
    ------
    ValueError
        If a column that every study writes is missing.

    Examples
    --------
    >>> runs = pandas.DataFrame({"condition": "default", "regularizer": ["CR", "CR"],
    ...     "weight": 0.1, "seed": [0, 1], "train_error": 0.0, "test_error": [0.02, 0.04],
    ...     "generalization_gap": [0.02, 0.04]})
    >>> regularizer_table(runs)[["regularizer", "weight", "runs", "test_error"]]
      regularizer weight  runs  test_error
    0          CR    0.1     2        0.03
    """
    require_columns(runs, [name for name in RUN_COLUMNS if name != "study"], "regularizer_table")
    measures = [
        name
        for name in runs.columns
        if name not in ("study", "condition", "regularizer", "weight", "seed", "diverged")
        and parse(name).setting is None
        and pandas.api.types.is_numeric_dtype(runs[name])
    ]
    keys = ["condition", "regularizer"]
    values = runs[measures].astype(float).replace([np.inf, -np.inf], np.nan)
    groups = [runs[key].astype(str) for key in keys]
    grouped = values.groupby(groups, sort=False)
    mean, deviation = grouped.mean(), grouped.std()
    weight = runs["weight"].map(lambda number: "" if pandas.isna(number) else f"{number:g}")
    table = pandas.DataFrame(
        {
            "weight": weight.groupby(groups, sort=False).agg(
                lambda texts: " | ".join(dict.fromkeys(texts))
            ),
            "runs": grouped.size(),
            "diverged": values["test_error"].isna().groupby(groups, sort=False).sum(),
        }
    )
    columns = {
        label: numbers[name]
        for name in measures
        for label, numbers in ((name, mean), (f"{name}_std", deviation))
    }
    return pandas.concat([table, pandas.DataFrame(columns)], axis=1).reset_index()
