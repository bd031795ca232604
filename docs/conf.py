"""Settings of the documentation: ``sphinx-build -W --keep-going -n docs docs/_build``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

import infotheo  # noqa: E402

project = "infotheo"
author = "the infotheo authors"
version = release = infotheo.__version__
html_title = f"infotheo {version}"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "mathml",
    "public_names",
    "docstrings",
    "registered",
    "type_hints",
]
exclude_patterns = ["_build", "_extensions", "_templates", "jupyter_execute"]

html_theme = "furo"
html_copy_source = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
templates_path = ["_templates"]
pygments_style = "friendly"

toc_object_entries = False
html_math_renderer = "mathml"  # formulas are text of the page: nothing to fetch, no script
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
myst_update_mathjax = False

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

autosummary_generate = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_display_short_literal_types = True
maximum_signature_line_length = 60
napoleon_google_docstring = False
napoleon_use_param = False  # keeps "sample_dim, unit_dim" together
napoleon_use_rtype = False
nitpick_ignore_regex = [  # types of other packages: their sites cannot be asked offline
    ("py:class", r"(collections|numpy|pandas|torch|xarray)\..+"),
    ("py:class", "Array|Tensor"),  # see the first page of the reference
]
