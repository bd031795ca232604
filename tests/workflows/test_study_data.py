"""What a figure is given: the seeds a study asks for, whichever chunks hold them."""

import numpy as np
import pytest
import xarray as xr

from workflows.files import write_dataset
from workflows.study_data import read_chunks, read_needed


def test_figures_get_the_wanted_seeds_of_each_chunk(tmp_path):
    shown = {}
    files = []
    for chunk, seeds, wanted in (("seeds-0-2", [0, 1, 2], [0, 1]), ("seeds-2-4", [2, 3, 4], [4])):
        file = tmp_path / "results" / "runs" / "digits-mlp-VR-1-abc" / chunk / "history.nc"
        losses = xr.DataArray(np.array(seeds, dtype=float), dims="seed")
        write_dataset(file, xr.Dataset({"train_loss": losses}, {"seed": seeds}))
        shown[f"digits-mlp-VR-1-abc/{chunk}"] = ["VR", wanted]
        files.append(str(file))
    histories = read_needed([("histories", files)], {"shown": shown, "reference": ""})["histories"]
    assert list(histories) == ["VR"]
    assert histories["VR"]["seed"].values.tolist() == [0, 1, 4]
    assert histories["VR"]["train_loss"].values.tolist() == [0, 1, 4]


@pytest.mark.parametrize(
    ("listed", "order"),
    [
        # the list that has them all, though it comes last
        ([["hidden2"], ["hidden10", "hidden2", "hidden1"]], ["hidden10", "hidden2", "hidden1"]),
        ([["hidden2", "hidden10"], ["hidden2"]], ["hidden2", "hidden10"]),
        # as they appear, where no list has them all
        ([["hidden9"], ["hidden10", "hidden9"], ["hidden1"]], ["hidden9", "hidden10", "hidden1"]),
    ],
)
def test_layers_of_several_measures_keep_their_order(tmp_path, listed, order):
    followed, files = {}, []
    for seeds in ([0, 1], [2]):
        key = f"digits-mlp-VR-1-abc/seeds-{seeds[0]}"
        followed[key] = ["VR", seeds]
        for number, layers in enumerate(listed):
            file = tmp_path / "results" / "runs" / key / "trajectories" / f"{number}.nc"
            dims = ("layer", "seed", "epoch")
            places = np.array([int(name.removeprefix("hidden")) for name in layers], dtype=float)
            values = places[:, None, None] + np.zeros((1, len(seeds), 3))
            write_dataset(
                file,
                xr.Dataset(
                    {f"measure{number}": (dims, values), f"ceiling{number}": ((), 1.0)},
                    {"layer": layers, "seed": seeds, "epoch": [0, 1, 10]},
                ),
            )
            files.append(str(file))
        file = tmp_path / "results" / "runs" / key / "trajectories" / "error.nc"
        errors = xr.DataArray(np.zeros((len(seeds), 3)), dims=("seed", "epoch"))
        write_dataset(file, xr.Dataset({"error": errors}, {"seed": seeds, "epoch": [0, 1, 10]}))
        files.append(str(file))
    spec = {"followed": followed, "reference": ""}
    whole = read_needed([("trajectories", files)], spec)["trajectories"]["VR"]
    assert whole["layer"].values.tolist() == order
    assert whole["seed"].values.tolist() == [0, 1, 2]
    assert whole["error"].dims == ("seed", "epoch")
    for number, layers in enumerate(listed):
        found = whole[f"measure{number}"]
        for layer in order:
            own = float(layer.removeprefix("hidden")) if layer in layers else np.nan
            np.testing.assert_array_equal(found.sel(layer=layer), np.full((3, 3), own))


def test_chunks_know_the_layer_of_every_estimate(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written = [
        ("run-b/seeds-0-1", ["estimates/fc.2/binned-1.nc", "estimates/logits/error-1.nc"]),
        ("run-a/seeds-0-1", ["estimates/fc.2/binned-1.nc", "network_estimates/margins-1.nc"]),
        ("run-a/seeds-0-10", []),
    ]
    files = []
    for number, (chunk, estimates) in enumerate(written):
        for name in ("history.nc", *estimates):
            file = f"results/runs/{chunk}/{name}"
            write_dataset(file, xr.Dataset({"value": ((), float(number))}))
            files += [file] if name != "history.nc" else []
    rows = [
        ["default", "VR", *chunk.split("/"), [number]] for number, (chunk, _) in enumerate(written)
    ]
    chunks = list(read_chunks(rows[::-1], files))
    assert [(chunk.condition, chunk.regularizer, chunk.seeds) for chunk in chunks] == [
        ("default", "VR", [number]) for number in (2, 1, 0)
    ]
    assert [float(chunk.history["value"]) for chunk in chunks] == [2, 1, 0]
    assert [[layer for layer, _ in chunk.estimates] for chunk in chunks] == [
        [],
        ["fc.2", None],
        ["fc.2", None],
    ]
    assert all(
        float(estimate["value"]) == float(chunk.history["value"])
        for chunk in chunks
        for _, estimate in chunk.estimates
    )
