"""Variational lower bounds of mutual information by cross-fitted critics."""

from __future__ import annotations

import math
import warnings
from typing import Any, Literal, NamedTuple, get_args

import torch

from infotheo.arrays import Array, FieldNote, Samples, wrap
from infotheo.critics import bounds
from infotheo.critics.critic import Architecture
from infotheo.critics.fitting import Settings
from infotheo.critics.folds import cross_fitting_folds
from infotheo.critics.held_out import CrossFitted, HeldOut, cross_fitted, cross_fitted_scores
from infotheo.critics.objectives import contrastive
from infotheo.critics.targets import read_target
from infotheo.scalars import check_count, check_number
from infotheo.validation import Units, check_choice, nats_per

__all__ = ["Bound", "VariationalInformation", "VariationalWarning", "variational_information"]

Bound = Literal["infonce", "nwj", "dv"]
NEAR = 0.9  # of the ceiling of InfoNCE
EFFECTIVE = 0.1  # share of the samples that must matter in the product's mean of exp f
BOUNDS = {"infonce": bounds.info_nce, "nwj": bounds.nwj, "dv": bounds.donsker_varadhan}


class VariationalWarning(UserWarning):
    """A variational bound cannot be trusted: few pairs decide it, or its ceiling does."""


class VariationalInformation(NamedTuple):
    """Result of :func:`variational_information`."""

    value: Array
    standard_error: Array
    per_fold: Array
    ceiling: Array


def variational_information(
    x: Any,
    y: Any,
    *,
    bound: Bound = "infonce",
    seed: int,
    discrete_y: bool = False,
    folds: int = 5,
    architecture: Architecture = "separable",
    hidden: int = 64,
    embedding: int = 32,
    learning_rate: float = 1e-3,
    weight_decay: float = 2.0,
    batch_size: int = 128,
    max_steps: int = 2000,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
    progress: bool = False,
) -> Any:
    r"""Bound I(X;Y) from below by critics, each evaluated on samples that it never saw.

    Parameters
    ----------
    x
        Independent samples (..., sample, unit); leading dimensions are batch dimensions, done one
        by one.
    y
        Samples (..., sample, unit), or integer class labels (sample,), which the batch shares.
    bound
        "infonce", steady, at most its ceiling; "nwj" and "dv" have no ceiling, but their product
        term grows unsteady with the information.
    seed
        Of folds, initial weights and the order of samples: the same seed, the same bytes.
    discrete_y
        Whether y are class labels where that is not plain: one-hot rows (sample, class).
    folds
        Each is held out once; of the others, 4/5 of the samples fit a critic and 1/5 stop it.
    architecture
        "separable": g(x)·h(y) + u(x) + v(y) and squares of g and h. "concatenated": one network
        of (x, y), slower, more general.
    hidden, embedding, learning_rate, weight_decay, batch_size, max_steps
        Of the critics and of AdamW.
    units
        "nats" or "bits".
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray.
    progress
        Whether to show how far the fit is.

    Returns
    -------
    VariationalInformation or xarray.Dataset
        ``value``: the bound averaged over the held-out samples, as it is: below 0 if a critic
        learned nothing that holds elsewhere. ``standard_error``: over held-out samples, the
        critics given, see the notes. ``per_fold``: a new last dimension ``fold``; what differs
        beyond the standard error times the root of ``folds`` is the critics' doing. ``ceiling``, a
        scalar: for "infonce" ln of the samples contrasted at once (a fold's, at most 2,048), else
        ln N; with labels H(Y), if less. Nothing is clipped to it. No gradient flows.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Warns
    -----
    VariationalWarning
        If "infonce" comes within a tenth of its ceiling; if for "nwj" or "dv" fewer than a tenth
        of the samples matter in the mean of exp f over the product, by the effective sample size
        :math:`(\sum a_i)^2 / \sum a_i^2`.

    Notes
    -----
    With the joint samples (x_i, y_i) and all pairs i ≠ j of held-out samples in blocks of at most
    2,048 (concatenated: 256) as samples of the product,

    .. math::
        I_{DV} &= \langle f_{ii}\rangle - \ln \langle e^{f_{ij}}\rangle, \qquad
        I_{NWJ} = 1 + \langle f_{ii}\rangle - \langle e^{f_{ij}}\rangle,

        I_{NCE} &= \langle f_{ii} - \ln \tfrac1K \sum_{j=1}^K e^{f_{ij}}\rangle \le \ln K.

    In expectation NWJ and InfoNCE are lower bounds at any sample size; DV, by the logarithm of a
    mean, lies above its own by about half the relative variance of that mean. One estimate may
    exceed the truth by its error.

    All three evaluate the same kind of critic, fitted to Donsker-Varadhan plus symmetric InfoNCE
    on batches, at the step that did best on the validation part. There, too, a factor of f (0 if
    nothing held up) and the offset are set, and the scores are clipped at ± ln of the number of
    validation samples: so many do not show a larger ratio, and one odd sample would decide DV. A function of held-out scores remains a
    critic, so the bounds hold. Units are standardised by the training part and compressed
    logarithmically beyond four standard deviations, which is a bijection.

    The standard error is the root of the summed squared influences of the held-out samples (of a
    mean over pairs, both as first and as second) over N. It does not hold how critics of other
    training samples would differ, nor how far the bound is from the truth.

    Samples that repeat, or depend on each other, in different folds make the bound worthless.

    Sources: Donsker & Varadhan 1983; Nguyen, Wainwright & Jordan 2010; van den Oord et al. 2018;
    Poole et al. 2019; McAllester & Stratos 2020, why nothing certifies more than about ln N.

    Examples
    --------
    >>> import numpy as np
    >>> stream = np.random.default_rng(0)
    >>> x = stream.normal(size=(300, 1))
    >>> y = 0.9 * x + (1 - 0.9**2) ** 0.5 * stream.normal(size=(300, 1))  # I = 0.8304
    >>> found = variational_information(x, y, seed=0, max_steps=200)
    >>> bool(0.5 < found.value < 0.8304 + 3 * found.standard_error)
    True
    """
    check_choice(bound, get_args(Bound), "bound")
    samples, target = read_target(
        x, y, names=("x", "y"), discrete=discrete_y, sample_dim=sample_dim, unit_dim=unit_dim
    )
    settings = read_settings(
        architecture, hidden, embedding, learning_rate, weight_decay, batch_size, max_steps
    )
    seed = check_count(seed, "seed", least=0)
    parts = cross_fitting_folds(samples.size, folds, seed, target.codes)
    scale = nats_per(units)
    inputs = torch.as_tensor(samples.flat(None))
    outputs = target.values(samples, inputs.device)
    found: list[CrossFitted] = []
    ceiling, effective = math.log(samples.size), 1.0
    for number in range(len(inputs)):
        held_out = cross_fitted_scores(
            inputs[number],
            outputs[number % len(outputs)],
            target.codes,
            parts,
            contrastive,
            "infonce" if bound == "infonce" else "dv",
            settings,
            seed=seed,
            label=f"critics {number + 1} of {len(inputs)}" if progress else None,
        )
        found.append(cross_fitted(BOUNDS[bound], held_out))
        if bound == "infonce":
            ceiling = float(torch.cat([part.scores.log_size for part in held_out]).mean())
        effective = min(effective, effective_share(held_out))
    largest = max(float(each.value) for each in found)
    if bound == "infonce" and largest > NEAR * ceiling:
        warnings.warn(
            f"InfoNCE of {largest:.4g} nats near its ceiling {ceiling:.4g} (ln of the samples "
            "contrasted at once): take more samples, fewer folds, or another bound",
            VariationalWarning,
            stacklevel=2,
        )
    if bound != "infonce":
        warn_if_few_matter(effective, samples.size)
    entropy = target.entropy()
    ceiling = ceiling if entropy is None else min(ceiling, entropy)
    result = VariationalInformation(
        value=collected([each.value for each in found], samples, scale),
        standard_error=collected([each.standard_error for each in found], samples, scale),
        per_fold=collected([each.per_fold for each in found], samples, scale),
        ceiling=samples.like(ceiling / scale),
    )
    return wrap(
        result,
        samples,
        estimator="variational_information",
        settings={
            "bound": bound,
            "seed": seed,
            "folds": folds,
            "discrete_y": target.classes is not None,
            **vars(settings),
        },
        notes={
            "value": FieldNote(units, f"{bound} lower bound of I(X;Y) on held-out samples"),
            "standard_error": FieldNote(units, "standard error of value, the critics given"),
            "per_fold": FieldNote(units, f"{bound} lower bound of I(X;Y) on each held-out fold"),
            "ceiling": FieldNote(units, "ceiling of value"),
        },
        extra_dims=("fold",),
    )


