"""A dry run answers what a replay would do, and does nothing."""

from typing import Any

import pytest

from superoffice_hooks import signals
from superoffice_hooks.models import Replay

from .asking import WHY, ask
from .conftest import NOTE, Caller, raises

pytestmark = pytest.mark.django_db
RAISES = "tests.api.conftest.raises"


def plan(caller: Caller, **asked: Any) -> Any:
    response = ask(caller, {"dry_run": True, **asked})
    assert response.status_code == 200, response.content
    return response.json()


def test_it_says_how_many_events_records_and_calls(event, calls, connect, replayer):
    connect(signals.sale_sold, raises)
    event(PrimaryKey=1)
    event(PrimaryKey=1)
    last = event("sale.sold", PrimaryKey=2)
    assert plan(replayer, criteria={"tenant": "Default"}) == {
        "criteria": {"tenant": "Default", "up_to": last.pk},
        "events": 3,
        "records": 2,
        "superseded": 1,
        "superseded_records": 0,
        "is_cut": False,
        "joining": [],
        "receivers": [{"receiver": RAISES, "events": 1}, {"receiver": NOTE, "events": 3}],
    }
    assert calls == []
    assert not Replay.objects.exists()


def test_its_criteria_mean_those_events_and_none_that_come_in_later(event, calls, replayer):
    event(PrimaryKey=1)
    criteria = plan(replayer, criteria={"entity": "ticket"})["criteria"]
    event(PrimaryKey=2)
    ask(replayer, {"criteria": criteria, **WHY})
    assert calls == [1]


def test_a_limit_means_the_oldest(event, calls, replayer):
    oldest = event(PrimaryKey=1)
    event(PrimaryKey=2)
    found = plan(replayer, all=True, criteria={"limit": 1})
    assert found["events"] == 1
    assert found["criteria"] == {"up_to": oldest.pk}


def test_where_nothing_is_selected_its_criteria_select_nothing(event, calls, replayer):
    found = plan(replayer, criteria={"entity": "ticket"})
    assert found["events"] == 0
    event()
    assert ask(replayer, {"criteria": found["criteria"], **WHY}).json()["planned"] == 0


def test_it_names_only_receivers_that_would_be_called(event, calls, connect, replayer):
    connect(signals.any_event, raises)
    event()
    ours = [{"receiver": NOTE, "events": 1}]
    assert plan(replayer, all=True, receivers=[NOTE])["receivers"] == ours
    failed = [{"receiver": RAISES, "events": 1}]
    assert plan(replayer, all=True, only_failed=True)["receivers"] == failed
    assert plan(replayer, all=True, only_failed=True, receivers=[NOTE])["receivers"] == []


def test_it_wants_no_reason(replayer):
    assert plan(replayer, all=True)["events"] == 0
