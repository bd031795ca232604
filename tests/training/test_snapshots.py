"""When snapshots are taken, that they show that moment's weights, and that a kill costs none."""

from collections import namedtuple
from functools import partial

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from infotheo.study.trajectories.rebuild import networks_over_time, replicas_at, replicas_over_time
from infotheo.training import checkpoint, snapshot_store, trainer
from infotheo.training.errors import logits
from infotheo.training.fit import fit, fit_at_chosen_weight
from infotheo.training.snapshot_schedule import moments, read_schedule, spread
from infotheo.training.timeline import timeline
from tests.training.plain_training import small_samples

NETWORK = {"name": "mlp", "width": 12, "hidden_layers": 2}
BATCH_NORM = {"name": "batch_norm", "layer": "hidden2"}
TRAINING = {"learning_rate": 0.01, "batch_size": 50, "epochs": 6}  # of 3 steps
OF = {"network": NETWORK, "regularizer": BATCH_NORM}
SEEDS = [3, 1]


@pytest.fixture(scope="module")
def samples():
    return small_samples()


@pytest.fixture
def follow(samples):
    """Train with batch normalization: buffers and parameters."""
    return partial(fit, samples, seeds=SEEDS, device="cpu", training=TRAINING, **OF)


# When


@given(last=st.integers(1, 100_000), data=st.data())
def test_spread_goes_from_start_to_end_without_repeats(last, data):
    count = data.draw(st.integers(2, min(last + 1, 300)))
    result = spread(last, count)
    gaps = np.diff(result)
    assert len(result) == count
    assert (result[0], result[-1]) == (0, last)
    assert (gaps > 0).all()
    wide = np.flatnonzero(gaps > 1)
    if len(wide) and result[0 : wide[0] + 1] == list(range(wide[0] + 1)):
        # evenly on a logarithmic scale, but for rounding down to a whole number
        steady = np.array(result[wide[0] + 1 :], float)
        ratio = last ** (1 / (count - 1))
        assert (steady[1:] < (steady[:-1] + 1) * ratio * (1 + 1e-6) + 1).all()
        assert (steady[1:] + 1 > steady[:-1] * ratio * (1 - 1e-6)).all()


def test_spread_takes_every_one_at_first():
    result = spread(10_000, 100)
    assert result[:30] == list(range(30))
    assert spread(7, 8) == list(range(8))
    assert spread(5, 2) == [0, 5]


def test_moments_know_steps_and_epochs_through_phases():
    steps = timeline(10, 4, 0.1, "full", [{"epoch": 2, "batch_size": 4}])  # 1, 1, 3, 3 steps
    assert moments(steps) == ((0, 0.0), (1, 1.0), (2, 2.0), (5, 3.0), (8, 4.0))
    assert moments(steps, points=[1, 3]) == ((1, 1.0), (5, 3.0))
    assert moments(steps, every="step", points=[0, 3, 4, 8]) == (
        (0, 0.0),
        (3, 2.4),
        (4, 2.8),
        (8, 4.0),
    )
    assert [moment.step for moment in moments(steps, every="step", count=9)] == list(range(9))
    assert [moment.step for moment in moments(steps, count=3)] == [0, 2, 8]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"evry": "step"}, "snapshots: unknown key 'evry'; did you mean 'every'"),
        ({"every": "batch"}, "snapshots.every is 'batch'; expected one of 'epoch', 'step'"),
        ({"keep": "logits"}, "snapshots.keep is 'logits'; expected one of 'weights'"),
        ({"count": 0}, "snapshots.count is 0; expected a whole number >= 2"),
        ({"count": 1}, "snapshots.count is 1; expected a whole number >= 2"),
        (
            {"count": 6},
            "snapshots.count: found 6, expected at most 5, the start and each of",
        ),
        ({"count": 2.5}, "snapshots.count is 2.5; expected a whole number"),
        ({"every": "step", "count": 10}, "found 10, expected at most 9, .* of the 8 steps"),
        ({"points": []}, "snapshots.points: found none, expected at least one epoch"),
        ({"points": [2, 5, 9]}, "snapshots.points: found epoch 5, expected at most 4, the end of"),
        ({"every": "step", "points": [9]}, "found step 9, expected at most 8"),
        ({"points": [2, 2]}, "snapshots.points: found 2 after 2, expected each to be larger"),
        ({"points": [-1]}, "snapshots.points is -1; expected a whole number >= 0"),
        ({"points": 3}, "snapshots.points: found 3, expected a list of epochs"),
        ({"points": [1], "count": 2}, "snapshots: found count and points, expected one of them"),
        ({"gigabytes": 0}, "snapshots.gigabytes is 0; expected a finite number > 0"),
    ],
)
def test_bad_schedule_gets_one_line(settings, line):
    steps = timeline(10, 4, 0.1, 5)
    with pytest.raises((ValueError, TypeError), match=line) as caught:
        read_schedule(settings, steps)
    assert "\n" not in str(caught.value)


