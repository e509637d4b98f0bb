"""Replays over the API: started, carried on, cancelled and looked at."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event, Replay, queue
from superoffice_hooks.replay import batches, running

from .asking import ALL, FAILED, WHY, ask, mistakes, started
from .conftest import API, NOTE, raises

pytestmark = pytest.mark.django_db

NO_KEYS = ["999", "9" * 30, "9" * 5000, "-1", "1.5", "null,null", "%00", "²"]


@pytest.fixture
def many(event, calls, monkeypatch, settings) -> None:
    """Six events, two in a batch; the others are left to dispatchers."""
    monkeypatch.setattr(running, "BATCH_EVENTS", 2)
    for number in range(6):
        event(PrimaryKey=number)
    settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "DISPATCH": "worker"}


def claimed_by_others() -> None:
    later = timezone.now() + timedelta(minutes=5)
    Event.objects.update(status=Event.Status.PENDING, next_attempt_at=later, claim=7)


def ends(*args):
    raise ConnectionError("the database is gone")


class TestStarting:
    def test_the_events_that_meet_the_criteria_are_dispatched_again(self, event, calls, replayer):
        event("ticket.changed", PrimaryKey=1)
        event("sale.sold", PrimaryKey=2)
        response = ask(replayer, {"criteria": {"event": "ticket.*"}, **WHY})
        assert response.status_code == 201
        assert calls == [1]
        replay = Replay.objects.get()
        assert response["Location"] == f"http://testserver{API}replays/{replay.pk}/"
        answer = response.json()
        assert answer == replayer.read(response["Location"])
        assert answer.pop("created_at") < answer.pop("finished_at")
        assert answer == {
            "id": replay.pk,
            "state": "finished",
            "claimed_by": queue.this_process(),
            "who": "rita",
            "reason": "The mail server is back",
            "receivers": None,
            "only_failed": False,
            "only_newest": False,
            "planned": 1,
            "done": 1,
            "failed": 0,
            "skipped": 0,
            "busy": 0,
            "remaining": 0,
            "cancelled_by": "",
            "criteria": {"event": "ticket.*"},
        }

    def test_who_and_why_are_kept(self, event, calls, superuser):
        event()
        started(superuser, reason="  <b>because</b> ")
        replay = Replay.objects.get()
        assert (replay.who, replay.reason) == ("sue", "<b>because</b>")

    def test_more_than_a_moment_takes_is_finished_by_the_dispatcher(self, many, calls, replayer):
        answer = started(replayer)
        assert (answer["state"], answer["done"], answer["remaining"]) == ("waiting", 2, 4)
        assert calls == [0, 1]
        call_command("superoffice_dispatch")
        assert calls == [0, 1, 2, 3, 4, 5]
        answer = replayer.read(f"replays/{answer['id']}/")
        assert (answer["state"], answer["done"], answer["remaining"]) == ("finished", 6, 0)

    def test_after_an_error_of_ours_it_goes_on_elsewhere(
        self, many, calls, replayer, monkeypatch, caplog
    ):
        with monkeypatch.context() as patch:
            patch.setattr(Replay, "advance", ends)
            answer = started(replayer)
        assert answer["state"] == "waiting"
        assert f"Replay {answer['id']} by rita; dispatchers carry it on" in caplog.text
        call_command("superoffice_dispatch")
        # What was not counted is tried again, but for receivers that had succeeded.
        assert calls == [0, 1, 2, 3, 4, 5]
        assert Replay.objects.get().state == "finished"

    def test_no_event_is_a_replay_of_none(self, calls, replayer):
        answer = ask(replayer, FAILED).json()
        assert (answer["state"], answer["planned"], answer["done"]) == ("finished", 0, 0)

    @pytest.mark.usefixtures("one_attempt")
    def test_some_receivers_only(self, event, calls, connect, replayer):
        connect(signals.any_event, raises)
        event()
        assert started(replayer, receivers=[NOTE])["receivers"] == [NOTE]
        assert [run.receiver for run in Replay.objects.get().runs.all()] == [NOTE]

    @pytest.mark.usefixtures("one_attempt")
    def test_only_what_failed(self, event, calls, connect, replayer):
        connect(signals.any_event, raises)
        event()
        answer = started(replayer, only_failed=True)
        assert answer["only_failed"] is True
        assert (answer["done"], answer["failed"]) == (0, 1)
        [run] = Replay.objects.get().runs.all()
        assert run.receiver == "tests.api.conftest.raises"

    def test_an_unfinished_event_is_left_to_its_ordinary_dispatch(self, event, calls, replayer):
        event()
        claimed_by_others()
        answer = started(replayer)
        assert (answer["done"], answer["failed"], answer["busy"]) == (0, 1, 1)
        assert calls == []

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("url", ["replays/", "events/{}/replay/"])
    def test_each_receiver_commits_on_its_own_also_under_atomic_requests(
        self, event, connect, replayer, url
    ):
        savepoints = []
        stored = event()
        connect(signals.any_event, lambda **kw: savepoints.append(len(connection.savepoint_ids)))
        asked = ALL if url == "replays/" else WHY
        assert ask(replayer, asked, API + url.format(stored.pk)).status_code in (200, 201)
        assert savepoints == [0]


class TestOneEvent:
    def url(self, event: Event) -> str:
        return f"{API}events/{event.pk}/replay/"

    def test_it_is_dispatched_again_at_once(self, event, calls, replayer):
        wanted = event(PrimaryKey=1)
        event(PrimaryKey=2)
        response = ask(replayer, WHY, self.url(wanted))
        assert response.status_code == 200
        assert calls == [1]
        answer = response.json()
        assert (answer["state"], answer["done"]) == ("finished", 1)
        assert (answer["who"], answer["reason"]) == ("rita", "The mail server is back")
        assert answer["criteria"] == {"ids": [wanted.pk]}
        assert answer["id"] == Replay.objects.get().pk

    @pytest.mark.usefixtures("one_attempt")
    def test_only_what_failed_and_only_some(self, event, calls, connect, replayer):
        connect(signals.any_event, raises)
        url = self.url(event())
        assert ask(replayer, {**WHY, "only_failed": True}, url).json()["failed"] == 1
        assert calls == []
        assert ask(replayer, {**WHY, "receivers": [NOTE]}, url).json()["done"] == 1
        assert len(calls) == 1
        # The event has failed until the other one succeeds.
        assert Event.objects.get().status == "failed"

    def test_after_an_error_of_ours_it_is_left_to_others(
        self, event, calls, replayer, monkeypatch, caplog, settings
    ):
        url = self.url(event())
        settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "DISPATCH": "worker"}
        with monkeypatch.context() as patch:
            patch.setattr(batches, "call", ends)
            patch.setattr(Replay, "advance", ends)
            response = ask(replayer, WHY, url)
        assert response.status_code == 200
        assert response.json()["state"] == "waiting"
        assert "Unexpected error in Replay" in caplog.text
        assert calls == []

    def test_an_unfinished_one_is_left_to_its_ordinary_dispatch(self, event, calls, replayer):
        url = self.url(event())
        claimed_by_others()
        answer = ask(replayer, WHY, url).json()
        assert (answer["failed"], answer["busy"]) == (1, 1)
        assert calls == []

    @pytest.mark.parametrize(
        ("asked", "name"),
        [
            ({}, "reason"),
            ({"reason": ""}, "reason"),
            ({**WHY, "receivers": ["os.system"]}, "receivers"),
            ({**WHY, "criteria": {"status": "failed"}}, "criteria"),
            ({**WHY, "dry_run": True}, "dry_run"),
        ],
        ids=str,
    )
    def test_mistakes_are_named_and_replay_nothing(self, event, calls, replayer, asked, name):
        assert list(mistakes(ask(replayer, asked, self.url(event())))) == [name]
        assert calls == []
        assert not Replay.objects.exists()

    @pytest.mark.parametrize("pk", NO_KEYS)
    def test_one_that_does_not_exist(self, replayer, pk):
        response = ask(replayer, WHY, f"{API}events/{pk}/replay/")
        assert response.status_code == 404
        assert response["Content-Type"] == "application/problem+json"
        assert not Replay.objects.exists()


class TestCancelling:
    def url(self, answer: dict[str, Any]) -> str:
        return f"{API}replays/{answer['id']}/cancel/"

    def test_it_ends_before_the_next_event(self, many, calls, replayer):
        response = ask(replayer, "", self.url(started(replayer)))
        assert response.status_code == 200
        answer = response.json()
        assert (answer["state"], answer["cancelled_by"]) == ("cancelled", "rita")
        assert (answer["done"], answer["remaining"]) == (2, 4)
        call_command("superoffice_dispatch")
        assert calls == [0, 1]

    def test_under_way_the_event_in_hand_is_finished(self, many, calls, connect, replayer):
        def cancels(*, replay, **kwargs):
            if replay and replay.position:
                assert ask(replayer, "", self.url({"id": replay.pk})).status_code == 200

        connect(signals.any_event, cancels)
        answer = started(replayer)
        assert (answer["state"], answer["done"], answer["planned"]) == ("cancelled", 2, 6)
        assert calls == [0, 1]

    def test_what_has_ended_cannot_be_cancelled(self, event, calls, replayer):
        event()
        response = ask(replayer, "", self.url(started(replayer)))
        assert response.status_code == 409
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["detail"] == "The replay has ended already."
        assert Replay.objects.get().state == "finished"

    @pytest.mark.parametrize("pk", NO_KEYS)
    def test_one_that_does_not_exist(self, replayer, pk):
        assert ask(replayer, "", self.url({"id": pk})).status_code == 404

    def test_its_body_is_not_overlooked(self, many, replayer):
        url = self.url(started(replayer))
        assert list(mistakes(ask(replayer, {"dry_run": True}, url))) == ["dry_run"]
        assert Replay.objects.get().state == "waiting"
        assert ask(replayer, {}, url).status_code == 200

    def test_a_link_cannot_do_it(self, many, replayer):
        assert replayer.client.get(self.url(started(replayer))).status_code == 405
        assert Replay.objects.get().state == "waiting"


class TestLooking:
    def test_the_list_is_newest_first_and_has_no_criteria(self, many, viewer, replayer):
        for reason in ("first", "second"):
            started(replayer, reason=reason)
        rows = viewer.read("replays/")["results"]
        assert [row["reason"] for row in rows] == ["second", "first"]
        one = viewer.read(f"replays/{rows[0]['id']}/")
        assert one.pop("criteria") == {}
        assert one == rows[0]

    def test_the_list_comes_in_pages(self, viewer):
        for number in range(5):
            Replay.objects.create(who="rita", reason=str(number))
        rows = viewer.rows("replays/", page_size=2)
        assert [row["reason"] for row in rows] == ["4", "3", "2", "1", "0"]
        page = viewer.read(viewer.read("replays/", page_size=2)["next"])
        assert [row["reason"] for row in page["results"]] == ["2", "1"]
        page = viewer.read(page["previous"])
        assert [row["reason"] for row in page["results"]] == ["4", "3"]

    def test_the_list_takes_as_many_queries_for_many(self, viewer):
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                viewer.read("replays/")
            return len(captured)

        Replay.objects.create(who="rita", reason="one")
        one = queries()
        for _ in range(20):
            Replay.objects.create(who="rita", reason="another", receivers=[NOTE])
        assert queries() == one

    @pytest.mark.parametrize("pk", NO_KEYS)
    def test_one_that_does_not_exist(self, viewer, pk):
        assert viewer.get(f"replays/{pk}/").status_code == 404

    def test_unknown_parameters_are_refused(self, viewer):
        assert list(viewer.mistakes("replays/", who="rita")) == ["who"]
        assert list(viewer.mistakes("replays/", cursor="x")) == ["cursor"]
