"""Every command that the README and the documentation show comes to its start."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake.cli import parse_args

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "examples" / "own_package" / "README.md",
]
TOOLS = ("snakemake", "python", "python3", "pytest", "pip", "ruff", "mypy", "bash", "sphinx-build")
INSTALLED_AS = {"sphinx-build": "sphinx"}


def shown(text):
    """Yield the commands of a page: lines of a shell block, and what stands in code marks."""
    for block in re.findall(r"```(?:sh|bash|console)\n(.*?)```", text, re.DOTALL):
        yield from block.splitlines()
    yield from re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)


def commands():
    """Return every command once, as its words."""
    known = {}
    for page in PAGES:
        for line in shown(page.read_text(encoding="utf-8")):
            for part in line.split("&&"):
                try:
                    words = shlex.split(part, comments=True)
                except ValueError:
                    continue
                if words and words[0].removeprefix(".venv/bin/") in TOOLS and len(words) > 1:
                    words[0] = words[0].removeprefix(".venv/bin/")
                    known[" ".join(words)] = words
    return known


COMMANDS = commands()


def started(words, folder):
    """Return a command that only begins what the words would do."""
    tool, *options = words
    module = [sys.executable, "-m", INSTALLED_AS.get(tool, tool)]
    if tool == "snakemake":
        parse_args(options)
        if "--report" in options:  # of results
            options = ["--cores", "1"]
        options = [word.replace("path/to/study.yaml", "config.yaml") for word in options]
        return [*module, *options, "-n", "--directory", str(folder)]
    if tool == "pytest":
        # collected by what would run it; -n is no question of this test
        return [*module, *options, "--collect-only", "-q", "-p", "no:cacheprovider"]
    if tool == "bash":
        return ["bash", "-n", *options]
    if tool in ("python", "python3"):
        cut = 2 if options[0] == "-m" else 1
        return [sys.executable, *options[:cut], "--help"]
    return [*module, "--help"]


def test_the_pages_show_commands():
    text = "\n".join(COMMANDS)
    for command in ("snakemake --cores all", "python -m benchmarks", "pytest -n 2", "pip install"):
        assert command in text


@pytest.mark.parametrize("command", [name for name in COMMANDS if name.startswith("pip install")])
def test_what_is_installed_is_there(command):
    extras = re.findall(r"\.\[(\w+)\]", command)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in extras)
    assert "-c" not in command.split() or (ROOT / "constraints.txt").is_file()


@pytest.mark.gate
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_comes_to_its_start(command, tmp_path):
    words = COMMANDS[command]
    module = INSTALLED_AS.get(words[0], words[0])
    if module in ("ruff", "mypy", "sphinx") and importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not part of what the tests need")
    done = subprocess.run(
        started(words, tmp_path),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
