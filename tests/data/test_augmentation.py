"""Random crops and mirror images: where each value comes from, how often, and from which stream."""

import numpy as np
import pytest
import torch
from torch import nn

from infotheo.data.augmentation import crop_and_flip
from infotheo.training.random_streams import generators
from infotheo.training.settings import TrainingSettings
from infotheo.training.trainer import train


def streams(seeds, epoch=0):
    return generators(seeds, "augmentation", epoch)


def numbered(replicas, samples, channels=2, rows=6, columns=5):
    """Images no two values of which are the same, and none is 0."""
    shape = (replicas, samples, channels, rows, columns)
    return 1 + torch.arange(np.prod(shape), dtype=torch.float32).view(shape)


def cut_by_hand(image, down, right, flip, padding):
    channels, rows, columns = image.shape
    cut = np.zeros_like(image)
    for row in range(rows):
        for column in range(columns):
            source = column if not flip else columns - 1 - column
            y, x = row + down - padding, source + right - padding
            if 0 <= y < rows and 0 <= x < columns:
                cut[:, row, column] = image[:, y, x]
    return cut


@pytest.mark.parametrize("padding", [0, 1, 4])
def test_every_image_is_one_of_the_cuts_made_by_hand_and_all_occur_alike(padding):
    images = numbered(2, 400 * (2 * padding + 1) ** 2 // 10)
    result = crop_and_flip(images, streams([0, 1]), padding=padding).numpy()
    cuts = {}
    for index, (image, crops) in enumerate(
        zip(images.flatten(0, 1).numpy(), result.reshape(-1, 2, 6, 5), strict=True)
    ):
        if index < 60:
            place = [
                (down, right, flip)
                for down in range(2 * padding + 1)
                for right in range(2 * padding + 1)
                for flip in (False, True)
                if np.array_equal(cut_by_hand(image, down, right, flip, padding), crops)
            ]
            assert len(place) == 1  # the same for both channels
            cuts[place[0]] = cuts.get(place[0], 0) + 1
    assert len(cuts) > 1
    zeros = (result == 0).mean()
    # a shift by k of w leaves k / w of an axis outside; so many cuts that 0.02 is 4 standard errors
    expected = [np.mean([abs(k) / size for k in range(-padding, padding + 1)]) for size in (6, 5)]
    assert abs(zeros - (1 - (1 - expected[0]) * (1 - expected[1]))) < 0.02
    mirrored = result[..., 2, 1] > result[..., 2, 2]
    if padding == 0:
        assert abs(mirrored.mean() - 0.5) < 4 * 0.5 / np.sqrt(mirrored.size)


def test_flip_probability_and_no_change():
    images = numbered(1, 50)
    assert torch.equal(crop_and_flip(images, streams([3]), padding=0, flip_probability=0), images)
    mirrored = crop_and_flip(images, streams([3]), padding=0, flip_probability=1)
    assert torch.equal(mirrored, images.flip(-1))


def test_each_replica_draws_from_its_own_stream():
    images = numbered(1, 30).expand(3, 30, 2, 6, 5)
    together = crop_and_flip(images, streams([4, 5, 4]))
    assert torch.equal(together[0], together[2])
    assert not torch.equal(together[0], together[1])
    assert torch.equal(crop_and_flip(images[:1], streams([5]))[0], together[1])
    assert not torch.equal(crop_and_flip(images[:1], streams([5], epoch=1))[0], together[1])
    assert torch.equal(images, numbered(1, 30).expand(3, 30, 2, 6, 5))  # left as they were


def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 3))


def trained(seeds, **settings):
    inputs = torch.randn(40, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(40) % 3
    return train(
        linear,
        (inputs, labels),
        (inputs, labels),
        TrainingSettings(batch_size=16, epochs=3, learning_rate=0.01, **settings),
        seeds=seeds,
    ).replicas.parameters


def test_training_on_changed_images():
    both = trained([1, 2], augmentation="crop_and_flip", augmentation_settings={"padding": 2})
    alone = trained([2], augmentation="crop_and_flip", augmentation_settings={"padding": 2})
    without = trained([2])
    by_path = trained(
        [2],
        augmentation="infotheo.data.augmentation:crop_and_flip",
        augmentation_settings={"padding": 0, "flip_probability": 0},
    )
    for name, value in alone.items():
        torch.testing.assert_close(both[name][1], value[0], rtol=0, atol=1e-6)  # rounding
        assert (value - without[name]).abs().max() > 1e-3
        torch.testing.assert_close(by_path[name], without[name], rtol=0, atol=1e-6)


def test_bad_augmentation_gets_one_line():
    with pytest.raises(ValueError, match=r"inputs of shape \(sample, 16\), .* expects images"):
        crop_and_flip(torch.ones(2, 5, 16), streams([0, 1]))
    with pytest.raises(ValueError, match="unknown augmentation 'crop_flip'; did you mean"):
        trained([0], augmentation="crop_flip")
    images = numbered(1, 2)
    with pytest.raises(ValueError, match="padding is -1; expected a whole number >= 0"):
        crop_and_flip(images, streams([0]), padding=-1)
    with pytest.raises(ValueError, match="flip_probability is 1.5; expected at most 1"):
        crop_and_flip(images, streams([0]), flip_probability=1.5)
