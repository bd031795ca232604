import numpy as np
import pytest

import infotheo as it
from infotheo.arrays.random_streams import numpy_generator, torch_seed
from infotheo.estimators.critics.folds import cross_fitting_folds


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_no_stream_is_the_one_that_data_come_from(seed):
    first = np.random.default_rng(seed).random()
    others = [np.random.default_rng([seed, k]).random() for k in range(4)]
    others += [child.random() for child in np.random.default_rng(seed).spawn(4)]
    streams = [numpy_generator(seed, "order", *numbers).random() for numbers in ((), (0,), (1,))]
    assert len({first, *others, *streams}) >= 1 + 3 + 4 + 3  # [seed, 0] is the seed itself
    assert not set(streams) & {first, *others}
    assert torch_seed(seed, "order") not in (seed, torch_seed(seed, "probes"))


def test_a_callers_generator_is_taken_as_it_is():
    stream = np.random.default_rng(0)
    assert numpy_generator(stream, "order") is stream
    x, _ = it.tasks["normal 0.75"].sample(10, np.random.default_rng(3))
    assert np.array_equal(x, np.random.default_rng(3).standard_normal((2, 10, 1))[0])


@pytest.mark.parametrize("seed", [0, 1])
def test_draws_are_independent_of_data_of_the_same_seed(seed):
    """Draws that are the data themselves gave -13.27 nats here for seed 0."""
    z = np.random.default_rng(0).normal(size=(4000, 100))
    options = {"noise_variance": 10.0, "draws": 305, "seed": seed}
    sampled = it.mixture_information_monte_carlo(z, **options)
    bounds = it.pairwise_information(z, noise_variance=10.0)
    assert bounds.lower < sampled.value < bounds.upper
    # another noise in place of the data of this seed: 3 sigma of both and of the 4000 samples
    assert sampled.value == pytest.approx(4.6, abs=0.6)


@pytest.mark.parametrize("seed", [0, 7])
def test_folds_and_permutations_are_not_the_order_of_the_callers_shuffle(seed):
    shuffle = np.random.default_rng(seed).permutation(100)
    held_out = [set(fold.held_out) for fold in cross_fitting_folds(100, 5, seed)]
    assert set(shuffle[::5]) not in held_out
    orders = []

    def record(x, y):
        orders.append(y)
        return it.gaussian_information(x, x + 1.0 * np.arange(100)[:, None] ** 2)

    x = np.arange(100.0)[:, None]
    it.permutation_test(record, x, np.arange(100), seed=seed, permutations=1)
    assert not np.array_equal(orders[1], shuffle)
