"""A strict Content-Security-Policy: tests/settings.py sets it for all pages that tests open.

What it keeps a browser from is said on its console, where the fixture ``browse`` accepts nothing.
"""

import re

import pytest
from django.conf import settings

from .places import PLACES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not any("csp" in middleware for middleware in settings.MIDDLEWARE),
        reason="neither Django 6 nor django-csp is installed, or TEST_THEME is set",
    ),
]


def test_the_policy_is_sent_and_what_it_forbids_is_noticed(browse):
    admin = browse("rita")
    answer = admin.tab.goto(f"{admin.url}/admin/")
    assert answer.headers["content-security-policy"] == "default-src 'self'"
    admin.tab.evaluate("document.body.setAttribute('style', 'color: red')")
    admin.tab.wait_for_timeout(50)
    [complaint] = admin.complaints
    assert re.search("Content Security Policy", complaint)
    admin.complaints.clear()


def test_no_page_asks_for_what_it_forbids(browse, helpdesk):
    helpdesk.morning()
    admin = browse("rita")
    for place in PLACES.values():
        admin.open(place())
        # A page that asks how far a replay is never comes to rest.
        admin.tab.wait_for_load_state("load")
        admin.tab.wait_for_timeout(100)
    assert admin.complaints == []
