import math
import warnings

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma

import infotheo as it
from infotheo.estimators.neighbors import search as neighbor_search
from infotheo.estimators.neighbors import tiles as neighbor_tiles
from infotheo.estimators.neighbors.information import NeighborTrustWarning, neighbor_information
from infotheo.estimators.neighbors.search import count_near, find_nearest
from infotheo.estimators.neighbors.tiles import nearest_by_tiles

quiet = pytest.mark.filterwarnings("ignore::infotheo.NeighborTrustWarning")


def twin(spaces, k, rectangle):
    """Reference twin of the search, sample by sample: radius, order, sides, counts."""
    size = len(spaces[0])
    apart = np.stack([np.abs(s[:, None] - s[None]).max(axis=2) for s in spaces])
    radius, order = np.zeros(size), np.zeros(size, int)
    sides, counts = np.zeros((len(spaces), size)), np.zeros((len(spaces), size), int)
    for i in range(size):
        others = np.delete(np.arange(size), i)
        joint = apart[:, i, others].max(axis=0)
        radius[i] = np.sort(joint)[k - 1]
        order[i] = 1 + np.sum(joint < radius[i])
        sides[:, i] = radius[i]
        if rectangle:
            order[i] = np.sum(joint <= radius[i])
            sides[:, i] = apart[:, i, others[joint <= radius[i]]].max(axis=1)
        if radius[i] == 0:
            order[i] = 1 + np.sum(joint == 0)
        for s, extent in enumerate(sides[:, i]):
            d = apart[s, i, others]
            closed = rectangle or extent == 0
            counts[s, i] = np.sum(d <= extent) if closed else np.sum(d < extent)
    return radius, order, sides, counts


