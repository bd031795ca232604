"""Links of README, docs and the examples lead somewhere; each command on a page exists."""

import importlib.util
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

import infotheo

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/*.md")])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SCHEMA = yaml.safe_load((ROOT / "workflows/schemas/config.schema.yaml").read_text("utf-8"))
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
IDS = [str(page.relative_to(ROOT)) for page in PAGES]


def prose(page):
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page):
    """Return the anchors that GitHub and Sphinx give a page's headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"no {path}"
        if anchor:
            assert anchor in anchors(target), f"no heading {anchor} in {path}"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_public_names_in_prose_exist(page):
    named = re.findall(r"\{\w+\}`~?infotheo\.(\w+)`", prose(page))
    assert set(named) <= set(infotheo._HOMES)


# Commands


def commands(page):
    """Return the commands of a page, from its shell blocks and from code within its lines."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:sh|bash)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose(page))]
    parts = [part for line in lines for part in line.split(" && ")]
    return [words for part in parts if (words := program_first(part))]


def program_first(line):
    """Return a line's words where it begins with a program that has something to do."""
    program, _, arguments = line.removeprefix(".venv/bin/").partition(" ")
    return [program, *shlex.split(arguments)] if program in CHECKS and arguments else None


def exists(path):
    """Return whether a path is there, or stands for one of the reader's."""
    return path.startswith("path/to/") or (ROOT / path).exists()


def after(words, option):
    return [words[place + 1] for place, word in enumerate(words) if word == option]


def check_python(words):
    if words[0] == "-m":
        module = words[1].replace(".", "/")
        files = [ROOT / f"{module}.py", ROOT / module / "__main__.py"]
        here = [file for file in files if file.is_file()]
        if not here:
            assert importlib.util.find_spec(words[1]), f"no module {words[1]}"
            return
        source, arguments = here[0].read_text(encoding="utf-8"), words[2:]
    else:
        assert exists(words[0]), f"no file {words[0]}"
        source, arguments = (ROOT / words[0]).read_text(encoding="utf-8"), words[1:]
    for word in arguments:
        if word.startswith("-"):
            assert f'"{word}"' in source, f"no option {word}"
        elif word[:1].isalpha():
            assert word in source or exists(word), f"no {word}"


def check_pip(words):
    for file in after(words, "-c"):
        assert exists(file)
    for package in after(words, "-e"):
        extra = re.fullmatch(r"\.(?:\[(\w+)\])?", package)
        assert extra, package
        assert extra[1] in {None, *PROJECT["project"]["optional-dependencies"]}


def check_snakemake(words):
    cli = importlib.util.find_spec("snakemake.cli").origin
    source = Path(cli).read_text(encoding="utf-8")
    for option in (word for word in words if word.startswith("-")):
        assert f'"{option}"' in source, option
    for file in [*after(words, "--configfile"), *after(words, "--workflow-profile")]:
        assert exists(file), f"no {file}"
    for change in after(words, "--config"):
        assert change.partition("=")[0] in SCHEMA["properties"]


def check_pytest(words):
    markers = PROJECT["tool"]["pytest"]["ini_options"]["markers"]
    assert set(after(words, "-m")) <= {marker.partition(":")[0] for marker in markers}
    for word in words:
        if "/" in word:
            assert exists(word.partition("::")[0]), f"no {word}"


def check_paths(words):
    for word in words:
        if "/" in word and "_build" not in word:
            assert exists(word), f"no {word}"


CHECKS = {
    "python": check_python,
    "python3": check_python,
    "pip": check_pip,
    "snakemake": check_snakemake,
    "pytest": check_pytest,
    "sphinx-build": check_paths,
    "bash": check_paths,
    "ruff": check_paths,
    "mypy": check_paths,
    "snakefmt": check_paths,
}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_exist(page):
    for program, *words in commands(page):
        CHECKS[program](words)


def test_commands_are_read_from_the_pages():
    read = [words for page in PAGES for words in commands(page)]
    assert {program for program, *_ in read} >= {"python", "snakemake", "pytest", "sphinx-build"}
    assert len(read) > 30


@pytest.mark.parametrize(
    "line",
    [
        "python -m benchmarks.nothing",
        "python -m tests.workflows.kill_study config.yaml --kill 20",
        "python docs/pictures/paint.py",
        "pip install -e '.[tests]'",
        "snakemake --cores all --configfile workflows/studies/none.yaml",
        "snakemake --coers all",
        "pytest tests/nowhere",
        "pytest -m gates",
        "bash .ci/walk",
    ],
)
def test_a_command_that_is_gone_is_noticed(line):
    program, *words = program_first(line)
    with pytest.raises((AssertionError, ModuleNotFoundError)):
        CHECKS[program](words)
