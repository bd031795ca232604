"""One look for all figures: settings, colours of regularizers and classes, saving byte for byte."""

from __future__ import annotations

import functools
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap, to_hex
from matplotlib.figure import Figure

from infotheo.whole_files import partial_file

__all__ = [
    "ERROR", "GAP", "LOWER", "UPPER", "WIDTH", "class_colours", "colour", "line_style", "marker",
    "name_axis", "note", "save", "styled",
]  # fmt: skip

Parameters = ParamSpec("Parameters")
Drawn = TypeVar("Drawn")  # a figure or an animation

WIDTH = 10.0  # inches
LOWER, UPPER = "#00707a", "#b8447a"
ERROR, GAP = "#2b2b2b", "#b3771d"

SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "figure.titlesize": 11.0,
    "figure.titleweight": "bold",
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.5,
    "savefig.dpi": 150,
    "svg.hashsalt": "infotheo",
    "svg.fonttype": "path",
}

# A family shares a hue; its class-wise member is the lighter one, dashed and with an open marker.
REGULARIZERS = {
    "baseline": ("#000000", "o"),
    "L1W": ("#5c5c5c", "s"),
    "L2W": ("#a3a3a3", "D"),
    "dropout": ("#7a4b1e", "^"),
    "batch_norm": ("#c2a878", "v"),
    "CR": ("#0a4f9e", "o"),
    "cw-CR": ("#56b4e9", "o"),
    "VR": ("#c23b00", "s"),
    "cw-VR": ("#f0a030", "s"),
    "L1R": ("#00875f", "P"),
    "RR": ("#7b1fa2", "D"),
    "cw-RR": ("#d977c8", "D"),
}
# Regularizers of the user's own; the choice depends on the name only, not on the study.
OTHERS = ("#8a8d00", "#3c8d93", "#a0526d", "#5566aa", "#6b8e23", "#cc6677", "#44aa99", "#776655")

CLASSES = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
    "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip


def styled(draw: Callable[Parameters, Drawn]) -> Callable[Parameters, Drawn]:
    """Let a function draw with these settings whatever the user's own ones are."""

    @functools.wraps(draw)
    def drawn(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Drawn:
        with matplotlib.style.context(["default", SETTINGS]):
            return draw(*args, **kwargs)

    return drawn


def colour(regularizer: str) -> str:
    """Colour of a regularizer, the same in every figure and study.

    Examples
    --------
    >>> colour("baseline"), colour("mine") == colour("mine")
    ('#000000', True)
    """
    if regularizer in REGULARIZERS:
        return REGULARIZERS[regularizer][0]
    return OTHERS[zlib.crc32(regularizer.encode()) % len(OTHERS)]


def marker(regularizer: str) -> dict[str, Any]:
    """Marker of a regularizer as arguments of a line: filled, or open for class-wise ones."""
    shape = REGULARIZERS.get(regularizer, ("", "X"))[1]
    face = "white" if regularizer.startswith("cw-") else colour(regularizer)
    return {"marker": shape, "markerfacecolor": face, "markeredgecolor": colour(regularizer)}


def line_style(regularizer: str) -> str:
    """Solid, or dashed for class-wise regularizers."""
    return "--" if regularizer.startswith("cw-") else "-"


def class_colours(classes: Sequence[int]) -> tuple[dict[int, str], Colormap]:
    """Colours of class labels: ten well separated ones, or a continuous scale for more classes.

    Examples
    --------
    >>> class_colours([0, 1])[0]
    {0: '#3f90da', 1: '#ffa90e'}
    """
    if len(classes) <= len(CLASSES):
        chosen = list(CLASSES[: len(classes)])
    else:
        scale = matplotlib.colormaps["turbo"]
        chosen = [to_hex(scale(value)) for value in np.linspace(0.03, 0.97, len(classes))]
    return dict(zip(classes, chosen, strict=True)), ListedColormap(chosen)


def name_axis(axes: Axes, names: Sequence[str]) -> None:
    """Put names below the horizontal axis, slanted where they would touch."""
    axes.set_xlim(-0.6, len(names) - 0.4)
    if len(names) * max(map(len, names)) <= 60:
        axes.set_xticks(range(len(names)), names)
    else:
        axes.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")


def note(figure: Figure, text: str) -> None:
    """Write a remark in small letters below the figure; none if the text is empty."""
    if text:
        figure.supxlabel(text, x=0.01, ha="left", fontsize=8, color="#555555")


def save(figure: Figure, path: str | os.PathLike[str]) -> list[Path]:
    """Write a figure as SVG and PNG, whole or not at all, the same bytes every time.

    Parameters
    ----------
    figure
        What to save. Its layout is settled first, so that it looks the same in both files.
    path
        Where to; the suffixes ``.svg`` and ``.png`` replace the one given, if it is one of them.

    Returns
    -------
    The two paths written.
    """
    stem = Path(path)
    if stem.suffix in (".svg", ".png"):
        stem = stem.with_suffix("")
    written = []
    with matplotlib.style.context(["default", SETTINGS]):
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.execute(figure)
            figure.set_layout_engine("none")  # a second solution may differ in the last digit
        for kind in ("svg", "png"):
            target = stem.with_name(f"{stem.name}.{kind}")
            metadata = {"Date": None} if kind == "svg" else {}
            with partial_file(target) as partial:
                figure.savefig(partial, format=kind, metadata=metadata)
            written.append(target)
    return written
