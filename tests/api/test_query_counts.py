"""No answer asks the database oftener because it has more to tell."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from superoffice_hooks import signals
from superoffice_hooks.models import Event, Rejection
from superoffice_hooks.replay.running import Criteria, plan, replay

from ..conftest import body
from .conftest import raises

pytestmark = pytest.mark.django_db

EVENT_ID = "1fc5752a-6de8-412d-847a-12d5529a0ec6"


def queries(viewer, path: str, **query) -> int:
    viewer.read(path, **query)
    with CaptureQueriesContext(connection) as captured:
        viewer.read(path, **query)
    return len(captured)


def and_more(post, times: int) -> None:
    """Refuse, deliver, deliver again and replay, so many times, each with a run that fails."""
    sent = json.loads(body(EventId=EVENT_ID, PrimaryKey=7))
    for number in range(times):
        names = [f"x_{other}" for other in range(number + 1)]
        post(json.dumps(sent | {"WebhookName": f"webhook {number}"}).encode())
        post(body(PrimaryKey=7, Changes=names, FieldValues=dict.fromkeys(names, number)))
        post(body(), secret=None)
        replay(plan(Criteria(), who="anna", reason="again"))


# Session, user, and the user's own and groups' permissions are four.
MOST: list[tuple[str, dict[str, Any], int]] = [
    ("events/", {}, 6),
    ("events/", {"fields": "id,changes"}, 6),
    ("events/", {"entity": "ticket", "tenant": "Default", "own": "false"}, 7),
    ("events/", {"status": "failed"}, 7),
    ("events/", {"primary_key": "7"}, 7),
    ("events/", {"changed": ["x_0", "x_1"]}, 9),
    ("events/", {"changed_all": ["x_0", "x_1"]}, 12),
    ("events/", {"receiver": "tests.api.conftest.raises"}, 7),
    ("events/", {"search": EVENT_ID}, 7),
    ("events/first/", {}, 10),
    ("events/first/", {"fields": "id,payload,changes"}, 5),
    ("records/Default/ticket/7/", {}, 7),
    ("rejections/", {}, 6),
    ("rejections/first/", {}, 5),
    ("fields/", {}, 6),
    ("status/", {}, 22),
]


def test_an_answer_takes_as_many_queries_for_many_rows_as_for_few(viewer, post, connect):
    connect(signals.any_event, raises)
    and_more(post, 2)
    first = {
        "events": str(Event.objects.earliest("pk").pk),
        "rejections": str(Rejection.objects.earliest("pk").pk),
    }
    paths = [path.replace("first", first.get(path.split("/")[0], "")) for path, _, _ in MOST]
    few = [queries(viewer, path, **MOST[n][1]) for n, path in enumerate(paths)]
    and_more(post, 6)
    many = [queries(viewer, path, **MOST[n][1]) for n, path in enumerate(paths)]
    assert many == few
    assert [(path, query) for n, (path, query, most) in enumerate(MOST) if few[n] > most] == []