KINDS = {
    "normal": lambda z, stream: z,
    "lattice": lambda z, stream: np.round(2 * z),
    "tenths": lambda z, stream: np.round(z, 1),  # distances equal but for rounding
    "binary": lambda z, stream: (z > 0) * 1.0,
    "outliers": lambda z, stream: z / stream.uniform(0.001, 1, size=z.shape) ** 3,
    "far": lambda z, stream: z + 1e6,
    "tiny": lambda z, stream: z * 1e-250,
    "constant unit": lambda z, stream: np.c_[z[:, 1:], np.full(len(z), 1 / 3)],
    "repeated": lambda z, stream: z[np.random.default_rng(0).integers(len(z) // 3, size=len(z))],
}


def assert_as_twin(result, expected):
    assert np.array_equal(result.radius, expected[0])
    assert np.array_equal(result.order, expected[1])
    assert np.array_equal(result.sides, expected[2])
    for space, counts in result.counts.items():
        assert np.array_equal(counts, expected[3][space])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("widths", [(1, 1), (2, 1), (3, 2), (7, 6), (1,) * 7], ids=str)
@pytest.mark.parametrize("rectangle", [False, True])
def test_search_is_exact_on_every_path(kind, widths, rectangle, monkeypatch):
    stream = np.random.default_rng(1)
    # 200 samples: more than two groups of 64, so that the grid's bound is used, at k = 1
    spaces = [KINDS[kind](stream.normal(size=(200, w)), stream) for w in widths]
    for k in (1, 4):
        expected = twin(spaces, k, rectangle)
        assert_as_twin(find_nearest(spaces, k, rectangle=rectangle), expected)
        every = np.arange(200)
        tiled = nearest_by_tiles(
            spaces, k, queries=every, rectangle=rectangle, count=range(len(spaces))
        )
        assert_as_twin(tiled, expected)
        with monkeypatch.context() as m:
            m.setattr(neighbor_search, "LARGE", 100)
            if kind != "tenths":  # there, equal up to rounding counts as equal
                assert_as_twin(find_nearest(spaces, k, rectangle=rectangle), expected)
            m.setattr(neighbor_tiles, "BLOCK", 1000)
            m.setattr(neighbor_tiles, "COARSEST", 0.0)  # float32 whatever the data
            some = stream.permutation(200)[:30]
            part = nearest_by_tiles(
                spaces, k, queries=some, rectangle=rectangle, count=range(len(spaces))
            )
        assert_as_twin(part, [a[..., some] for a in expected])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.integers(2, 40),
    units=st.integers(1, 4),
    closed=st.booleans(),
)
def test_counts_are_exact(seed, size, units, closed):
    stream = np.random.default_rng(seed)
    z = stream.normal(size=(size, units))
    z = np.round(z, int(stream.integers(0, 3))) if seed % 2 else z
    apart = np.abs(z[:, None] - z[None]).max(axis=2)
    radius = apart[np.arange(size), stream.integers(size, size=size)]  # each equal to a distance
    result = count_near(z, radius, queries=np.arange(size), closed=closed)
    inclusive = closed | (radius[:, None] == 0)
    expected = np.sum((apart < radius[:, None]) | (inclusive & (apart == radius[:, None])), axis=1)
    assert np.array_equal(result, expected - (inclusive[:, 0] | (radius > 0)))


def kraskov(x, y, k, rectangle):
    """The published formulas, for samples without ties."""
    dx, dy = (np.abs(z[:, None] - z[None]).max(axis=2) for z in (x, y))
    size = len(x)
    values = []
    for i in range(size):
        others = np.delete(np.arange(size), i)
        near = others[np.argsort(np.maximum(dx, dy)[i, others])[:k]]
        if rectangle:
            n_x = np.sum(dx[i, others] <= dx[i, near].max())
            n_y = np.sum(dy[i, others] <= dy[i, near].max())
            values.append(digamma(k) - 1 / k + digamma(size) - digamma(n_x) - digamma(n_y))
        else:
            radius = max(dx[i, near[-1]], dy[i, near[-1]])
            n_x, n_y = (np.sum(d[i, others] < radius) for d in (dx, dy))
            values.append(digamma(k) + digamma(size) - digamma(n_x + 1) - digamma(n_y + 1))
    return np.mean(values)


def ross(x, y, k):
    """The published formula, for samples without ties and classes of more than k."""
    apart = np.abs(x[:, None] - x[None]).max(axis=2)
    values = []
    for i in range(len(x)):
        is_self = np.flatnonzero((y == y[i]) & (np.arange(len(x)) != i))
        radius = np.sort(apart[i, is_self])[k - 1]
        m = np.sum(np.delete(apart[i], i) <= radius)
        values.append(digamma(k) + digamma(len(x)) - digamma(len(is_self) + 1) - digamma(m))
    return np.mean(values)


@quiet
@pytest.mark.parametrize("widths", [(1, 1), (2, 2), (4, 3)], ids=str)
@pytest.mark.parametrize("k", [1, 3])
def test_agrees_with_the_published_formulas(widths, k):
    stream = np.random.default_rng(2)
    x, y = (stream.normal(size=(90, w)) for w in widths)
    y[:, 0] += x[:, 0]
    for algorithm in ("ksg1", "ksg2"):
        result = neighbor_information(x, y, k=k, algorithm=algorithm)
        assert result.value == pytest.approx(kraskov(x, y, k, algorithm == "ksg2"), abs=1e-12)
        assert result.value <= result.ceiling
    labels = (x[:, 0] > 0.3) + (y[:, 0] > 0)
    result = neighbor_information(x, labels, k=k, discrete_y=True)
    assert result.value == pytest.approx(ross(x, labels, k), abs=1e-12)


def test_ross_is_scikit_learns_for_one_unit():
    from sklearn.feature_selection import mutual_info_classif

    stream = np.random.default_rng(3)
    y = stream.integers(3, size=400)
    x = stream.normal(size=(400, 1)) + y[:, None]
    # theirs scales x and adds noise of 1e-10: no more than one count of 400 changes by one
    published = mutual_info_classif(x, y, n_neighbors=3, random_state=0)[0]
    result = neighbor_information(x, y, discrete_y=True, check_trust=False)
    assert result.value == pytest.approx(published, abs=1e-3)


# Truth, and trust in both directions

LOW = ["normal 0.75", "half-cube", "bimodal", "additive 0.1", "additive 0.75", "mixture 5"]


def trusted(x, y, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return neighbor_information(x, y, **options)


@pytest.mark.parametrize("algorithm", ["ksg1", "ksg2"])
@pytest.mark.parametrize("name", LOW)
def test_low_dimensional_tasks_are_right_and_trusted(name, algorithm):
    """Mean of 5 samples of 1000, whose terms spread by about 1: 4 * 1/sqrt(5000) and 0.02 bias."""
    task = it.tasks[name]
    values = [trusted(*task.sample(1000, seed), algorithm=algorithm).value for seed in range(5)]
    assert np.mean(values) == pytest.approx(task.mutual_information, abs=0.057 + 0.02)


@pytest.mark.parametrize("name", ["normal 0.75", "additive 0.75"])
def test_no_warning_in_one_dimension_for_many_seeds(name):
    for seed in range(40):
        trusted(*it.tasks[name].sample(1000, 100 + seed))


def test_no_warning_without_dependence():
    for seed in range(5):
        x, y = np.random.default_rng(seed).normal(size=(2, 1000, 2))
        assert trusted(x, y).value == pytest.approx(0, abs=0.1)  # four standard errors


def test_trust_agrees_with_the_error_in_five_dimensions():
    """Dense Gaussian: about 8 % is missing, less than a quarter. Student: 40 %."""
    dense, student = it.tasks["dense 5x5"], it.tasks["asinh-Student 5x5"]
    for seed in range(3):
        value = trusted(*dense.sample(2000, seed)).value
        assert value == pytest.approx(dense.mutual_information, rel=0.25)
        with pytest.warns(NeighborTrustWarning, match=r"5 \+ 5 dimensions"):
            result = neighbor_information(*student.sample(2000, seed))
        assert result.value < 0.75 * student.mutual_information


def gaussian_pairs(units, informative, rho, size, seed=0):
    stream = np.random.default_rng(seed)
    x, y = stream.normal(size=(2, size, units))
    first = slice(0, informative)
    y[:, first] = rho * x[:, first] + math.sqrt(1 - rho**2) * y[:, first]
    return x, y, -0.5 * informative * math.log1p(-(rho**2))


@pytest.mark.parametrize("seed", range(3))
def test_hazard_of_ten_dimensional_gaussian_pairs(seed):
    x, y, truth = gaussian_pairs(10, 10, 0.75, 3000, seed)
    assert truth == pytest.approx(4.13, abs=0.005)
    with pytest.warns(NeighborTrustWarning, match=r"in 10 \+ 10 dimensions it finds .* of 4"):
        result = neighbor_information(x, y)
    assert result.value < 0.6 * truth  # the hazard is real


@pytest.mark.parametrize("size", [1000, 4000])
def test_hazard_of_two_informative_pairs_of_25(size):
    x, y, truth = gaussian_pairs(25, 2, 0.8, size)
    assert truth == pytest.approx(1.02, abs=0.005)
    with pytest.warns(NeighborTrustWarning, match=r"in 25 \+ 25 dimensions it finds"):
        result = neighbor_information(x, y)
    assert result.value < 0.3 * truth


def test_hazard_of_nonlinear_dependence_in_many_dimensions():
    """No covariance shows it: what is planted does."""
    x, noise = np.random.default_rng(4).normal(size=(2, 2000, 20))
    with pytest.warns(NeighborTrustWarning, match=r"it finds .* of 1 nats"):
        neighbor_information(x, x**2 + 0.1 * noise)


def latent_clusters(spread, size=2000):
    stream = np.random.default_rng(5)
    y = np.arange(size) % 10
    return spread * stream.normal(size=(10, 32))[y] + stream.normal(size=(size, 32)), y


def test_hazard_of_latents_against_labels():
    """Labels as numbers: 0.9 of 2.3 nats, and a warning that says what to do; as classes: all."""
    x, y = latent_clusters(5.0)
    with pytest.warns(NeighborTrustWarning, match=r"y takes 10 distinct .* discrete_y=True"):
        result = neighbor_information(x, y[:, None])
    assert result.value < 1.2
    result = trusted(x, y, discrete_y=True)
    assert result.value == result.ceiling == pytest.approx(math.log(10), abs=1e-12)
    task = it.tasks["clusters 10"]
    x, y = task.sample(1000, 0)
    assert trusted(x, y, discrete_y=True).value == pytest.approx(math.log(10), abs=0.02)


def test_hazard_of_overlapping_latents():
    x, y = latent_clusters(0.3)
    with pytest.warns(NeighborTrustWarning, match="in 32 dimensions it finds"):
        neighbor_information(x, y, discrete_y=True)
    trusted(x[:, :2], y, discrete_y=True)


def test_discrete_truth_in_one_dimension():
    """Two unit normals 2 apart, equally likely: I by quadrature; terms spread by about 0.5."""
    t = np.linspace(-8, 10, 4001)
    a, b = (np.exp(-((t - m) ** 2) / 2) / math.sqrt(2 * math.pi) for m in (0, 2))
    mean = (a + b) / 2
    truth = np.sum(a * np.log(a / mean)) * (t[1] - t[0])
    y = np.arange(3000) % 2
    x = np.random.default_rng(6).normal(size=(3000, 1)) + 2 * y[:, None]
    result = trusted(x, y, discrete_y=True)
    assert result.value == pytest.approx(truth, abs=4 * 0.5 / math.sqrt(3000) + 0.01)


def test_deterministic_dependence_reaches_the_ceiling_and_warns():
    x = np.random.default_rng(7).normal(size=(500, 1))
    for algorithm in ("ksg1", "ksg2"):
        with pytest.warns(NeighborTrustWarning, match="within 10% of"):
            result = neighbor_information(x, x, algorithm=algorithm)
        assert result.value <= result.ceiling + 1e-12
        assert result.value > 0.9 * result.ceiling


def test_small_classes_are_named():
    x = np.random.default_rng(8).normal(size=(100, 1))
    y = np.r_[np.zeros(98, int), [4, 4]]
    with pytest.warns(NeighborTrustWarning, match="class 4 has 2 samples, so k is 1 there, not 3"):
        neighbor_information(x, y, discrete_y=True)
    with pytest.raises(ValueError, match="y has 1 sample of class 4"):
        neighbor_information(x[:99], y[:99], discrete_y=True)


# Repeated points, invariances


@pytest.mark.parametrize("algorithm", ["ksg1", "ksg2"])
def test_constant_side_gives_exactly_zero(algorithm):
    stream = np.random.default_rng(9)
    for y in (stream.normal(size=(300, 2)), stream.integers(3, size=(300, 4)), np.ones((300, 1))):
        for constant in (np.full((300, 1), 0.1), np.full((300, 5), 7.0)):
            value = neighbor_information(constant, y, algorithm=algorithm, check_trust=False).value
            assert value == pytest.approx(0, abs=1e-12)
    labels = stream.integers(3, size=300)
    result = neighbor_information(np.full((300, 3), 0.1), labels, discrete_y=True)
    assert result.value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("algorithm", ["ksg1", "ksg2"])
def test_symbols_are_counted(algorithm):
    """All points repeated: digamma instead of ln, a difference of at most 3 * 4 / 2N per term."""
    stream = np.random.default_rng(10)
    x = stream.integers(4, size=(1000, 1))
    y = np.where(stream.uniform(size=(1000, 1)) < 0.8, x, stream.integers(4, size=(1000, 1)))
    table = np.zeros((4, 4))
    np.add.at(table, (x[:, 0], y[:, 0]), 1 / 1000)
    outer = table.sum(axis=1, keepdims=True) * table.sum(axis=0)
    plain = np.sum(table * np.log(table / outer))
    result = neighbor_information(x, y, algorithm=algorithm)
    assert result.value == pytest.approx(plain, abs=16 / 2000 + 1e-3)
    itself = neighbor_information(x, x, algorithm=algorithm)
    p = np.bincount(x[:, 0]) / 1000
    assert itself.value == pytest.approx(-np.sum(p * np.log(p)), abs=4 / 2000)


@quiet
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), units=st.integers(1, 3))
def test_invariances(seed, units):
    stream = np.random.default_rng(seed)
    x, y = stream.normal(size=(2, 60, units))
    y = y + x
    order = stream.permutation(60)
    swap = stream.permutation(units)
    for algorithm in ("ksg1", "ksg2"):
        value = neighbor_information(x, y, algorithm=algorithm).value
        same = {
            "order": (x[order], y[order]),
            "exchange": (y, x),
            "reflection": (-x, y),
            "units": (x[:, swap], y),
            "joint scale": (8 * x, 8 * y),
            "shift": (np.round(x * 2**20) / 2**20 + 64, np.round(y * 2**20) / 2**20),
            "repeated unit": (np.c_[x, x[:, 0]], y),
            "constant unit": (np.c_[x, np.full(60, 0.7)], y),
        }
        for name, (a, b) in same.items():
            result = neighbor_information(a, b, algorithm=algorithm).value
            if name == "shift":  # rounding to 2**-20 may turn one comparison of 60 * 59
                assert result == pytest.approx(value, abs=0.02)
            else:
                assert result == pytest.approx(value, abs=1e-12), name
    labels = stream.integers(2, size=60)
    value = neighbor_information(x, labels, discrete_y=True).value
    for again in (7 - 3 * labels, np.eye(2)[labels]):
        assert neighbor_information(x, again, discrete_y=True).value == value
    assert value <= math.log(2)
    assert neighbor_information(5 * x, labels, discrete_y=True).value == pytest.approx(value)


