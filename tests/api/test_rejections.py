"""What the API tells of rejections."""

from base64 import b64decode

import pytest

from superoffice_hooks.models import Rejection

from ..conftest import SECRET, body

pytestmark = pytest.mark.django_db

LISTED = ["id", "received_at", "endpoint", "reason", "verified", "remote_addr", "headers"]


@pytest.fixture
def refused(post) -> Rejection:
    """One without a signature, one with a wrong one, one that was signed and is no event."""
    post(body(), secret=None, headers={"User-Agent": "nobody", "Cookie": "sesame"})
    post(body(), secret="not the secret of this endpoint")
    post(b"no JSON")
    return Rejection.objects.earliest("pk")


def test_rejections_are_listed_with_their_reasons_the_newest_first(viewer, refused):
    rows = viewer.rows("rejections/")
    assert [list(row) for row in rows] == [LISTED] * 3
    assert [row["verified"] for row in rows] == [True, False, False]
    assert [row["reason"] for row in rows][1:] == ["signature wrong", "signature missing"]
    assert rows[2]["remote_addr"] == "127.0.0.1"
    assert rows[2]["headers"] == {
        "User-Agent": "nobody",
        "Content-Type": "application/json; charset=utf-8",
    }


def test_a_rejection_has_what_is_kept_of_its_body(viewer, refused, post):
    told = viewer.read(f"rejections/{refused.pk}/")
    assert list(told) == [*LISTED, "body"]
    assert told["body"]["content"].encode() == bytes(refused.body)
    post(b"\xff" * 2000, secret=None)
    latest = Rejection.objects.latest("pk")
    told = viewer.read(f"rejections/{latest.pk}/")["body"]
    assert told["encoding"] == "base64"
    assert b64decode(told["content"]) == b"\xff" * 1024


@pytest.mark.parametrize("name", LISTED)
def test_fields_can_be_chosen(viewer, refused, name):
    whole = viewer.rows("rejections/")
    assert viewer.rows("rejections/", fields=name) == [{name: row[name]} for row in whole]
    assert "fields" in viewer.mistakes("rejections/", fields="body")


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ({"reason": "signature missing"}, 1),
        ({"reason": "signature"}, 0),
        ({"verified": "true"}, 1),
        ({"verified": "false"}, 2),
        ({"endpoint": "default"}, 3),
        ({"endpoint": "other"}, 0),
        ({"since": "2020-01-01"}, 3),
        ({"until": "2020-01-01"}, 0),
        ({"verified": "false", "reason": "signature wrong"}, 1),
    ],
)
def test_a_filter_leaves_what_it_names(viewer, refused, query, number):
    assert len(viewer.rows("rejections/", **query)) == number


@pytest.mark.parametrize(
    ("name", "value"),
    [("reason", "x" * 201), ("verified", "yes"), ("endpoint", "x" * 51), ("since", "once"),
     ("until", "never"), ("ordering", "id"), ("page_size", "0"), ("cursor", "x")],
)  # fmt: skip
def test_a_wrong_value_is_a_mistake_of_that_name(viewer, name, value):
    assert list(viewer.mistakes("rejections/", **{name: value})) == [name]


@pytest.mark.parametrize("ordering", ["-received_at", "received_at"])
def test_pages_follow_each_other_though_more_are_refused_meanwhile(viewer, post, ordering):
    for _ in range(5):
        post(body(), secret=None)
    there = {row["id"] for row in viewer.rows("rejections/")}
    page = viewer.read("rejections/", page_size=2, ordering=ordering)
    seen = [row["id"] for row in page["results"]]
    for _ in range(4):
        post(body(), secret=None)
        if page["next"]:
            page = viewer.read(page["next"])
            seen += [row["id"] for row in page["results"]]
    assert len(seen) == len(set(seen))
    assert there <= set(seen)


def test_no_secret_is_told(viewer, refused):
    for path in ("rejections/", f"rejections/{refused.pk}/"):
        told = viewer.get(path).content.decode()
        assert "sesame" not in told
        assert SECRET not in told


def test_hostile_text_is_data_and_no_markup(viewer, post):
    post(b"<script>alert('x')</script>", secret=None, headers={"User-Agent": "<script>alert"})
    latest = Rejection.objects.latest("pk")
    for path in ("rejections/", f"rejections/{latest.pk}/"):
        page = viewer.get(path, format="api").content.decode()
        assert "<script>alert" not in page
