"""Each filter of events leaves what it names, and refuses what is no value of its."""

from base64 import urlsafe_b64encode
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import override_settings

from superoffice_hooks import signals
from superoffice_hooks.models import Event
from superoffice_hooks.models.paging import pages

from ..conftest import Poster, body, connecting
from .conftest import VIEW, Caller, logged_in, raises

pytestmark = pytest.mark.django_db

RAISES = "tests.api.conftest.raises"
SOLD = "1fc5752a-6de8-412d-847a-12d5529a0ec6"


OWN_ASSOCIATES = {"Cust1": [7]}


@pytest.fixture(params=[0, 1000], ids=["many", "few"])
def few(request, monkeypatch) -> None:
    """Whether an index of few events finds it, or the list itself."""
    monkeypatch.setattr(pages, "MAX_KEYS", request.param)


class TestRows:
    """A sale that failed, among tickets that did not."""

    @pytest.fixture(scope="class")
    @classmethod
    def stored(cls, rows_of_the_class) -> Event:
        post = Poster()
        hooks = {
            **settings.SUPEROFFICE_HOOKS,
            "SECRETS": {"default": settings.SUPEROFFICE_HOOKS["SECRETS"]},
            "OWN_ASSOCIATES": OWN_ASSOCIATES,
            "MAX_ATTEMPTS": 1,
        }
        with override_settings(SUPEROFFICE_HOOKS=hooks), connecting() as connect:
            connect(signals.sale_sold, raises)
            post(body("ticket.created", Changes=["priority"]))
            post(
                body(
                    "sale.sold",
                    EventId=SOLD,
                    PrimaryKey=18,
                    ContextIdentifier="Cust1",
                    Changes=["amount", "Heading", "status"],
                    ChangedByAssociateId=7,
                    WebhookName="Sales",
                )
            )
            post(body("ticket.changed", Changes=["priority", "status"]))
        sold: Event = Event.objects.get(event_id=SOLD)
        return sold

    @pytest.fixture(scope="class")
    @classmethod
    def viewer(cls, rows_of_the_class) -> Caller:
        return logged_in("vera", *VIEW)

    @pytest.fixture(autouse=True)
    def sold(self, stored: Event, connect, settings) -> Event:
        connect(signals.sale_sold, raises)
        settings.SUPEROFFICE_HOOKS = {
            **settings.SUPEROFFICE_HOOKS,
            "OWN_ASSOCIATES": OWN_ASSOCIATES,
        }
        return stored

    @pytest.mark.usefixtures("few")
    @pytest.mark.parametrize(
        "query",
        [
            {"event": "sale.sold"},
            {"event": " Sale.Sold "},
            {"event": "sale.*"},
            {"event": "*.sold"},
            {"entity": "sale"},
            {"entity": "SALE"},
            {"primary_key": "18"},
            {"primary_key": "18", "entity": "sale"},
            {"tenant": "Cust1"},
            {"status": "failed"},
            {"webhook": "Sales"},
            {"own": "true"},
            {"changed": "amount"},
            {"changed": "AMOUNT"},
            {"changed": ["amount", "no_such"]},
            {"changed_all": ["amount", "heading"]},
            {"changed_all": ["status", "amount"]},
            {"changed": ["amount", "priority"], "changed_all": "heading"},
            {"changed": "status", "event": "sale.*"},
            {"receiver": RAISES},
            {"receiver": RAISES, "outcome": "failed"},
            {"outcome": "failed"},
            {"event_ids": SOLD},
            {"own": "true", "unsuperseded": "true"},
            {"receiver": RAISES, "status": "failed", "tenant": "Cust1"},
            {"search": SOLD},
            {"search": SOLD.upper().replace("-", "")},
            {"search": SOLD[:4]},
            {"search": SOLD[:20]},
        ],
    )
    def test_a_filter_leaves_what_it_names(self, viewer, sold, query):
        assert [row["id"] for row in viewer.rows("events/", **query)] == [sold.pk]

    @pytest.mark.usefixtures("few")
    @pytest.mark.parametrize(
        "query",
        [
            {"event": "sale.lost"},
            {"event": "sale"},
            {"entity": "sal"},
            {"primary_key": "19"},
            {"primary_key": "18", "entity": "ticket"},
            {"primary_key": str(-(2**63))},
            {"tenant": "cust404"},
            {"status": "handled"},
            {"webhook": "Sale"},
            {"endpoint": "other"},
            {"changed": "no_such"},
            {"changed_all": ["amount", "priority"]},
            {"changed": "amount", "event": "ticket.*"},
            {"receiver": "nobody"},
            {"receiver": RAISES, "status": "succeeded"},
            {"search": "00000000"},
            {"search": SOLD[:8] + "0000"},
        ],
    )
    def test_a_filter_that_nothing_meets_leaves_nothing(self, viewer, query):
        assert viewer.rows("events/", **query) == []

    @pytest.mark.usefixtures("few")
    def test_what_a_filter_leaves_out_is_all_the_rest(self, viewer, sold):
        others = {row["id"] for row in viewer.rows("events/")} - {sold.pk}
        assert len(others) == 2
        for query in ({"own": "false"}, {"changed": "priority"}, {"event": "ticket.*"}):
            assert {row["id"] for row in viewer.rows("events/", **query)} == others

    def test_the_form_of_the_browsable_api_may_leave_filters_empty(self, viewer, sold):
        answer = viewer.get("events/", format="api", status="failed", own="", tenant="", changed="")
        assert answer.status_code == 200
        page = answer.content.decode()
        assert SOLD in page
        assert 'name="changed_all"' in page

    def test_the_browsable_api_works_without_the_templates_of_django_filter(
        self, viewer, sold, settings
    ):
        settings.INSTALLED_APPS = [
            app for app in settings.INSTALLED_APPS if app != "django_filters"
        ]
        answer = viewer.get("events/", format="api")
        assert answer.status_code == 200
        assert SOLD in answer.content.decode()


