"""What a network draws at random in its forward pass, and from where."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._python_dispatch import TorchDispatchMode

from infotheo.training.random_streams import restored_generators

__all__ = ["Draws", "recorded_draws", "refuse_other_generators"]


@dataclass
class Draws:
    """Names of torch's functions that drew at random, in the order in which they did."""

    functions: list[str] = field(default_factory=list)  # from torch's global generator
    with_generator: list[str] = field(default_factory=list)  # from one that they were handed


@contextmanager
def recorded_draws(device: torch.device) -> Iterator[Draws]:
    """Record what draws at random, and put torch's global generators back afterwards.

    Examples
    --------
    >>> with recorded_draws(torch.device("cpu")) as draws:
    ...     _ = torch.nn.functional.dropout(torch.ones(2)) + torch.rand_like(torch.ones(2))
    >>> draws.functions
    ['torch.nn.functional.dropout', 'torch.rand_like']
    """
    draws = Draws()
    names: Any = _FunctionNames()
    with restored_generators(device) as defaults:
        operations: Any = _RandomOperations(draws, names, defaults)
        with names, operations:
            yield draws


class _FunctionNames(TorchFunctionMode):
    """Knows the function of torch's that the network is calling; does not see what that calls."""

    current: str | None = None

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        self.current = resolve_name(func) or getattr(func, "__name__", str(func))
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self.current = None


class _RandomOperations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Looks at the operations that all functions consist of."""

    def __init__(
        self, draws: Draws, names: _FunctionNames, defaults: Sequence[torch.Generator]
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._draws, self._names, self._defaults = draws, names, defaults

    def __torch_dispatch__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **kwargs)
        name = self._names.current or str(func)
        if kwargs.get("generator") is not None:
            self._draws.with_generator.append(name)
            return func(*args, **kwargs)
        before = [default.get_state() for default in self._defaults]
        result = func(*args, **kwargs)
        states = zip(before, self._defaults, strict=True)
        # attention without dropout could draw, but does not
        if not all(torch.equal(state, default.get_state()) for state, default in states):
            self._draws.functions.append(name)
        return result


@contextmanager
def refuse_other_generators() -> Iterator[None]:
    """Refuse draws from the global generators of NumPy and of Python, which no replica's seed sets.

    Raises
    ------
    ValueError
        At the end of the context, if one of them drew.

    Examples
    --------
    >>> with refuse_other_generators():
    ...     _ = random.random()
    Traceback (most recent call last):
    ...
    ValueError: network draws from Python's random in its forward pass; expected torch's \
generator, which is set from each replica's seed
    """
    numpy_before = np.random.get_state()  # noqa: NPY002
    python_before = random.getstate()
    yield
    numpy_after = np.random.get_state()  # noqa: NPY002
    pairs = zip(numpy_before, numpy_after, strict=True)
    drawn_from = "Python's random" if random.getstate() != python_before else ""
    if not all(np.array_equal(before, after) for before, after in pairs):
        drawn_from = "numpy.random"
    if drawn_from:
        raise ValueError(
            f"network draws from {drawn_from} in its forward pass; expected torch's generator, "
            "which is set from each replica's seed"
        )
