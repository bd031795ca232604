"""What a figure is given: the seeds a study asks for, whichever chunks hold them."""

import numpy as np
import xarray as xr

from workflows.files import write_dataset
from workflows.study_data import read_needed


def test_figures_get_the_wanted_seeds_of_each_chunk(tmp_path):
    shown = {}
    files = []
    for chunk, seeds, wanted in (("seeds-0-2", [0, 1, 2], [0, 1]), ("seeds-2-4", [2, 3, 4], [4])):
        file = tmp_path / "results" / "runs" / "digits-mlp-VR-1-abc" / chunk / "history.nc"
        losses = xr.DataArray(np.array(seeds, dtype=float), dims="seed")
        write_dataset(file, xr.Dataset({"train_loss": losses}, {"seed": seeds}))
        shown[f"digits-mlp-VR-1-abc/{chunk}"] = ["VR", wanted]
        files.append(str(file))
    histories = read_needed({"histories": files}, shown)["histories"]
    assert list(histories) == ["VR"]
    assert histories["VR"]["seed"].values.tolist() == [0, 1, 4]
    assert histories["VR"]["train_loss"].values.tolist() == [0, 1, 4]
