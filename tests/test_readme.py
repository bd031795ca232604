"""The README's example prints what the README says; its test command is the gate's first."""

import contextlib
import io
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```\n+```text\n(.*?)```", README, re.DOTALL)


def test_readme_has_its_example():
    assert len(EXAMPLES) == README.count("```python") == 1


def test_readme_example_prints_what_it_says():
    ((code, printed),) = EXAMPLES
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "README.md", "exec"), {})
    assert out.getvalue() == printed


def test_readme_is_read_in_one_sitting():
    assert len(README.split()) <= 1200
    assert README.count("\n") <= 120


def test_the_gate_begins_with_the_readmes_test_command():
    (command,) = re.findall(r"^.* && \.venv/bin/pytest .*$", README, re.MULTILINE)
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8").replace("install --quiet", "install")
    assert f"\n{command}\n" in gate
