"""The browser itself."""

import pytest

pytestmark = pytest.mark.slow


def test_the_browser_that_is_named_starts(chromium):
    """Where Playwright is missing, this is the only test here that can be collected."""
    assert chromium.is_connected()
