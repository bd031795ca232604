"""Taps: the modules of a model at which the norms of a residual block are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from torch import Tensor, nn

from infotheo.arrays.wording import describe
from infotheo.invertibility.blocks import block_parts, is_residual_block

__all__ = ["Reference", "Tap", "find_taps"]

Reference = Literal["input", "shortcut"]
LONGEST = 200  # characters of the names in a message


class Tap(NamedTuple):
    """Where one block's two norms are read."""

    name: str
    block: nn.Module  # its first input is x, unless there is a shortcut
    branch: nn.Module  # its output is L(x)
    shortcut: nn.Module | None  # its output is x


def find_taps(
    model: nn.Module,
    branches: Sequence[str] | Mapping[str, str] | None,
    shortcuts: Mapping[str, str] | None,
    reference: Reference,
) -> list[Tap]:
    """Find the blocks that are meant.

    Parameters
    ----------
    model, branches, shortcuts, reference
        As in :func:`~infotheo.residual_norms`.

    Raises
    ------
    TypeError, ValueError
        If a name is not in the model, or there is no block; the message names the argument.
    """
    modules: dict[str, nn.Module] = dict(model.named_modules())

    def module_at(name: Any, argument: str) -> nn.Module:
        if not isinstance(name, str):
            raise TypeError(f"{argument}: {describe(name)} is no name of a module; expected text")
        if name not in modules:
            known = ", ".join(filter(None, modules))
            if len(known) > LONGEST:
                known = f"{known[:LONGEST]}..."
            raise ValueError(
                f"{argument}: {describe(name)} is not in the model; its modules: {known}"
            )
        return modules[name]

    def submodule(block: str, part: str, argument: str) -> nn.Module:
        if not isinstance(part, str):
            raise TypeError(f"{argument}: {describe(part)} is no name of a module; expected text")
        return module_at(f"{block}.{part}" if block else part, argument)

    def read_tap(name: str, block: nn.Module) -> Tap:
        parts = block_parts(block)
        return Tap(name, block, parts.branch, parts.shortcut)

    if isinstance(branches, str):
        raise TypeError(
            f"branches is the string {describe(branches)}; expected a sequence of names"
        )
    if branches is not None and (
        isinstance(branches, Tensor)
        or not isinstance(branches, Iterable)
        or getattr(branches, "shape", (0,)) == ()
    ):
        raise TypeError(f"branches is {describe(branches)}; expected a sequence of names")
    if shortcuts is not None and not isinstance(shortcuts, Mapping):
        raise TypeError(
            f"shortcuts is {describe(shortcuts)}; expected a mapping of blocks to modules"
        )
    if shortcuts is not None and not isinstance(branches, Mapping):
        raise ValueError("shortcuts need branches as a mapping of blocks to their branch's end")
    if branches is None:
        taps = [read_tap(name, part) for name, part in modules.items() if is_residual_block(part)]
        if not taps:
            raise ValueError(
                "model has no residual block (a module with a module 'branch'); name its branches"
            )
    elif isinstance(branches, Mapping):
        unknown = [name for name in shortcuts or {} if name not in branches]
        if unknown:
            raise ValueError(f"shortcuts: {unknown[0]!r} is not among the blocks of branches")
        taps = [
            Tap(
                block,
                module_at(block, "branches"),
                submodule(block, end, "branches"),
                submodule(block, shortcuts[block], "shortcuts")
                if shortcuts and block in shortcuts
                else None,
            )
            for block, end in branches.items()
        ]
    else:
        taps = []
        for name in branches:
            part = module_at(name, "branches")
            taps.append(
                read_tap(name, part) if is_residual_block(part) else Tap(name, part, part, None)
            )
    if not taps:
        raise ValueError("branches: found none, expected at least one name")
    return [tap._replace(shortcut=None) for tap in taps] if reference == "input" else taps
