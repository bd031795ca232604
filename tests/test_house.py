"""The house: imports go down its floors and never round, and every function says what it returns.

It is read, not run: a fault has its file and its line, in functions that no test calls, too.
"""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import infotheo

ROOT = Path(__file__).parents[1]
FLOORS = {
    "registry": 1,
    "progress": 1,
    "file_settings": 1,
    "version": 1,
    "whole_files": 1,
    "arrays": 2,
    "modules": 2,
    "estimators": 3,
    "weights": 3,
    "invertibility": 3,
    "penalties": 3,
    "data": 3,
    "networks": 4,
    "representation": 4,
    "training": 5,
    "study": 6,
    "workflows": 7,
    # nothing here may import what only hands on to users, or what only uses the package
    "ground_truth": 8,
    "uncertainty": 8,
    "benchmarks": 8,
    "docs": 8,
    "tests": 8,
}
WITHOUT_TORCH = ("infotheo.arrays", "infotheo.estimators")
FOR_TORCH = (  # modules there that are for torch alone
    "infotheo.estimators.critics.*",
    "infotheo.estimators.pair_sums.fused*",
    "infotheo.estimators.pair_sums.gradient",
)
ENTRIES = 18  # directly under infotheo/, its own __init__ not counted


class Import(NamedTuple):
    """One module that another one asks for."""

    importer: str
    imported: str
    place: str  # file:line
    at_import: bool  # when the importer itself is imported, not in a function or for types alone


