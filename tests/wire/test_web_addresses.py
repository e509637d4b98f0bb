"""Web addresses, as people, browsers and .NET write them."""

import pytest

from superoffice_hooks.wire.web_addresses import is_same_place, is_same_url, without_password

OURS = "https://example.com/superoffice/webhook/"


@pytest.mark.parametrize(
    "written",
    [
        "HTTPS://Example.COM/superoffice/webhook/",
        "https://example.com:443/superoffice/webhook/",
        "https://example.com./superoffice/webhook/",
        "https://example.com/superoffice/%77ebhook/",
        f" {OURS}\n",
    ],
)
def test_ways_to_write_one_address(written):
    assert is_same_url(written, OURS)
    assert is_same_place(written, OURS)


def test_an_international_host_is_the_same_in_both_ways():
    assert is_same_url(
        "https://m\u00fcnchen.example/%7Ehook", "https://XN--MNCHEN-3YA.example/~hook"
    )


@pytest.mark.parametrize("written", [OURS.rstrip("/"), OURS.replace("//", "//anna:word@")])
def test_other_ways_to_the_same_place(written):
    assert not is_same_url(written, OURS)
    assert is_same_place(written, OURS)


@pytest.mark.parametrize(
    "other",
    [
        "http://example.com/superoffice/webhook/",
        "https://example.com:8443/superoffice/webhook/",
        "https://www.example.com/superoffice/webhook/",
        "https://example.com/superoffice/webhook/sales/",
        "https://example.com/superoffice/Webhook/",
        "https://example.com/superoffice%2Fwebhook/",
        f"{OURS}?copy",
        "https://example.com:port/superoffice/webhook/",
        "https://[example.com/superoffice/webhook/",
        "",
    ],
)
def test_other_places(other):
    assert not is_same_url(other, OURS)
    assert not is_same_place(other, OURS)


@pytest.mark.parametrize(
    ("query", "is_same"), [("a=%31&b", True), ("a=1%26b", False), ("b&a=1", False)]
)
def test_a_query_is_compared_part_by_part(query, is_same):
    assert is_same_url(f"{OURS}?{query}", f"{OURS}?a=1&b") is is_same


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (OURS, OURS),
        ("https://anna@example.com/", "https://anna@example.com/"),
        ("https://anna:w%40rd@example.com/a", "https://anna:***@example.com/a"),
        ("https://anna:word@[example.com/", "[example.com/"),
    ],
)
def test_a_password_is_not_shown(url, shown):
    assert without_password(url) == shown
