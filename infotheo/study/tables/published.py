"""Errors, characteristics and correlations of a study beside the numbers that papers print."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas

from infotheo.study.columns import Column, sweep
from infotheo.study.figures.run_selection import check_layer, select_condition
from infotheo.study.tables.regularizer_table import regularizer_table

__all__ = ["published_correlations", "published_table"]

PUBLISHED_NAMES = {"baseline": "Baseline", "dropout": "Dropout", "batch_norm": "BN"}
PUBLISHED_BOUNDS = {"lower": "pairwise_lower_bound_I(z;x)", "upper": "pairwise_upper_bound_I(z;x)"}


def published_table(
    runs: pandas.DataFrame,
    reference: str,
    *,
    condition: str | None = None,
    layer: str | None = None,
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
    layer
        Layer whose characteristics to compare, of those that the study measured besides its first;
        None takes the first.

    Returns
    -------
    Data frame with one row per regularizer: error_percent, its standard deviation over seeds,
    the published error and spread, their difference in percentage points, and for every published
    characteristic that ``runs`` has, our mean and ``published_<characteristic>``.

    Raises
    ------
    ValueError
        If a column that every study writes is missing, or the condition or layer is unknown.

    Notes
    -----
    Paper 1, tables 6 and 8; paper 2, table 5, where paper 1 has no number.
    """
    check_layer(runs.columns, layer, "published_table")
    measured = regularizer_table(select_condition(runs, condition, "published_table"))
    published = _read_published(Path(reference)).reindex(
        [PUBLISHED_NAMES.get(name, name) for name in measured["regularizer"]]
    )
    error = 100 * measured["test_error"]
    columns = {
        "regularizer": measured["regularizer"],
        "error_percent": error,
        "error_percent_std": 100 * measured["test_error_std"],
        "published_error_percent": published["error_percent"].to_numpy(),
        "published_error_spread": published["error_spread"].to_numpy(),
        "difference": error - published["error_percent"].to_numpy(),
    }
    for name in published.columns:
        column = str(Column(name, layer))
        if name not in ("error_percent", "error_spread") and column in measured.columns:
            columns[name] = measured[column]
            columns[f"published_{name}"] = published[name].to_numpy()
    return pandas.DataFrame(columns)


def published_correlations(
    correlations: pandas.DataFrame, reference: str, *, layer: str | None = None
) -> pandas.DataFrame:
    """Correlation of the bounds of I(Z;X) at each noise variance beside the published ones.

    Parameters
    ----------
    correlations
        The study's ``correlations.csv``.
    reference
        Folder with the published numbers; NaN where it lacks them.
    layer
        Which layer, of those that the study measured besides its first; None takes the first.

    Returns
    -------
    Data frame with columns bound, setting (noise_variance | relative_noise_variance), value,
    target, coefficient, ci_low, ci_high, p_value, n, published: Pearson's r over regularizers. The
    published numbers state neither their noise variance nor which of the two targets is meant.

    Raises
    ------
    ValueError
        If the layer was not measured.

    Notes
    -----
    Paper 1, figure 4.
    """
    check_layer(correlations["measure"], layer, "published_correlations")
    path = Path(reference) / "paper1_figure4_correlation.csv"
    published: dict[str, float] = {}
    if path.is_file():
        published = dict(_read(path).itertuples(index=False, name=None))
    chosen = correlations[
        (correlations["method"] == "pearson") & (correlations["level"] == "regularizers")
    ]
    numbers = ["target", "coefficient", "ci_low", "ci_high", "p_value", "n"]
    rows = []
    for setting in ("noise_variance", "relative_noise_variance"):
        for bound, name in PUBLISHED_BOUNDS.items():
            columns = sweep(chosen["measure"], f"pairwise_input_{bound}", setting, layer)
            for value, column in columns.items():
                matches = chosen.loc[chosen["measure"] == column, numbers]
                for row in matches.itertuples(index=False, name=None):
                    rows.append((bound, setting, value, *row, published.get(name, np.nan)))
    return pandas.DataFrame(rows, columns=["bound", "setting", "value", *numbers, "published"])


def _read(path: Path) -> pandas.DataFrame:
    """Read published numbers; names stay text whatever they look like."""
    names = dict.fromkeys(("bound", "condition", "regularizer"), str)
    return pandas.read_csv(path, keep_default_na=False, na_values=[""], dtype=names)


def _read_published(folder: Path) -> pandas.DataFrame:
    """Merge published errors and characteristics by name; the first paper that prints one."""
    merged = pandas.DataFrame(columns=["error_percent", "error_spread"], dtype=float)
    for name in ("paper1_table6_mnist_characteristics", "paper2_table5_mnist_characteristics",
                 "paper1_table8_mnist_mlp_error"):  # fmt: skip
        path = folder / f"{name}.csv"
        if not path.is_file():
            continue
        table = _read(path).rename(columns={"spread_percent": "error_spread"})
        if "condition" in table.columns:
            table = table[table["condition"] == "default"].drop(columns="condition")
        table = table.set_index("regularizer").astype(float)
        order = [*merged.columns, *(name for name in table.columns if name not in merged.columns)]
        merged = merged.combine_first(table)[order]
    return merged
