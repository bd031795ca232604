"""Trace and diagonal of a loss's Hessian by random probes, without ever forming the matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from infotheo.arrays.conversion import read_array
from infotheo.arrays.numbers import check_count, check_seed
from infotheo.arrays.random_streams import torch_seed
from infotheo.arrays.wording import describe

__all__ = ["HessianDiagonal", "HessianTrace", "hessian_diagonal", "hessian_trace"]

Weights = nn.Module | Mapping[str, Tensor] | Tensor
Products = tuple[list[Tensor], list[Tensor]]  # probes v and products H v, (probe, *shape) each


class HessianTrace(NamedTuple):
    """Result of :func:`hessian_trace`."""

    value: Tensor
    standard_error: Tensor


class HessianDiagonal(NamedTuple):
    """Result of :func:`hessian_diagonal`; tensors, or dictionaries of them by parameter name."""

    value: Tensor | dict[str, Tensor]
    standard_error: Tensor | dict[str, Tensor]


def hessian_trace(
    loss: Callable[[], Tensor], weights: Weights, *, seed: int, probes: int = 100, batch: int = 8
) -> HessianTrace:
    r"""Estimate the trace of the loss's Hessian with respect to the weights.

    Parameters
    ----------
    loss
        Function of nothing that computes the scalar loss from ``weights``, called once. What it
        leaves random (dropout) or changes (batch norm in training mode) is the caller's to settle.
    weights
        The module whose parameters count (those that require a gradient), a mapping of names to
        tensors, or one tensor. A tensor that stands in a mapping under several names (tied weights
        in ``state_dict(keep_vars=True)``) counts once, as in the module: under its first name.
    seed
        Of the probes, which are the same on any device and for any ``batch``.
    probes
        Number of Hessian-vector products, at least 2. The standard error falls with its root.
    batch
        Probes worked on at once by ``torch.vmap``, each at the memory cost of one backward pass;
        1 needs no vmap support from the model's operations.

    Returns
    -------
    HessianTrace
        ``value`` and the ``standard_error`` of the mean over probes, float64. The error is 0 for a
        diagonal Hessian, for which one probe is exact.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or the loss is no finite scalar that depends on weights.

    Notes
    -----
    The mean of :math:`v^T H v` over vectors v of random signs is unbiased (Hutchinson 1990), with
    variance :math:`2\sum_{i \ne j} H_{ij}^2` a probe. The trace of a loss over several batches of
    data is the sum of theirs: average results of one seed.

    Examples
    --------
    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> hessian_trace(lambda: (w[0] ** 2 + 3 * w[1] ** 2), w, seed=0, probes=4).value
    tensor(8., dtype=torch.float64)
    """
    terms = []
    for probe, product in _products(loss, _read_weights(weights), seed, probes, batch):
        dots = [(v * hv).flatten(1).double().sum(1) for v, hv in zip(probe, product, strict=True)]
        terms.append(torch.stack([dot.to(dots[0].device) for dot in dots]).sum(0))
    values = torch.cat(terms)
    return HessianTrace(values.mean(), values.std() / len(values) ** 0.5)


def hessian_diagonal(
    loss: Callable[[], Tensor], weights: Weights, *, seed: int, probes: int = 100, batch: int = 8
) -> HessianDiagonal:
    r"""Estimate the diagonal of the loss's Hessian with respect to the weights.

    Parameters
    ----------
    loss, weights, seed, probes, batch
        As in :func:`hessian_trace`.

    Returns
    -------
    HessianDiagonal
        ``value`` and ``standard_error`` of each entry, float64, of the form of ``weights``: a
        tensor, or a dictionary by parameter name. Estimates may be negative where the errors are
        as large as the entries.

    Raises
    ------
    TypeError, ValueError
        As in :func:`hessian_trace`.

    Notes
    -----
    The mean of :math:`v \odot H v` over vectors v of random signs is unbiased (Bekas, Kokiopoulou
    and Saad 2007), with variance :math:`\sum_{j \ne i} H_{ij}^2` a probe.

    Examples
    --------
    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> hessian_diagonal(lambda: (w[0] ** 2 + 3 * w[1] ** 2), w, seed=0, probes=4).value
    tensor([2., 6.], dtype=torch.float64)
    """
    parameters = _read_weights(weights)
    means = [torch.zeros_like(tensor, dtype=torch.float64) for tensor in parameters.values()]
    squares = [torch.zeros_like(mean) for mean in means]  # sums of squared deviations
    count = 0
    for probe, product in _products(loss, parameters, seed, probes, batch):
        for i, (v, hv) in enumerate(zip(probe, product, strict=True)):
            terms = (v * hv).double()
            mean, size = terms.mean(0), len(terms)
            shift = mean - means[i]
            squares[i] += (terms - mean).square().sum(0)
            squares[i] += shift.square() * (count * size / (count + size))
            means[i] += shift * (size / (count + size))
        count += len(probe[0])
    errors = [(square / (count - 1) / count).sqrt() for square in squares]
    if isinstance(weights, Tensor):
        return HessianDiagonal(means[0], errors[0])
    return HessianDiagonal(
        dict(zip(parameters, means, strict=True)), dict(zip(parameters, errors, strict=True))
    )


def _read_weights(weights: Weights) -> dict[str, Tensor]:
    """Return the tensors to differentiate by, all of which require a gradient."""
    if isinstance(weights, Tensor):
        parameters = {"weights": weights}
    elif isinstance(weights, nn.Module):
        parameters = {name: p for name, p in weights.named_parameters() if p.requires_grad}
        if not parameters:
            raise ValueError(
                f"weights is a {type(weights).__name__} without trainable parameters; expected some"
            )
    elif isinstance(weights, Mapping):
        first_names = {id(tensor): name for name, tensor in reversed(list(weights.items()))}
        parameters = {n: tensor for n, tensor in weights.items() if first_names[id(tensor)] == n}
        if not parameters:
            raise ValueError("weights is an empty mapping; expected at least one tensor")
    else:
        raise TypeError(
            f"weights is a {type(weights).__name__}; expected a module, a tensor or a mapping of "
            "names to tensors"
        )
    for name, tensor in parameters.items():
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            kind = getattr(tensor, "dtype", type(tensor).__name__)
            raise TypeError(f"weights[{name!r}] is {kind}; expected a tensor of real numbers")
        read_array(tensor, f"weights[{name!r}]")
        if not tensor.requires_grad:
            raise ValueError(
                f"weights[{name!r}] does not require a gradient; expected requires_grad=True"
            )
    _refuse_shared(parameters)
    return parameters


def _refuse_shared(parameters: Mapping[str, Tensor]) -> None:
    """Refuse two tensors over the same memory: tied weights that are differentiated apart."""
    names: dict[tuple[int, torch.device], str] = {}
    for name, tensor in parameters.items():
        if not tensor.numel():
            continue
        first = names.setdefault((tensor.data_ptr(), tensor.device), name)
        if first != name:
            raise ValueError(
                f"weights[{name!r}] is a view of the memory of weights[{first!r}]; expected one "
                "tensor for tied weights (state_dict(keep_vars=True) has it)"
            )


def _products(
    loss: Callable[[], Tensor], parameters: Mapping[str, Tensor], seed: int, probes: int, batch: int
) -> Iterator[Products]:
    """Yield random signs and the Hessian's products with them, ``batch`` at a time."""
    if not callable(loss) or isinstance(loss, nn.Module):
        raise TypeError(f"loss is a {type(loss).__name__}; expected a function that computes it")
    probes, batch = check_count(probes, "probes", least=2), check_count(batch, "batch")
    generator = torch.Generator().manual_seed(
        torch_seed(check_seed(seed, most=2**64 - 1), "Hessian probes")
    )
    tensors = list(parameters.values())
    with torch.enable_grad():
        try:
            value = loss()
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # from within the loss
            raise TypeError(
                f"loss is {describe(loss)}; expected a function of no argument ({error})"
            ) from error
        if not isinstance(value, Tensor) or value.numel() != 1:
            returned = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"loss() returned {returned}; expected a scalar tensor")
        if not value.isfinite():
            raise ValueError(f"loss() returned {value.item()}; expected a finite number")
        slopes: tuple[Tensor | None, ...] = (None,)
        if value.requires_grad:
            slopes = torch.autograd.grad(
                value.squeeze(), tensors, create_graph=True, allow_unused=True
            )
        if all(slope is None for slope in slopes):
            raise ValueError("loss() does not depend on the weights; expected it to")
    # the others have no curvature: not in the loss, or linear in it
    curved = {i: s for i, s in enumerate(slopes) if s is not None and s.requires_grad}
    for start in range(0, probes, batch):
        size = min(batch, probes - start)
        signs = _signs(tensors, size, generator)
        yield signs, _hessian_times(signs, curved, tensors)