@quiet
def test_standardize():
    x, y, _ = gaussian_pairs(2, 2, 0.9, 300)
    plain = neighbor_information(x, y).value
    stretched = x * 512, y / 256
    assert abs(neighbor_information(*stretched).value - plain) > 0.05
    sides = neighbor_information(x, y, standardize="sides").value
    assert neighbor_information(*stretched, standardize="sides").value == pytest.approx(sides)
    units = neighbor_information(x, y, standardize="units").value
    result = neighbor_information(x * [512, 1 / 64], y, standardize="units").value
    assert result == pytest.approx(units)
    mixed = x * [512.0, 1 / 64]
    labels = (x[:, 1] > 0).astype(int)
    blind = neighbor_information(mixed, labels, discrete_y=True)
    seeing = neighbor_information(mixed, labels, discrete_y=True, standardize="units")
    assert seeing.value > 2 * blind.value


# Kinds of array, threads, bad input


@quiet
def test_kinds_batches_and_threads(monkeypatch):
    x, y, _ = gaussian_pairs(3, 1, 0.9, 200)
    expected = neighbor_information(x, y)
    monkeypatch.setattr(neighbor_tiles, "BLOCK", 2000)
    results = {}
    for count in ("1", "3", "none"):
        monkeypatch.setenv("OMP_NUM_THREADS", count)
        results[count] = neighbor_information(x, y)
    assert results["1"] == results["3"] == results["none"] == expected
    tensor = neighbor_information(torch.tensor(x), torch.tensor(y, requires_grad=True))
    assert isinstance(tensor.value, torch.Tensor)
    assert tensor.value.item() == pytest.approx(expected.value, abs=1e-12)
    batch = xr.DataArray(np.stack([x, y]), dims=("layer", "sample", "unit_hidden"))
    result = neighbor_information(batch, y, units="bits")
    assert result["value"].dims == result["ceiling"].dims == ("layer",)
    assert result["value"].attrs["units"] == "bits"
    assert '"algorithm": "ksg1"' in result["value"].attrs["settings"]
    assert result["value"][0] * math.log(2) == pytest.approx(expected.value, abs=1e-12)
    labels = np.arange(200) % 2
    result = neighbor_information(batch, labels, discrete_y=True)
    assert result["value"].dims == ("layer",)
    assert result["ceiling"].dims == ()


