"""Both estimators over training, (seed, epoch, layer), against textbook code for each of them.

    python -m benchmarks over_training

The problem is that of the information-plane papers: all 4,096 inputs of 12 bits, tanh layers of
10-7-5-4-3-2 units, I(T;X) and I(T;Y). Ours takes a layer's seeds and epochs in one call. The peers
are called layer by layer, seed by seed, epoch by epoch: the pairwise formula as in
``benchmarks.pairwise``, on all samples and on each class; unique rows of bytes as in
``benchmarks.binned``.
"""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np

import infotheo as it
from benchmarks.binned import BINS, byte_information
from benchmarks.pairwise import textbook
from benchmarks.race import Row, medians
from infotheo.estimators.pairwise.bounds import input_and_label_information

BITS, WIDTHS = 12, (10, 7, 5, 4, 3, 2)
SEEDS, EPOCHS = 5, 8
PEER = 1  # of the (seed, epoch) pairs, from the middle; the time of the peers is for all
VARIANCE = 0.1


def activations() -> tuple[list[np.ndarray], np.ndarray]:
    """Make layers' activations (seed, epoch, sample, unit), ever more saturated, and classes."""
    generator = np.random.default_rng(0)
    bits = (np.arange(2**BITS)[:, None] >> np.arange(BITS)) & 1
    gains = np.linspace(0.5, 2, EPOCHS)[:, None, None]
    below = np.broadcast_to(2.0 * bits - 1, (SEEDS, EPOCHS, *bits.shape))
    layers = []
    for inputs, units in pairwise((BITS, *WIDTHS)):
        weights = generator.standard_normal((SEEDS, 1, inputs, units)) / np.sqrt(inputs)
        below = np.tanh(gains * (below @ weights))
        layers.append(below.astype(np.float32))
    return layers, (bits.sum(axis=1) > BITS // 2).astype(int)


def by_pairs(layers: list[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """(layer, [of the input, of the label], [lower, upper], seed, epoch), a layer at a time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", it.SaturationWarning)
        return np.array(
            [
                [(estimates.chernoff, estimates.kl) for estimates in input_and_label]
                for input_and_label in (
                    input_and_label_information(z, labels, noise_variance=VARIANCE) for z in layers
                )
            ]
        )


def textbook_by_pairs(elements: list[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """(layer, target, [lower, upper], element), every element for itself."""
    table = []
    for layer in elements:
        values = []
        for z in layer:
            about_input = textbook(z, [VARIANCE])[:, 0]
            about_label = about_input.copy()
            for label in np.unique(labels):
                members = labels == label
                about_label -= members.mean() * textbook(z[members], [VARIANCE])[:, 0]
            values.append((about_input, about_label))
        table.append(np.moveaxis(values, 0, -1))
    return np.array(table)


def by_bins(layers: list[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """(layer, target, seed, epoch), a layer at a time."""
    options = {"bins": BINS, "range": (-1, 1)}
    return np.array(
        [[it.binned_information(z, y, **options).value for y in (None, labels)] for z in layers]
    )


def textbook_by_bins(elements: list[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """(layer, target, element), every element for itself."""
    return np.array([[byte_information(layer, y) for y in (None, labels)] for layer in elements])


def rows() -> list[Row]:
    layers, labels = activations()
    count = SEEDS * EPOCHS
    flat = [z.reshape(count, *z.shape[2:]) for z in layers]
    peer = slice(count // 2, count // 2 + PEER)
    elements = [z[peer] for z in flat]
    # float32 distances from one product; the same counts
    values = by_pairs(layers, labels).reshape(len(WIDTHS), 2, 2, count)[..., peer]
    np.testing.assert_allclose(values, textbook_by_pairs(elements, labels), rtol=0, atol=1e-4)
    values = by_bins(layers, labels).reshape(len(WIDTHS), 2, count)[..., peer]
    np.testing.assert_allclose(values, textbook_by_bins(elements, labels), rtol=0, atol=1e-11)
    spent = medians(
        {
            "pairwise": lambda: by_pairs(layers, labels),
            "pairwise, textbook": lambda: textbook_by_pairs(elements, labels),
            "binned": lambda: by_bins(layers, labels),
            "binned, textbook": lambda: textbook_by_bins(elements, labels),
        },
        rounds=3,
    )
    times = {
        name: (spent[name], spent[f"{name}, textbook"] * count / PEER)
        for name in ("pairwise", "binned")
    }
    both = [sum(seconds) for seconds in zip(*times.values(), strict=True)]
    times["pairwise and binned"] = (both[0], both[1])
    size = f"{SEEDS} seeds, {EPOCHS} epochs, {len(WIDTHS)} layers, I(T;X) and I(T;Y)"
    return [
        Row(f"{name} over training, {size}, against the textbook", ours, peer, peer / ours, ">= 10")
        for name, (ours, peer) in times.items()
    ]
