"""Figures that move: frames drawn one after another, saved as an animated GIF."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.style
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from infotheo.study.figures import style
from infotheo.whole_files import partial_file

__all__ = ["Animation", "images", "save_animation"]

DOTS_PER_INCH = 90


class Animation(NamedTuple):
    """A figure, what moves in it, and how.

    ``show(frame)`` sets the artists ``moving`` to their state in a frame; nothing else changes
    from frame to frame.
    """

    figure: Figure
    moving: Sequence[Artist]
    show: Callable[[int], None]
    frames: int
    milliseconds: int = 150
    last_milliseconds: int = 2500


def images(animation: Animation, frames: Sequence[int] | None = None) -> list[Image.Image]:
    """Draw frames of an animation; all of them by default.

    Parameters
    ----------
    animation
        What to draw.
    frames
        Which frames.

    Returns
    -------
    One image in true colours for each frame.
    """
    figure, moving = animation.figure, animation.moving
    with matplotlib.style.context(["default", style.SETTINGS]):
        figure.set_dpi(DOTS_PER_INCH)
        canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
        for artist in moving:
            artist.set_animated(True)  # left out of what is drawn once for all frames
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.execute(figure)
            figure.set_layout_engine("none")
        canvas.draw()
        background = canvas.copy_from_bbox(figure.bbox)
        pictures = []
        for frame in range(animation.frames) if frames is None else frames:
            canvas.restore_region(background)
            animation.show(frame)
            for artist in moving:
                (artist.axes or figure).draw_artist(artist)
            pictures.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()))
        for artist in moving:
            artist.set_animated(False)
    return pictures


def save_animation(animation: Animation, path: str | os.PathLike[str]) -> Path:
    """Write an animated GIF that repeats for ever, whole or not at all, the same bytes every time.

    Parameters
    ----------
    animation
        What to save; its last frame stays longer.
    path
        Where to.

    Returns
    -------
    The path written.

    Raises
    ------
    ValueError
        If the path does not end in ``.gif`` or there is no frame.
    """
    target = Path(path)
    if target.suffix != ".gif":
        raise ValueError(f"path is {os.fspath(path)!r}; expected a name that ends in '.gif'")
    if animation.frames < 1:
        raise ValueError(f"the animation has {animation.frames} frames; expected at least one")
    pictures = images(animation)
    palette = _choose_palette(
        [pictures[place] for place in np.linspace(0, len(pictures) - 1, 6).astype(int)]
    )
    frames = [_index_colours(picture, palette) for picture in pictures]
    durations = [animation.milliseconds] * (len(frames) - 1) + [animation.last_milliseconds]
    with partial_file(target) as partial:
        frames[0].save(
            partial, format="GIF", save_all=True, append_images=frames[1:], duration=durations,
            loop=0, disposal=1,
        )  # fmt: skip
    return target


def _choose_palette(pictures: Sequence[Image.Image]) -> NDArray[np.int64]:
    """One palette for all frames, or colours would flicker: 255 that are frequent.

    One place of 256 stays free: Pillow needs it to write only what changes.
    """
    codes, counts = np.unique(
        np.concatenate([_pack(picture) for picture in pictures]), return_counts=True
    )
    chosen: NDArray[np.int64] = np.sort(codes[np.argsort(-counts, kind="stable")[:255]])
    return _unpack(chosen)


def _index_colours(image: Image.Image, palette: NDArray[np.int64]) -> Image.Image:
    """Replace colours by the nearest ones of a palette, which Pillow's own search misses."""
    codes, places = np.unique(_pack(image), return_inverse=True)
    distances = ((_unpack(codes)[:, None] - palette) ** 2).sum(axis=2)
    nearest = distances.argmin(axis=1).astype(np.uint8)
    frame = Image.fromarray(nearest[places].reshape(image.height, image.width)).convert("P")
    frame.putpalette(palette.astype(np.uint8).tobytes())
    return frame


def _pack(image: Image.Image) -> NDArray[np.int64]:
    """Colours of all pixels, each as one number."""
    red, green, blue = np.asarray(image).reshape(-1, 3).astype(np.int64).T
    return red << 16 | green << 8 | blue


def _unpack(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1)
