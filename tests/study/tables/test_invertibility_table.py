"""What is said of residual blocks after training, block by block and of the network."""

import re

import numpy as np
import pytest

from infotheo.study.tables.invertibility_table import NETWORK, invertibility_table
from tests.study.figures.small_trajectories import diverged, make_trajectories


@pytest.fixture
def trajectories():
    return make_trajectories(labels=("a", "b"), layers=2, seeds=2)


def table(trajectories):
    return invertibility_table(trajectories).set_index(["label", "block"])


def test_table_has_the_last_moment_of_every_block_and_judges_the_network(trajectories):
    judged = table(trajectories)
    dataset = trajectories["a"].isel(epoch=-1)
    for column, variable in (
        ("ratio", "residual_norm_pooled"),
        ("lower", "lipschitz_lower"),
        ("upper", "lipschitz_upper"),
        ("succeeded", "inversion_succeeded"),
        ("licensed", "licensed"),
        ("inverted", "inverted"),
    ):
        rows = judged.loc["a"].drop(index=NETWORK)
        np.testing.assert_allclose(rows[column], dataset[variable].mean("seed"), err_msg=variable)
    network = judged.loc["a", NETWORK]
    assert network["upper"] == pytest.approx(float(dataset["lipschitz_upper"].max("block").mean()))
    assert network["succeeded"] == pytest.approx(
        float(dataset["inversion_succeeded"].min("block").mean())
    )
    assert network["licensed"] == 0
    assert re.search("bound < 1: 0 of 2; inverted: 0 of 2$", network["verdict"])
    assert judged.loc[("a", "stage2.0"), "verdict"].endswith("bound < 1: -; inverted: -")


def test_network_is_judged_by_all_blocks_that_could_be_inverted(trajectories):
    dataset = trajectories["a"].copy(deep=True)
    identity = dataset["inverted"].notnull()
    dataset["residual_norm_pooled"] *= 0.5
    dataset["inverted"] = dataset["inverted"].where(~identity, 1.0)
    dataset["licensed"] = dataset["licensed"].where(~identity, 1.0)
    dataset["licensed"][{"block": 3, "epoch": -1, "seed": 0}] = 0.0
    network = table({"a": dataset}).loc["a", NETWORK]
    assert network["verdict"] == "ratio < 1: 2 of 2; bound < 1: 1 of 2; inverted: 2 of 2"
    # an unknown bound licenses nothing
    dataset["licensed"][{"block": 3, "epoch": -1, "seed": 0}] = np.nan
    dataset["lipschitz_upper"][{"block": 3, "epoch": -1, "seed": 0}] = np.nan
    network = table({"a": dataset}).loc["a", NETWORK]
    assert network["licensed"] == 0.5
    assert network["upper"] == pytest.approx(
        float(dataset["lipschitz_upper"].isel(epoch=-1, seed=1).max())
    )


def test_table_leaves_diverged_seeds_out(trajectories):
    judged = table(diverged(trajectories))
    assert set(judged.loc["a", "seeds"]) == {1}
    assert set(judged.loc["b", "seeds"]) == {0}
    assert judged.loc["b", ["ratio", "upper", "claimed"]].isnull().all(axis=None)
    assert set(judged.loc["b", "verdict"]) == {"ratio < 1: -; bound < 1: -; inverted: -"}


def test_what_is_missing_is_named(trajectories):
    lacking = {"a": trajectories["a"].drop_vars("lipschitz_upper")}
    with pytest.raises(ValueError, match="trajectories of 'a' have no 'lipschitz_upper'"):
        table(lacking)
    with pytest.raises(ValueError, match="trajectories is empty"):
        table({})
