"""Inversion of y = x + L(x) by fixed-point iteration: the trial itself."""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import torch
from torch import Tensor, nn

from infotheo.arrays.labels import check_open_unit
from infotheo.arrays.numbers import check_count
from infotheo.arrays.results import attach_attrs, provenance
from infotheo.invertibility.inputs import (
    branch_output,
    read_branch,
    read_tensor,
    require_finite,
    sample_chunks,
)
from infotheo.modules.evaluation_mode import evaluation_mode

__all__ = ["Inversion", "InversionWarning", "invert_residual", "iterate"]

BEYOND_HOPE = 1e6  # a residual so many times the first one is not waited for
RATE_STEPS = 5  # the last ones: the first mix all directions


class InversionWarning(UserWarning):
    """The iteration did not find x to the tolerance for some samples: nothing is inverted there."""


class Inversion(NamedTuple):
    """Result of :func:`invert_residual`."""

    x: Tensor
    iterations: Tensor
    residual: Tensor
    converged: Tensor
    rate: Tensor


def invert_residual(
    branch: nn.Module,
    y: Tensor,
    *,
    iterations: int = 20,
    tolerance: float | None = None,
    x0: Tensor | None = None,
) -> Inversion:
    r"""Solve y = x + L(x) for x by the iteration :math:`x \leftarrow y - L(x)`.

    Parameters
    ----------
    branch
        The module L; runs in evaluation mode and is left as it was.
    y
        What the block put out before its last activation, (sample, …).
    iterations
        At most so many steps, each one pass through L. A contraction of constant c needs about
        ``log(tolerance) / log(c)``.
    tolerance
        Residual at which a sample has converged; 1e-6 by default, in float64 1e-12, in half
        precision ten times its rounding.
    x0
        Where to start, as y by default.

    Returns
    -------
    Inversion
        ``x`` is of y's shape, dtype and device; the others are (sample,). ``residual`` is
        :math:`|x + L(x) - y| / \max(|x|, |y|)` of that very x, ``converged`` whether it is at most
        ``tolerance``, ``iterations`` the steps taken, ``rate`` the factor by which a step changed
        the absolute residual (geometric mean of the last five at most; NaN without a step). For
        linear L the rate approaches the spectral radius. A sample stops when it has converged, is
        about to overflow, or is 1e6 times worse than at the start; its x is finite in any case.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or L changes the shape; the message names it.

    Warns
    -----
    InversionWarning
        If a sample has not converged.

    Notes
    -----
    Source: the proofs of paper 5, appendix E, and paper 4, lemma D.1. If L has Lipschitz constant
    c < 1, the iteration converges from anywhere, the error after k steps is at most
    :math:`c^k` times the first, and an absolute residual r leaves an error of at most
    :math:`r/(1-c)`. Without that, convergence shows a solution for this y, not that there is no
    other; failure shows that this iteration does not find one. A step costs one forward pass of L
    and, on a ResNet-32's blocks, a third of one for the arithmetic around it.

    Examples
    --------
    >>> half = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(half.weight, 0.5)
    >>> inversion = invert_residual(half, torch.tensor([[3.0]]))
    >>> round(float(inversion.x), 4), bool(inversion.converged), round(float(inversion.rate), 2)
    (2.0, True, 0.5)
    """
    read_branch(branch)
    y = read_tensor(y, "y")
    check_count(iterations, "iterations")
    if tolerance is None:
        tolerance = {torch.float64: 1e-12, torch.float32: 1e-6}.get(
            y.dtype, 10 * torch.finfo(y.dtype).eps
        )
    tolerance = check_open_unit(tolerance, "tolerance")
    start = y if x0 is None else _read_start(x0, y)
    with evaluation_mode(branch):
        fields = iterate(branch, start, y, iterations, tolerance)
    settings = {"iterations": iterations, "tolerance": tolerance, "started": x0 is not None}
    inversion = attach_attrs(Inversion, tuple(fields), provenance("invert_residual", settings))
    failed = int((~inversion.converged).sum())
    if failed:
        worst = float(inversion.residual.max())
        warnings.warn(
            f"{failed} of {len(y)} samples did not converge in {iterations} iterations (largest "
            f"residual {worst:.3g}, tolerance {tolerance:.3g})",
            InversionWarning,
            stacklevel=2,
        )
    return inversion