def _signs(tensors: list[Tensor], size: int, generator: torch.Generator) -> list[Tensor]:
    """Draw vectors of random signs, one after the other so that batches do not change them."""
    count = sum(tensor.numel() for tensor in tensors)
    bits = [torch.randint(0, 2, (count,), generator=generator) for _ in range(size)]
    sizes = [tensor.numel() for tensor in tensors]
    parts = torch.split(2 * torch.stack(bits) - 1, sizes, dim=1)
    return [
        part.reshape(size, *tensor.shape).to(tensor)
        for part, tensor in zip(parts, tensors, strict=True)
    ]


def _hessian_times(
    signs: list[Tensor], curved: Mapping[int, Tensor], tensors: list[Tensor]
) -> list[Tensor]:
    """Return H v for each v, (probe, *shape), from the slopes that have a gradient, by place."""
    products: tuple[Tensor | None, ...] = (None,) * len(tensors)
    size = len(signs[0])
    if curved:
        along = [signs[i] if size > 1 else signs[i][0] for i in curved]
        products = torch.autograd.grad(
            list(curved.values()),
            tensors,
            along,
            retain_graph=True,
            allow_unused=True,
            is_grads_batched=size > 1,
        )
    return [
        torch.zeros_like(v) if hv is None else hv.reshape(v.shape)
        for v, hv in zip(signs, products, strict=True)
    ]
