"""A registry says how its functions are called, and its functions are called so."""

import pytest

from infotheo.registry import Registry, bind, import_function, lookup

SCALINGS = Registry(
    {
        "double": lambda x, *, offset=0: 2 * x + offset,
        "scale": lambda x, *, factor, classes=None, offset=0: (factor * x + offset, classes),
    },
    kind="scaling",
    positional=("x",),
    context=("classes", "device"),
)


def test_it_is_a_dictionary():
    assert SCALINGS["double"](3) == 6
    assert isinstance(SCALINGS, dict)
    assert [*SCALINGS] == ["double", "scale"]


def test_context_goes_to_those_that_take_it():
    assert bind("double", SCALINGS, {"offset": 1}, classes=10, device="cpu")(3) == 7
    assert bind("scale", SCALINGS, {"factor": 3}, classes=10, device="cpu")(2) == (6, 10)


def test_settings_come_before_the_context():
    assert bind("scale", SCALINGS, {"factor": 3, "classes": 2}, classes=10)(2) == (6, 2)


def test_nothing_is_passed_that_the_registry_does_not_state():
    assert bind("scale", SCALINGS, {"factor": 3}, offset=5)(2) == (6, None)


def test_the_first_registry_that_knows_a_name():
    others = Registry({"double": len, "length": len}, kind="scaling")
    assert lookup("double", SCALINGS, others)(2) == 4
    assert lookup("length", SCALINGS, others)([1, 2]) == 2
    assert lookup("math:floor", SCALINGS, others)(1.5) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("doubel", r"unknown scaling 'doubel'; did you mean 'double'\?; expected one of double,"),
        ("no_such_module:f", "scaling 'no_such_module:f' does not import"),
        ("math:no_such", "scaling 'math:no_such': math has no 'no_such'"),
    ],
)
def test_unknown_names(name, words):
    with pytest.raises(ValueError, match=words):
        lookup(name, SCALINGS)
    if ":" in name:
        with pytest.raises(ValueError, match=words):
            import_function(name, "scaling")