def read_modules(root: Path) -> dict[str, Path]:
    """Files of the package by the names of their modules."""
    modules = {}
    for path in sorted((root / "infotheo").rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        modules[name.removesuffix(".__init__")] = path
    return modules


def locate(node: ast.AST, path: Path, root: Path) -> str:
    """File and line of a node."""
    return f"{path.relative_to(root)}:{node.lineno}"


def walk(node: ast.AST, at_import: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Yield all nodes below, and whether they are run when the module is imported."""
    for child in ast.iter_child_nodes(node):
        lazy = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            lazy = True
        yield child, at_import
        yield from walk(child, at_import and not lazy)


def imported_names(node: ast.AST, package: str, modules: dict[str, Path]) -> list[str]:
    """Full names of the modules that a statement imports, or a call of import_module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        parts = package.split(".")
        start = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
        source = ".".join(part for part in (start, node.module) if part)
        names = []
        for alias in node.names:
            name = f"{source}.{alias.name}"
            if source == "infotheo" and name not in modules:  # a public name: its home
                name = infotheo._HOMES.get(alias.name, "infotheo.version")
            names.append(name if name in modules else source)
        return names
    if isinstance(node, ast.Call):
        function = getattr(node.func, "attr", getattr(node.func, "id", None))
        texts = [part.value for part in node.args if isinstance(part, ast.Constant)]
        return [text for text in texts if function == "import_module" and text in modules]
    return []


@cache
def read_imports(root: Path) -> list[Import]:
    """All imports of the package's modules, those of functions and of types too."""
    modules = read_modules(root)
    imports = []
    for importer, path in modules.items():
        package = importer if path.stem == "__init__" else importer.rpartition(".")[0]
        for node, at_import in walk(ast.parse(path.read_text(encoding="utf-8"))):
            for imported in dict.fromkeys(imported_names(node, package, modules)):
                imports.append(Import(importer, imported, locate(node, path, root), at_import))
    return imports


def find_room(module: str) -> str:
    """Name by which the table of floors knows a module."""
    first, _, rest = module.partition(".")
    return rest.partition(".")[0] if first == "infotheo" else first


def find_upward_imports(root: Path) -> list[str]:
    """Imports of a module on a higher floor."""
    faults = []
    for importer, imported, where, _ in read_imports(root):
        low, high = FLOORS.get(find_room(importer)), FLOORS.get(find_room(imported))
        if low is not None and high is not None and high > low:
            faults.append(f"{where}: {importer} (floor {low}) imports {imported} (floor {high})")
    return faults


def find_circles(root: Path) -> list[str]:
    """Circles of modules that import each other, one for each import that closes one."""
    imports, modules = read_imports(root), read_modules(root)
    graph: dict[str, set[str]] = {}
    for entry in imports:
        if entry.imported in modules and entry.imported != entry.importer:
            graph.setdefault(entry.importer, set()).add(entry.imported)
    faults = []
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle = error.args[1][::-1]  # each one imports the next
            steps = list(zip(circle, circle[1:], strict=False))
            places = [e.place for step in steps for e in imports if (*step,) == e[:2]]
            faults.append(f"{', '.join(places)}: {' -> '.join(circle)}")
            graph[circle[0]].discard(circle[1])
        else:
            return faults


def find_unsaid_results(root: Path) -> list[str]:
    """Public functions and methods of public classes that do not say what they return."""
    faults = []
    for path in read_modules(root).values():
        body = ast.parse(path.read_text(encoding="utf-8")).body
        classes = [node for node in body if isinstance(node, ast.ClassDef) and node.name[0] != "_"]
        functions = [("", node) for node in body]
        functions += [(f"{owner.name}.", node) for owner in classes for node in owner.body]
        for prefix, node in functions:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name[0] == "_":
                continue
            result = ast.unparse(node.returns).strip("'\"") if node.returns else "nothing"
            if result in ("nothing", "Any", "typing.Any"):
                where = locate(node, path, root)
                faults.append(f"{where}: {prefix}{node.name} says {result} of what it returns")
    return faults


def find_torch_at_import(root: Path) -> list[str]:
    """Modules of estimators that import torch with themselves, if only by way of another one."""
    faults: dict[str, str] = {}  # modules that import torch, and where
    imports = [entry for entry in read_imports(root) if entry.at_import]
    grown = True
    while grown:
        grown = False
        for entry in imports:
            parents = {entry.imported.rsplit(".", n)[0] for n in range(entry.imported.count("."))}
            brings = find_room(entry.imported) == "torch" or not faults.keys().isdisjoint(parents)
            if brings and entry.importer not in faults:
                faults[entry.importer] = f"{entry.place}: {entry.importer} imports torch by way of"
                faults[entry.importer] += f" {entry.imported} when it is imported itself"
                grown = True
    return [
        reason
        for module, reason in faults.items()
        if module.startswith(WITHOUT_TORCH)
        and not any(fnmatch(module, pattern) for pattern in FOR_TORCH)
    ]


def list_entries(root: Path) -> list[Path]:
    """Folders and loose modules directly under infotheo/."""
    return [
        path
        for path in sorted((root / "infotheo").iterdir())
        if path.suffix == ".py" or (path.is_dir() and path.name[0] not in "_.")
    ]


def find_shadows(root: Path) -> list[str]:
    """Modules whose import would replace a public name of the package."""
    names = {path.stem: path for path in list_entries(root)}
    public = sorted(names.keys() & {*infotheo._HOMES, "__version__"})
    return [f"{names[name].relative_to(root)} bears the name of infotheo.{name}" for name in public]


def join_lines(faults: list[str]) -> str:
    return "\n".join(("", *faults))


def test_no_import_goes_up():
    faults = find_upward_imports(ROOT)
    assert not faults, join_lines(faults)


def test_no_import_goes_round():
    faults = find_circles(ROOT)
    assert not faults, join_lines(faults)


def test_every_room_has_its_floor():
    rooms = {path.stem for path in list_entries(ROOT)} - {"__init__"}
    assert sorted(rooms - FLOORS.keys()) == [], "rooms without a floor in this file's table"


def test_few_entries_directly_in_the_house():
    names = [path.name for path in list_entries(ROOT) if path.name != "__init__.py"]
    assert len(names) <= ENTRIES, f"{len(names)} directly under infotheo/: {', '.join(names)}"


def test_every_public_function_says_what_it_returns():
    faults = find_unsaid_results(ROOT)
    assert not faults, join_lines(faults)


def test_estimators_import_torch_only_where_they_are_for_torch():
    faults = find_torch_at_import(ROOT)
    assert not faults, join_lines(faults)


def test_no_module_bears_the_name_of_a_public_attribute():
    faults = find_shadows(ROOT)
    assert not faults, join_lines(faults)


def test_faults_are_noticed_with_their_places(tmp_path):
    files = {
        "arrays/low.py": "def f() -> int:\n    from infotheo.study import high\n",
        "arrays/lazy.py": "def tensor() -> int:\n    import torch\n    return torch.ones(1)\n",
        "study/__init__.py": "",
        "study/high.py": "from ..arrays.low import f\ndef g():\n    return f()\n",
        "estimators/near.py": "from infotheo.estimators import far\n",
        "estimators/far.py": "class Far:\n    import torch\n    def find(self) -> Any: ...\n",
        "margins/__init__.py": "from infotheo.estimators.typed import T\n",
        "estimators/typed.py": "if TYPE_CHECKING:\n    from torch import T\ndef _f(): ...\n",
    }
    for name, text in files.items():
        path = tmp_path / "infotheo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    low, high = "infotheo.arrays.low", "infotheo.study.high"
    assert find_upward_imports(tmp_path) == [
        f"infotheo/arrays/low.py:2: {low} (floor 2) imports {high} (floor 6)"
    ]
    (circle,) = find_circles(tmp_path)
    assert "infotheo/arrays/low.py:2" in circle
    assert "infotheo/study/high.py:1" in circle
    assert find_unsaid_results(tmp_path) == [
        "infotheo/estimators/far.py:3: Far.find says Any of what it returns",
        "infotheo/study/high.py:2: g says nothing of what it returns",
    ]
    brought = [fault.partition(": ")[0] for fault in find_torch_at_import(tmp_path)]
    assert sorted(brought) == ["infotheo/estimators/far.py:2", "infotheo/estimators/near.py:1"]
    assert [path.name for path in list_entries(tmp_path)] == [
        "arrays",
        "estimators",
        "margins",
        "study",
    ]
    assert find_shadows(tmp_path) == ["infotheo/margins bears the name of infotheo.margins"]
