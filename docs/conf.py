"""Sphinx configuration; a build needs no network."""

import shutil
import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))
from make_gallery import write_gallery

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "bayesmeta"
author = "The bayesmeta developers"
copyright = "2026, the bayesmeta developers"
release = version = installed_version("bayesmeta")

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinxcontrib.programoutput",
    "sphinx-mathjax-offline",  # pages show their formulas without a network too
]
exclude_patterns = ["_build", "example", "**/.ipynb_checkpoints"]
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["bayesmeta.css"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "amsmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_show_tb = True

programoutput_prompt_template = "$ {command}\n{output}"
programoutput_use_ansi = False

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings give types, with shapes and units
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
numpydoc_show_class_members = False
add_module_names = False
toc_object_entries_show_parents = "hide"
default_role = "py:obj"  # a name in single backticks is a link where there is such an object

html_theme = "pydata_sphinx_theme"
html_title = f"bayesmeta {release}"
html_show_sourcelink = False
_WIDE = (
    "index",
    "guide/forest-plots",
    "tutorials/*",
    "gallery/index",
    "architecture",
    "development",
)
html_sidebars = {page: [] for page in _WIDE}
html_theme_options = {
    "logo": {"text": "bayesmeta"},
    "navbar_persistent": ["search-button"],
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_nav_level": 2,
    "pygments_light_style": "friendly",
    "pygments_dark_style": "monokai",
}


def copy_example(app: "Sphinx", exception: Exception | None) -> None:
    """Put the report that the first lesson writes beside the pages, which link to it."""
    if exception is None and app.builder.format == "html":
        example = Path(app.srcdir) / "example"
        shutil.copytree(example, Path(app.outdir) / "example", dirs_exist_ok=True)


def setup(app: "Sphinx") -> None:
    """Write the page that is made of the plots' docstrings before the pages are read."""
    app.connect("builder-inited", lambda app: write_gallery(Path(app.srcdir)))
    app.connect("build-finished", copy_example)
