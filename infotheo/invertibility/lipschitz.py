"""Lower and upper bounds of a residual branch's Lipschitz constant."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from infotheo.arrays.labels import check_open_unit
from infotheo.arrays.numbers import check_count, check_seed
from infotheo.arrays.random_streams import torch_seed
from infotheo.arrays.results import attach_attrs, provenance
from infotheo.invertibility.inputs import (
    branch_output,
    branch_outputs,
    read_branch,
    read_tensor,
    require_finite,
    sample_chunks,
)
from infotheo.invertibility.layer_walk import LayerBound, LayerWalk
from infotheo.invertibility.pair_quotients import largest_pair_quotient
from infotheo.invertibility.singular_values import largest_singular_values, linearize
from infotheo.modules.evaluation_mode import evaluation_mode

__all__ = ["LipschitzBounds", "jacobian_norms", "lipschitz_bounds"]

PARTS = 4  # the graph and the iterates of one sample weigh five times its forward pass


class LipschitzBounds(NamedTuple):
    """Bounds of :func:`lipschitz_bounds`, and what they were made of."""

    lower: Tensor
    upper: Tensor
    jacobian: Tensor
    pairs: Tensor
    upper_estimate: Tensor
    layers: tuple[LayerBound, ...]


def lipschitz_bounds(
    branch: nn.Module,
    x: Tensor,
    *,
    iterations: int = 3,
    tolerance: float = 0.02,
    seed: int = 0,
) -> LipschitzBounds:
    r"""Bound the Lipschitz constant of a residual branch L in evaluation mode.

    Parameters
    ----------
    branch
        The module L. The upper bound needs ``nn.Sequential`` of layers that
        :data:`~infotheo.invertibility.layer_norms.layer_norms` knows, or residual blocks with the
        attributes ``branch`` and, optionally, ``shortcut`` and ``activation``.
    x
        What it receives, (sample, …), at least two samples.
    iterations
        Steps of (remembering) power iteration on the Jacobian, each a product with it and with its
        transpose, for every sample.
    tolerance
        Largest relative excess of a convolution's bound over its norm on an unbounded image.
    seed
        Of the iterations' start.

    Returns
    -------
    LipschitzBounds
        ``upper``
            Product of bounds of the layers' norms, for all x, not the data alone (nested residual
            blocks: shortcut plus branch). Below 1, y = x + L(x) has one solution for every y.
        ``lower``
            Largest difference quotient that was found: ``pairs``, or the Jacobian's value,
            confirmed along its direction by a quotient over a short step, whichever is less. Below
            1 it proves nothing; above 1 L is no contraction, and x + L(x) may still be invertible.
            Where the quotient is above ``upper`` by the rounding of a short step (the root of the
            dtype's precision) it is ``upper``.
        ``jacobian``
            (sample,) :math:`|J v|` for a unit v that the iterations found: at most the largest
            singular value of the Jacobian at x, however few they are.
        ``pairs``
            Largest :math:`|L(x)-L(x')|/|x-x'|` over the pairs of samples; 0 if none differ.
        ``upper_estimate``
            ``upper`` with the norms of convolutions found by iteration at their true size, padding
            and stride: lies below the product of the exact norms, which it approaches, and is no
            bound. Between it and ``upper`` lies that product.
        ``layers``
            Name, type, ``upper`` and ``iterated`` norm of every layer.

        Norms are Euclidean, over all entries of a sample. Scalars and ``jacobian`` are float64
        tensors on the device of ``x``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, a layer's norm is not known, hooks change what it puts
        out, its settings leave no bound (CELU of a negative alpha, Softplus of a threshold below
        20), a quotient is above ``upper`` beyond rounding, or what a layer puts out is not finite;
        the message names it.

    Notes
    -----
    Source: paper 5, section 3.3 and appendix E, and paper 4, appendix D, state
    :math:`\|L\| < 1` from ratios of norms at the data; these are the bounds that the statement
    needs. All values hold to rounding in the dtype of the module. Where x lies exactly on a kink
    of L, automatic differentiation may return what is no derivative: ``jacobian`` is that of the
    function as differentiated; ``lower`` is safe.

    With 128 samples and the defaults all of it takes 20 to 32 forward passes of a ResNet-32's
    branch on two CPU cores: 4.5 for each step of ``iterations``, 2 (16 channels) to 12 (64) for the
    upper bound, 2 for the pairs. Graphs and iterates are held for a quarter of the samples at most.

    Examples
    --------
    >>> layer = nn.Linear(2, 2, bias=False)
    >>> _ = layer.weight.data.copy_(torch.tensor([[0.5, 0.0], [0.0, 2.0]]))
    >>> bounds = lipschitz_bounds(layer, torch.eye(2))
    >>> [round(float(value), 5) for value in (bounds.lower, bounds.upper)]
    [2.0, 2.0]
    """
    read_branch(branch)
    x = read_tensor(x, "x", minimum=2)
    check_count(iterations, "iterations")
    tolerance = check_open_unit(tolerance, "tolerance")
    generator = torch.Generator().manual_seed(
        torch_seed(check_seed(seed, most=2**64 - 1), "directions")
    )

    with evaluation_mode(branch):
        outputs = branch_outputs(branch, x)
        pairs = largest_pair_quotient(x.flatten(1), outputs.flatten(1))
        del outputs
        jacobian, confirmed = jacobian_norms(branch, x, iterations, generator)
        walk = LayerWalk(tolerance, generator)
        upper, estimate, _ = walk.follow(branch, x[:1], "")

    lower = max(pairs, confirmed)
    if lower > upper * (1 + torch.finfo(x.dtype).eps ** 0.5):
        raise ValueError(
            f"branch: its output changes {lower:.6g} times as much as x, more than the product "
            f"{upper:.6g} of its layers' norms; expected layers that do what their types say, and "
            "samples that differ by more than rounding"
        )
    lower = min(lower, upper)

    def scalar(value: float) -> Tensor:
        return torch.tensor(value, dtype=torch.float64, device=x.device)

    settings = {"iterations": iterations, "tolerance": tolerance, "seed": seed}
    fields = (
        scalar(lower),
        scalar(upper),
        jacobian,
        scalar(pairs),
        scalar(estimate),
        tuple(walk.layers),
    )
    return attach_attrs(LipschitzBounds, fields, provenance("lipschitz_bounds", settings))


def jacobian_norms(
    branch: nn.Module, x: Tensor, iterations: int, generator: torch.Generator
) -> tuple[Tensor, float]:
    """Return each sample's |J v|, and the largest as far as difference quotients confirm it."""
    values: list[Tensor] = []
    best, point, direction = -1.0, x[0], x[0]
    for part in sample_chunks(x, least=PARTS):
        value, push, pull = linearize(lambda v: branch_output(branch, v), part)
        # half a step for a third of its price
        start = pull(torch.randn(value.shape, generator=generator).to(value))
        norms, vectors = largest_singular_values(push, pull, start, iterations)
        values.append(norms)
        top = int(norms.argmax())
        if float(norms[top]) > best:
            best, point, direction = float(norms[top]), part[top], vectors[top]
    return torch.cat(values), min(best, _quotient(branch, point, direction))


def _quotient(branch: nn.Module, x: Tensor, direction: Tensor) -> float:
    """Largest ``|L(x + h v) - L(x)| / |h v|`` over a few short steps to both sides."""
    scale = float(torch.linalg.vector_norm(x)) or 1.0
    step = scale * torch.finfo(x.dtype).eps ** 0.5
    steps = x.new_tensor([sign * step * 10**power for power in range(3) for sign in (1, -1)])
    points = torch.cat([x[None], x + steps.reshape(-1, *[1] * x.ndim) * direction])
    outputs = branch_output(branch, points)
    require_finite(outputs, "L(x + h v)")
    distance, change = (  # the step as rounded
        torch.linalg.vector_norm((values[1:].double() - values[:1].double()).flatten(1), dim=1)
        for values in (points, outputs)
    )
    moved = distance > 0
    return float((change[moved] / distance[moved]).amax()) if bool(moved.any()) else 0.0
