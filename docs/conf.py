"""Configuration of the documentation's build, `make docs`."""

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent / "_ext")]
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a build needs no network

project = "signal_env"
author = "The signal_env authors"
copyright = "the signal_env authors"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "docstrings", "pages"]
exclude_patterns = ["_ext"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "literal"
smartquotes = False  # quotes in texts are those of Python
autodoc_mock_imports = ["openenv"] if importlib.util.find_spec("openenv") is None else []
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {}
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
maximum_signature_line_length = 100

html_theme = "furo"
html_title = "signal_env"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
