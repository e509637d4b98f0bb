"""Failure groups in the API: what fails for which cause, and what people say of it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event, FailureGroup

from ..conftest import body
from .asking import ask, mistakes
from .conftest import API, logged_in, raises

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_attempt")]


@pytest.fixture
def group(post, connect) -> FailureGroup:
    """A group in which two events are still failed."""
    connect(signals.ticket_changed, raises)
    for number in range(2):
        post(body(PrimaryKey=number, FieldValues={}))
    return FailureGroup.objects.get()


@pytest.fixture
def triager(db):
    return logged_in("tess", "view_failuregroup", "triage_failuregroup")


def post_to(caller, group, action, **values):
    return ask(caller, values, f"{API}failure-groups/{group.pk}/{action}/")


def test_the_list_has_each_cause_with_what_is_still_failed(group, viewer):
    (row,) = viewer.rows("failure-groups/")
    assert (row["id"], row["state"], row["still_failed"]) == (group.pk, "open", 2)
    assert row["receiver"] == "tests.api.conftest.raises"
    assert row["frame"] == "tests/api/conftest.py:raises"
    assert viewer.rows("failure-groups/", state="resolved") == []
    assert len(viewer.rows("failure-groups/", receiver="tests.api.conftest.raises")) == 1
    assert list(viewer.rows("failure-groups/", fields="id,exception")[0]) == ["id", "exception"]
    assert "state" in viewer.mistakes("failure-groups/", state="closed")


def test_one_has_an_example(group, viewer):
    shown = viewer.read(f"failure-groups/{group.pk}/")
    assert shown["example"]["event"] == Event.objects.latest("pk").pk
    assert shown["example"]["traceback"].startswith("Traceback")
    assert viewer.get("failure-groups/999999/").status_code == 404


def test_the_events_of_a_group_are_listed_by_its_key(group, post, viewer):
    post(body("ticket.created"))
    assert len(viewer.rows("events/", group=group.pk)) == 2
    assert viewer.rows("events/", group=group.pk, status="pending") == []


def test_a_group_is_muted_resolved_and_reopened_with_a_reason(group, triager):
    until = (timezone.now() + timedelta(hours=1)).isoformat()
    muted = post_to(triager, group, "mute", reason="Known", until=until).json()
    assert (muted["state"], muted["who"], muted["reason"]) == ("muted", "tess", "Known")
    assert muted["still_failed"] == 2
    resolved = post_to(triager, group, "resolve", reason="Release 7").json()
    assert (resolved["state"], resolved["muted_until"]) == ("resolved", None)
    reopened = post_to(triager, group, "reopen", reason="It was not").json()
    assert (reopened["state"], reopened["said"]) == ("open", "open")


def test_what_makes_no_sense_changes_nothing(group, triager):
    assert "reason" in mistakes(post_to(triager, group, "resolve"))
    past = (timezone.now() - timedelta(hours=1)).isoformat()
    assert "until" in mistakes(post_to(triager, group, "mute", reason="Known", until=past))
    assert "until" in mistakes(post_to(triager, group, "mute", reason="Known", until="soon"))
    assert "untl" in mistakes(post_to(triager, group, "mute", reason="Known", untl=None))
    assert FailureGroup.objects.get().said == ""


def test_what_failed_in_a_group_is_marked_as_handled(group, replayer):
    answer = post_to(replayer, group, "handle", reason="By hand")
    assert (answer.status_code, answer.json()) == (200, {"handled": 2})
    assert {event.handled_reason for event in Event.objects.all()} == {"By hand"}
    assert replayer.read(f"failure-groups/{group.pk}/")["still_failed"] == 0


def test_a_group_is_replayed(group, replayer):
    criteria = {"group": group.pk, "status": "failed"}
    preview = ask(replayer, {"criteria": criteria, "only_failed": True, "dry_run": True}).json()
    assert preview["events"] == 2
    replay = ask(replayer, {"criteria": criteria, "only_failed": True, "reason": "mended"}).json()
    assert (replay["planned"], replay["criteria"]) == (2, criteria)


@pytest.mark.parametrize("action", ["mute", "resolve", "reopen", "handle"])
def test_each_action_takes_a_permission_of_its_own(group, action, viewer, triager, replayer):
    assert post_to(viewer, group, action, reason="Mine").status_code == 403
    allowed, refused = (replayer, triager) if action == "handle" else (triager, replayer)
    assert post_to(refused, group, action, reason="Mine").status_code == 403
    assert post_to(allowed, group, action, reason="Mine").status_code == 200
