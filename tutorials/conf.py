"""How Sphinx builds the site: `sphinx-build -W --keep-going -n tutorials build/site`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # `docstrings`, `commands`

import minise

project = "minise"
author = "the authors of minise"
copyright = "2026, the authors of minise, MIT"
version = release = minise.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # copies MathJax into the site, which then needs no network
    "docstrings",
    "commands",
]
exclude_patterns = ["_build"]

nb_execution_mode = "off"  # the notebooks hold their outputs; tests/tutorials runs them
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
mathjax_path = "mathjax/tex-chtml.js"

autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
python_maximum_signature_line_length = 84
add_module_names = False
highlight_language = "none"  # what stands in columns is mostly mathematics
smartquotes = False  # "se1" is a string
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "minise"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False


def in_its_language(app, pagename, templatename, context, doctree):
    """`05-….zh` says that it is Chinese: its font is taken, and by a screen reader its voice."""
    if "." in pagename:
        context["language"] = pagename.rpartition(".")[2]


def setup(app):
    app.connect("html-page-context", in_its_language)
