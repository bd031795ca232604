"""Columns of ``runs.csv``: a measure, of which layer, at which value of a setting.

Their names are ``measure``, ``measure@layer``, ``measure@setting=value`` and
``measure@layer@setting=value``. Without a layer stand the study's first one and what is measured of
predictions and of whole networks. Names of layers and settings have no ``@`` and no ``=``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Column", "parse", "split_variable", "sweep", "swept_variable"]


@dataclass(frozen=True)
class Column:
    """A column of ``runs.csv`` that holds a measure; as text, it is the column's name.

    Parameters
    ----------
    measure
        The measure's name.
    layer
        The layer's name; ``None`` for the study's first layer, predictions and whole networks.
    setting, value
        What was swept, and where in the sweep: a number, or text as for blocks of a network.

    Raises
    ------
    ValueError
        If the name could not be read back: there is a setting without a value or a value without a
        setting, or a layer's or setting's name is empty or has ``@`` or ``=``.

    Examples
    --------
    >>> str(Column("pairwise_input_lower", "hidden2", "noise_variance", 0.1))
    'pairwise_input_lower@hidden2@noise_variance=0.1'
    """

    measure: str
    layer: str | None = None
    setting: str | None = None
    value: float | str | None = None

    def __post_init__(self) -> None:
        if (self.setting is None) != (self.value is None):
            raise ValueError(
                f"{self.measure}: found setting {self.setting!r} with value {self.value!r}, "
                "expected both or neither"
            )
        for part, name in (("layer", self.layer), ("setting", self.setting)):
            if name is not None and (not name or "@" in name or "=" in name):
                raise ValueError(
                    f"{self.measure}: {part}: found {name!r}, expected a name without '@' and '='"
                )

    def __str__(self) -> str:
        name = self.measure if self.layer is None else f"{self.measure}@{self.layer}"
        if self.setting is None:
            return name
        value = self.value if isinstance(self.value, str) else f"{self.value:.15g}"
        return f"{name}@{self.setting}={value}"


def parse(name: str) -> Column:
    """Read a column's name; ``str`` of what is returned is the name again, whatever it is.

    Text is a number if that is how the number is written. What has not the form of a name is a
    measure as it stands.

    Examples
    --------
    >>> parse("pairwise_input_lower@noise_variance=0.1")
    Column(measure='pairwise_input_lower', layer=None, setting='noise_variance', value=0.1)
    >>> parse("lipschitz_upper@block=stage1.0").value
    'stage1.0'
    >>> parse("sparsity@hidden2")
    Column(measure='sparsity', layer='hidden2', setting=None, value=None)
    """
    measure, at, place = name.partition("@")
    names, equals, text = place.partition("=")
    layer: str | None
    setting: str | None
    if equals:
        layer, between, setting = names.rpartition("@")
        layer = layer if between else None
    else:
        layer, setting = names, None
    parts = [measure, *(part for part in (layer, setting) if part is not None)]
    if not at or not all(parts) or (layer is not None and "@" in layer):
        return Column(name)
    return Column(measure, layer, setting, _value(text) if equals else None)


def _value(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if f"{number:.15g}" == text and not math.isnan(number) else text


def sweep(
    names: Iterable[str], measure: str, setting: str, layer: str | None = None
) -> dict[float, str]:
    """Find the columns of one measure of one layer over one setting, by increasing value.

    Examples
    --------
    >>> sweep(["lower@noise_variance=1", "lower", "lower@noise_variance=0.1"],
    ...       "lower", "noise_variance")
    {0.1: 'lower@noise_variance=0.1', 1.0: 'lower@noise_variance=1'}
    """
    columns = {}
    for name in names:
        column = parse(name)
        if (column.measure, column.layer, column.setting) == (measure, layer, setting):
            if isinstance(column.value, float):
                columns[column.value] = name
    return dict(sorted(columns.items()))


def swept_variable(measure: str, setting: str) -> str:
    """Name the variable of a dataset that holds a measure over several values of a setting.

    Examples
    --------
    >>> swept_variable("pairwise_input_lower", "noise_variance")
    'pairwise_input_lower@noise_variance'
    """
    return f"{measure}@{setting}"


def split_variable(name: str) -> tuple[str, str]:
    """Return the measure and the setting of a dataset's variable; the setting is empty for none.

    Examples
    --------
    >>> split_variable("pairwise_input_lower@noise_variance"), split_variable("sparsity")
    (('pairwise_input_lower', 'noise_variance'), ('sparsity', ''))
    """
    measure, _, setting = name.partition("@")
    return measure, setting
