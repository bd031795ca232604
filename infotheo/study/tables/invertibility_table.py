"""Residual blocks after training: what ratios claim, bounds license and inversion does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas
import xarray
from numpy.typing import NDArray

from infotheo.study.figures import over_time

__all__ = ["invertibility_table"]

NUMBERS = {
    "ratio": "residual_norm_pooled",
    "lower": "lipschitz_lower",
    "upper": "lipschitz_upper",
    "converged": "inversion_converged",
    "succeeded": "inversion_succeeded",
    "rate": "inversion_rate",
    "reconstruction_error": "reconstruction_error",
}
VERDICTS = {"claimed": "ratio < 1", "licensed": "bound < 1", "inverted": "inverted"}
LARGEST = ("ratio", "lower", "upper", "rate", "reconstruction_error")  # of a network: the worst
NETWORK = "(network)"


def invertibility_table(trajectories: dict[str, xarray.Dataset]) -> pandas.DataFrame:
    """Norm ratio, Lipschitz bounds and inversion of every block at the end of training, judged.

    Parameters
    ----------
    trajectories
        Measures over training per label: the variables of ``measures: residual`` and
        ``invertibility`` over (seed, epoch or step, block).

    Returns
    -------
    Data frame with one row per label and block, and one for the network. Numbers are means over the
    seeds that did not diverge: ratio (of all samples as one tensor), lower, upper, converged and
    succeeded (shares of samples; succeeded: reconstructed, too), rate, reconstruction_error; those
    of a network are of its worst block. Then the shares of seeds in which the ratio is below 1
    (claimed), the upper bound is (licensed) and all samples were inverted (inverted); in a network,
    in which that holds for every block, of those with an identity as shortcut. ``verdict`` says the
    same in words; NaN and "-": cannot be said.

    Raises
    ------
    ValueError
        If there is no trajectory, or a variable or dimension is missing.

    Notes
    -----
    Paper 5, section 3.3, and paper 4, appendix D, conclude the third from the first.

    Examples
    --------
    >>> at = (("seed", "epoch", "block"), [[[0.5, 0.5]]])
    >>> bounds = (("seed", "epoch", "block"), [[[0.6, 4.0]]])
    >>> one = (("seed", "epoch", "block"), [[[1.0, 0.0]]])
    >>> trained = xarray.Dataset({name: at for name in NUMBERS.values()})
    >>> trained = trained.assign(lipschitz_upper=bounds, licensed=one, inverted=one)
    >>> trained = trained.assign_coords(block=["1", "2"])
    >>> for text in invertibility_table({"ResNet": trained})["verdict"]:
    ...     print(text)
    ratio < 1: 1 of 1; bound < 1: 1 of 1; inverted: 1 of 1
    ratio < 1: 1 of 1; bound < 1: 0 of 1; inverted: 0 of 1
    ratio < 1: 1 of 1; bound < 1: 0 of 1; inverted: 0 of 1
    """
    over_time.require_variables(
        trajectories, [*NUMBERS.values(), "licensed", "inverted"], "invertibility_table"
    )
    rows = [row for label, dataset in trajectories.items() for row in _label_rows(label, dataset)]
    columns = ["label", "block", "seeds", *NUMBERS, *VERDICTS, "verdict"]
    return pandas.DataFrame(rows, columns=columns)


def _label_rows(label: str, dataset: xarray.Dataset) -> Iterator[dict[str, Any]]:
    last = dataset.isel({over_time.time_dimension(dataset): -1})
    names = [*NUMBERS.values(), "licensed", "inverted"]
    values = {
        name: last[name].transpose("seed", "block").to_numpy().astype(np.float64) for name in names
    }
    trained = ~np.isnan(values["residual_norm_pooled"]).all(axis=1)  # did not diverge
    values = {name: array[trained] for name, array in values.items()}
    ratio = values["residual_norm_pooled"]
    verdicts = {
        "claimed": np.where(np.isnan(ratio), np.nan, ratio < 1),
        "licensed": values["licensed"],
        "inverted": values["inverted"],
    }
    for place, block in enumerate(last["block"].values):
        numbers = {key: values[name][:, place] for key, name in NUMBERS.items()}
        block_verdicts = {key: array[:, place] for key, array in verdicts.items()}
        yield _table_row(label, str(block), numbers, block_verdicts)
    worst = {
        key: _over_blocks(values[name], np.fmax if key in LARGEST else np.fmin)
        for key, name in NUMBERS.items()
    }
    worst["upper"] = values["lipschitz_upper"].max(axis=1, initial=-np.inf)  # NaN if one is unknown
    # a bound that is not known licenses nothing, unless there was nothing to license
    possible = ~np.isnan(values["inverted"])
    licensed = np.where(possible, verdicts["licensed"] == 1, np.nan)
    network_verdicts = {**verdicts, "licensed": licensed}
    yield _table_row(
        label,
        NETWORK,
        worst,
        {key: _over_blocks(array, np.fmin) for key, array in network_verdicts.items()},
    )


def _over_blocks(values: NDArray[np.float64], extreme: np.ufunc) -> NDArray[np.float64]:
    """Extreme over the blocks of (seed, block), leaving out NaN; NaN where nothing else is."""
    reduced: NDArray[np.float64] = extreme.reduce(values, axis=1, initial=np.nan)
    return reduced


def _table_row(
    label: str,
    block: str,
    numbers: Mapping[str, NDArray[np.float64]],
    verdicts: Mapping[str, NDArray[np.float64]],
) -> dict[str, Any]:
    words = []
    for key, name in VERDICTS.items():
        flags = verdicts[key][~np.isnan(verdicts[key])]
        words.append(f"{name}: {f'{int(flags.sum())} of {len(flags)}' if len(flags) else '-'}")
    return {
        "label": label,
        "block": block,
        "seeds": len(next(iter(numbers.values()))),
        **{key: _mean(array) for key, array in {**numbers, **verdicts}.items()},
        "verdict": "; ".join(words),
    }


def _mean(values: NDArray[np.float64]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else np.nan
