"""No address that somebody types into the browser breaks a page."""

import pytest

from superoffice_hooks import signals
from superoffice_hooks.models import FailureGroup, Rejection, Replay, Watch

from ..conftest import body
from .conftest import EVENTS, GROUPS, REJECTIONS, REPLAYS, WATCHES, raises

pytestmark = pytest.mark.usefixtures("one_attempt")

OUT_OF_RANGE = (
    "0001-01-01", "0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59.999999-23:59",
    "2026-10-25T02:30", "2026-13-45", "9" * 30, "-1", "%00",
)  # fmt: skip
LISTS = {
    EVENTS: "received_at",
    GROUPS: "last_seen",
    REJECTIONS: "received_at",
    REPLAYS: "created_at",
    WATCHES: "since",
}


# After what the database refuses, nothing more could be read in the transaction of a test.
@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:DateTimeField .* received a naive datetime:RuntimeWarning")
@pytest.mark.first("url")
@pytest.mark.parametrize("url", LISTS)
def test_no_time_breaks_a_list(post, replayer, url):
    post(body())
    for lookup in ("", "__gte", "__lt", "__year", "__isnull", "__x"):
        for time in OUT_OF_RANGE:
            address = f"{url}?{LISTS[url]}{lookup}={time}"
            assert replayer.get(address, follow=True).status_code in {200, 400}, address


@pytest.mark.django_db
def test_a_page_without_the_name_of_a_column_is_that_of_the_key(post, connect, event, superuser):
    connect(signals.any_event, raises)
    failed = event()
    post(body(), secret=None)
    rows = (
        (EVENTS, failed),
        (GROUPS, FailureGroup.objects.get()),
        (REJECTIONS, Rejection.objects.get()),
        (REPLAYS, Replay.objects.create(who="bob", reason="a test")),
        (WATCHES, Watch.note("default", state="Active")[0]),
    )
    for url, row in rows:
        assert superuser.get(f"{url}{row.pk}/change/?_to_field=").status_code == 200
