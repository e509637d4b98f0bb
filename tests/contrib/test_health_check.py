"""A check, as django-health-check's own view runs it."""

import json
from datetime import timedelta

import pytest
from django.urls import path
from django.utils import timezone
from health_check.exceptions import ServiceUnavailable
from health_check.views import HealthCheckView

from superoffice_hooks.contrib.health_check import Dispatching
from superoffice_hooks.models import Event
from superoffice_hooks.testing import event as stored

from .. import urls

pytestmark = pytest.mark.urls(__name__)

CHECK = "superoffice_hooks.contrib.health_check.Dispatching"

urlpatterns = [
    *urls.urlpatterns,
    path("ready/", HealthCheckView.as_view(checks=[CHECK])),
    path("patient/", HealthCheckView.as_view(checks=[(CHECK, {"max_age": 3600})])),
]


@pytest.fixture
def without_login(settings) -> None:
    """The view is for those whom the project lets in."""
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "LoginRequired" not in name]


def answer(client, page: str) -> tuple[int, str]:
    response = client.get(page, headers={"Accept": "application/json"})
    ((said),) = json.loads(response.content).values()
    return response.status_code, said


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("without_login")
class TestReady:
    def test_if_a_dispatcher_was_seen_and_nothing_is_late(self, client, dispatcher):
        assert answer(client, "/ready/") == (200, "OK")

    def test_not_if_no_dispatcher_was_seen(self, client):
        status, said = answer(client, "/ready/")
        assert status == 500
        assert said.startswith("Unavailable: No dispatcher has been seen ever.")

    def test_not_if_something_due_has_waited_for_too_long(self, client, dispatcher):
        stored("ticket.changed")
        due_at = timezone.now() - timedelta(minutes=10)
        Event.objects.update(status="pending", next_attempt_at=due_at, finished_at=None)
        status, said = answer(client, "/ready/")
        assert status == 500
        assert "1 event is due, the oldest for 6" in said
        assert answer(client, "/patient/") == (200, "OK")

    def test_not_if_the_database_is_away_and_without_its_address(self, database_away):
        with database_away(), pytest.raises(ServiceUnavailable) as raised:
            Dispatching().run()
        assert str(raised.value) == "Unavailable: The database: OperationalError"
