"""The site: python -m sphinx -W docs docs/_build. Pages are written in docs/; extensions/ makes the others."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "extensions")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # the figures of the examples are those of a CPU

import sslzoo  # noqa: E402

project, author = "sslzoo", "the authors of sslzoo"
version = release = sslzoo.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "repository_pages",
    "method_pages",
    "api_pages",
]
exclude_patterns = ["_build", "extensions", "examples", "**/GALLERY_HEADER.md"]
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3
# Pages of other folders need not begin with a heading of the first level; types in docstrings are words.
suppress_warnings = ["myst.header", "ref.python"]

html_theme = "pydata_sphinx_theme"
html_title = "sslzoo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "header_links_before_dropdown": 8,
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": False,
}
html_context = {"default_mode": "light"}
copyright = "the authors of sslzoo, Apache-2.0"  # noqa: A001, a name of Sphinx

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # those of Keras are Markdown
napoleon_use_ivar = True
autodoc_typehints = "signature"
python_use_unqualified_type_names = True

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "plot_",
    "within_subsection_order": "FileNameSortKey",
    "reset_modules": ("matplotlib", "gallery.reset"),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "min_reported_time": 0,
    "show_memory": False,
    "write_computation_times": False,  # its table needs scripts of other servers; each example has its run time
    "plot_gallery": True,
    "remove_config_comments": True,
}


def setup(app):
    def typed(app, config):
        config.plot_gallery = str(config.plot_gallery).lower() not in ("0", "false")  # -D plot_gallery=0 is a text

    app.connect("config-inited", typed, priority=1)
