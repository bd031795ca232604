"""Largest singular values of linear maps that are known by their products alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from infotheo.invertibility.inputs import NotFiniteError

__all__ = ["largest_singular_values", "linearize"]

Map = Callable[[Tensor], Tensor]


def linearize(function: Map, x: Tensor) -> tuple[Tensor, Map, Map]:
    """Return a function's value, and the products with its Jacobian and the transposed one.

    The product with the Jacobian is the derivative of ``u -> J^T u``, which is linear: its graph is
    recorded once and every product is one pass back through it. (Forward-mode derivatives run the
    function again each time, and take up to twice as long.)

    Examples
    --------
    >>> value, push, pull = linearize(torch.square, torch.tensor([[3.0]]))
    >>> value, push(torch.ones(1, 1)), pull(torch.ones(1, 1))
    (tensor([[9.]]), tensor([[6.]]), tensor([[6.]]))
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = function(x)
        if not value.requires_grad:  # a constant: zero is its derivative
            return value, lambda v: torch.zeros_like(value), lambda u: torch.zeros_like(x)
        dual = torch.zeros_like(value, requires_grad=True)
        (image,) = _gradient(value, x, dual, create_graph=True)
    if not image.requires_grad:  # x takes no part, only parameters do
        return value.detach(), lambda v: torch.zeros_like(value), lambda u: torch.zeros_like(x)

    def push(v: Tensor) -> Tensor:
        return _gradient(image, dual, v)[0]

    def pull(u: Tensor) -> Tensor:
        return _gradient(value, x, u)[0]

    return value.detach(), push, pull


def _gradient(
    value: Tensor, variable: Tensor, weights: Tensor, **options: bool
) -> tuple[Tensor, ...]:
    return torch.autograd.grad(
        value, variable, weights, retain_graph=True, materialize_grads=True, **options
    )


def largest_singular_values(
    product: Map, transposed: Map, start: Tensor, steps: int
) -> tuple[Tensor, Tensor]:
    """Bound the largest singular value of each sample's linear map from below.

    Power iteration on :math:`J^T J` that forgets nothing (Lanczos): the result is :math:`|J v|` for
    the best unit vector v in the span of all iterates, so never less than what as many steps of
    plain power iteration give, and never more than the largest singular value.

    Parameters
    ----------
    product, transposed
        Products with the map and its transpose, samples (sample, …) independent of each other.
    start
        Random first iterates (sample, …).
    steps
        Products with both.

    Returns
    -------
    tuple of torch.Tensor
        The values (sample,) and the vectors v (sample, …), zero where the map is zero.

    Raises
    ------
    NotFiniteError
        If a product overflows.

    Examples
    --------
    >>> scale = torch.tensor([[1.0, 2.0, 5.0]])
    >>> value, v = largest_singular_values(scale.mul, scale.mul, torch.ones(1, 3), 3)
    >>> value.round(decimals=4), v.abs().round(decimals=4) + 0
    (tensor([5.], dtype=torch.float64), tensor([[0., 0., 1.]]))
    """
    samples, shape = len(start), start.shape
    tiny = 100 * torch.finfo(start.dtype).eps
    iterate = _unit(start.flatten(1))
    finite = _lengths(start.flatten(1)).isfinite().all()
    basis = start.new_zeros(samples, steps, iterate.shape[1])
    images = []
    projected = start.new_zeros(samples, steps, steps)  # basis^T J^T J basis
    for step in range(steps):
        basis[:, step] = iterate
        images.append(product(iterate.reshape(shape)))
        image = transposed(images[-1]).flatten(1)
        previous = basis[:, : step + 1]
        scale = _lengths(image)
        finite &= scale.isfinite().all()
        for sweep in range(2):  # twice is enough to be orthogonal to rounding
            shares = (previous @ image[..., None]).squeeze(-1)
            if sweep == 0:
                projected[:, : step + 1, step] = shares
            image = image - (shares[:, None] @ previous).squeeze(1)
        remainder = _lengths(image)
        # nothing new: the iterates span all that the map can reach from the start
        iterate = torch.where(remainder > tiny * scale, _unit(image), torch.zeros_like(image))
    if not bool(finite):
        raise NotFiniteError(
            f"branch: a product with its Jacobian overflows {start.dtype}; expected smaller weights"
        )
    _, vectors = torch.linalg.eigh(projected.double(), UPLO="U")
    best = vectors[..., -1:].to(start.dtype)
    vector = (best.mT @ basis).squeeze(1)
    # J v from the images of the basis, v not quite of length one as rounded
    mapped = (best.mT @ torch.stack([image.flatten(1) for image in images], 1)).squeeze(1)
    lengths = (
        torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64) for rows in (mapped, vector)
    )
    above, below = lengths
    value = torch.where(below > 0, above / below, 0.0)
    return value, _unit(vector).reshape(shape)


def _lengths(rows: Tensor) -> Tensor:
    """Norms (row, 1); their squares would overflow in single precision long before they do."""
    norms: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True, dtype=torch.float64)
    return norms.to(rows.dtype)


def _unit(rows: Tensor) -> Tensor:
    """Scale rows to length one; a zero row stays zero."""
    length = _lengths(rows)
    return torch.where(length > 0, rows / length, torch.zeros_like(rows))
