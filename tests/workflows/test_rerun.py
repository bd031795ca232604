"""What runs again: each row of the promise is the exact job list of a dry run."""

import shutil

import pytest

from tests.workflows.snakemake_runs import would_run, would_run_each
from tests.workflows.tiny_study import CONFIG, changed, reordered

BASELINE, WEIGHT, GRID = "digits-mlp-baseline", "digits-mlp-L2W-0.001", "digits-mlp-VR-grid"
RUNS = (BASELINE, WEIGHT, GRID)
CONFIGURATION = ["the configuration as resolved"]
COLLECT = ["collect the runs"]
CORRELATE = ["correlate the measures with the errors"]
DRAWN = ["figure error_and_gap", "figure saturation", "table regularizer_table"]
FOLLOWING = [*COLLECT, *CORRELATE, *DRAWN]


def train(*runs, chunk="seeds-0-1"):
    return [f"train {run} {chunk}" for run in runs]


def activations(*runs, layer="hidden2", chunk="seeds-0-1"):
    return [f"activations of {layer}, {run} {chunk}" for run in runs]


def estimates(*measures, runs=RUNS, layer="hidden2", chunk="seeds-0-1"):
    return [f"{measure} of {layer}, {run} {chunk}" for measure in measures for run in runs]


def chain(*runs, chunk="seeds-0-1"):
    """All that is done for a run before the runs are collected."""
    measured = estimates("binned", "pairwise", runs=runs, chunk=chunk)
    return [*train(*runs, chunk=chunk), *activations(*runs, chunk=chunk), *measured]


NOTHING: list[str] = []
ROWS = {
    "nothing": ({}, NOTHING),
    "defaults spelled out": ({"network.activation": "relu"}, CONFIGURATION),
    "other device, folder size of a job": (
        {"device": "cpu", "training.seeds_per_job": 7},
        CONFIGURATION,
    ),
    "a figure's setting": (
        {"figures.saturation": {"threshold": 0.5}},
        [*CONFIGURATION, "figure saturation"],
    ),
    "a figure taken out": ({"figures.saturation": ...}, CONFIGURATION),
    "a figure's layer, the first of the study": (
        {"figures.saturation": {"layer": "hidden2"}},
        CONFIGURATION,
    ),
    "correlation": ({"correlation.permutations": 199}, [*CONFIGURATION, *CORRELATE]),
    "noise variance": (
        {"measures.pairwise.noise_variance": [1, 2]},
        [*CONFIGURATION, *estimates("pairwise"), *FOLLOWING],
    ),
    "bins": (
        {"measures.binned.bins": 11},
        [*CONFIGURATION, *estimates("binned"), *FOLLOWING],
    ),
    "a new measure": (
        {"measures.prediction": None},
        [*CONFIGURATION, *estimates("prediction", layer="logits"), *FOLLOWING],
    ),
    "a measure taken out": ({"measures.binned": ...}, [*CONFIGURATION, *FOLLOWING]),
    "a regularizer added": (
        {"regularizers.CR": {"weight": 1}},
        [*CONFIGURATION, *chain("digits-mlp-CR-1"), *FOLLOWING],
    ),
    "a regularizer taken out": ({"regularizers.L2W": ...}, [*CONFIGURATION, *FOLLOWING]),
    "a regularizer renamed": (
        {"regularizers.L2W": ..., "regularizers.decay": {"penalty": "L2W", "weight": 0.001}},
        [*CONFIGURATION, *FOLLOWING],
    ),
    "a weight changed": (
        {"regularizers.L2W.weight": 0.01},
        [*CONFIGURATION, *chain("digits-mlp-L2W-0.01"), *FOLLOWING],
    ),
    "a longer grid": (
        {"regularizers.VR.weight": [0.01, 0.1, 1]},
        [*CONFIGURATION, *train(GRID, chunk="selection-0"), *chain(GRID), *FOLLOWING],
    ),
    "more seeds": (
        {"training.seeds": 4},
        [*CONFIGURATION, *chain(*RUNS, chunk="seeds-2-3"), *FOLLOWING],
    ),
    "a list of seeds": (
        {"training.seeds": [1, 9]},
        [*CONFIGURATION, *chain(*RUNS, chunk="seeds-9"), *FOLLOWING],
    ),
    "fewer seeds": ({"training.seeds": 1}, [*CONFIGURATION, *FOLLOWING]),
    "one more layer": (
        {"layers": ["hidden2", "hidden1"]},
        [
            *CONFIGURATION,
            *activations(*RUNS, layer="hidden1"),
            *estimates("binned", "pairwise", layer="hidden1"),
            *FOLLOWING,
        ],
    ),
    "a condition renamed": ({"conditions": {"usual": {}}}, [*CONFIGURATION, *FOLLOWING]),
    "a condition added": (
        {"conditions": {"default": {}, "long": {"training": {"epochs": 3}}}},
        [*CONFIGURATION, *train(GRID, chunk="selection-0"), *chain(*RUNS), *FOLLOWING],
    ),
    "another study with the same runs": ({"study": "other"}, [*CONFIGURATION, *FOLLOWING]),
}


@pytest.mark.gate
def test_changed_configurations(finished):
    configs = {row: changed(changes) for row, (changes, _) in ROWS.items()}
    expected = {row: sorted(jobs) for row, (_, jobs) in ROWS.items()}
    assert would_run_each(finished, configs) == expected


