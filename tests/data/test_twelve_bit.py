"""The 12-bit problem: published counts, the icosahedron's symmetries, the random rule."""

import hashlib
import math

import numpy as np
import pytest

import infotheo as it
from infotheo.data.samples import SPLITS, split_of
from infotheo.data.twelve_bit import (
    _vertex_products,
    twelve_bit,
    twelve_bit_inputs,
    twelve_bit_rule,
)

EXCESS = twelve_bit_rule(twelve_bit_inputs()) - 7.75
# of the 4,096 labels as bytes, written down once: networks of another release saw the same
LABELS_MD5 = "a62d55540c93348930e20a6b7c1e1f7f"


def symmetries() -> list[list[int]]:
    """Every relabelling of the bits that keeps the scalar products, one vertex after another."""
    products = _vertex_products()
    result: list[list[int]] = [[]]
    for vertex in range(12):
        result = [
            [*images, candidate]
            for images in result
            for candidate in range(12)
            if candidate not in images
            and all(
                products[vertex, other] == products[candidate, image]
                for other, image in enumerate(images)
            )
        ]
    return result


def in_source_order(data) -> np.ndarray:
    return data["label"].to_numpy()[np.argsort(data["sample"].to_numpy())]


def test_counts_and_entropy_are_the_published_ones():
    data = twelve_bit()
    assert int(data["label"].sum()) == 2118
    ceiling = it.binned_information(data["input"], data["label"].to_numpy(), bins=2, units="bits")
    # seven digits are printed; every input has a cell of its own, so I(X;Y) = H(Y)
    assert float(ceiling["value"]) == pytest.approx(0.9991571, abs=5e-8)
    assert float(ceiling["ceiling"]) == pytest.approx(0.9991571, abs=5e-8)


def test_vertices_are_those_of_an_icosahedron():
    products = _vertex_products()
    # twelve unit vectors in space that sum to nothing, five neighbours and one antipode each
    np.testing.assert_allclose(products @ products, 4 * products, atol=1e-14)
    assert np.linalg.matrix_rank(products) == 3
    np.testing.assert_allclose(products.sum(0), 0, atol=1e-14)
    assert (np.sum(products == -1, axis=0) == 1).all()
    assert (np.isclose(products, 1 / math.sqrt(5)).sum(0) == 5).all()


def test_no_symmetry_of_the_icosahedron_changes_the_rule():
    inputs = twelve_bit_inputs()
    group = symmetries()
    assert len(group) == 120
    for images in group:
        np.testing.assert_allclose(twelve_bit_rule(inputs[:, images]) - 7.75, EXCESS, atol=1e-12)
    # another relabelling does
    other = twelve_bit_rule(inputs[:, [1, 0, *range(2, 12)]]) - 7.75
    assert (np.sign(other) != np.sign(EXCESS)).any()


def test_antipodes_change_the_rule_by_the_bits_alone():
    # a pair of antipodes adds two bits and no length
    inputs = twelve_bit_inputs()
    free = (inputs[:, 0] == 0) & (inputs[:, 9] == 0)
    both = inputs[free].copy()
    both[:, [0, 9]] = 1
    np.testing.assert_allclose(twelve_bit_rule(both) - 7.75, EXCESS[free] + 2, atol=1e-12)


def test_no_label_hangs_on_rounding():
    assert np.abs(EXCESS).min() > 0.11
    expected = [inputs.sum() + 1.1 * length(inputs) for inputs in twelve_bit_inputs()[::37]]
    np.testing.assert_allclose(EXCESS[::37] + 7.75, expected, atol=1e-7)


def length(bits: np.ndarray) -> float:
    """Length of the sum of the vertices, from their products one pair after another."""
    chosen = np.flatnonzero(bits)
    square = sum(_vertex_products()[i, j] for i in chosen for j in chosen)
    return math.sqrt(max(square, 0.0))


def test_inputs_count_with_the_most_significant_bit_first():
    inputs = twelve_bit_inputs()
    assert inputs.shape == (4096, 12)
    np.testing.assert_array_equal(inputs @ (1 << np.arange(12)[::-1]), np.arange(4096))
    assert hashlib.md5(in_source_order(twelve_bit()).astype(np.uint8)).hexdigest() == LABELS_MD5


def test_parts_are_disjoint_nested_and_fixed_by_the_seed():
    data, again, other = twelve_bit(), twelve_bit(), twelve_bit(split_seed=1)
    assert data.identical(again)
    assert (data["sample"].to_numpy() != other["sample"].to_numpy()).any()
    np.testing.assert_array_equal(in_source_order(data), in_source_order(other))
    assert sorted(data["sample"].to_numpy()) == list(range(4096))
    assert [len(split_of(data, part)[1]) for part in SPLITS] == [3277, 0, 819]
    bits = data["input"].to_numpy()
    np.testing.assert_array_equal(bits @ (1 << np.arange(12)[::-1]), data["sample"])
    assert data["input"].dtype == np.float32
    large, small = (twelve_bit(train_size=size, validation_size=100) for size in (2000, 500))
    np.testing.assert_array_equal(*(split_of(part, "validation")[0] for part in (large, small)))
    np.testing.assert_array_equal(split_of(large, "train")[0][:500], split_of(small, "train")[0])


def test_random_rule_has_the_stated_probabilities():
    labels = np.array([in_source_order(twelve_bit(gamma=2.0, label_seed=s)) for s in range(100)])
    probability = 1 / (1 + np.exp(-2.0 * EXCESS))
    # 409,600 independent draws: the standard error of a score weighted by any fixed weights
    for weights in (np.ones(4096), EXCESS, np.cos(EXCESS)):
        score = ((labels - probability) * weights).sum()
        spread = math.sqrt(100 * (probability * (1 - probability) * weights**2).sum())
        assert abs(score) < 4 * spread
    # a slope this steep leaves no doubt 0.11 from the threshold; the seed then does not matter
    np.testing.assert_array_equal(in_source_order(twelve_bit(gamma=1e3, label_seed=7)), EXCESS > 0)


def test_random_labels_are_fixed_by_their_seed_alone():
    first = twelve_bit(gamma=0.5, split_seed=0)
    moved = twelve_bit(gamma=0.5, split_seed=9, train_size=10)
    np.testing.assert_array_equal(in_source_order(first), in_source_order(moved))
    other = twelve_bit(gamma=0.5, label_seed=1)
    assert (in_source_order(first) != in_source_order(other)).any()


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"train_size": 4096}, ValueError, "train_size must be from 1 to at most 4095, got 4096"),
        ({"train_size": 0.8}, TypeError, "train_size must be a whole number, got 0.8"),
        ({"validation_size": 4095}, ValueError, "validation_size must be from 0 to at most 4094"),
        ({"split_seed": -1}, ValueError, "split_seed must be from 0"),
        ({"label_seed": "a"}, TypeError, "label_seed must be a whole number"),
        ({"gamma": 0.0}, ValueError, "gamma must be a positive number or None, got 0.0"),
        ({"gamma": math.nan}, ValueError, "gamma must be a positive number or None, got nan"),
        ({"gamma": "steep"}, TypeError, "gamma must be a number or None, got 'steep'"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        twelve_bit(**settings)


def test_rule_needs_twelve_bits():
    with pytest.raises(ValueError, match=r"12 bits in their last dimension, got \(3, 11\)"):
        twelve_bit_rule(np.ones((3, 11)))
