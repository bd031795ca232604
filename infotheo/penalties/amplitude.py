"""L1R: sizes of activations."""

from __future__ import annotations

from torch import Tensor

from infotheo.penalties.class_deviations import check_activations


def amplitude_penalty(
    z: Tensor,
    labels: object = None,
    *,
    classes: int | None = None,
    normalized: bool = True,
) -> Tensor:
    """L1R: mean over samples and units of the absolute activation.

    Parameters
    ----------
    z
        Activations (..., sample, unit).
    labels, classes
        Not used; taken so that all penalties are called alike.
    normalized
        False: the sum instead of the mean.

    Returns
    -------
    torch.Tensor
        Penalty (...), in units of activation.

    Notes
    -----
    Paper 1, table 5 (the sum), divided by the number of terms as paper 2 divides the others.

    Examples
    --------
    >>> import torch
    >>> amplitude_penalty(torch.tensor([[0.0, 1.0], [-3.0, 0.0]]))
    tensor(1.)
    """
    total = check_activations(z).abs()
    return total.mean((-2, -1)) if normalized else total.sum((-2, -1))
