"""Binned information over epochs against unique rows of bytes, one epoch after another.

The problem is that of the information-plane papers: 4,096 inputs, a layer of 10 units, 30 bins over
[-1, 1], 400 epochs. The peer works as their published code does: digitize, take the bins' values,
view each row as one item of bytes, unique items with their inverse; "lean" leaves the inverse and
the values out.
"""

from __future__ import annotations

import numpy as np

import infotheo as it
from benchmarks.race import Row, medians

EPOCHS, SAMPLES, UNITS, BINS = 400, 4096, 10, 30
PEER_EPOCHS = 20  # spread over all; the peer's time is for one epoch times the number of epochs


def activations() -> tuple[np.ndarray, np.ndarray]:
    """Saturating tanh activations (epoch, sample, unit), float32, and two classes."""
    generator = np.random.default_rng(0)
    gains = np.linspace(0.2, 3, EPOCHS, dtype=np.float32)[:, None, None]
    noise = generator.standard_normal((EPOCHS, SAMPLES, UNITS), dtype=np.float32)
    return np.tanh(noise * gains), generator.integers(2, size=SAMPLES)


def byte_entropy(rows: np.ndarray, *, inverse: bool) -> float:
    items = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.itemsize * rows.shape[1])))
    if inverse:
        _, _, _, counts = np.unique(
            items[:, 0], return_index=True, return_inverse=True, return_counts=True
        )
    else:
        _, counts = np.unique(items[:, 0], return_counts=True)
    p = counts / counts.sum()
    return float(-np.sum(p * np.log(p)))


def byte_information(z: np.ndarray, labels: np.ndarray | None, *, lean: bool = False) -> np.ndarray:
    """I(T;X), or I(T;Y), of each epoch."""
    edges = np.linspace(-1, 1, BINS + 1)
    values = []
    for epoch in z:
        cells = np.digitize(epoch.reshape(-1), edges) - 1
        rows = (cells if lean else edges[cells]).reshape(epoch.shape)
        value = byte_entropy(rows, inverse=not lean)
        if labels is not None:
            for label in np.unique(labels):
                members = labels == label
                value -= members.mean() * byte_entropy(rows[members], inverse=not lean)
        values.append(value)
    return np.array(values)


def rows() -> list[Row]:
    z, labels = activations()
    peer_epochs = z[:: EPOCHS // PEER_EPOCHS]
    table = []
    for target, truth in (("I(T;X)", None), ("I(T;Y)", labels)):

        def ours(truth: np.ndarray | None = truth) -> np.ndarray:
            return it.binned_information(z, truth, bins=BINS, range=(-1, 1)).value

        values = ours()[:: EPOCHS // PEER_EPOCHS]
        # the same counts: only the order of summation differs
        np.testing.assert_allclose(values, byte_information(peer_epochs, truth), rtol=0, atol=1e-11)
        spent = medians(
            {
                "ours": ours,
                "unique rows of bytes": lambda truth=truth: byte_information(peer_epochs, truth),
                "the same, lean": lambda truth=truth: byte_information(
                    peer_epochs, truth, lean=True
                ),
            },
            rounds=7,
        )
        for peer, required in (("unique rows of bytes", ">= 20"), ("the same, lean", "")):
            seconds = spent[peer] * EPOCHS / PEER_EPOCHS
            name = f"binned {target}, {SAMPLES} x {UNITS}, {EPOCHS} epochs, against {peer}"
            table.append(Row(name, spent["ours"], seconds, seconds / spent["ours"], required))
    return table
