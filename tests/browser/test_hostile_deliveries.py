"""Whatever somebody manages to have signed stays text, on every page."""

import json
import uuid

import pytest
from playwright.sync_api import expect

from superoffice_hooks import signals
from superoffice_hooks.models import Event, Replay

from ..admin.conftest import EVENTS, REPLAY, REPLAYS
from .places import PLACES

pytestmark = pytest.mark.slow

# Each is shorter than the shortest column, so none is cut off where it would do no harm. What gets
# through has the class "hostile", or opens a dialog.
HOSTILE = (
    "<script class=hostile>alert(1)</script>",
    '"><img class=hostile src=x onerror=alert(1)>',
    "'><svg class=hostile onload=alert(1)>",
    "</pre></script></style><b class=hostile>",
    '" autofocus onfocus=alert(1) class="hostile',
    "javascript:alert(1)",
    "{{ 7|add:7 }}{% now 'Y' %}${alert(1)}",
    "&lt;i class=hostile&gt;",
)


def hostile_body(text: str) -> bytes:
    """This text in every key and value that SuperOffice has, and in some it has not."""
    return json.dumps(
        {
            "EventId": str(uuid.uuid4()),
            "Timestamp": text,
            "Changes": [text, text.upper()],
            "Event": f"{text}.{text}",
            "PrimaryKey": text,
            "Entity": text,
            "ContextIdentifier": text,
            "ChangedByAssociateId": text,
            "WebhookName": text,
            "Values": {text: text},
            "FieldValues": {text: [text, {text: text}]},
            text: {text: text},
        }
    ).encode()


@pytest.fixture
def hostile_world(connect, deliver):
    """Events, failures, redeliveries, rejections and a replay, all of them made of these texts."""

    def fails(event, **kwargs):
        raise ValueError(event.tenant)

    fails.__qualname__ = HOSTILE[1]
    connect(signals.any_event, fails)
    for text in HOSTILE:
        sent = hostile_body(text)
        headers = {"User-Agent": text, "X-SuperOffice-Event": text}
        for body in (sent, sent + b" ", sent + text.encode()):
            assert deliver(body, headers=headers).status == 200
        deliver(sent, secret="", headers=headers)
        deliver(sent, endpoint="<script class=hostile>alert(1)/", headers=headers)
    Replay.objects.create(who=HOSTILE[0], reason=" ".join(HOSTILE), receivers=list(HOSTILE))


def stays_text(admin, path: str) -> str:
    """The text of a page on which nothing of it has come to life."""
    admin.open(path)
    for selector in (".hostile", '[href^="javascript:" i]', '[src^="javascript:" i]'):
        expect(admin.tab.locator(selector)).to_have_count(0)
    text: str = admin.text()
    return text


def test_markup_in_every_field_of_a_signed_body_stays_text(browse, hostile_world):
    assert Event.objects.count() == len(HOSTILE)
    admin = browse("rita")
    for event, text in zip(Event.objects.order_by("pk"), HOSTILE, strict=True):
        page = stays_text(admin, f"{EVENTS}{event.pk}/change/")
        # Its name in the heading, its tenant, webhook and the receiver's error, payload and body.
        assert page.count(" ".join(text.split())) > 5
        assert json.dumps(text) in page
        assert f"ValueError: {text}" in page


def test_and_on_every_other_page(browse, hostile_world):
    admin = browse("rita")
    for place, path in PLACES.items():
        assert stays_text(admin, path()), place
    every = ",".join(str(pk) for pk in Event.objects.values_list("pk", flat=True))
    page = stays_text(admin, f"{REPLAY}?ids={every}")
    for text in HOSTILE:
        assert f"{text}.{text}".lower()[:100] in page


def test_what_a_filter_is_given_stays_text(browse, hostile_world):
    admin = browse("rita")
    for text in HOSTILE:
        admin.open(EVENTS).unfold_filter("changed field")
        admin.tab.get_by_label("changed field").fill(text)
        admin.tab.get_by_label("changed field").press("Enter")
        expect(admin.rows()).to_have_count(1)
        page = stays_text(admin, admin.path())
        assert text in page


def test_a_reason_and_who_gives_it_stay_text(browse, hostile_world):
    admin = browse(HOSTILE[1]).open(f"{REPLAY}?ids={Event.objects.latest('pk').pk}")
    admin.give_reason(" ".join(HOSTILE))
    admin.button("Replay").click()
    admin.says("1 event replayed")
    page = stays_text(admin, f"{REPLAYS}{Replay.objects.latest('pk').pk}/change/")
    assert " ".join(HOSTILE) in page
    assert f"by {HOSTILE[1]}" in page
