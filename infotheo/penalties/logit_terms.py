"""Terms that paper 4's objectives add to the cross-entropy of a network's output layer."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from infotheo.arrays.numbers import check_count, check_number
from infotheo.penalties.class_deviations import check_activations
from infotheo.penalties.weights import absolute_weights, logit_penalty, squared_weights

__all__ = ["information_objective", "naive_objective", "output_objectives"]


def information_objective(
    features: Tensor,
    output_weights: Tensor,
    labels: object,
    *,
    step: int,
    logit_weight: float,
    absolute_weight: float = 0.0,
    every: int = 30,
) -> Tensor:
    r"""Penalise the size of the true label's logit and, every so many steps, of all weights.

    Parameters
    ----------
    features
        What the output layer receives, (..., sample, unit).
    output_weights
        Weights of the output layer, (..., unit, class): the transpose of ``torch.nn.Linear``'s.
    labels
        Integer classes (sample,) or (..., sample).
    step
        Number of the training step, from 0.
    logit_weight, absolute_weight
        The paper's :math:`\alpha_2` and :math:`\alpha_1`, >= 0.
    every
        The term with ``absolute_weight`` is added at steps 0, ``every``, 2 ``every`` and so on, at
        full size; 1 for always, as eq. 7 has it without appendix E.

    Returns
    -------
    torch.Tensor
        Penalty (...), to be added to the mean cross-entropy.

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit, a label has no column of weights, or a number is out of range.

    Notes
    -----
    :math:`\frac{\alpha_2}{n} \sum_k \|w_{y_k}\|_2 \|F(x_k)\|_2 + \alpha_1 \|w\|_1`. Source:
    paper 4, eq. 7 and, for the 30 steps, appendix E.

    Examples
    --------
    >>> import torch
    >>> layer = [torch.tensor([[3.0, 4.0]]), 2 * torch.eye(2), torch.tensor([1])]
    >>> [float(information_objective(*layer, step=k, logit_weight=1, absolute_weight=1))
    ...  for k in (0, 1, 30)]
    [14.0, 10.0, 14.0]
    """
    step, every = check_count(step, "step", least=0), check_count(every, "every")
    logit_weight = check_number(logit_weight, "logit_weight")
    absolute_weight = check_number(absolute_weight, "absolute_weight")
    penalty = logit_weight * logit_penalty(features, output_weights, labels)
    if step % every == 0 and absolute_weight > 0:
        penalty = penalty + absolute_weight * absolute_weights(output_weights)
    return penalty


def naive_objective(
    features: Tensor,
    output_weights: Tensor,
    labels: object = None,
    *,
    step: int = 0,
    logit_weight: float,
) -> Tensor:
    r"""Penalise all output weights alike: what the paper compares its objective with.

    Parameters
    ----------
    features, labels, step
        Not used beyond the shape of ``features``; taken so that both objectives are called alike.
    output_weights
        Weights of the output layer, (..., unit, class).
    logit_weight
        The paper's :math:`\alpha_2`, >= 0; smaller than the other objective's, as the whole matrix
        counts.

    Returns
    -------
    torch.Tensor
        Penalty (...), :math:`\alpha_2 \|w\|_2^2`.

    Raises
    ------
    TypeError, ValueError
        If the features have no samples, or ``logit_weight`` is negative.

    Notes
    -----
    Source: paper 4, section 4.1 and table 1 ("NaiveReg").

    Examples
    --------
    >>> import torch
    >>> naive_objective(torch.ones(1, 2), 2 * torch.eye(2), logit_weight=0.5)
    tensor(4.)
    """
    check_activations(features, "features")
    return check_number(logit_weight, "logit_weight") * squared_weights(output_weights)


output_objectives: dict[str, Callable[..., Tensor]] = {
    "information": information_objective,
    "naive": naive_objective,
}
