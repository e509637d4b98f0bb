"""Rejections: what was refused, shown as it came."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from superoffice_hooks.models import Rejection

from ..conftest import body
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


@pytest.mark.parametrize("nonsense", ["%00", "%F0%9F%90%98", "'", "%25", "\\", "x" * 3000])
def test_no_search_breaks_the_list(post, viewer, nonsense):
    assert Page.get(viewer, f"{REJECTIONS}?q={nonsense}").status == 200


def test_the_list_can_be_narrowed_down(post, viewer):
    post(body(), secret="a guess")
    post(b"{}", url="/superoffice/webhook/elsewhere/")
    post(b"[]")
    page = Page.get(viewer, REJECTIONS)
    assert page.filter("signature wrong").cells("endpoint") == ["default"]
    assert page.filter("elsewhere").cells("reason_word") == ["unknown endpoint"]
    assert Page.get(viewer, f"{REJECTIONS}?q=127.0.0").cells("remote_addr") == ["127.0.0.1"] * 3
    assert Page.get(viewer, f"{REJECTIONS}?reason=never").cells("reason_word") == []
