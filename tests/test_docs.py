"""Every public name has a page; its docstring says all it should; its example runs as shown."""

import contextlib
import doctest
import importlib.util
import inspect
import io
import re
import sys
from pathlib import Path

import pytest

import infotheo
from workflows.plan.sources import REGISTRIES, registered

DOCS = Path(__file__).parents[1] / "docs"
REFERENCE = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.rst"))
FUNCTIONS = sorted(
    name for name in infotheo._HOMES if inspect.isfunction(getattr(infotheo, name))
)  # fmt: skip
SECTIONS = ("Parameters", "Returns", "Raises", "Notes", "Examples")
NO_NOTES = {  # neither formula nor paper behind
    "dump_activations",
    "linear_gaussian_layer",
    "relative_noise_variance",
    "separated_clusters",
}
NO_SOURCE = {"mixture_information_monte_carlo"}  # a method of our own


def extension(name):
    """A module of docs/_extensions, which is no package."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "_extensions" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


docstrings = extension("docstrings")


@pytest.mark.parametrize("name", sorted(infotheo._HOMES))
def test_every_public_name_is_in_the_reference(name):
    listed = re.search(rf"^   {name}$|^\.\. py:data:: infotheo\.{name}$", REFERENCE, re.MULTILINE)
    assert listed, f"docs/api has no page for {name}; add it to the list of its subject"


def test_the_reference_lists_no_name_that_is_gone():
    listed = set(re.findall(r"(?<=^   )[A-Za-z]\w+$", REFERENCE, re.MULTILINE))
    pages = {page.stem for page in (DOCS / "api").glob("*.rst")}
    assert listed - pages <= set(infotheo._HOMES)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstring_has_its_sections_and_parameters(name):
    function = getattr(infotheo, name)
    text = inspect.getdoc(function)
    headings = re.findall(r"^(\w+)\n-+$", text, re.MULTILINE)
    sections = [s for s in SECTIONS if not (s == "Notes" and name in NO_NOTES)]
    assert [s for s in sections if s not in headings] == []
    described = re.search(r"Parameters\n-+\n(.*?)\n\n\w+\n-+\n", text, re.DOTALL)[1]
    names = re.findall(r"^\*{0,2}(\w[\w, ]*?)(?: :.*)?$", described, re.MULTILINE)
    assert sorted(", ".join(names).split(", ")) == sorted(inspect.signature(function).parameters)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - NO_NOTES - NO_SOURCE))
def test_notes_name_a_source(name):
    notes = inspect.getdoc(getattr(infotheo, name)).partition("Notes\n-----\n")[2]
    assert re.search(r"[Pp]aper|\d{4}|eq\.", notes), f"{name}: no paper, no equation"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_example_runs_with_the_imports_that_its_page_shows(name):
    function = inspect.unwrap(getattr(infotheo, name))
    text = inspect.getdoc(function)
    names = {}
    exec("\n".join(docstrings.imports_for(text, sys.modules[function.__module__])), names)
    example = doctest.DocTestParser().get_doctest(text, names, name, None, None)
    out = io.StringIO()
    failed, tried = doctest.DocTestRunner().run(example, out=out.write)
    assert tried, "no example"
    assert not failed, out.getvalue()


def test_an_import_that_is_missing_is_noticed():
    module = sys.modules["infotheo.estimators.prediction"]
    importlib.import_module(module.__name__)
    lines = docstrings.imports_for(">>> np.log(fano_error_bound(2.0, classes=10))", module)
    assert lines == ["import numpy as np", "from infotheo import fano_error_bound"]
    with pytest.raises(AttributeError):
        docstrings.imports_for(">>> nowhere(1)", module)


def examples(page):
    """Return a page's examples that stand before what they print."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```\n+```text\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize(("code", "printed"), examples("index.md"))
def test_first_page_prints_what_it_says(code, printed):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "index.md", "exec"), {})
    assert out.getvalue() == printed


def test_examples_of_the_pages_are_run():
    shown = {page.name: page.read_text(encoding="utf-8") for page in DOCS.glob("*.md")}
    assert shown["index.md"].count("```python") == len(examples("index.md"))
    assert [page for page in shown if "```python" in shown[page]] == ["index.md"]


def test_translation_table_calls_exist():
    text = (DOCS / "comparison.md").read_text(encoding="utf-8")
    called = set(re.findall(r"it\.(\w+)", text))
    assert called
    assert called <= set(infotheo._HOMES)


@pytest.mark.parametrize("page", ["neighbors", "regularizers"])
def test_examples_between_the_docstrings_run(page):
    failed, tried = doctest.testfile(str(DOCS / "api" / f"{page}.rst"), module_relative=False)
    assert tried
    assert not failed


@pytest.mark.parametrize("kind", REGISTRIES)
def test_the_page_of_studies_names_all_that_is_registered(kind):
    page = (DOCS / "studies.md").read_text(encoding="utf-8")
    names = registered(kind)
    assert names
    for name in names:
        assert f"`{name}`" in page, f"{kind} {name}"


def test_the_page_of_studies_names_all_that_there_are():
    page = (DOCS / "studies.md").read_text(encoding="utf-8")
    for study in (DOCS.parent / "workflows" / "studies").glob("*.yaml"):
        assert f"`{study.stem}`" in page, study.stem
