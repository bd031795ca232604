"""Data sets by name, each a function that returns labelled samples as an ``xarray.Dataset``."""

from infotheo.data.digits import digits
from infotheo.data.mnist import mnist

datasets = {"digits": digits, "mnist": mnist}