# What


def test_snapshots_are_the_weights_of_that_moment(follow):
    """A training that ends at an epoch leaves what a longer one shows there."""
    fitted = follow(snapshots={})
    snapshots = fitted.snapshots
    assert snapshots["seed"].values.tolist() == SEEDS
    assert snapshots["epoch"].values.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert snapshots["step"].dims == ("epoch",)
    assert snapshots["step"].values.tolist() == [0, 3, 6, 9, 12, 15, 18]
    assert snapshots["hidden1.linear.weight"].dims[:2] == ("seed", "epoch")
    assert set(snapshots.data_vars) == set(fitted.weights.data_vars)
    assert snapshots["hidden2.batch_norm.running_mean"].dtype == np.float32
    for epochs in (0, 2, 6):
        shorter = follow(training={**TRAINING, "epochs": epochs}) if epochs else None
        snapshot = snapshots.sel(epoch=epochs)
        for name, value in (shorter.weights if shorter else {}).items():
            np.testing.assert_array_equal(snapshot[name], value, err_msg=name)
    start = replicas_at(small_samples(), snapshots, 0, **OF)  # of the seeds' initial weights
    fresh = follow(training={**TRAINING, "epochs": 1}, snapshots={"points": [0]}).snapshots
    for name, value in start.parameters.items():
        np.testing.assert_array_equal(fresh[name].isel(epoch=0), value.detach())


def test_snapshots_change_nothing_of_the_training(follow):
    without, along = follow(), follow(snapshots={"every": "step"})
    assert without.snapshots is None
    for one, other in zip(without[:3], along[:3], strict=True):
        xr.testing.assert_identical(one, other)


def test_steps_inside_epochs_and_across_phases(follow):
    """A step's snapshot is the end of a training that stops there, phase or no phase."""
    phases = [{"step": 4, "batch_size": 20, "learning_rate": 0.02}]  # the second step of epoch 1
    training = {**TRAINING, "epochs": 3, "phases": phases}
    along = follow(training=training, snapshots={"every": "step"}).snapshots
    assert along["step"].dims == ("step",)
    assert along["epoch"].dims == ("step",)
    epochs = dict(zip(along["step"].values.tolist(), along["epoch"].values, strict=True))
    assert epochs[4] == pytest.approx(1 + 50 / 120)
    assert epochs[5] == pytest.approx(1 + 70 / 120)
    by_epoch = follow(training=training, snapshots={}).snapshots
    for name, value in by_epoch.data_vars.items():
        at = along[name].sel(step=by_epoch["step"].values)
        np.testing.assert_array_equal(value, at)
    moved = along["output.weight"].diff("step")
    assert (abs(moved).max(["output.weight_0", "output.weight_1"]) > 0).all()


def test_explicit_points_and_counts(follow):
    assert follow(snapshots={"points": [2, 5]}).snapshots["epoch"].values.tolist() == [2, 5]
    counted = follow(snapshots={"every": "step", "count": 5}).snapshots
    assert counted["step"].values.tolist() == [0, 2, 4, 8, 18]


# Resumed


class Killed(BaseException):
    """Not an error: nothing in training may catch it."""


def kill_before(monkeypatch, epoch):
    """Kill the training after the checkpoint of this many epochs."""

    def killed(first, last, label, unit):
        for number in range(first, last):
            if number == epoch:
                raise Killed
            yield number

    monkeypatch.setattr(trainer, "progress", killed)


def kill_at_step(monkeypatch, step):
    """Kill the training inside an epoch, after the snapshot before this step."""
    take = snapshot_store.SnapshotStore.take

    def killed(self, number, replicas):
        take(self, number, replicas)
        if number == step:
            raise Killed

    monkeypatch.setattr(snapshot_store.SnapshotStore, "take", killed)