def _read_start(x0: Tensor, y: Tensor) -> Tensor:
    x0 = read_tensor(x0, "x0")
    if x0.shape != y.shape or x0.dtype != y.dtype or x0.device != y.device:
        raise ValueError(
            f"x0 is {tuple(x0.shape)} of {x0.dtype} on {x0.device}; expected {tuple(y.shape)} of "
            f"{y.dtype} on {y.device}, as y"
        )
    return x0


def _step(branch: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return y - x - L(x), which is what x is to be moved by, and the residual."""
    output = branch_output(branch, x)
    if output.shape != x.shape:
        raise ValueError(
            f"branch: found output of shape {tuple(output.shape)} for input of shape "
            f"{tuple(x.shape)}; expected the same, as y = x + L(x) is to be solved"
        )
    return (y - x).sub_(output)


def iterate(
    branch: nn.Module, x: Tensor, y: Tensor, iterations: int, tolerance: float
) -> Inversion:
    """Iterate from x, part by part of the samples; for a branch in evaluation mode."""
    parts = [
        _iterate_part(branch, start, target, iterations, tolerance)
        for start, target in zip(sample_chunks(x), sample_chunks(y), strict=True)
    ]
    return Inversion(*(torch.cat(fields) for fields in zip(*parts, strict=True)))


def _iterate_part(
    branch: nn.Module, x: Tensor, y: Tensor, iterations: int, tolerance: float
) -> Inversion:
    """Step the samples that are still going, of a chunk of them."""
    solution = x.clone()
    lengths = _lengths(y)
    active = torch.arange(len(y), device=y.device)
    step = _step(branch, x, y)  # x, y and step: of the active samples alone
    require_finite(step, "L(x)")
    steps = torch.zeros(len(y), dtype=torch.int64, device=y.device)
    history = torch.full((iterations + 1, len(y)), math.nan, dtype=torch.float64, device=y.device)
    history[0] = _lengths(step)
    travelled = _lengths(x)  # at least |x|, by the triangle inequality
    for count in range(1, iterations + 1):
        residual = history[count - 1, active]
        travelled[active] += residual
        going = residual > tolerance * torch.maximum(lengths[active], travelled[active])
        if not bool(going.all()):  # near the end |x| itself is worth its price
            going = residual > tolerance * torch.maximum(lengths[active], _lengths(x))
        going &= residual <= BEYOND_HOPE * history[0, active]
        active, x, y, step = _select_rows(going, active, x, y, step)
        if not len(active):
            break
        moved = step.add_(x)
        step = _step(branch, moved, y)
        residual = _lengths(step)
        # overflow: the sample keeps what it had
        active, x, y, step, residual = _select_rows(
            residual.isfinite(), active, moved, y, step, residual
        )
        solution[active] = x
        steps[active] = count
        history[count, active] = residual
    last = history.gather(0, steps[None])[0]
    scale = torch.maximum(lengths, _lengths(solution))
    residual = torch.where(last > 0, last / scale, 0.0)
    span = steps.clamp_max(RATE_STEPS)
    earlier = history.gather(0, (steps - span)[None])[0]
    root = 1 / span.clamp_min(1).double()
    rate = torch.where(span > 0, (last / earlier) ** root, math.nan)
    return Inversion(solution, steps, residual, residual <= tolerance, rate)


def _select_rows(rows: Tensor, *fields: Tensor) -> tuple[Tensor, ...]:
    """Rows of all fields; no copy if all rows stay."""
    return fields if bool(rows.all()) else tuple(values[rows] for values in fields)


def _lengths(x: Tensor) -> Tensor:
    """Norm of each sample, in float64 after a sum in no less than float32."""
    x = x.flatten(1)
    norms: Tensor = torch.linalg.vector_norm(x if x.element_size() > 2 else x.float(), dim=1)
    return norms.double()
