"""Data sets by name, each a function that returns labelled samples as an ``xarray.Dataset``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from infotheo.data.cifar import cifar10, cifar100
from infotheo.data.digits import digits
from infotheo.data.mnist import mnist
from infotheo.data.twelve_bit import twelve_bit
from infotheo.registry import Registry

if TYPE_CHECKING:
    import xarray as xr

datasets: Registry[Callable[..., xr.Dataset]] = Registry(
    {
        "cifar10": cifar10,
        "cifar100": cifar100,
        "digits": digits,
        "mnist": mnist,
        "twelve_bit": twelve_bit,
    },
    kind="data set",
    context=("data_dir",),  # where a checked set lies is no part of what it is
)

__all__ = ["cifar10", "cifar100", "datasets", "digits", "mnist", "twelve_bit"]
