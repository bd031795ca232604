"""Data sets by name, each a function that returns labelled samples as an ``xarray.Dataset``."""

from infotheo.data.cifar import cifar10, cifar100
from infotheo.data.digits import digits
from infotheo.data.mnist import mnist
from infotheo.data.twelve_bit import twelve_bit

datasets = {
    "cifar10": cifar10,
    "cifar100": cifar100,
    "digits": digits,
    "mnist": mnist,
    "twelve_bit": twelve_bit,
}