def read_settings(
    architecture: Architecture,
    hidden: int,
    embedding: int,
    learning_rate: float,
    weight_decay: float,
    batch_size: int,
    max_steps: int,
) -> Settings:
    """Check the settings of critics."""
    check_choice(architecture, get_args(Architecture), "architecture")
    return Settings(
        architecture,
        check_count(hidden, "hidden"),
        check_count(embedding, "embedding"),
        check_number(learning_rate, "learning_rate", positive=True),
        check_number(weight_decay, "weight_decay"),
        check_count(batch_size, "batch_size", least=2),
        check_count(max_steps, "max_steps"),
    )


def collected(values: list[torch.Tensor], samples: Samples, scale: float) -> Array:
    """Stack one value of each batch element, in the caller's kind, units and leading dimensions."""
    return samples.unflat(samples.like(torch.stack(values))) / scale


def effective_share(held_out: list[HeldOut]) -> float:
    """Share of the held-out samples that matter in the mean of exp f over the product."""
    weights = []
    for part in held_out:
        rows, columns = part.scores.log_rows, part.scores.log_columns
        weights.append(torch.softmax(rows, 0) + torch.softmax(columns, 0))
    weight = torch.cat(weights)
    return float(weight.sum() ** 2 / (len(weight) * weight.square().sum()))


def warn_if_few_matter(share: float, size: int) -> None:
    """Warn if few samples decide the product term of Donsker-Varadhan and NWJ."""
    if share < EFFECTIVE:
        warnings.warn(
            f"the mean of exp f over the product rests on {share * size:.0f} of {size} samples "
            "(effective): its logarithm is too small and the bound too large, or unsteady; take "
            'more samples, or bound="infonce"',
            VariationalWarning,
            stacklevel=3,
        )
