"""Copy: an event as texts that can be pasted into a shell or a test, whatever was sent."""

import json
import re
import subprocess
from typing import Any

import pytest
from django.test import override_settings

from superoffice_hooks import signals
from superoffice_hooks.models import Event, Redelivery
from superoffice_hooks.testing import deliver, export, notification
from superoffice_hooks.wire.signature import sign

from ..conftest import SECRET, URL, body
from .conftest import EVENTS
from .page import Page

pytestmark = pytest.mark.django_db

HOSTILE = {
    "quotes": "'; touch /tmp/x; '\" `touch x` $(touch x) ${HOME} \\",
    "lines": 'one\ntwo\n\'"""\n',
    "percent": "%s %n !! @/etc/passwd",
    "markup": "</pre><script>alert(1)</script>&amp;",
    "words": "ÅÄÖ 日本 🎫",
}
UNSEEN = {"reordered": "a\u202eb", "joined": "\ufe0f\u200d", "filler": "\u3164", "text": "\\"}
# What curl was given, each argument ended by a NUL.
CURL = """curl() { printf '%s\\0' "$@"; }\n"""
PYTHON = """python() { printf '%s\\0' "$@"; cat; }\n"""


def in_a_shell(text: str) -> list[bytes]:
    """What the shell makes of a text."""
    ended = subprocess.run(["/bin/sh", "-c", text], capture_output=True, check=True, timeout=60)
    assert ended.stderr == b""
    return ended.stdout.split(b"\0")


@pytest.fixture
def copies(replayer):
    """``copies(event)``: the texts by id, as a browser has them."""

    def copies(event: Event, client=replayer) -> dict[str, str]:
        page = Page.get(client, f"{EVENTS}{event.pk}/copy/")
        assert page.status == 200
        found = re.findall(r'<pre [^>]*id="(\w+)-text"[^>]*>\n(.*?)</pre>', page.html, re.DOTALL)
        return {name: unescaped(text) for name, text in found}

    return copies


def unescaped(text: str) -> str:
    for escape, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#x27;", "'")):
        text = text.replace(escape, char)
    return text.replace("&amp;", "&")


@pytest.fixture
def send(post):
    """``send(**values)``: the event of a body with these values, as it was sent."""

    def send(sent: bytes = b"", **values: Any) -> tuple[Event, bytes]:
        sent = sent or json.dumps(notification(**values), ensure_ascii=False).encode()
        assert post(sent).status_code == 200
        return Event.objects.latest("pk"), sent

    return send


class TestTexts:
    """Everything that can be copied means the event that was sent."""

    def test_the_body_is_copied_as_sent_and_as_indented_json(self, send, copies):
        stored, sent = send(FieldValues=HOSTILE)
        texts = copies(stored)
        assert texts["body"].encode() == sent
        assert json.loads(texts["json"]) == json.loads(sent)
        assert "\n  " in texts["json"]

    def test_a_leading_line_feed_is_kept(self, send, copies):
        stored, sent = send(b"\n\n" + body() + b"\n")
        assert copies(stored)["body"].encode() == sent

    @pytest.mark.slow
    def test_curl_sends_the_body_with_a_good_signature(self, send, copies, client):
        stored, sent = send(FieldValues=HOSTILE)
        arguments = in_a_shell(CURL + copies(stored)["curl"])
        assert arguments[-2].decode() == f"http://testserver{URL}"
        assert arguments[arguments.index(b"--data-raw") + 1] == sent
        headers = dict(
            arguments[place + 1].decode().split(": ", 1)
            for place, argument in enumerate(arguments)
            if argument == b"--header"
        )
        assert headers["X-SuperOffice-Signature"] == sign(sent, SECRET)
        content_type = headers.pop("Content-Type")
        answer = client.post(URL, sent, content_type=content_type, headers=headers)
        assert answer.status_code == 200
        assert Redelivery.objects.get().event == stored

    @pytest.mark.slow
    def test_superoffice_send_is_given_the_body(self, send, copies):
        stored, sent = send(FieldValues=HOSTILE)
        *arguments, given = in_a_shell(PYTHON + copies(stored)["send"])
        assert b" ".join(arguments).decode() == (
            f"manage.py superoffice_send http://127.0.0.1:8000{URL} --body -"
        )
        assert given == sent

    def test_the_fixture_returns_the_body_without_what_is_personal(self, send, copies):
        stored, _ = send(FieldValues=HOSTILE | UNSEEN, name="HOSTILE")
        made = made_by(copies(stored)["fixture"])
        assert made == export(stored)
        assert "alert(1)" not in str(made)

    def test_the_kit_delivers_what_the_fixture_returns(self, send, copies, client, connect):
        changes: list[Any] = []
        connect(signals.ticket_changed, lambda event, **_: changes.append(event.changes))
        stored, _ = send(Changes=["priority"], FieldValues={"priority": 3})
        made = made_by(copies(stored)["fixture"])
        Event.objects.all().delete()
        again = deliver(client, made["Event"], **made)
        assert (again.event_id, again.primary_key) == (stored.event_id, stored.primary_key)
        assert again.field_values["priority"] == 3
        assert changes[-1] == ("priority",)

    def test_a_number_that_python_cannot_name_is_no_trouble(self, send, copies):
        stored, _ = send(json.dumps({"Event": "--import os\n", "Entity": "9"}).encode())
        made = made_by(copies(stored)["fixture"])
        assert made["Entity"] == "9"


