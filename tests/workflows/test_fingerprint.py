"""Code that a result depends on is told from wording, and from code that it does not use."""

import importlib
import textwrap
from pathlib import Path

import pytest

from workflows.plan import fingerprint as hashing
from workflows.plan import sources

PACKAGE = {
    "__init__": "from {name}.formulas import *\nfrom {name}.tables import chosen as picked\n",
    "formulas": '''
        """Formulas."""
        import math
        from . import constants
        import {name}.units

        SCALE, SHIFT = 2.0, 1.0
        TABLE = {{"one": 1}}
        TABLE["two"] = 2
        try:
            import no_such_library
        except ImportError:
            no_such_library = None

        def unused(x):
            return x + 1

        def _inner(x):
            """Scale."""
            return SCALE * x + constants.OFFSET + {name}.units.bits(x)

        class Base:
            def value(self):
                return 3

        class Formula(Base):
            """A formula."""

            def __call__(self, x):
                return _inner(x)

        def formula(x, *, power: int = 2):
            """Raise to a power."""
            if x < 0:
                raise ValueError(f"x: found {{x}}, expected at least 0")
            return math.pow(_inner(x), power) + TABLE["two"]
    ''',
    "constants": "OFFSET = 5\nOTHER = 6\n",
    "units": "def bits(x):\n    return x\n\ndef nats(x):\n    return x\n",
    "tables": "from {name}.formulas import formula\ndef chosen(x):\n    return formula(x)\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch, request):
    """Write a package, and return how to read its fingerprint after an edit."""
    name = f"written_{abs(hash(request.node.name))}"
    folder = tmp_path / name
    folder.mkdir()
    for module, text in PACKAGE.items():
        (folder / f"{module}.py").write_text(textwrap.dedent(text).format(name=name))
    monkeypatch.syspath_prepend(tmp_path)

    def read(attribute="formula", module="", old="", new="", of=""):
        if module:
            path = folder / f"{module}.py"
            text = path.read_text()
            assert old in text
            path.write_text(text.replace(old, new))
        forget()
        found = sources.definition(f"{name}{of}", attribute)
        assert found is not None
        return hashing.fingerprint([found])

    yield read
    forget()


def forget():
    importlib.invalidate_caches()
    for module in (sources, hashing):
        for function in vars(module).values():
            if hasattr(function, "cache_clear"):
                function.cache_clear()


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("formulas", "Raise to a power.", "Raise to the power of so much."),
        ("formulas", '"""Formulas."""', "# Formulas"),
        ("formulas", "return SCALE", "# scaled\n    return SCALE"),
        (
            "formulas",
            "math.pow(_inner(x), power)",
            "math.pow(\n        _inner(x),\n  power,\n    )",
        ),
        ("formulas", "found {x}, expected at least 0", "must not be negative, got {x}"),
        ("formulas", "return x + 1", "return x + 2"),
        ("formulas", "return 3", "return 4"),
        ("constants", "OTHER = 6", "OTHER = 7"),
        ("units", "def nats(x):\n    return x", "def nats(x):\n    return 2 * x"),
        ("tables", "return formula(x)", "return -formula(x)"),
    ],
)
def test_blind_to_wording_and_to_unused_code(package, module, old, new):
    before = package()
    assert package("formula", module, old, new) == before


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("formulas", "power: int = 2", "power: int = 3"),
        ("formulas", "SCALE, SHIFT = 2.0", "SCALE, SHIFT = 3.0"),
        ("formulas", 'TABLE["two"] = 2', 'TABLE["two"] = 3'),
        ("formulas", "if x < 0", "if x < 1"),
        ("constants", "OFFSET = 5", "OFFSET = 6"),
        ("units", "def bits(x):\n    return x", "def bits(x):\n    return 2 * x"),
    ],
)
def test_sees_code_that_is_used_through_others(package, module, old, new):
    before = package()
    assert package("formula", module, old, new) != before


def test_sees_base_classes(package):
    before = package("Formula")
    assert package("Formula", "formulas", "return 3", "return 4") != before


def test_a_moved_module_changes_nothing(package, tmp_path):
    before = package()
    (folder,) = tmp_path.glob("written_*")
    (folder / "constants.py").rename(folder / "numbers.py")
    (folder / "units.py").rename(folder / "a_unit.py")
    text = (folder / "formulas.py").read_text()
    for old, new in (
        ("from . import constants", "from . import numbers as constants"),
        (f"import {folder.name}.units", f"import {folder.name}.a_unit"),
        (f"{folder.name}.units.bits", f"{folder.name}.a_unit.bits"),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "formulas.py").write_text(text)
    assert package() == before


