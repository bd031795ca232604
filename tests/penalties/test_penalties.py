"""The penalties against printed gradients, naive double loops and their own limiting cases."""

import itertools

import numpy as np
import pytest
import torch

from infotheo.penalties import (
    logit_penalty,
    output_objectives,
    regularizers,
    weight_regularizers,
)

CLASS_WISE = ("cw-CR", "cw-VR", "cw-RR")
IN_THE_PAPERS = ("CR", "VR", "L1R", "RR", *CLASS_WISE)  # those that `naive` sums
SAMPLES, UNITS, CLASSES = 12, 5, 3
EVERY_FORM = [(name, {}) for name in regularizers]
EVERY_FORM += [("RR", {"exact": True}), ("cw-RR", {"exact": True})]


def batch(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def labels_of(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(0, CLASSES, shape, generator=torch.Generator().manual_seed(seed))


def gradient_of(name: str, z: torch.Tensor, labels: torch.Tensor, **options) -> torch.Tensor:
    z = z.clone().requires_grad_()
    regularizers[name](z, labels, **options).sum().backward()
    return z.grad


def covariance(z: np.ndarray, i: int, j: int) -> float:
    return float(np.mean((z[:, i] - z[:, i].mean()) * (z[:, j] - z[:, j].mean())))


def class_rows(z: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    parts = [z[labels == k] for k in range(CLASSES)]
    return [part for part in parts if len(part) > 1]


def surrogate(z: np.ndarray) -> float:
    size = np.abs(z)
    columns = max(size[:, i].sum() for i in range(z.shape[1]))
    rows = max(size[n].sum() for n in range(z.shape[0]))
    return float((z**2).sum() / (columns * rows)) if columns else 0.0


def naive(name: str, z: np.ndarray, labels: np.ndarray) -> float:
    units = z.shape[1]
    if name == "L1R":
        return float(np.mean([abs(value) for value in z.ravel()]))
    if name == "RR":
        return surrogate(z)
    if name == "cw-RR":
        return sum(surrogate(rows) for rows in class_rows(z, labels))
    parts = class_rows(z, labels) if name.startswith("cw-") else [z]
    divisor = CLASSES if name.startswith("cw-") else 1
    if name.endswith("CR"):
        pairs = [(i, j) for i, j in itertools.combinations(range(units), 2)]
        total = sum(covariance(rows, i, j) ** 2 for rows in parts for i, j in pairs)
        return total / max(len(pairs), 1) / divisor
    return sum(covariance(rows, i, i) for rows in parts for i in range(units)) / units / divisor


# more samples than units and the reverse, so that every way of summing the covariances runs
@pytest.mark.parametrize("units", [1, 2, 5, 30])
@pytest.mark.parametrize("name", IN_THE_PAPERS)
def test_equals_the_naive_sum(name, units):
    z, labels = batch(SAMPLES, units), labels_of(SAMPLES)
    expected = naive(name, z.numpy(), labels.numpy())
    value = regularizers[name](z, labels, classes=CLASSES)
    torch.testing.assert_close(value, torch.tensor(expected, dtype=z.dtype), atol=1e-12, rtol=1e-9)


def test_many_samples_of_few_classes_equal_the_naive_sum():
    z, labels = batch(40, 3), labels_of(40)  # covariances cost less than the samples' Gram matrix
    expected = naive("cw-CR", z.numpy(), labels.numpy())
    value = regularizers["cw-CR"](z, labels, classes=CLASSES)
    torch.testing.assert_close(value.item(), expected)


@pytest.mark.parametrize("units", [UNITS, 20])
def test_printed_gradient_of_covariance_and_variance(units):
    """Paper 2, table 1, first and third row."""
    z, labels = batch(SAMPLES, units), labels_of(SAMPLES)
    centred = z - z.mean(0)
    c = centred.T @ centred / SAMPLES
    off_diagonal = c - torch.diag(torch.diag(c))
    printed = 4 / (SAMPLES * units * (units - 1)) * centred @ off_diagonal
    torch.testing.assert_close(gradient_of("CR", z, labels), printed)
    printed = 2 / (SAMPLES * units) * centred
    torch.testing.assert_close(gradient_of("VR", z, labels), printed)


@pytest.mark.parametrize("units", [2, 20])
def test_printed_gradient_of_the_class_wise_penalties(units):
    """Paper 2, table 1, second and fourth row."""
    z, labels = batch(SAMPLES, units), labels_of(SAMPLES)
    covariances, variances = torch.zeros_like(z), torch.zeros_like(z)
    for k in range(CLASSES):
        members = labels == k
        size = int(members.sum())
        centred = z[members] - z[members].mean(0)
        c = centred.T @ centred / size
        off_diagonal = c - torch.diag(torch.diag(c))
        scale = CLASSES * units * size
        covariances[members] = 4 / (scale * (units - 1)) * centred @ off_diagonal
        variances[members] = 2 / scale * centred
    torch.testing.assert_close(gradient_of("cw-CR", z, labels, classes=CLASSES), covariances)
    torch.testing.assert_close(gradient_of("cw-VR", z, labels, classes=CLASSES), variances)


def printed_rank_gradient(z: torch.Tensor) -> torch.Tensor:
    """Paper 1, eq. 10."""
    size = z.abs()
    unit, sample = size.sum(0).argmax(), size.sum(1).argmax()
    one, infinity = size.sum(0).max(), size.sum(1).max()
    d_one, d_infinity = torch.zeros_like(z), torch.zeros_like(z)
    d_one[:, unit] = z[:, unit].sign()
    d_infinity[sample] = z[sample].sign()
    squares = z.square().sum()
    change = d_one * infinity + one * d_infinity
    return 2 * z / (one * infinity) - squares * change / (one**2 * infinity**2)


def test_printed_gradient_of_the_rank_surrogate():
    z, labels = batch(SAMPLES, UNITS), labels_of(SAMPLES)
    torch.testing.assert_close(gradient_of("RR", z, labels), printed_rank_gradient(z))
    expected = torch.zeros_like(z)
    for k in range(CLASSES):
        expected[labels == k] = printed_rank_gradient(z[labels == k])
    torch.testing.assert_close(gradient_of("cw-RR", z, labels), expected)


def test_gradient_of_the_absolute_activation_is_its_sign_over_the_count():
    z, labels = batch(SAMPLES, UNITS), labels_of(SAMPLES)
    torch.testing.assert_close(gradient_of("L1R", z, labels), z.sign() / z.numel())


@pytest.mark.parametrize(("name", "options"), EVERY_FORM)
@pytest.mark.parametrize("units", [2, 7])
def test_gradcheck(name, options, units):
    z, labels = batch(2, 8, units).requires_grad_(), labels_of(2, 8)
    assert torch.autograd.gradcheck(
        lambda z: regularizers[name](z, labels, classes=CLASSES, **options), z
    )


@pytest.mark.parametrize("classes", [None, CLASSES])
@pytest.mark.parametrize(("name", "options"), EVERY_FORM)
def test_batched_equals_looped(name, options, classes):
    z, labels = batch(2, 3, 4, UNITS), labels_of(2, 3, 4)
    value = regularizers[name](z, labels, classes=classes, **options)
    assert value.shape == (2, 3)
    for index in itertools.product(range(2), range(3)):
        one = regularizers[name](z[index], labels[index], classes=classes, **options)
        torch.testing.assert_close(value[index], one)
    shared = regularizers[name](z, labels[0, 0], classes=classes, **options)
    torch.testing.assert_close(shared[0, 0], value[0, 0])
    assert shared.shape == (2, 3)


@pytest.mark.parametrize("name", CLASS_WISE)
def test_missing_and_single_sample_classes_add_nothing(name):
    z = batch(5, 4)
    labels = torch.tensor([0, 0, 2, 0, 0])  # class 1 is missing, class 2 has one sample
    value = regularizers[name](z, labels, classes=CLASSES)
    alone = regularizers[name](z[labels == 0], labels[labels == 0], classes=CLASSES)
    torch.testing.assert_close(value, alone)
    gradient = gradient_of(name, z, labels, classes=CLASSES)
    assert gradient.isfinite().all()
    assert (gradient[2] == 0).all()
    assert (gradient[[0, 1, 3, 4]] != 0).any()


@pytest.mark.parametrize(("name", "options"), EVERY_FORM)
def test_zero_activations_give_zero_with_gradient_zero(name, options):
    z, labels = batch(6, 4), torch.tensor([0, 0, 1, 1, 2, 2])
    z[2:4] = 0
    value = regularizers[name](z, labels, **options)
    gradient = gradient_of(name, z, labels, **options)
    assert value.isfinite()
    assert gradient.isfinite().all()
    z = torch.zeros_like(z)
    assert regularizers[name](z, labels, **options) == 0
    assert (gradient_of(name, z, labels, **options) == 0).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize(("name", "options"), EVERY_FORM)
def test_a_diverged_replica_leaves_the_others_untouched(name, options, bad):
    z, labels = batch(3, SAMPLES, UNITS), labels_of(3, SAMPLES)
    spoiled = z.clone()
    spoiled[1, 4, 2] = bad
    value = regularizers[name](spoiled, labels, **options)
    assert not value[1].isfinite()
    kept = [0, 2]
    torch.testing.assert_close(value[kept], regularizers[name](z, labels, **options)[kept])
    gradient = gradient_of(name, spoiled, labels, **options)
    torch.testing.assert_close(gradient[kept], gradient_of(name, z, labels, **options)[kept])


@pytest.mark.parametrize("seed", range(5))
def test_surrogate_is_below_the_stable_rank_which_is_below_the_rank(seed):
    z, labels = batch(SAMPLES, UNITS, seed=seed).relu(), labels_of(SAMPLES)
    exact = regularizers["RR"](z, exact=True)
    assert regularizers["RR"](z) <= exact + 1e-12
    assert exact <= torch.linalg.matrix_rank(z) + 1e-12
    class_wise = regularizers["cw-RR"](z, labels, exact=True)
    assert regularizers["cw-RR"](z, labels) <= class_wise + 1e-12
    expected = sum(
        np.linalg.norm(rows) ** 2 / np.linalg.norm(rows, 2) ** 2
        for rows in class_rows(z.numpy(), labels.numpy())
    )
    torch.testing.assert_close(class_wise.item(), expected)


def test_sums_without_normalisation():
    """Paper 1, table 5: ordered pairs, plain sums."""
    z, labels = batch(SAMPLES, UNITS), labels_of(SAMPLES)
    factors = {
        "CR": UNITS * (UNITS - 1),
        "cw-CR": CLASSES * UNITS * (UNITS - 1),
        "VR": UNITS,
        "cw-VR": CLASSES * UNITS,
        "L1R": SAMPLES * UNITS,
        "RR": 1,
        "cw-RR": 1,
    }
    for name, factor in factors.items():
        plain = regularizers[name](z, labels, classes=CLASSES, normalized=False)
        torch.testing.assert_close(plain, factor * regularizers[name](z, labels, classes=CLASSES))
    torch.testing.assert_close(regularizers["L1R"](z, normalized=False), z.abs().sum())


@pytest.mark.parametrize("name", CLASS_WISE)
def test_labels_may_have_gaps_when_classes_are_not_given(name):
    z, labels = batch(SAMPLES, UNITS), labels_of(SAMPLES)
    renamed = torch.tensor([7, -3, 100])[labels]
    torch.testing.assert_close(regularizers[name](z, renamed), regularizers[name](z, labels))


@pytest.mark.parametrize("name", IN_THE_PAPERS)
def test_one_sample_adds_no_spread_and_half_precision_is_raised(name):
    z, labels = batch(SAMPLES, UNITS).half(), labels_of(SAMPLES)
    value = regularizers[name](z, labels)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, regularizers[name](z.float(), labels))
    if name not in ("L1R", "RR"):
        assert regularizers[name](z[:1], labels[:1]) == 0


@pytest.mark.parametrize("name", CLASS_WISE)
@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (None, ValueError, "labels are needed"),
        (torch.zeros(3, dtype=torch.int64), ValueError, r"labels must have shape \(4,\)"),
        (torch.zeros(4), TypeError, "labels must be integers, got torch.float32"),
        (torch.tensor([0, 1, 2, 3]), ValueError, r"labels must lie in 0\.\.2, got 0\.\.3"),
    ],
)
def test_bad_labels_are_named(name, labels, error, message):
    with pytest.raises(error, match=message) as caught:
        regularizers[name](batch(4, 2), labels, classes=CLASSES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", regularizers)
def test_bad_activations_are_named(name):
    labels = labels_of(4)
    with pytest.raises(ValueError, match=r"z must have shape \(..., sample, unit\)"):
        regularizers[name](torch.ones(4), labels)
    with pytest.raises(ValueError, match=r"got \(0, 3\)"):
        regularizers[name](torch.ones(0, 3), labels)
    with pytest.raises(TypeError, match=r"z must be a torch\.Tensor, got ndarray"):
        regularizers[name](np.ones((4, 2)), labels)
    with pytest.raises(TypeError, match="real numbers"):
        regularizers[name](torch.ones(4, 2, dtype=torch.complex64), labels)


def test_weight_penalties_are_sums_that_keep_replicas():
    weights = batch(3, 4, 2)
    torch.testing.assert_close(weight_regularizers["L1W"](weights), weights.abs().sum((1, 2)))
    torch.testing.assert_close(weight_regularizers["L2W"](weights), (weights**2).sum((1, 2)))


def test_logit_penalty_is_the_product_of_the_norms():
    features, weights, labels = batch(2, 6, 4), batch(2, 4, CLASSES, seed=2), labels_of(2, 6)
    value = logit_penalty(features, weights, labels)
    for replica in range(2):
        products = [
            weights[replica][:, label].norm() * row.norm()
            for row, label in zip(features[replica], labels[replica], strict=True)
        ]
        torch.testing.assert_close(value[replica], torch.stack(products).mean())
    with pytest.raises(ValueError, match="output_weights must have shape"):
        logit_penalty(features, weights.mT, labels)
    with pytest.raises(ValueError, match=r"labels must lie in 0\.\.2, got 3\.\.3"):
        logit_penalty(features, weights, torch.full((6,), 3))
    with pytest.raises(ValueError, match="labels are needed"):
        logit_penalty(features, weights, None)


def test_logit_penalty_of_zero_features_has_finite_gradients():
    features = torch.zeros(3, 2, requires_grad=True)
    logit_penalty(features, torch.eye(2), torch.tensor([0, 1, 0])).backward()
    assert (features.grad == 0).all()


def output_layer(*replicas: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    features, weights = batch(*replicas, 6, 4), batch(*replicas, 4, CLASSES, seed=2)
    return features, weights, labels_of(6)


def test_the_information_objective_adds_absolute_weights_every_thirty_steps():
    """Paper 4, eq. 7 and appendix E."""
    at = output_layer(2)
    logit, absolute = logit_penalty(*at), at[1].abs().sum((1, 2))
    for step in (0, 1, 29, 30, 31, 60):
        result = output_objectives["information"](
            *at, step=step, logit_weight=0.03, absolute_weight=1e-3
        )
        expected = 0.03 * logit + (1e-3 * absolute if step % 30 == 0 else 0)
        torch.testing.assert_close(result, expected)
    always = output_objectives["information"](
        *at, step=7, logit_weight=0, absolute_weight=2, every=1
    )
    torch.testing.assert_close(always, 2 * absolute)
    fifth = [
        bool(
            output_objectives["information"](
                *at, step=k, logit_weight=0, absolute_weight=1, every=5
            ).sum()
        )
        for k in range(11)
    ]
    assert [k for k, added in enumerate(fifth) if added] == [0, 5, 10]


def test_the_naive_objective_is_the_squared_norm_of_all_weights():
    at = output_layer(2)
    result = output_objectives["naive"](*at, step=3, logit_weight=0.5)
    torch.testing.assert_close(result, 0.5 * at[1].square().sum((1, 2)))
    torch.testing.assert_close(result, output_objectives["naive"](*at[:2], logit_weight=0.5))


@pytest.mark.parametrize("name", output_objectives)
def test_gradients_of_the_output_objectives(name):
    features, weights, labels = output_layer()
    settings = {"information": {"absolute_weight": 0.2}, "naive": {}}[name]
    tensors = [features.requires_grad_(), weights.requires_grad_()]
    assert torch.autograd.gradcheck(
        lambda f, w: output_objectives[name](f, w, labels, step=0, logit_weight=0.7, **settings),
        tensors,
    )


def test_closed_gradients_of_the_output_objectives():
    """Of one sample: w_y / |w_y| |F| in its own column alone; the naive one reaches all columns."""
    features, weights, _ = output_layer()
    features, weights, label = features[:1], weights.requires_grad_(), torch.tensor([1])
    at = (features, weights, label)
    output_objectives["information"](*at, step=1, logit_weight=2).backward()
    expected = torch.zeros_like(weights)
    column = weights.detach()[:, 1]
    expected[:, 1] = 2 * column / column.norm() * features.norm()
    torch.testing.assert_close(weights.grad, expected)
    weights.grad = None
    output_objectives["information"](*at, step=30, logit_weight=0, absolute_weight=3).backward()
    torch.testing.assert_close(weights.grad, 3 * weights.detach().sign())
    weights.grad = None
    output_objectives["naive"](*at, logit_weight=2).backward()
    torch.testing.assert_close(weights.grad, 4 * weights.detach())


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"step": -1}, ValueError, "step is -1"),
        ({"step": 1.5}, TypeError, r"step is 1\.5"),
        ({"every": 0}, ValueError, "every is 0; expected a whole number >= 1"),
        ({"logit_weight": -1}, ValueError, "logit_weight is -1"),
        ({"absolute_weight": float("nan")}, ValueError, "absolute_weight is nan"),
    ],
)
def test_bad_settings_of_the_information_objective_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        output_objectives["information"](
            *output_layer(), **({"step": 0, "logit_weight": 1} | changes)
        )