def test_a_reordered_configuration_written_anew(finished):
    # would_run writes the file, so it is newer than every result
    assert would_run(finished, reordered(CONFIG)) == NOTHING


@pytest.fixture
def copied(finished, tmp_path):
    """Return a copy of the finished study, its times of modification kept."""
    folder = tmp_path / "copied"
    shutil.copytree(finished, folder)
    return folder


def test_results_deleted_halfway(copied):
    results = copied / "results"
    (activation,) = results.glob("runs/*baseline*/seeds-0-1/activations/hidden2.nc")
    activation.unlink()
    shutil.rmtree(next(results.glob("runs/*L2W*")))
    (results / "tiny" / "figures" / "saturation.svg").unlink()
    expected = [
        *activations(BASELINE),
        *estimates("binned", "pairwise", runs=[BASELINE]),
        *chain(WEIGHT),
        *FOLLOWING,
    ]
    assert would_run(copied, CONFIG) == sorted(expected)


@pytest.mark.gate
def test_a_moved_copy_without_snakemakes_own_notes(copied):
    shutil.rmtree(copied / ".snakemake")
    assert would_run(copied, CONFIG) == NOTHING


@pytest.mark.gate
def test_changed_configurations_in_a_moved_copy(copied):
    shutil.rmtree(copied / ".snakemake")
    configs = {row: changed(changes) for row, (changes, _) in ROWS.items()}
    expected = {row: sorted(jobs) for row, (_, jobs) in ROWS.items()}
    assert would_run_each(copied, configs) == expected


def test_code_edited_in_a_moved_copy(copied, checkout):
    shutil.rmtree(copied / ".snakemake")
    edit_function(checkout, "binned_information")
    expected = [*estimates("binned"), *FOLLOWING]
    assert would_run(copied, CONFIG, checkout) == sorted(expected)


def test_a_deleted_picture_is_drawn_again(copied):
    (copied / "results" / "tiny" / "figures" / "saturation.png").unlink()
    assert would_run(copied, CONFIG) == ["figure saturation"]


def test_files_of_which_nobody_knows_how_they_were_made(copied):
    shutil.rmtree(copied / ".snakemake")
    shutil.rmtree(copied / "results" / "tiny" / "figures" / ".made-with")
    assert would_run(copied, CONFIG) == ["figure error_and_gap", "figure saturation"]


@pytest.fixture
def checkout(finished, tmp_path):
    """Return a copy of the project to edit."""
    return shutil.copytree(finished / "project", tmp_path / "checkout")


def edit(checkout, file, old, new):
    path = checkout / file
    text = path.read_text()
    assert old in text, f"{file} no longer holds {old!r}"
    path.write_text(text.replace(old, new, 1))


def edit_function(checkout, name):
    """Change what a function of the library is, in code that no reader of its text can skip."""
    (file,) = [
        path
        for path in (checkout / "infotheo").rglob("*.py")
        if f"\ndef {name}(" in path.read_text()
    ]
    # the last: overloads before it are for readers of types
    before, start, after = file.read_text().rpartition(f"\ndef {name}(")
    file.write_text(f"{before}\n@(lambda same: same){start}{after}")


def test_wording_of_the_code(finished, checkout):
    for path in checkout.rglob("*.py"):
        with path.open("a") as file:
            file.write("\n# One remark more.\n")
    edit(checkout, "infotheo/training/trainer.py", '"""Minimise', '"""Make small')
    edit(checkout, "infotheo/progress.py", "} left", "} to go")
    edit(checkout, "workflows/job.py", "(trace in", "(more in")
    edit(checkout, "Snakefile", '"""', '"""Again: ')
    assert would_run(finished, CONFIG, checkout) == NOTHING


EDITS = {
    "binned_information": [*estimates("binned"), *FOLLOWING],
    "variance_penalty": [*train(GRID, chunk="selection-0"), *chain(GRID), *FOLLOWING],
    "correlation_table": CORRELATE,
    "saturation": ["figure saturation"],
    "rank_penalty": NOTHING,
}


def test_code_of_one_stage(finished, tmp_path):
    checkouts = {}
    for function in EDITS:
        checkouts[function] = shutil.copytree(finished / "project", tmp_path / function)
        edit_function(checkouts[function], function)
    expected = {function: sorted(jobs) for function, jobs in EDITS.items()}
    assert would_run_each(finished, dict.fromkeys(EDITS, CONFIG), checkouts) == expected


def test_code_of_everything(finished, checkout):
    edit(checkout, "infotheo/training/random_streams.py", '"order": 1', '"order": 7')
    edit(checkout, "infotheo/registry.py", "def nearest(", "def closest(): ...\n\ndef nearest(")
    assert would_run(finished, CONFIG, checkout) == sorted(
        [*train(GRID, chunk="selection-0"), *chain(*RUNS), *FOLLOWING]
    )


def test_a_new_entry_in_a_registry(finished, checkout):
    binned, registry = "infotheo/study/measures/binned.py", "infotheo/study/measures/__init__.py"
    edit(checkout, binned, "def binned(", "def nothing(activations): ...\n\n\ndef binned(")
    edit(checkout, registry, "import binned\n", "import binned, nothing\n")
    edit(checkout, registry, '"binned": binned,', '"binned": binned, "no": nothing,')
    assert would_run(finished, CONFIG, checkout) == NOTHING


def test_published_numbers(finished, checkout):
    for file in (checkout / "workflows" / "reference").glob("*.csv"):
        file.touch()
    assert would_run(finished, changed({}), checkout) == NOTHING
