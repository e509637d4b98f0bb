"""Rejections: what was refused, shown as it came."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from superoffice_hooks.exceptions import STATUS_CODES
from superoffice_hooks.models import Rejection
from superoffice_hooks.models.delivery import REASONS

from ..conftest import body
from ..copies import copies
from .conftest import REJECTIONS
from .page import Page

pytestmark = pytest.mark.django_db


def test_the_list_says_what_was_refused_and_why(post, viewer):
    post(body(), secret=None)
    post(body(), secret="a guess")
    post(b"[]")
    page = Page.get(viewer, REJECTIONS)
    assert page.cells("reason_word") == [
        "The body is JSON, but not an object.",
        "signature wrong",
        "signature missing",
    ]
    verified = Page.get(viewer, f"{REJECTIONS}?verified__exact=1")
    assert verified.cells("reason_word") == ["The body is JSON, but not an object."]
    assert verified.cells("verified_word") == ["verified"]
    assert page.cells("verified_word")[1:] == ["not verified", "not verified"]
    assert page.cells("endpoint_shown") == ["default"] * 3
    assert page.cells("remote_addr") == ["127.0.0.1"] * 3
    assert Page.get(viewer, f"{REJECTIONS}?q=wrong").cells("reason_word") == ["signature wrong"]


def test_the_body_is_shown_whatever_it_is(post, viewer):
    post(b"<script>alert(1)</script>\xff\x00")
    page = Page.get(viewer, f"{REJECTIONS}{Rejection.objects.get().pk}/change/")
    assert r"<script>alert(1)</script>\xff\x00" in page.text
    assert "<script>alert" not in page.html


def test_markup_in_a_refused_delivery_is_text(post, viewer):
    post(
        b"{}",
        url="/superoffice/webhook/<script>alert(1)<script>/",
        headers={"User-Agent": "<b>"},
    )
    rejection = Rejection.objects.get()
    for url in (REJECTIONS, f"{REJECTIONS}{rejection.pk}/change/"):
        assert "<script>alert" not in Page.get(viewer, url).html


def test_a_megabyte_that_nobody_could_read_leaves_the_page_whole(post, viewer):
    post(b"\xff" * 1024 * 1024)
    page = Page.get(viewer, f"{REJECTIONS}{Rejection.objects.get().pk}/change/")
    assert page.html.count(r"\xff") == 1024 * 1024
    assert page.html.rstrip().endswith("</html>")


def test_thirty_rejections_take_as_many_queries_as_three(post, viewer):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert (
                len(Page.get(viewer, REJECTIONS).cells("reason_word")) == Rejection.objects.count()
            )
        return len(captured)

    for _ in range(3):
        post(b"{}", secret="a guess")
    few = queries()
    for _ in range(27):
        post(b"{}", secret="a guess")
    assert queries() == few


def test_the_filters_offer_what_there_is_the_most_frequent_first(post, viewer):
    post(body(), url="/superoffice/webhook/nowhere/")
    for _ in range(2):
        post(body(), secret=None)
    page = Page.get(viewer, REJECTIONS)
    assert page.filter("unknown endpoint").cells("endpoint_shown") == ["nowhere"]
    assert page.filter("nowhere").cells("reason_word") == ["unknown endpoint"]
    assert page.filter("signature missing").cells("endpoint_shown") == ["default"] * 2
    for _ in range(2):
        copies(Rejection.objects.latest("pk"), 19, reason=lambda number: f"reason {number}")
    page = Page.get(viewer, REJECTIONS)
    assert "signature missing" in page.filters
    assert "unknown endpoint" not in page.filters
    assert "unknown endpoint" in Page.get(viewer, f"{REJECTIONS}?reason=unknown+endpoint").filters


def test_the_filters_look_at_the_newest_rejections_only(post, viewer):
    post(body(), secret=None)
    post(body(), secret="a guess")
    copies(Rejection.objects.latest("pk"), 999)
    filters = Page.get(viewer, REJECTIONS).filters
    assert "signature wrong" in filters
    assert "signature missing" not in filters


def test_a_remote_address_is_found_by_a_part_of_it(post, viewer):
    for address in ("10.0.0.1", "192.0.2.7", "2001:db8::1"):
        post.client.defaults["REMOTE_ADDR"] = address
        post(body(), secret=None)
    for term, found in (("192.0.2", "192.0.2.7"), ("2001:DB8", "2001:db8::1")):
        page = Page.get(viewer, f"{REJECTIONS}?q={term}")
        assert page.cells("remote_addr") == [found]


@pytest.mark.parametrize("parameter", ["q", "reason", "endpoint", "verified__exact"])
@pytest.mark.parametrize("nonsense", ["%00", "%F0%9F%90%98", "'", "%25", "\\", "x" * 3000])
def test_no_search_and_no_filter_breaks_the_list(post, viewer, parameter, nonsense):
    assert Page.get(viewer, f"{REJECTIONS}?{parameter}={nonsense}").status == 200


def test_the_page_says_what_was_refused_and_that_it_stays_so(post, replayer):
    post(b"x" * 5000, secret=None, headers={"User-Agent": "somebody"})
    page = Page.get(replayer, f"{REJECTIONS}{Rejection.objects.get().pk}/change/")
    assert "This delivery was refused." in page.text
    assert "signature missing" in page.text
    assert "User-Agent: somebody" in page.text
    assert "x" * 1024 in page.text
    assert "x" * 1025 not in page.text


def test_pages_have_words_for_every_reason_to_refuse_a_delivery():
    assert REASONS.keys() == STATUS_CODES.keys()


def test_the_reason_of_a_refusal_is_in_the_language_of_the_reader(post, viewer):
    post(body(), secret=None)
    with translation.override("nb"):
        page = Page.get(viewer, REJECTIONS)
    assert page.cells("reason_word") == ["signaturen mangler"]
    assert "?reason=signature+missing" in page.filters.values()


def test_what_reorders_text_is_visible_in_the_name_of_an_endpoint(post, viewer):
    viewer.handler.enforce_csrf_checks = False
    viewer.post(
        "/superoffice/webhook/%E2%80%AEpartner%E2%80%8B/", body(), content_type="application/json"
    )
    for url in (REJECTIONS, f"{REJECTIONS}{Rejection.objects.get().pk}/change/"):
        page = Page.get(viewer, url)
        assert "\\u202epartner\\u200b" in page.text
        assert "\u202e" not in page.text
    assert Page.get(viewer, REJECTIONS).filter("\\u202epartner\\u200b").status == 200