def test_events_of_one_endpoint(viewer, post, event):
    event()
    assert len(viewer.rows("events/", endpoint="default")) == 1
    Event.objects.update(endpoint="partner")
    assert len(viewer.rows("events/", endpoint="partner")) == 1
    assert viewer.rows("events/", endpoint="default") == []


def test_since_takes_its_moment_in_and_until_does_not(viewer, event):
    first, second, third = event(), event(), event()
    for minutes, one in enumerate((first, second, third)):
        at = first.received_at + timedelta(minutes=minutes)
        Event.objects.filter(pk=one.pk).update(received_at=at)
    second.refresh_from_db()
    moment = second.received_at.isoformat()
    assert [row["id"] for row in viewer.rows("events/", since=moment)] == [third.pk, second.pk]
    assert [row["id"] for row in viewer.rows("events/", until=moment)] == [first.pk]
    assert viewer.rows("events/", since=moment, until=moment) == []


def test_a_moment_without_an_offset_is_the_projects_local_time(viewer, event):
    Event.objects.filter(pk=event().pk).update(received_at="2026-05-19T12:00:00Z")
    # Oslo is two hours ahead in summer.
    assert viewer.rows("events/", since="2026-05-19T14:00", until="2026-05-19T14:01")
    assert viewer.rows("events/", since="2026-05-19", until="2026-05-20")
    assert viewer.rows("events/", since="2026-05-19T12:30", until="2026-05-19T13:30") == []


def cursor(text: str) -> str:
    return urlsafe_b64encode(text.encode("latin-1")).decode().rstrip("=")