def measured(moment, replicas):
    """A measure in place: the norm of each network's weights, and a number that is always so."""
    weight = replicas.parameters["output.weight"].detach()
    return xr.Dataset(
        {
            "norm": ("seed", weight.flatten(1).norm(dim=1).numpy(), {"units": "1"}),
            "spectrum": (("seed", "place"), torch.linalg.svdvals(weight).numpy()),
            "ceiling": 2.5,
            "steps_seen": ("seed", np.full(len(replicas), moment.step)),
        },
        {"place": np.arange(4)},
    )


@pytest.mark.parametrize("at_snapshot", [None, measured])
@pytest.mark.parametrize(
    ("kill", "place"), [(kill_before, 1), (kill_before, 4), (kill_at_step, 10), (kill_at_step, 2)]
)
def test_killed_and_resumed_gives_the_same_bytes(
    tmp_path, follow, monkeypatch, kill, place, at_snapshot
):
    settings = {"snapshots": {"every": "step", "count": 10}, "at_snapshot": at_snapshot}
    monkeypatch.setattr("infotheo.training.fit.train", partial(trainer.train, checkpoint_seconds=0))
    uninterrupted = follow(**settings)
    path = tmp_path / "state.npz"
    with monkeypatch.context() as patched:
        kill(patched, place)
        with pytest.raises(Killed):
            follow(checkpoint_path=path, **settings)
    folder = checkpoint.snapshot_folder(path)
    kept = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    resumed = follow(checkpoint_path=path, **settings)
    done = place * 3 if kill is kill_before else 3 * (place // 3)
    for file in folder.iterdir():
        if int(file.stem) < done:  # not taken again
            assert file.stat().st_mtime_ns == kept[file.name]
    for one, other in zip(resumed, uninterrupted, strict=True):
        xr.testing.assert_identical(one, other)
        for name, value in other.variables.items():
            assert one[name].values.tobytes() == value.values.tobytes(), name
            assert one[name].dtype == value.dtype
    checkpoint.discard(path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_on_disk_is_pickled_and_no_file_is_half_written(tmp_path, follow, monkeypatch):
    path = tmp_path / "state.npz"
    save = np.save

    def disk_full(file, values, **settings):
        save(file, values[:1], **settings)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(np, "save", disk_full)
        with pytest.raises(OSError, match="No space left"):
            follow(checkpoint_path=path, snapshots={})
    folder = checkpoint.snapshot_folder(path)
    assert list(folder.iterdir()) == []
    follow(checkpoint_path=path, snapshots={})
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == [f"{3 * epoch:012d}.npy" for epoch in range(7)]
    for file in files:
        assert np.load(file, allow_pickle=False).dtype == np.float32


@pytest.mark.parametrize(
    "other",
    [
        {"seeds": [3, 2]},
        {"snapshots": {"every": "step", "count": 6}},
        {"snapshots": {}, "at_snapshot": measured},
        {"lost": True},
    ],
)
def test_snapshots_of_another_training_or_lost_ones_are_taken_anew(
    tmp_path, follow, monkeypatch, other
):
    monkeypatch.setattr("infotheo.training.fit.train", partial(trainer.train, checkpoint_seconds=0))
    path = tmp_path / "state.npz"
    with monkeypatch.context() as patched:
        kill_before(patched, 4)
        with pytest.raises(Killed):
            follow(checkpoint_path=path, snapshots={})
    folder = checkpoint.snapshot_folder(path)
    other = dict(other)
    if other.pop("lost", False):
        (folder / f"{3:012d}.npy").unlink()
    settings = {"snapshots": {}, **other}
    result, expected = follow(checkpoint_path=path, **settings), follow(**settings)
    for part, expected_part in zip(result, expected, strict=True):
        xr.testing.assert_identical(part, expected_part)
    assert len(list(folder.iterdir())) == expected.snapshots["step"].size


def other_measure(moment, replicas):
    return 2 * measured(moment, replicas)


def test_what_another_function_found_is_no_use(tmp_path, follow, monkeypatch):
    monkeypatch.setattr("infotheo.training.fit.train", partial(trainer.train, checkpoint_seconds=0))
    path = tmp_path / "state.npz"
    with monkeypatch.context() as patched:
        kill_before(patched, 4)
        with pytest.raises(Killed):
            follow(checkpoint_path=path, snapshots={}, at_snapshot=measured)
    result = follow(checkpoint_path=path, snapshots={}, at_snapshot=other_measure).snapshots
    expected = follow(snapshots={}, at_snapshot=other_measure).snapshots
    xr.testing.assert_identical(result, expected)


def test_trainings_that_take_turns_at_one_place_never_mix(tmp_path, follow, monkeypatch):
    """The second overwrites the first one's snapshots and leaves no checkpoint of its own."""
    path = tmp_path / "state.npz"
    for seeds, epoch, seconds in (([3, 1], 2, 0), ([8, 9], 4, 1e6)):
        with monkeypatch.context() as patched:
            patched.setattr(
                "infotheo.training.fit.train", partial(trainer.train, checkpoint_seconds=seconds)
            )
            kill_before(patched, epoch)
            with pytest.raises(Killed):
                follow(seeds=seeds, checkpoint_path=path, snapshots={})
    result = follow(checkpoint_path=path, snapshots={}).snapshots
    xr.testing.assert_identical(result, follow(snapshots={}).snapshots)


# In place


def test_measures_in_place_are_those_of_the_weights(follow):
    weights = follow(snapshots={"every": "step", "count": 6}).snapshots
    result = follow(snapshots={"every": "step", "count": 6}, at_snapshot=measured).snapshots
    assert result["seed"].values.tolist() == SEEDS
    assert result["norm"].dims == ("seed", "step")
    assert result["spectrum"].dims == ("seed", "step", "place")
    assert result["ceiling"].dims == ()
    assert result["norm"].attrs["units"] == "1"
    assert result["epoch"].dims == ("step",)
    np.testing.assert_array_equal(result["steps_seen"][0], result["step"])
    norms = np.sqrt((weights["output.weight"] ** 2).sum(["output.weight_0", "output.weight_1"]))
    np.testing.assert_allclose(result["norm"], norms, rtol=1e-6)


def not_always(moment, replicas):
    """As where every network has diverged, or is constant, at some moments."""
    result = measured(moment, replicas)
    if moment.step in (0, 12):
        return result.drop_vars(["spectrum", "steps_seen", "ceiling", "place"])
    return result.drop_vars("norm") if moment.step == 6 else result


def test_what_is_not_found_at_some_moments_is_missing_there_alone(tmp_path, follow):
    settings = {"snapshots": {"every": "step", "points": [0, 3, 6, 9, 12]}}
    complete = follow(at_snapshot=measured, **settings).snapshots
    result = follow(at_snapshot=not_always, **settings).snapshots
    here = xr.DataArray([False, True, True, True, False], dims="step")
    xr.testing.assert_identical(result["spectrum"], complete["spectrum"].where(here))
    xr.testing.assert_equal(result["steps_seen"], complete["steps_seen"].where(here))
    xr.testing.assert_identical(result["norm"], complete["norm"].where(result["step"] != 6))
    assert result["spectrum"].dims == ("seed", "step", "place")
    assert result["ceiling"].dims == ()
    assert float(result["ceiling"]) == 2.5
    on_disk = follow(
        at_snapshot=not_always, checkpoint_path=tmp_path / "state.npz", **settings
    ).snapshots
    xr.testing.assert_identical(on_disk, result)


def test_what_is_found_in_place_must_have_the_seeds(follow):
    def nothing(moment, replicas):
        return xr.Dataset({"mean": 1.0})

    with pytest.raises(ValueError, match="at_snapshot: found {}, .* dimension seed of length 2"):
        follow(snapshots={}, at_snapshot=nothing)
    with pytest.raises(ValueError, match="at_snapshot: found without snapshots"):
        follow(at_snapshot=measured)


# Room


def test_more_room_than_allowed_or_free_is_refused_before_training(tmp_path, follow, monkeypatch):
    fitted = follow(snapshots={})
    bytes_needed = 4 * sum(value.size for value in fitted.snapshots.data_vars.values())
    enough = {"gigabytes": bytes_needed / 1e9}
    follow(snapshots=enough)
    kill_before(monkeypatch, 0)  # none of these trains
    with pytest.raises(ValueError, match=r"snapshots: 7 moments need .* of snapshots.gigabytes; "):
        follow(snapshots={"gigabytes": 0.999 * bytes_needed / 1e9})
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(snapshot_store.shutil, "disk_usage", lambda folder: usage(bytes_needed - 1))
    with pytest.raises(ValueError, match="snapshots: 7 moments need .* of what is free in "):
        follow(snapshots=enough, checkpoint_path=tmp_path / "state.npz")
    monkeypatch.setattr(snapshot_store.shutil, "disk_usage", lambda folder: usage(bytes_needed))
    with pytest.raises(Killed):
        follow(snapshots=enough, checkpoint_path=tmp_path / "state.npz")


# The grid


def test_grid_takes_none_and_all_seeds_are_followed_at_the_chosen_weight(samples):
    settings = {
        "network": NETWORK,
        "regularizer": {"name": "VR", "layer": "hidden1"},
        "training": TRAINING,
        "device": "cpu",
    }
    weights = [0.1, 10.0]
    grid = fit(samples, seeds=[1], loss_weights=weights, grid=True, **settings)
    assert grid.snapshots is None
    with pytest.raises(ValueError, match="snapshots: .* a grid of loss weights takes none"):
        fit(samples, seeds=[1], loss_weights=weights, grid=True, snapshots={}, **settings)
    chosen = fit_at_chosen_weight(samples, grid, seeds=[1, 4], snapshots={}, **settings)
    assert chosen.snapshots["seed"].values.tolist() == [1, 4]
    assert chosen.history["loss_weight"].dims == ()
    weight = float(chosen.history["loss_weight"])
    for name, value in chosen.weights.data_vars.items():
        np.testing.assert_array_equal(value, chosen.snapshots[name].sel(epoch=6))
        of_grid = grid.weights[name].sel(seed=1, loss_weight=weight)
        # trained beside other replicas: rounding
        np.testing.assert_allclose(value.sel(seed=1), of_grid, rtol=0, atol=1e-5)


# Back to networks


@pytest.fixture(scope="module")
def followed(samples):
    return fit(samples, seeds=SEEDS, device="cpu", training=TRAINING, snapshots={}, **OF)


def test_networks_come_back_as_they_were(samples, followed):
    inputs = torch.from_numpy(samples["input"].values[-30:])
    state = torch.get_rng_state()
    seen = []
    for moment, replicas in replicas_over_time(samples, followed.snapshots, **OF):
        result = replicas.layer_outputs(["hidden1", "output"], inputs)
        seen.append((result["hidden1"], result["output"], moment))
    assert [moment for *_, moment in seen] == list(range(7))
    np.testing.assert_allclose(seen[-1][1], followed.predictions["logits"], rtol=0, atol=1e-5)
    count = 0
    for seed, moment, network in networks_over_time(samples, followed.snapshots, **OF):
        assert not network.training
        index = SEEDS.index(seed)
        assert count == index * 7 + moment
        with torch.no_grad():
            hidden = network.hidden1(inputs)
            predicted = network(inputs)
        torch.testing.assert_close(seen[moment][0][index], hidden, rtol=0, atol=1e-5)
        torch.testing.assert_close(seen[moment][1][index], predicted, rtol=0, atol=1e-5)
        count += 1
    assert count == 14
    assert torch.equal(torch.get_rng_state(), state)


def test_weights_at_the_end_are_one_moment(samples, followed):
    inputs = torch.from_numpy(samples["input"].values[-30:])
    outputs = [
        logits(replicas_at(samples, followed.weights, **OF), inputs),
        logits(replicas_at(samples, followed.snapshots, **OF), inputs),
        logits(replicas_at(samples, followed.snapshots, 6, **OF), inputs),
    ]
    assert torch.equal(outputs[0], outputs[1])
    assert torch.equal(outputs[0], outputs[2])
    earlier = logits(replicas_at(samples, followed.snapshots, 5, **OF), inputs)
    assert not torch.equal(outputs[0], earlier)
    at_the_end = networks_over_time(samples, followed.weights, **OF)
    assert [(seed, moment) for seed, moment, _ in at_the_end] == [(3, 0), (1, 0)]
    with pytest.raises(IndexError):
        replicas_at(samples, followed.snapshots, 7, **OF)


def test_weights_of_another_network_are_refused(samples, followed):
    without = {"network": NETWORK, "regularizer": {"name": "baseline"}}
    with pytest.raises(ValueError, match="snapshots: 'hidden2.batch_norm.bias' is in them alone"):
        replicas_at(samples, followed.snapshots, **without)
    wider = {**OF, "network": {**NETWORK, "width": 13}}
    with pytest.raises(ValueError, match=r"snapshots: 'hidden1.* \(12, 16\), expected \(13, 16\)"):
        replicas_at(samples, followed.snapshots, **wider)