def made_by(module: str) -> dict[str, Any]:
    """What the fixture of a module returns."""
    assert module.count("@pytest.fixture\n") == 1
    names: dict[str, Any] = {}
    exec(compile(module.replace("@pytest.fixture\n", ""), "<fixture>", "exec"), names)  # noqa: S102
    (make,) = (value for name, value in names.items() if name.startswith("event_"))
    made = make()
    assert isinstance(made, dict)
    return made


class TestFiles:
    """A body that would not survive being copied is read from a file."""

    @pytest.mark.parametrize(
        "sent",
        [
            body(FieldValues=UNSEEN).decode().encode("utf-16"),
            json.dumps(notification(FieldValues=UNSEEN), ensure_ascii=False).encode(),
            json.dumps(notification(), indent="\t").encode(),
            body().replace(b" ", b" \r\n"),
            body(FieldValues={"text": "x" * 20_000}),
        ],
        ids=["UTF-16", "unseen", "tabs", "carriage returns", "long"],
    )
    def test_it_is_downloaded_byte_for_byte(self, send, copies, replayer, sent):
        stored, _ = send(sent)
        name = f"event-{stored.pk}.json"
        texts = copies(stored)
        assert "body" not in texts
        assert f"--data-binary @{name}" in texts["curl"]
        assert texts["send"].endswith(f"--body {name}")
        assert sign(sent, SECRET) in texts["curl"]
        page = Page.get(replayer, f"{EVENTS}{stored.pk}/copy/")
        assert "It would not survive being copied" in page.text
        answer = replayer.get(page.links["Download the body as sent"])
        assert answer.content == sent
        assert answer["Content-Type"] == "application/octet-stream"
        assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
        assert answer["X-Content-Type-Options"] == "nosniff"

    def test_json_with_what_cannot_be_seen_has_escapes(self, send, copies):
        stored, sent = send(FieldValues=UNSEEN)
        text = copies(stored)["json"]
        assert "\\u202e" in text
        assert json.loads(text) == json.loads(sent)

    def test_a_long_payload_is_a_file_of_the_fixture_too(self, send, copies, replayer):
        values = {f"x_{number}": "x" * 300 for number in range(1000)}
        stored, _ = send(FieldValues=values)
        texts = copies(stored)
        assert "json" not in texts
        assert f'with_name("event-{stored.pk}.json")' in texts["fixture"]
        assert f"superoffice_export {stored.pk} > event-{stored.pk}.json" in texts["fixture"]
        assert sum(map(len, texts.values())) < 5000

    def test_the_page_of_the_event_has_the_start_and_leads_to_all(self, send, replayer):
        stored, sent = send(FieldValues={"text": "x" * 300_000})
        page = Page.get(replayer, f"{EVENTS}{stored.pk}/change/")
        assert len(page.html) < 350_000
        assert page.text.count("This is the start of it.") == 2
        assert replayer.get(page.links["Download all"]).content == sent
        payload = replayer.get(f"{EVENTS}{stored.pk}/payload/").content
        assert json.loads(payload) == json.loads(sent)


