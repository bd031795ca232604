"""Variational lower bounds of mutual information by cross-fitted critics."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import torch

from infotheo.arrays.labels import Units, check_choice, nats_per
from infotheo.arrays.numbers import check_seed, check_switch
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array
from infotheo.estimators.critics import bounds
from infotheo.estimators.critics.calibration import Criterion
from infotheo.estimators.critics.critic import Architecture
from infotheo.estimators.critics.fitting import Settings
from infotheo.estimators.critics.folds import cross_fitting_folds
from infotheo.estimators.critics.held_out import (
    CrossFitted,
    combine_folds,
    score_batch,
    stack_batch,
)
from infotheo.estimators.critics.objectives import contrastive_objective
from infotheo.estimators.critics.targets import read_target
from infotheo.estimators.critics.trust import (
    effective_share,
    warn_if_few_matter,
    warn_if_near_ceiling,
)

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Bound", "VariationalInformation", "variational_information"]

Bound = Literal["infonce", "nwj", "dv"]
BOUNDS = {"infonce": bounds.info_nce, "nwj": bounds.nwj, "dv": bounds.donsker_varadhan}


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
) -> VariationalInformation | xr.Dataset:
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
    nothing held up) and the offset are set. For DV and NWJ, scores are clipped at ± ln of half the
    number of validation samples, at most ln 512: one odd sample would decide the product's mean
    otherwise. A function of the scores is a critic, too, so the bounds hold. Units are
    standardised by the training part and compressed logarithmically beyond four standard
    deviations, a bijection.

    The defaults were chosen on normal pairs of 1, 10 and 25 units (two of them informative), a
    rotated pair among 512, 32-unit clusters, uniform noise, Student tails and independent samples,
    N from 200 to 8,000. Weight decay mattered most (0.01, 0.3, 1, 3, 10, 30 tried: 10 shrinks too
    much, 0.01 loses a third where few units inform), then the squares and the small last layers;
    learning rates of 3e-4 to 5e-3, batches of 128 or 256 and 64 or 128 hidden units made little
    difference, NWJ or a discriminator's likelihood as objective lost more.

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
    >>> x = stream.normal(size=(200, 1))
    >>> y = 0.9 * x + (1 - 0.9**2) ** 0.5 * stream.normal(size=(200, 1))  # I = 0.8304
    >>> result = variational_information(x, y, seed=0, max_steps=100)
    >>> bool(0.4 < result.value < 0.8304 + 3 * result.standard_error)
    True
    """
    check_choice(bound, get_args(Bound), "bound")
    discrete_y, progress = (
        check_switch(value, name)
        for value, name in ((discrete_y, "discrete_y"), (progress, "progress"))
    )
    samples, target = read_target(
        x, y, names=("x", "y"), discrete=discrete_y, sample_dim=sample_dim, unit_dim=unit_dim
    )
    settings = Settings(
        architecture, hidden, embedding, learning_rate, weight_decay, batch_size, max_steps
    )
    seed = check_seed(seed)
    parts = cross_fitting_folds(samples.size, folds, seed, target.codes)
    scale = nats_per(units)
    estimates: list[CrossFitted] = []
    ceiling, effective = math.log(samples.size), 1.0
    criterion: Criterion = "infonce" if bound == "infonce" else "dv"
    label = "critics" if progress else None
    for held_out in score_batch(
        samples, target, parts, contrastive_objective, criterion, settings, seed=seed, label=label
    ):
        estimates.append(combine_folds(BOUNDS[bound], held_out))
        scores = [part.scores for part in held_out]
        effective = min(effective, effective_share(scores))
        if bound == "infonce":
            ceiling = float(torch.cat([part.log_size for part in scores]).mean())
    if bound == "infonce":
        warn_if_near_ceiling(max(float(estimate.value) for estimate in estimates), ceiling)
    else:
        warn_if_few_matter(effective, samples.size)
    entropy = target.entropy()
    ceiling = ceiling if entropy is None else min(ceiling, entropy)
    result = VariationalInformation(
        value=stack_batch([estimate.value for estimate in estimates], samples) / scale,
        standard_error=stack_batch([estimate.standard_error for estimate in estimates], samples)
        / scale,
        per_fold=stack_batch([estimate.per_fold for estimate in estimates], samples) / scale,
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