CURSORS = [
    "older",
    "older|5",
    "sideways|5|2026-05-19T12:00:00+00:00",
    "older|-1|2026-05-19T12:00:00+00:00",
    f"older|{2**63}|2026-05-19T12:00:00+00:00",
    "older|five|2026-05-19T12:00:00+00:00",
    "older|5|once",
    "older|5|0001-01-01T00:00:00+14:00",
    "older|5|2026-05-19T12:00:00+00:00|2026-05-19T12:00:00+00:00",
    "\xff|5",
]
WRONG = {
    "event": ["x" * 101, "*a" * 6],
    "entity": ["x" * 101],
    "primary_key": ["x", "1.5", "1e3", str(2**63), "\u0661", "9" * 500],
    "tenant": ["x" * 101],
    "status": ["lost", "FAILED", "failed,pending"],
    "endpoint": ["x" * 51],
    "webhook": ["x" * 256],
    "own": ["yes", "1", "True"],
    "changed": ["x" * 129],
    "changed_all": ["x" * 129],
    "receiver": ["x" * 256],
    "search": ["1fc", "ticket", SOLD + "0"],
    "since": ["yesterday", "0001-01-01", "2026-02-30", "2026-05-19T14:30:00 02:00"],
    "until": ["tomorrow", "99999-01-01"],
    "ordering": ["id", "tenant", "-received_at,id"],
    "page_size": ["0", "501", "-1", "many", "1.5", "\u0663"],
    "cursor": ["x", "å", *map(cursor, CURSORS), "A" * 600],
    "fields": ["id,no_such", "body", "-payload", ",", " , "],
}


@pytest.mark.words
class TestMistakes:
    @pytest.fixture(scope="class")
    @classmethod
    def viewer(cls, rows_of_the_class) -> Caller:
        return logged_in("vera", *VIEW)

    @pytest.mark.parametrize(
        ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
    )
    def test_a_wrong_value_is_a_mistake_of_that_name(self, viewer, name, value):
        told = viewer.mistakes("events/", **{name: value})
        assert list(told) == [name]
        assert told[name].startswith("Expected ")

    @pytest.mark.parametrize("name", [*WRONG])
    def test_an_empty_value_is_a_mistake_and_no_missing_filter(self, viewer, name):
        for empty in ("", "  "):
            assert viewer.mistakes("events/", **{name: empty}) == {
                name: "Expected a value, or the parameter to be left out."
            }

    @pytest.mark.parametrize("name", sorted(set(WRONG) - {"changed", "changed_all"}))
    def test_a_value_that_is_given_twice_is_a_mistake(self, viewer, name):
        told = viewer.mistakes("events/", **{name: ["1", "2"]})
        assert told == {name: "Expected one value, and it is given more than once."}

    @pytest.mark.parametrize("name", ["changed", "changed_all"])
    def test_there_is_an_end_to_how_often_a_name_is_given(self, viewer, name):
        assert viewer.rows("events/", **{name: [f"x_{n}" for n in range(20)]}) == []
        assert name in viewer.mistakes("events/", **{name: [f"x_{n}" for n in range(21)]})

    def test_all_mistakes_are_told_at_once(self, viewer):
        told = viewer.mistakes("events/", status="lost", own="perhaps", since="once")
        assert sorted(told) == ["own", "since", "status"]
        assert "pending, waiting, succeeded, failed, skipped, handled" in told["status"]

    @pytest.mark.parametrize("name", ["stauts", "name", "STATUS", "status__in", "id", "offset"])
    @pytest.mark.parametrize(
        "path", ["events/", "records/Default/ticket/1/", "rejections/", "fields/", "status/"]
    )
    def test_an_unknown_filter_is_a_mistake_and_selects_nothing(self, viewer, path, name):
        told = viewer.mistakes(path, **{name: "failed"})
        assert told[name].startswith("There is no such parameter.")

    def test_no_more_than_twenty_mistakes_are_told(self, viewer):
        assert len(viewer.mistakes("events/", **{f"x{n}": n for n in range(500)})) == 20

    def test_an_unknown_filter_is_told_which_there_are(self, viewer):
        assert "Known ones: changed, changed_all, cursor, " in viewer.mistakes("events/", x=1)["x"]
        assert "Known ones: none." in viewer.mistakes("status/", x=1)["x"]
