"""RR and cw-RR: stable rank of the activation matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from infotheo.penalties.class_deviations import check_activations, membership


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Divide, with 0 / 0 = 0: both vanish where all activations are 0, and so must the gradient."""
    return numerator / torch.where(denominator == 0, torch.ones_like(denominator), denominator)


def _stable_rank(matrices: Tensor) -> Tensor:
    """Return ``|Z|_F^2 / |Z|_2^2`` of each (..., sample, unit) matrix by its singular values."""
    # the decomposition refuses NaN for the whole batch: let the spoiled replica alone be NaN
    finite = matrices.isfinite().all(-1).all(-1)
    safe = torch.where(finite[..., None, None], matrices, torch.zeros_like(matrices))
    largest = torch.linalg.svdvals(safe)[..., 0]
    return _ratio(matrices.square().sum((-2, -1)), largest.square())


def rank_penalty(
    z: Tensor,
    labels: object = None,
    *,
    classes: int | None = None,
    normalized: bool = True,
    exact: bool = False,
) -> Tensor:
    """RR: stable rank of the activation matrix, or its cheaper lower bound for training.

    Parameters
    ----------
    z
        Activations (..., sample, unit).
    labels, classes, normalized
        Not used (a stable rank has nothing to normalise); taken so that all penalties are
        called alike.
    exact
        True: ``|Z|_F^2 / |Z|_2^2`` by singular values. False: ``|Z|_F^2 / (|Z|_1 |Z|_inf)``,
        with the largest absolute column sum and row sum.

    Returns
    -------
    torch.Tensor
        Penalty (...), a pure number; 0 with gradient 0 where every activation is 0.

    Notes
    -----
    Paper 1, eqs. 7 (exact) and 9; the gradient of the latter is eq. 10.

    Examples
    --------
    >>> rank_penalty(torch.eye(3)), rank_penalty(torch.eye(3), exact=True)
    (tensor(3.), tensor(3.))
    """
    z = check_activations(z)
    if exact:
        return _stable_rank(z)
    size = z.abs()
    return _ratio(z.square().sum((-2, -1)), size.sum(-2).amax(-1) * size.sum(-1).amax(-1))


def class_wise_rank_penalty(
    z: Tensor,
    labels: object = None,
    *,
    classes: int | None = None,
    normalized: bool = True,
    exact: bool = False,
) -> Tensor:
    """cw-RR: `rank_penalty` of each class's samples, summed over classes.

    Parameters
    ----------
    z
        Activations (..., sample, unit).
    labels, classes
        As in `class_wise_covariance_penalty`, with the same errors.
    normalized, exact
        As in `rank_penalty`.

    Returns
    -------
    torch.Tensor
        Penalty (...), a pure number. A class with fewer than 2 samples, or whose activations
        are all 0, adds nothing.

    Notes
    -----
    Paper 1, table 5 and eq. 9.

    Examples
    --------
    >>> class_wise_rank_penalty(torch.eye(4), torch.tensor([0, 0, 1, 1]))
    tensor(4.)
    """
    z = check_activations(z)
    one_hot, _ = membership(z, labels, classes)
    if exact:
        class_activations = one_hot.mT[..., None] * z[..., None, :, :]  # (..., class, sample, unit)
        ranks = _stable_rank(class_activations)
    else:
        size = z.abs()
        squares = (one_hot.mT @ z.square().sum(-1, keepdim=True)).squeeze(-1)  # (..., class)
        columns = (one_hot.mT @ size).amax(-1)  # (..., class)
        rows = (one_hot * size.sum(-1, keepdim=True)).amax(-2)  # (..., class)
        ranks = _ratio(squares, columns * rows)
    return torch.where(one_hot.sum(-2) > 1, ranks, torch.zeros_like(ranks)).sum(-1)
