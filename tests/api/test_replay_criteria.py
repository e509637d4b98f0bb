"""What a replay is asked for with: each criterion selects, and each mistake is named."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event, Replay

from ..conftest import Poster, body, connecting
from .asking import ALL, REPLAYS, TOKEN, WHY, ask, mistakes
from .conftest import NOTE, VIEW, Caller, logged_in, raises

pytestmark = pytest.mark.django_db

WANTED = "1fc5752a-6de8-412d-847a-12d5529a0ec6"
LONG_AGO = timezone.now() - timedelta(days=9000)


class TestCriteria:
    @pytest.fixture(scope="class")
    @classmethod
    def stored(cls, rows_of_the_class):
        """One event that meets every criterion, and one that meets none."""
        post = Poster()
        wanted = {"ContextIdentifier": "Cust1", "Changes": ["Priority"], "WebhookName": "CRM"}
        other = {"ContextIdentifier": "Cust2", "Changes": ["title"], "WebhookName": "other"}
        hooks = {**settings.SUPEROFFICE_HOOKS, "MAX_ATTEMPTS": 1}
        with override_settings(SUPEROFFICE_HOOKS=hooks), connecting() as connect:
            connect(signals.ticket_changed, raises)
            post(body("ticket.changed", PrimaryKey=1, EventId=WANTED, **wanted))
            post(body("sale.sold", PrimaryKey=2, **other))
        Event.objects.filter(primary_key=1).update(endpoint="sales", is_own=True)
        Event.objects.filter(primary_key=2).update(received_at=LONG_AGO)

    @pytest.fixture(autouse=True)
    def two(self, stored, one_attempt, calls, connect):
        connect(signals.ticket_changed, raises)

    @pytest.mark.parametrize(
        "criteria",
        [
            {"event_ids": [WANTED]},
            {"event": "ticket.changed"},
            {"event": "Ticket.*"},
            {"entity": "ticket"},
            {"primary_key": 1},
            {"tenant": "Cust1"},
            {"changed": ["nothing", "priority"]},
            {"status": "failed"},
            {"endpoint": "sales"},
            {"webhook": "CRM"},
            {"own": True},
            {"since": "2020-01-01"},
            {"since": "2020-01-01T12:00:00-18:48"},
            {"since": "2020-01-01T12:00:00+02:00", "until": "2999-01-01T00:00"},
            {"unsuperseded": True, "tenant": "Cust1", "limit": 1},
        ],
        ids=str,
    )
    def test_each_selects_and_is_shown_as_it_can_be_sent_again(self, replayer, calls, criteria):
        answer = ask(replayer, {"criteria": criteria, **WHY}).json()
        assert calls == [1]
        assert answer["criteria"].keys() == criteria.keys()
        again = ask(replayer, {"criteria": answer["criteria"], **WHY}).json()
        assert again["criteria"] == answer["criteria"]
        assert calls == [1, 1]

    def test_false_is_a_criterion(self, replayer, calls):
        answer = ask(replayer, {"criteria": {"own": False}, **WHY}).json()
        assert calls == [2]
        assert answer["criteria"] == {"own": False}

    def test_keys_are_criteria(self, replayer, calls):
        keys = list(Event.objects.filter(primary_key=1).values_list("pk", flat=True))
        answer = ask(replayer, {"criteria": {"ids": keys}, **WHY}).json()
        assert calls == [1]
        assert answer["criteria"] == {"ids": keys}

    def test_those_of_other_doors_are_shown_by_the_same_names(self, viewer, calls):
        call_command("superoffice_replay", "--event=sale.*", "--until=2999-01-01")
        answer = viewer.read(f"replays/{Replay.objects.get().pk}/")
        assert answer["criteria"] == {"event": "sale.*", "until": "2999-01-01T00:00:00+01:00"}
        assert answer["who"].startswith("superoffice_replay (")

    def test_those_of_another_version_are_shown_as_they_are(self, viewer):
        replay = Replay.objects.create(who="x", reason="y", criteria={"color": "red"})
        answer = viewer.read(f"replays/{replay.pk}/")
        assert answer["criteria"] == {"stored": {"color": "red"}}


@pytest.mark.words
class TestMistakes:
    @pytest.fixture(scope="class")
    @classmethod
    def replayer(cls, rows_of_the_class) -> Caller:
        Poster()(body())
        return logged_in("rita", *VIEW, "replay_event")

    @pytest.fixture(autouse=True)
    def nothing_is_replayed(self, replayer, calls):
        yield
        assert calls == []
        assert not Replay.objects.exists()

    @pytest.mark.parametrize(
        ("criterion", "name"),
        [
            ({"ids": []}, "ids"),
            ({"ids": 1}, "ids"),
            ({"ids": [0]}, "ids.0"),
            ({"ids": ["1"]}, "ids.0"),
            ({"ids": [1.0]}, "ids.0"),
            ({"ids": [2**63]}, "ids.0"),
            ({"event_ids": ["no guid"]}, "event_ids.0"),
            ({"event_ids": [None]}, "event_ids.0"),
            ({"event_ids": [5]}, "event_ids.0"),
            ({"event": ""}, "event"),
            ({"event": "  "}, "event"),
            ({"event": None}, "event"),
            ({"event": 5}, "event"),
            ({"event": "x" * 101}, "event"),
            ({"event": "*" * 6}, "event"),
            ({"event": "\x00"}, "event"),
            ({"event": "\ud800"}, "event"),
            ({"primary_key": "1"}, "primary_key"),
            ({"primary_key": True}, "primary_key"),
            ({"primary_key": 2**70}, "primary_key"),
            ({"changed": []}, "changed"),
            ({"changed": "priority"}, "changed"),
            ({"changed": [""]}, "changed.0"),
            ({"status": "lost"}, "status"),
            ({"status": ["failed"]}, "status"),
            ({"own": "yes"}, "own"),
            ({"own": None}, "own"),
            ({"since": "yesterday"}, "since"),
            ({"since": "0001-01-01"}, "since"),
            ({"since": 2026}, "since"),
            ({"unsuperseded": 1}, "unsuperseded"),
            ({"limit": 0}, "limit"),
            ({"up_to": -1}, "up_to"),
            ({"color": "red"}, "color"),
            ({"name": "ticket.changed"}, "name"),
        ],
        ids=str,
    )
    def test_in_the_criteria(self, replayer, criterion, name):
        found = mistakes(ask(replayer, {"criteria": {"entity": "ticket"} | criterion, **WHY}))
        assert list(found) == [f"criteria.{name}"]

    def test_what_was_sent_is_not_quoted(self, replayer):
        wrong = {"event": "<b>" * 99, "status": "<b>", "event_ids": ["<b>"], "since": "<b>"}
        response = ask(replayer, {"criteria": wrong, "receivers": ["<b>"], "dry_run": "<b>"})
        found = mistakes(response)
        assert len(found) == 6
        assert found["criteria.status"].startswith("Expected one of pending, waiting,")
        assert "<b>" not in response.content.decode()

    def test_more_keys_than_one_query_should_name(self, replayer):
        criteria = {"ids": list(range(1, 10_002))}
        assert list(mistakes(ask(replayer, {"criteria": criteria, **WHY}))) == ["criteria.ids"]

    def test_no_more_of_them_are_told_than_anybody_reads(self, replayer):
        found = mistakes(ask(replayer, {"criteria": {"ids": ["x"] * 5000}, **WHY}))
        assert list(found) == [f"criteria.ids.{number}" for number in range(20)]

    @pytest.mark.parametrize(
        ("asked", "names"),
        [
            ({}, ["criteria"]),
            (WHY, ["criteria"]),
            ({"criteria": {}, **WHY}, ["criteria"]),
            ({"criteria": {"limit": 5}, **WHY}, ["criteria"]),
            ({"criteria": {"unsuperseded": True}, **WHY}, ["criteria"]),
            ({"criteria": {"up_to": 5}, **WHY}, ["criteria"]),
            ({"criteria": None, **WHY}, ["criteria"]),
            ({"criteria": [], **WHY}, ["criteria"]),
            ({"criteria": "all", **WHY}, ["criteria"]),
            ({"all": False, **WHY}, ["criteria"]),
            ({"all": "true", **WHY}, ["all"]),
            ({"criteria": {"entity": "ticket"}}, ["reason"]),
            ({**ALL, "reason": ""}, ["reason"]),
            ({**ALL, "reason": " \n"}, ["reason"]),
            ({**ALL, "reason": None}, ["reason"]),
            ({**ALL, "reason": "x" * 2001}, ["reason"]),
            ({**ALL, "reason": "\x00"}, ["reason"]),
            ({**ALL, "dry_run": "true"}, ["dry_run"]),
            ({**ALL, "dryrun": True}, ["dryrun"]),
            ({**ALL, "receivers": []}, ["receivers"]),
            ({**ALL, "receivers": NOTE}, ["receivers"]),
            ({**ALL, "x" * 99: 1, "y": 2}, ["x" * 50, "y"]),
        ],
        ids=lambda value: str(value)[:80],
    )
    def test_around_them(self, replayer, asked, names):
        assert sorted(mistakes(ask(replayer, asked))) == names

    def test_an_unknown_receiver_is_answered_with_those_that_are_connected(self, replayer):
        assert mistakes(ask(replayer, {**ALL, "receivers": [NOTE, "os.system"]})) == {
            "receivers": f"No such receiver is connected. Connected: {NOTE}."
        }

    @pytest.mark.parametrize(
        "sent",
        ["{", "", "[]", "null", '"all"', "5", "[" * 100_000, "9" * 5000, "NaN", "\xff"],
        ids=lambda s: s[:8],
    )
    def test_what_is_no_object(self, replayer, sent):
        response = ask(replayer, sent)
        assert response.status_code == 400
        assert response["Content-Type"] == "application/problem+json"

    def test_a_form_is_not_read(self, replayer):
        replayer.client.cookies["csrftoken"] = TOKEN
        sent = {"all": "true", "reason": "a form", "csrfmiddlewaretoken": TOKEN}
        response = replayer.client.post(REPLAYS, sent)
        assert response.status_code == 415
        assert response.json()["detail"] == "Expected a body of application/json."

    def test_an_option_in_the_url_is_not_overlooked(self, replayer):
        assert list(mistakes(ask(replayer, ALL, f"{REPLAYS}?dry_run=true"))) == ["dry_run"]