def test_helpers_that_change_places_are_seen(tmp_path, monkeypatch):
    for module, factor in (("doubling", 2), ("halving", 0.5)):
        (tmp_path / f"{module}.py").write_text(
            f"def _scale(x):\n    return x * {factor}\n\ndef {module}(x):\n    return _scale(x)\n"
        )
    (tmp_path / "both.py").write_text(
        "from doubling import doubling\nfrom halving import halving\n\n"
        "def both(x):\n    return doubling(x) + halving(x) ** 2\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(hashing, "_PROJECT", {"both", "doubling", "halving"})
    forget()
    before = hashing.fingerprint([sources.definition("both", "both")])
    doubling, halving = ((tmp_path / f"{m}.py").read_text() for m in ("doubling", "halving"))
    (tmp_path / "doubling.py").write_text(doubling.replace("x * 2", "x * 0.5"))
    (tmp_path / "halving.py").write_text(halving.replace("x * 0.5", "x * 2"))
    forget()
    assert hashing.fingerprint([sources.definition("both", "both")]) != before
    forget()


def test_another_library_behind_the_same_name_is_seen(package):
    before = package()
    assert package("formula", "formulas", "import math", "import cmath as math") != before


def test_follows_reexports_and_stars(package):
    direct = package("formula", of=".formulas")
    assert package("formula") == direct
    before = package("picked")
    assert package("picked", "constants", "OFFSET = 5", "OFFSET = 6") != before


@pytest.mark.parametrize(
    "text",
    [
        "import infotheo as it\n\ndef mine(z):\n    return it.binned_information(z)\n",
        "from infotheo import binned_information as b\n\ndef mine(z):\n    return b(z)\n",
    ],
)
def test_public_names_are_followed_to_where_they_are_defined(text, tmp_path, monkeypatch):
    (tmp_path / "measuring.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    forget()
    own = sources.definition("measuring", "mine")
    packages = frozenset({"infotheo", "measuring"})
    (used,) = hashing._code(own, packages).used
    assert (used.module, used.name) == (
        "infotheo.estimators.binned.information",
        "binned_information",
    )


def test_installed_libraries_are_not_followed():
    found = sources.definition("torch.optim", "SGD")
    assert found is not None
    assert hashing._installed("torch")
    followed = hashing._code(found, frozenset({"infotheo", "workflows"})).used
    assert {used.module for used in followed} == {"torch.optim.sgd"}
    assert "lr" in (sources.parameters(found) or {})


@pytest.mark.parametrize("kind", sorted(sources.REGISTRIES))
def test_registries_are_read_and_never_followed(kind):
    entries = sources.registered(kind)
    assert entries
    module, _, name = sources.REGISTRIES[kind].partition(":")
    registry = sources.definition(module, name)
    assert registry is not None
    if kind in ("figure", "table"):
        pytest.importorskip("matplotlib")
    loaded = getattr(importlib.import_module(module), name)
    assert set(entries) == set(loaded)
    assert sources.passed(kind) == sources.Passed(loaded.positional, loaded.context)


def test_a_new_entry_in_a_registry_moves_nobody(tmp_path, monkeypatch):
    (tmp_path / "listed.py").write_text(
        "from infotheo.registry import Registry\n\ndef one(x):\n    return x\n\n"
        "entries = Registry({'one': one}, kind='entry', positional=('x',))\n\n"
        "def use(name):\n    return entries[name]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sources.REGISTRIES, "entry", "listed:entries")
    forget()
    before = hashing.fingerprint([sources.definition("listed", "use")])
    text = (tmp_path / "listed.py").read_text()
    more = text.replace("{'one': one}", "{'one': one, 'two': two}")
    (tmp_path / "listed.py").write_text("def two(x):\n    return 2 * x\n\n" + more)
    forget()
    assert set(sources.registered("entry")) == {"one", "two"}
    assert sources.passed("entry") == sources.Passed(("x",))
    assert hashing.fingerprint([sources.definition("listed", "use")]) == before
    forget()


def test_the_message_of_a_job_is_no_part_of_a_result():
    code = hashing._fingerprint(("workflows.scripts.train",))
    assert code == hashing.fingerprint(["workflows.scripts.train"])
    script = hashing._whole_module("workflows.scripts.train")
    read = hashing._code(script, frozenset({"workflows", "infotheo"}))
    assert "workflows.files" in {used.module for used in read.used}
    assert "workflows.job" not in {used.module for used in read.used}
    assert "job(snakemake)" in Path(sources.module_file("workflows.scripts.train")).read_text()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(a, b, *, c: int = 3): ...", {"a", "b", "c"}),
        ("class f:\n    def __init__(self, a, *, c=1): ...", {"a", "c"}),
        ("class f: ...", None),
        ("def f(a, **settings): ...", None),
        ("f = print", None),
    ],
)
def test_settings_are_read_from_the_source(text, expected, tmp_path, monkeypatch):
    (tmp_path / "signatures.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    forget()
    found = sources.parameters(sources.definition("signatures", "f"))
    assert (set(found) if found is not None else None) == expected
    forget()