def test_warning_counts_batch_elements():
    good = gaussian_pairs(6, 1, 0.9, 300)
    thin = np.c_[good[0][:, :1], np.zeros((300, 5))], np.c_[good[1][:, :1], np.zeros((300, 5))]
    x, y = np.stack([good[0], thin[0]]), np.stack([good[1], thin[1]])
    with pytest.warns(NeighborTrustWarning, match=r"\(1 of 2 batch elements\)"):
        neighbor_information(x, y)


def test_input_is_not_modified():
    x, y, _ = gaussian_pairs(4, 1, 0.5, 100)
    copies = x.copy(), y.copy()
    neighbor_information(x, y, standardize="units", check_trust=False)
    assert np.array_equal(x, copies[0])
    assert np.array_equal(y, copies[1])


X, Y = np.random.default_rng(11).normal(size=(2, 20, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: neighbor_information(X, Y, k=20), ValueError, "k is 20; expected at least 1 and"),
        (lambda: neighbor_information(X, Y, k=0), ValueError, "k is 0"),
        (lambda: neighbor_information(X, Y, k=2.0), TypeError, "k is 2.0"),
        (lambda: neighbor_information(X, Y[:7]), ValueError, "y has 7 samples, x has 20"),
        (lambda: neighbor_information(X, Y[:, 0]), ValueError, r"y has shape \(20,\)"),
        (lambda: neighbor_information(X, Y * np.nan), ValueError, "y contains nan"),
        (lambda: neighbor_information(X[:1], Y[:1]), ValueError, r"x has 1 sample"),
        (lambda: neighbor_information(X, Y, algorithm="ksg3"), ValueError, "algorithm is 'ksg3'"),
        (lambda: neighbor_information(X, Y, standardize=True), ValueError, "standardize is True"),
        (lambda: neighbor_information(X, Y, units="dits"), ValueError, "units is 'dits'"),
        (lambda: neighbor_information(X, Y, discrete_y=True), TypeError, "y of shape"),
        (
            lambda: neighbor_information(X, Y[:, 0], discrete_y=True),
            TypeError,
            "y has dtype float64",
        ),
        (
            lambda: neighbor_information(X, np.arange(5), discrete_y=True),
            ValueError,
            r"y has shape \(5,\)",
        ),
        (
            lambda: neighbor_information(X, np.arange(20) // 2, discrete_y=True, k=20),
            ValueError,
            "k is 20",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
