"""No answer asks the database oftener because it has more to tell."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from superoffice_hooks import signals
from superoffice_hooks.models import Event, Rejection
from superoffice_hooks.replaying import Criteria, plan, replay

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
        replay(plan(Criteria(), who="anna", why="again"))


# Session, user, and the user's own and groups' permissions are four.
@pytest.mark.parametrize(
    ("path", "query", "most"),
    [
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
        ("status/", {}, 21),
    ],
)
def test_an_answer_takes_as_many_queries_for_many_rows_as_for_few(
    viewer, post, connect, path, query, most
):
    connect(signals.any_event, raises)
    and_more(post, 2)
    rows = Rejection.objects.all() if path.startswith("rejections") else Event.objects.all()
    path = path.replace("first", str(rows.earliest("pk").pk))
    few = queries(viewer, path, **query)
    and_more(post, 6)
    assert queries(viewer, path, **query) == few
    assert few <= most
