"""Random changes of training images, by name; each replica draws from its own stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from infotheo.arrays.numbers import check_count, check_number
from infotheo.registry import Registry

__all__ = ["augmentations", "crop_and_flip"]


def crop_and_flip(
    images: Tensor,
    streams: Sequence[torch.Generator],
    *,
    padding: int = 4,
    flip_probability: float = 0.5,
) -> Tensor:
    """Pad with zeros and cut an image of the same size out at random; mirror left and right.

    Parameters
    ----------
    images
        (replica, sample, channel, row, column).
    streams
        One generator for each replica, on the images' device.
    padding
        Rows and columns of zeros on every side: the image moves by at most so many.
    flip_probability
        How probable it is that an image is mirrored.

    Returns
    -------
    Tensor
        New images of the same shape.

    Raises
    ------
    TypeError, ValueError
        If the inputs are no images, or a setting is out of range.

    Notes
    -----
    Source: He et al. (2016), Deep residual learning for image recognition, section 4.2.

    Examples
    --------
    >>> stream = torch.Generator().manual_seed(0)
    >>> crop_and_flip(torch.ones(1, 2, 3, 8, 8), [stream]).shape
    torch.Size([1, 2, 3, 8, 8])
    """
    if images.ndim != 5:
        shape = ", ".join(["sample", *map(str, images.shape[2:])])
        raise ValueError(
            f"augmentation: found inputs of shape ({shape}), crop_and_flip expects images (sample, "
            "channel, row, column)"
        )
    check_count(padding, "padding", least=0)
    if check_number(flip_probability, "flip_probability") > 1:
        raise ValueError(f"flip_probability is {flip_probability}; expected at most 1")
    samples, rows, columns = images.shape[1], *images.shape[3:]
    shifts, flips = [], []
    for stream in streams:
        shifts.append(
            torch.randint(2 * padding + 1, (2, samples), generator=stream, device=images.device)
        )
        chances = torch.rand(samples, generator=stream, device=images.device)
        flips.append(chances < flip_probability)
    rows_down, columns_right = torch.cat(shifts, dim=1)
    # (image, channel, shift down, shift right, row, column): a view of every place to cut
    places = pad(images.flatten(0, 1), (padding,) * 4).unfold(2, rows, 1).unfold(3, columns, 1)
    cut = places[torch.arange(len(places), device=images.device), :, rows_down, columns_right]
    flip = torch.cat(flips).view(-1, 1, 1, 1)
    return torch.where(flip, cut.flip(-1), cut).view_as(images)


augmentations: Registry[Callable[..., Tensor]] = Registry(
    {"crop_and_flip": crop_and_flip},
    kind="augmentation",
    positional=("images", "streams"),
)
