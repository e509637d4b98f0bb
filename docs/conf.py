"""The site of the documentation: ``make docs`` builds it from the same Markdown.

Sphinx with MyST, because the reference of the Python interface is made from the docstrings, and
because links to Django's and Python's own documentation are checked by name. Furo reads well on a
phone and in the dark.
"""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

import django
from django.conf import settings

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))

# Docstrings are read from the imported modules, and models need settings.
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "superoffice_hooks"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    SUPEROFFICE_HOOKS={"SECRETS": ["no delivery reaches a documentation"]},
)
django.setup()

project = "superoffice_hooks"
author = "the superoffice_hooks developers"
project_copyright = f"2026, {author}"
version = release = installed_version("django-superoffice-hooks")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["deploy"]
nitpicky = False

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]
# Pages link to files of the repository, which are no pages of the site.
suppress_warnings = ["myst.strikethrough"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_preserve_defaults = True
add_module_names = False

html_theme = "furo"
html_title = f"superoffice_hooks {release}"
html_extra_path = ["openapi.yaml"]
copybutton_exclude = ".linenos, .gp"
