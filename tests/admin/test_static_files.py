"""Styles and scripts are files, so that the strictest Content-Security-Policy allows them."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

import superoffice_hooks
from superoffice_hooks import signals
from superoffice_hooks.models import Replay

from ..browser.places import PLACES
from ..conftest import body
from .conftest import raises
from .page import Page

PACKAGE = Path(superoffice_hooks.__file__).parent
TEMPLATES = sorted((PACKAGE / "templates").rglob("*.html"))
STYLES = sorted((PACKAGE / "static").rglob("*.css"))

INLINE = re.compile(r"(?i)<style|<script(?![^>]*\bsrc=)|\sstyle\s*=|\son[a-z]+\s*=|javascript:")


def test_no_template_has_a_style_or_a_script_in_it():
    assert len(TEMPLATES) > 20
    found = {path: INLINE.findall(path.read_text(encoding="utf-8")) for path in TEMPLATES}
    assert [path for path in found if found[path]] == []


@pytest.fixture
def rows(post, connect, event, rejected, one_attempt):
    """What the pages show: a failed event, a replay, and a rejection of each kind."""
    connect(signals.ticket_changed, raises)
    event()
    post(body(), secret=None)
    rejected(body())
    Replay.objects.create(who="bob", reason="a test")


@pytest.mark.words
@pytest.mark.django_db
@pytest.mark.parametrize("place", PLACES)
def test_a_page_has_no_style_and_no_script_in_it(rows, replayer, place):
    page = Page.get(replayer, PLACES[place]())
    assert page.status == 200
    assert INLINE.findall(page.html) == []
    assert "superoffice_hooks/admin.css" in page.html


@pytest.mark.words
@pytest.mark.django_db
def test_every_file_that_a_page_loads_is_there(rows, replayer):
    for place in PLACES.values():
        html = Page.get(replayer, place()).html
        loaded = re.findall(r"<(?:script|link|img)\b[^>]*\b(?:src|href)=\"/static/([^\"]+)", html)
        assert [path for path in loaded if not finders.find(path)] == []


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_a_variable_of_the_admin_has_a_fallback_for_themes_without_it(path):
    style = path.read_text(encoding="utf-8")
    assert "var(--" in style
    assert re.findall(r"var\(--[\w-]+\s*\)", style) == []
