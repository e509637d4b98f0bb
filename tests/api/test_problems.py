"""Mistakes are told as RFC 9457 has it, and nothing that was sent is quoted."""

import json
from base64 import b64encode

import pytest
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import NotAuthenticated, Throttled, ValidationError
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from superoffice_hooks.api import problems

from .conftest import API

pytestmark = pytest.mark.django_db

# With a NUL, a lone surrogate, and what is no UTF-8 at all.
HOSTILE = b"<script>alert('x')</script>\x00\xed\xa0\x80\xff"


def problem(answer):
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = json.loads(answer.content)
    assert told["status"] == answer.status_code
    assert told["type"] == "about:blank"
    return told


def answer_to(error):
    request = APIRequestFactory().get("/somewhere/")
    return problems.answer(error, {"request": request})


def test_a_wrong_value_is_named_with_what_was_expected(viewer):
    told = problem(viewer.get("events/", own="perhaps"))
    assert told == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "own: Expected true or false.",
        "instance": "/api/superoffice/events/",
        "errors": [{"name": "own", "detail": "Expected true or false."}],
    }


def test_what_is_not_there_is_a_problem_without_errors(viewer):
    told = problem(viewer.get("events/7/"))
    assert (told["title"], told["status"]) == ("Not Found", 404)
    assert "errors" not in told


@pytest.mark.parametrize("number", [0, 2**63 - 1, 2**63, 10**40])
def test_no_number_is_too_high_to_be_not_found(viewer, number):
    assert problem(viewer.get(f"events/{number}/"))["status"] == 404
    assert problem(viewer.get(f"rejections/{number}/"))["status"] == 404


def test_who_is_not_let_in_is_told_so(anonymous, stranger):
    assert problem(anonymous.get("events/"))["title"] == "Forbidden"
    assert problem(stranger.get("events/"))["title"] == "Forbidden"


def test_who_can_authenticate_otherwise_is_challenged(anonymous, monkeypatch):
    monkeypatch.setattr(APIView, "authentication_classes", [BasicAuthentication])
    wrong = b64encode(b"vera:wrong").decode()
    for headers in ({}, {"Authorization": f"Basic {wrong}"}):
        answer = anonymous.client.get(f"{API}events/", headers=headers)
        assert problem(answer)["title"] == "Unauthorized"
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="api"'
        assert wrong not in answer.content.decode()


def test_a_method_that_is_not_there_is_a_problem(viewer):
    viewer.client.handler.enforce_csrf_checks = False
    assert problem(viewer.client.post(f"{API}events/"))["title"] == "Method Not Allowed"


def test_a_media_type_that_nobody_can_write_is_a_problem(viewer):
    answer = viewer.client.get(f"{API}events/", headers={"Accept": "image/png"})
    assert problem(answer)["title"] == "Not Acceptable"


def test_in_the_browser_a_problem_is_a_page(viewer):
    answer = viewer.client.get(f"{API}events/", {"own": "perhaps"}, headers={"Accept": "text/html"})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Expected true or false." in answer.content.decode()


@pytest.mark.parametrize(
    "name",
    ["event", "entity", "tenant", "status", "endpoint", "webhook", "own", "receiver", "search",
     "since", "until", "primary_key", "changed", "ordering", "cursor", "page_size", "fields"],
)  # fmt: skip
def test_no_hostile_value_is_quoted_or_more_than_a_mistake(viewer, name):
    for value in (HOSTILE, HOSTILE * 1000):
        answer = viewer.get("events/", **{name: value})
        assert answer.status_code in {200, 400}
        assert b"script" not in answer.content
        assert len(answer.content) < 3000


def test_a_hostile_path_is_escaped_and_a_long_one_left_out(viewer):
    short = problem(viewer.get("records/%3Cscript%3E/ticket/x/"))
    assert short["instance"] == "/api/superoffice/records/%3Cscript%3E/ticket/x/"
    assert "instance" not in problem(viewer.get(f"records/{'y' * 600}/ticket/x/"))


def test_values_within_values_are_named_with_a_dot():
    error = ValidationError({"criteria": {"since": ["Expected a moment."]}, "why": ["Too long."]})
    assert answer_to(error).data["errors"] == [
        {"name": "criteria.since", "detail": "Expected a moment."},
        {"name": "why", "detail": "Too long."},
    ]


def test_a_mistake_that_belongs_to_no_value_is_the_detail():
    told = answer_to(ValidationError({"non_field_errors": ["No criteria are given."]})).data
    assert (told["detail"], told["errors"]) == ("No criteria are given.", [])
    assert answer_to(ValidationError("No criteria.")).data["detail"] == "No criteria."


def test_who_is_throttled_learns_how_long():
    answer = answer_to(Throttled(wait=12.3))
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "13")


def test_an_error_of_our_own_is_nobody_elses_problem():
    assert answer_to(KeyError("secret")) is None
    assert answer_to(NotAuthenticated()).status_code == 401
