"""``superoffice_send`` plays SuperOffice from the command line, and says what came of it."""

import io
import re
from contextlib import redirect_stderr
from itertools import pairwise

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from superoffice_hooks.management import progress_bar
from superoffice_hooks.management.commands import superoffice_send
from superoffice_hooks.models import Event
from superoffice_hooks.wire.signature import sign

from ..answering import answering
from ..conftest import SECRET, URL, documented
from ..testing.test_sender import concluded, nobody_listens

TWO_ENDPOINTS = {"SECRETS": {"default": [""], "sales": ["", "new one", "old one"]}}


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """What would have been waited, in seconds."""
    waited: list[float] = []
    monkeypatch.setattr(superoffice_send, "sleep", waited.append)
    return waited


def send(*arguments: object, **options: object) -> str:
    """What the command prints."""
    printed = io.StringIO()
    call_command("superoffice_send", *map(str, arguments), stdout=printed, **options)
    return printed.getvalue()


def lost(*arguments: object, **options: object) -> tuple[str, str]:
    """What the command prints, and how it complains in the end."""
    printed = io.StringIO()
    with pytest.raises(CommandError) as complaint:
        call_command("superoffice_send", *map(str, arguments), stdout=printed, **options)
    return printed.getvalue(), str(complaint.value)


class TestSending:
    """What goes over the wire."""

    def test_sends_ticket_changed_with_the_newest_secret_unless_told_otherwise(self):
        with answering(200) as server:
            printed = send(server.url)
        (request,) = server.requests
        assert request.payload["Event"] == "ticket.changed"
        assert len(request.payload["Changes"]) == 47
        assert request.header("X-SuperOffice-Signature") == sign(request.body, SECRET)
        first, summary = printed.splitlines()
        assert re.fullmatch(r"ticket\.changed, [0-9a-f-]{36}: 200 in \d+ ms\.", first)
        assert summary == "Sent 1 event in 1 request: 1 arrived and 0 got lost."

    def test_sends_what_the_options_say(self):
        with answering(200) as server:
            send(
                server.url,
                "sale.sold",
                "foo.bar",
                "--changes= priority, status,",
                "--primary-key=18",
                "--tenant=Cust12345",
                "--webhook-name=Sales",
                "--secret=s",
            )
        for request, name in zip(server.requests, ["sale.sold", "foo.bar"], strict=True):
            sent = request.payload
            assert (sent["Event"], sent["Changes"]) == (name, ["priority", "status"])
            assert (sent["PrimaryKey"], sent["ContextIdentifier"]) == (18, "Cust12345")
            assert sent["WebhookName"] == "Sales"
            assert request.header("X-SuperOffice-Signature") == sign(request.body, "s")

    def test_sends_what_the_input_has(self, monkeypatch):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"Event": "\xff"}\r\n')))
        with answering(200) as server:
            send(server.url, "--body", "-")
        (request,) = server.requests
        assert request.body == b'{"Event": "\xff"}\r\n'

    def test_no_changes_are_an_empty_list(self):
        with answering(200) as server:
            send(server.url, changes="")
        assert server.requests[0].payload["Changes"] == []

    def test_sends_a_file_as_it_is(self, tmp_path):
        body = documented("chat-events-01-chatsession.created")
        (tmp_path / "body.json").write_bytes(body)
        with answering(200) as server:
            printed = send(server.url, body=tmp_path / "body.json")
        (request,) = server.requests
        assert request.body == body
        assert request.header("X-SuperOffice-Signature") == sign(body, SECRET)
        assert printed.startswith("No event name, no event id: 200 in ")

    def test_sends_each_event_as_often_as_asked_under_an_id_of_its_own(self):
        with answering(200) as server:
            printed = send(server.url, "ticket.created", "ticket.changed", count=3)
        names = [request.payload["Event"] for request in server.requests]
        assert names == ["ticket.created", "ticket.changed"] * 3
        assert len({request.payload["EventId"] for request in server.requests}) == 6
        assert printed.endswith("Sent 6 events in 6 requests: 6 arrived and 0 got lost.\n")

    def test_sends_no_faster_than_asked(self, pauses):
        with answering(200) as server:
            send(server.url, count=4, rate=0.5)
        # Nobody really waited, so each event is two seconds further off.
        assert len(pauses) == 3
        assert all(1.5 < later - earlier <= 2 for earlier, later in pairwise([0, *pauses]))

    def test_an_empty_secret_signs_nothing(self):
        with answering(200) as server:
            send(server.url, secret="")
        assert server.requests[0].header("X-SuperOffice-Signature") is None

    @override_settings(SUPEROFFICE_HOOKS=TWO_ENDPOINTS)
    def test_signs_with_the_secret_of_another_endpoint(self):
        with answering(200) as server:
            send(server.url, endpoint="sales")
        (request,) = server.requests
        assert request.header("X-SuperOffice-Signature") == sign(request.body, "new one")


