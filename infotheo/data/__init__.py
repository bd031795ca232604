"""Data sets by name, each a function that returns labelled samples as an ``xarray.Dataset``."""

from infotheo.data.digits import digits
from infotheo.data.mnist import mnist
from infotheo.data.twelve_bit import twelve_bit

datasets = {"digits": digits, "mnist": mnist, "twelve_bit": twelve_bit}
