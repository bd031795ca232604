"""Tables of a study, and the published numbers beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas

from infotheo.study.columns import parse, sweep
from infotheo.study.figures.run_selection import RUN_COLUMNS, needed, of_condition

__all__ = ["published_correlations", "published_table", "regularizer_table"]

PUBLISHED_NAMES = {"baseline": "Baseline", "dropout": "Dropout", "batch_norm": "BN"}
PUBLISHED_BOUNDS = {"lower": "pairwise_lower_bound_I(z;x)", "upper": "pairwise_upper_bound_I(z;x)"}


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
    needed(runs, [name for name in RUN_COLUMNS if name != "study"], "regularizer_table")
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


def published_table(
    runs: pandas.DataFrame, reference: str, *, condition: str | None = None
) -> pandas.DataFrame:
    """Our test errors and characteristics beside those that papers 1 and 2 print for MNIST.

    Parameters
    ----------
    runs
        One row per trained network.
    reference
        Folder with the published numbers; what it lacks is NaN in the table.
    condition
        Condition to compare; None takes the first.

    Returns
    -------
    Data frame with one row per regularizer: error_percent, its standard deviation over seeds,
    the published error and spread, their difference in percentage points, and for every published
    characteristic that ``runs`` has, our mean and ``published_<characteristic>``.

    Raises
    ------
    ValueError
        If a column that every study writes is missing or the condition is unknown.

    Notes
    -----
    Paper 1, tables 6 and 8; paper 2, table 5, where paper 1 has no number.
    """
    ours = regularizer_table(of_condition(runs, condition, "published_table"))
    published = _published(Path(reference)).reindex(
        [PUBLISHED_NAMES.get(name, name) for name in ours["regularizer"]]
    )
    error = 100 * ours["test_error"]
    columns = {
        "regularizer": ours["regularizer"],
        "error_percent": error,
        "error_percent_std": 100 * ours["test_error_std"],
        "published_error_percent": published["error_percent"].to_numpy(),
        "published_error_spread": published["error_spread"].to_numpy(),
        "difference": error - published["error_percent"].to_numpy(),
    }
    for name in published.columns:
        if name not in ("error_percent", "error_spread") and name in ours.columns:
            columns[name] = ours[name]
            columns[f"published_{name}"] = published[name].to_numpy()
    return pandas.DataFrame(columns)


def published_correlations(correlations: pandas.DataFrame, reference: str) -> pandas.DataFrame:
    """Correlation of the bounds of I(Z;X) at each noise variance beside the published ones.

    Parameters
    ----------
    correlations
        The study's ``correlations.csv``.
    reference
        Folder with the published numbers; NaN where it lacks them.

    Returns
    -------
    Data frame with columns bound, setting (noise_variance | relative_noise_variance), value,
    target, coefficient, ci_low, ci_high, p_value, n, published: Pearson's r over regularizers. The
    published numbers state neither their noise variance nor which of the two targets is meant.

    Notes
    -----
    Paper 1, figure 4.
    """
    path = Path(reference) / "paper1_figure4_correlation.csv"
    published: dict[str, float] = {}
    if path.is_file():
        published = dict(pandas.read_csv(path).itertuples(index=False, name=None))
    chosen = correlations[
        (correlations["method"] == "pearson") & (correlations["level"] == "regularizers")
    ]
    numbers = ["target", "coefficient", "ci_low", "ci_high", "p_value", "n"]
    rows = []
    for setting in ("noise_variance", "relative_noise_variance"):
        for bound, name in PUBLISHED_BOUNDS.items():
            columns = sweep(chosen["measure"], f"pairwise_input_{bound}", setting)
            for value, column in columns.items():
                found = chosen.loc[chosen["measure"] == column, numbers]
                for row in found.itertuples(index=False, name=None):
                    rows.append((bound, setting, value, *row, published.get(name, np.nan)))
    return pandas.DataFrame(rows, columns=["bound", "setting", "value", *numbers, "published"])


def _published(folder: Path) -> pandas.DataFrame:
    """Merge published errors and characteristics by name; the first paper that prints one."""
    merged = pandas.DataFrame(columns=["error_percent", "error_spread"], dtype=float)
    for name in ("paper1_table6_mnist_characteristics", "paper2_table5_mnist_characteristics",
                 "paper1_table8_mnist_mlp_error"):  # fmt: skip
        path = folder / f"{name}.csv"
        if not path.is_file():
            continue
        found = pandas.read_csv(path).rename(columns={"spread_percent": "error_spread"})
        if "condition" in found.columns:
            found = found[found["condition"] == "default"].drop(columns="condition")
        found = found.set_index("regularizer").astype(float)
        order = [*merged.columns, *(name for name in found.columns if name not in merged.columns)]
        merged = merged.combine_first(found)[order]
    return merged
