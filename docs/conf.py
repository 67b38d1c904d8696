"""The documentation site: `make docs`. Pages that follow from the code are made by ``_ext/latente_site.py``."""

import os
import sys
from pathlib import Path

from latente.version import __version__

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # where `latente` is

project, author = "Latente", "the Latente contributors"
version = release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "latente_site"]
exclude_patterns = ["_ext", "conftest.py", "generated/certificate_figures.md"]
language = "en"

html_theme = "furo"
html_title = f"Latente {__version__}"
html_static_path = ["_static"]
html_css_files = ["latente.css"]
html_show_copyright = html_show_sourcelink = False
html_math_renderer = "mathml"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True
nb_output_stderr = "remove"  # warnings, which a kernel would show with paths of its own; notes_ has their sentences
nb_execution_cache_path = str(HERE.parent / "build" / "docs-cache")  # of -D nb_execution_mode=cache

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
python_maximum_signature_line_length = 100
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
pygments_style = "friendly"
highlight_language = "text"
