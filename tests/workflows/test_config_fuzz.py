"""Three hundred mutants of valid configurations: each is one clear line, or rightly accepted."""

import copy
import datetime
import random
import re
import resource
import time
from pathlib import Path

import pytest
import yaml

from tests.workflows.tiny_study import CONFIG, FOLLOWED
from workflows.plan.errors import ConfigError
from workflows.plan.origins import read_configuration
from workflows.plan.study import Study

SEED, MUTANTS = 20261128, 300
SAID = (
    "found|expected|missing|unknown|no module|takes no|defines no|the same as|needs|cannot be read|"
    "too large"
)
SECONDS, MEGABYTES = 1.0, 100
STUDIES = sorted((Path(__file__).parents[2] / "workflows" / "studies").glob("*.yaml"))
VALUES = [
    None, True, False, 0, 1, -1, 2, 10**6, 10**12, -(10**30), 10**400, 0.5, -0.0, 1e-320, 1e308,
    float("nan"), float("inf"), -float("inf"), "", " ", "x", "1", "1e5", "1e400", "\n", "tiny\n",
    "null", "~", "~nobody17/x", "a" * 300, "é", "名前", "\u202e", "\x85", "a\0b", "../..", "/",
    "a:b", "os:getcwd", "math:sin", ":", "a.b:c", "infotheo.networks:MLP", "json:loads", [], {},
    [[]], [{}], [None], [1, 1], [1, "a"], [float("nan")], ["a", "a"], [0, 2**32 - 1], [2**32],
    list(range(5000)),
    {"a": {"b": {"c": {"d": [1, {"e": None}]}}}}, {"name": 3}, {"name": None}, {"name": "mlp"},
    {1: 2}, {None: 1}, {True: 1}, {"": 1}, {"a b": {}}, {"weight": "x"}, datetime.date(2020, 1, 1),
    {"": {"": ""}}, {"layer": 3}, {"seeds": {}}, "auto", "cuda:99999", b"bytes", {"a": {1, 2}},
]  # fmt: skip


def places(value, path=()):
    """Yield the path of every key and item."""
    items = value.items() if isinstance(value, dict) else ()
    for key, item in enumerate(value) if isinstance(value, list) else items:
        yield (*path, key)
        yield from places(item, (*path, key))


def holder(config, path):
    for key in path[:-1]:
        config = config[key]
    return config


def misspelt(key, rng):
    text = str(key)
    at = rng.randrange(len(text) + 1)
    return rng.choice(
        [
            text[:at] + text[at + 1 :],
            text[:at] + "é" + text[at:],
            text.upper(),
            text + "\n",
            f" {text}",
        ]
    )


def mutate(config, rng):
    """Change one place of a configuration, in one of many ways."""
    path = rng.choice(list(places(config)))
    inside, last = holder(config, path), path[-1]
    way = rng.choice(
        ["value", "value", "value", "list", "mapping", "drop", "misspell", "nest", "move"]
    )
    if way == "value":
        inside[last] = copy.deepcopy(rng.choice(VALUES))
    elif way == "list":
        inside[last] = [inside[last]] * rng.choice([1, 2, 3000])
    elif way == "mapping":
        inside[last] = {"a": inside[last]}
    elif way == "drop":
        del inside[last]
    elif way == "misspell" and isinstance(inside, dict):
        inside[misspelt(last, rng)] = inside.pop(last)
    elif way == "nest":
        for _ in range(rng.choice([3, 200])):
            inside[last] = [inside[last]]
    else:
        other = rng.choice(list(places(config)))
        holder(config, other)[other[-1]] = copy.deepcopy(inside[last])


def garbage(text, rng):
    """Change the text of a file: lines twice, cut off, or with characters of another kind."""
    lines = text.splitlines()
    at = rng.randrange(len(lines))
    way = rng.randrange(5)
    if way == 0:
        lines.insert(at, lines[at])
    elif way == 1:
        lines = [*lines[:at], lines[at][: len(lines[at]) // 2]]
    elif way == 2:
        lines[at] = "\t" + lines[at]
    elif way == 3:
        lines[at] += rng.choice(
            [": ]", " &a *a", " !!python/object:os.x", "\x00", " {", " '", " \ud800"]
        )
    else:
        lines.insert(at, rng.choice(["- x", "? [a]", "<<: *none", "%YAML 9", "---", "x: &x [*x]"]))
    return "\n".join(lines).encode(rng.choice(["utf-8", "utf-8", "utf-16", "latin-1"]), "replace")


def bases():
    yield from (CONFIG, FOLLOWED)
    yield from (read_configuration([study]).config for study in STUDIES)


def mutants():
    """Yield what a file holds, or the mapping that Snakemake hands over."""
    rng = random.Random(SEED)
    valid = list(bases())
    for number in range(MUTANTS):
        config = copy.deepcopy(rng.choice(valid))
        if number % 5 == 4:
            yield garbage(yaml.safe_dump(config, sort_keys=False), rng)
            continue
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            if config:
                mutate(config, rng)
        if number % 5 < 2:
            yield yaml.safe_dump(config, allow_unicode=True).encode()
        else:
            yield config


def planned(mutant, folder):
    """Plan a study as the Snakefile does; return the line that says what is wrong, if it is."""
    file = folder / "study.yaml"
    try:
        if isinstance(mutant, bytes):
            file.write_bytes(mutant)
            configuration = read_configuration([file])
        else:
            configuration = read_configuration([folder / "empty.yaml", file], mutant)
    except ConfigError as error:
        return str(error)
    try:
        study = Study(configuration.config, str(file), folder / "results")
        study.check_code()
        study.check_writable()
        study.layout.targets()
        study.stale_files()
    except ConfigError as error:
        return str(configuration.name_source(error))
    return None


def resident():
    """Return the most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def clear(line, folder):
    """Whether one printable line names a source, and says what was found or expected."""
    starts = (str(folder), "the command line (--config): ")
    said = re.search(SAID, line)
    return line.startswith(starts) and line.isprintable() and len(line) < 700 and said is not None


@pytest.mark.gate
def test_every_mutant_is_one_clear_line_or_accepted(tmp_path):
    for name in ("empty.yaml", "study.yaml"):
        (tmp_path / name).write_text("{}")
    for config in bases():  # what is read once, of code and schema
        assert planned(copy.deepcopy(config), tmp_path) is None
    faults, accepted, memory = [], 0, resident()
    for number, mutant in enumerate(mutants()):
        (tmp_path / "study.yaml").write_text("{}")
        start = time.process_time()
        try:
            line = planned(mutant, tmp_path)
        except Exception as error:
            faults.append((number, repr(error)[:300]))
            continue
        seconds = time.process_time() - start
        accepted += line is None
        if seconds > SECONDS:
            faults.append((number, f"{seconds:.2f} s"))
        if line is not None and not clear(line, tmp_path):
            faults.append((number, line))
    assert faults == []
    assert resident() - memory < MEGABYTES
    assert 10 < accepted < MUTANTS / 2
