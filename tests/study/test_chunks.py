"""Chunks of seeds, layers and measures become one dataset."""

import numpy as np
import pytest
import xarray as xr

from infotheo.study.chunks import join_chunks


def measured(name, seeds, layers=None):
    """Return a variable whose values tell the layer's number and the seed."""
    values = np.array(seeds, dtype=float)[:, None] + np.zeros((1, 2))
    coords = {"seed": seeds, "epoch": [0, 5]}
    if layers is None:
        return xr.Dataset({name: (("seed", "epoch"), values)}, coords)
    places = 100.0 * np.array([int(layer.removeprefix("hidden")) for layer in layers])
    values = places[:, None, None] + values
    return xr.Dataset({name: (("layer", "seed", "epoch"), values)}, {"layer": layers, **coords})


def test_seeds_that_are_asked_for_in_the_order_of_the_chunks():
    chunks = [([1, 0], [measured("loss", [0, 1, 2])]), ([4], [measured("loss", [3, 4])])]
    joined = join_chunks(chunks)
    assert joined["seed"].values.tolist() == [1, 0, 4]
    assert joined["loss"].isel(epoch=0).values.tolist() == [1, 0, 4]


@pytest.mark.parametrize(
    ("listed", "order"),
    [
        # the list that has them all, though it comes last
        ([["hidden2"], ["hidden10", "hidden2"]], ["hidden10", "hidden2"]),
        # as they appear, where no list has them all
        ([["hidden9"], ["hidden10", "hidden9"], ["hidden1"]], ["hidden9", "hidden10", "hidden1"]),
    ],
)
def test_layers_keep_their_order_and_have_nan_where_not_measured(listed, order):
    chunks = []
    for seeds in ([0, 1], [2]):
        parts = [measured(f"m{number}", seeds, layers) for number, layers in enumerate(listed)]
        ceiling = xr.Dataset({"ceiling": ((), 1.5)})
        chunks.append((seeds, [*parts, measured("error", seeds), ceiling]))
    joined = join_chunks(chunks)
    assert joined["layer"].values.tolist() == order
    assert joined["error"].dims == ("seed", "epoch")
    assert joined["ceiling"].dims == ()
    for number, layers in enumerate(listed):
        for layer in order:
            values = joined[f"m{number}"].sel(layer=layer, epoch=5)
            place = 100.0 * int(layer.removeprefix("hidden"))
            expected = place + np.arange(3.0) if layer in layers else np.full(3, np.nan)
            np.testing.assert_array_equal(values, expected)


def test_chunks_that_do_not_belong_together_are_refused():
    other = measured("loss", [2]).assign_coords(epoch=[0, 6])
    with pytest.raises(ValueError, match="epoch"):
        join_chunks([([0], [measured("loss", [0])]), ([2], [other])])