class TestFailing:
    """What was lost is told in whole sentences, with the likely mistake."""

    def test_tries_again_after_1_and_4_seconds(self, pauses):
        with answering(503, 500, 200) as server:
            printed = send(server.url)
        assert pauses == [1, 4]
        assert [request.header("X-SuperOffice-Retry") for request in server.requests] == [
            None,
            "1",
            "2",
        ]
        assert re.search(r"changed, [0-9a-f-]{36}, retry 1: 500 in \d+ ms\.", printed)
        assert printed.endswith("Sent 1 event in 3 requests: 1 arrived and 0 got lost.\n")

    def test_tries_once_if_asked(self, pauses):
        with answering(503) as server:
            printed, _ = lost(server.url, "--no-retry")
        assert pauses == []
        assert printed.endswith("Sent 1 event in 1 request: 0 arrived and 1 got lost.\n")

    @pytest.mark.parametrize(
        ("status", "hint"),
        [
            (302, "no redirect"),
            (400, "ALLOWED_HOSTS"),
            (401, "--secret"),
            (403, "another view"),
            (404, "urls.py"),
            (405, "takes no POST"),
            (413, "MAX_BODY_BYTES"),
            (418, "every answer but 200"),
            (503, "database"),
        ],
    )
    def test_complains_with_the_likely_mistake(self, status, hint):
        with answering(status) as server:
            _, complaint = lost(server.url)
        assert complaint.startswith(f"1 event of 1 got lost: the answer was {status}. ")
        assert hint in complaint

    def test_says_that_nobody_answered(self):
        printed, complaint = lost(nobody_listens())
        assert "no answer (" in printed
        assert complaint == (
            "1 event of 1 got lost: there was no answer."
            " Is the server running, and is the address right?"
        )

    def test_goes_on_after_an_event_that_got_lost(self):
        with answering(500, 500, 500, 200) as server:
            printed, complaint = lost(server.url, count=2)
        assert printed.endswith("Sent 2 events in 4 requests: 1 arrived and 1 got lost.\n")
        assert "1 event of 2" in complaint

    def test_stops_after_nine_failures_in_a_row(self):
        with answering(500) as server:
            _, complaint = lost(server.url, count=5)
        assert len(server.requests) == 9
        assert complaint.startswith("3 events of 5 got lost: the answer was 500.")
        assert complaint.endswith(
            "Nine failures in a row end a webhook, so 2 events stayed unsent."
        )

    def test_stops_at_once_after_410(self):
        with answering(410) as server:
            _, complaint = lost(server.url, count=2)
        assert len(server.requests) == 1
        assert complaint.endswith("410 ends a webhook at once, so 1 event stayed unsent.")


class TestMistakes:
    """Nothing is sent, and the message says what to change."""

    @pytest.mark.parametrize("url", ["localhost:8000/hook", "ftp://localhost/", "http://h:port/"])
    def test_only_http_and_https_addresses(self, url):
        _, complaint = lost(url)
        assert complaint.endswith("like http://127.0.0.1:8000/superoffice/webhook/.")

    @override_settings(SUPEROFFICE_HOOKS=TWO_ENDPOINTS)
    @pytest.mark.parametrize("endpoint", ["default", "unheard-of"])
    def test_an_endpoint_without_a_secret(self, endpoint):
        with answering(200) as server:
            _, complaint = lost(server.url, endpoint=endpoint)
        assert server.requests == []
        assert "SUPEROFFICE_HOOKS['SECRETS']" in complaint
        assert repr(endpoint) in complaint
        assert "--secret" in complaint

    @pytest.mark.parametrize(
        ("option", "value"), [("count", 0), ("rate", 0), ("rate", -1), ("rate", float("nan"))]
    )
    def test_numbers_that_make_no_sense(self, option, value):
        with answering(200) as server:
            _, complaint = lost(server.url, **{option: value})
        assert server.requests == []
        assert complaint.startswith(f"--{option} was given {value}")

    def test_a_file_that_cannot_be_read(self, tmp_path):
        _, complaint = lost("http://127.0.0.1/", body=str(tmp_path / "missing.json"))
        assert "missing.json cannot be read" in complaint

    @pytest.mark.parametrize("also", [["ticket.created"], ["--changes=a"], ["--primary-key=1"]])
    def test_a_file_and_made_up_values(self, also, tmp_path):
        (tmp_path / "body.json").write_bytes(b"{}")
        _, complaint = lost("http://127.0.0.1/", *also, f"--body={tmp_path / 'body.json'}")
        assert "leave out" in complaint


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestProgress:
    """A bar, on a terminal and for several events."""

    def test_is_shown_on_a_terminal(self):
        pytest.importorskip("tqdm")
        with answering(200) as server, redirect_stderr(Terminal()) as terminal:
            send(server.url, count=3, stderr=terminal)
        assert "3/3" in terminal.getvalue()

    def test_is_not_shown_without_tqdm(self, monkeypatch):
        monkeypatch.setattr(progress_bar, "tqdm", None)
        with answering(200) as server, redirect_stderr(Terminal()) as terminal:
            assert "3 arrived" in send(server.url, count=3, stderr=terminal)
        assert terminal.getvalue() == ""

    def test_is_not_shown_for_a_single_event(self):
        with answering(200) as server, redirect_stderr(Terminal()) as terminal:
            send(server.url, stderr=terminal)
        assert terminal.getvalue() == ""

    def test_is_not_shown_elsewhere(self, capfd):
        with answering(200) as server:
            send(server.url, count=3)
        assert capfd.readouterr().err == ""


def test_arrives_in_a_project_over_http(live_server):
    send(live_server.url + URL, "sale.sold", "--primary-key=18")
    event = Event.objects.get()
    concluded(str(event.event_id))
    assert (event.name, event.primary_key, event.problems) == ("sale.sold", 18, [])


def test_a_project_with_another_secret_answers_401(live_server):
    _, complaint = lost(live_server.url + URL, "--secret=wrong", "--no-retry")
    assert "401" in complaint
    assert not Event.objects.exists()