class TestPruned:
    def test_the_body_is_written_from_the_payload(self, send, copies, replayer):
        stored, sent = send()
        Event.objects.update(body=b"")
        texts = copies(stored)
        assert json.loads(texts["body"]) == json.loads(sent)
        page = Page.get(replayer, f"{EVENTS}{stored.pk}/copy/")
        assert "The body is pruned." in page.text
        assert "Download the body as sent" not in page.links
        assert replayer.get(f"{EVENTS}{stored.pk}/body/").status_code == 404


class TestSignature:
    """It is made for who may replay; the secret is never shown."""

    def test_who_may_only_look_has_no_signature(self, send, copies, viewer):
        stored, sent = send()
        texts = copies(stored, viewer)
        assert texts.keys() == {"body", "json", "send", "fixture"}
        assert sign(sent, SECRET) not in "".join(texts.values())

    def test_the_secret_is_not_on_the_page(self, send, replayer):
        stored, _ = send()
        assert SECRET not in Page.get(replayer, f"{EVENTS}{stored.pk}/copy/").html

    @pytest.mark.parametrize(
        "secrets", [{"other": ["s"]}, {"default": [""]}, {"default": ["\ud800"]}]
    )
    def test_without_a_secret_nothing_is_signed(self, send, copies, replayer, secrets):
        stored, _ = send()
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": secrets}):
            assert "X-SuperOffice-Signature" not in copies(stored)["curl"]
            page = Page.get(replayer, f"{EVENTS}{stored.pk}/copy/")
        assert "There is no secret for this endpoint" in page.text

    def test_that_of_the_endpoint_is_used(self, post, copies):
        secrets = {"default": [SECRET], "sales": ["", "new", "old"]}
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": secrets}):
            sent = body()
            assert post(sent, secret="old", url=f"{URL}sales/").status_code == 200
            texts = copies(Event.objects.get())
        assert sign(sent, "new") in texts["curl"]
        assert f"http://testserver{URL}sales/" in texts["curl"]
        assert "--endpoint=sales" in texts["send"]

    def test_it_is_logged_who_saw_one(self, send, copies, caplog):
        stored, _ = send()
        with caplog.at_level("INFO"):
            copies(stored)
        assert f"rita is shown a signature for {stored}" in caplog.text


def test_the_pages_are_for_those_who_may_see_the_event(send, clerk, anonymous):
    stored, _ = send()
    for part in ("copy", "body", "payload"):
        assert clerk.get(f"{EVENTS}{stored.pk}/{part}/").status_code == 403
        assert anonymous.get(f"{EVENTS}{stored.pk}/{part}/").status_code == 302


def test_an_event_that_is_not_there(replayer):
    for part in ("copy", "body", "payload"):
        assert replayer.get(f"{EVENTS}4711/{part}/").status_code == 404


def test_the_page_leads_to_it_for_everybody(send, viewer):
    stored, _ = send()
    page = Page.get(viewer, f"{EVENTS}{stored.pk}/change/").click("Copy")
    assert "Copy as superoffice_send" in page.text


def test_a_body_that_was_redacted_says_so(send, copies, replayer):
    hooks = {"SECRETS": [SECRET], "REDACT": ["name"]}
    with override_settings(SUPEROFFICE_HOOKS=hooks):
        stored, sent = send(FieldValues={"name": "Ann"})
        texts = copies(stored)
    page = Page.get(replayer, f"{EVENTS}{stored.pk}/copy/")
    note = "FieldValues.name; the signature was verified before"
    assert f"The body was redacted before it was stored: {note}." in page.text
    assert all("Ann" not in text for text in texts.values())
    assert sign(sent, SECRET) not in texts["curl"]
    assert sign(bytes(stored.body), SECRET) in texts["curl"]
    assert f"redacted: {note}" in Page.get(replayer, f"{EVENTS}{stored.pk}/change/").text
