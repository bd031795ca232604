"""The package is found where a folder of its name is not one."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_a_checkout_named_as_the_package_does_not_hide_it(tmp_path):
    """An editable install is a path, which a folder without __init__.py ahead of it yields to."""
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert setuptools["package-dir"] == {"": "."}  # or the finder comes after the empty namespace
    (tmp_path / "infotheo" / "infotheo").mkdir(parents=True)
    code = f"import sys; sys.path.append({str(ROOT)!r}); import infotheo; print(infotheo.__file__)"
    python = [sys.executable, "-S", "-c", code]
    result = subprocess.run(python, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(result.stdout.strip()) == ROOT / "infotheo" / "__init__.py"
