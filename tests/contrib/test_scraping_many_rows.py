"""With 200 000 events, a scrape is as cheap as with none."""

from datetime import timedelta
from time import perf_counter

import pytest
from django.db import connection
from django.utils import timezone
from prometheus_client import CollectorRegistry

from superoffice_hooks.contrib.prometheus import standing
from superoffice_hooks.models import Event

pytestmark = [
    pytest.mark.hard,
    pytest.mark.django_db,
    pytest.mark.usefixtures("many_rows"),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL writes the many rows"),
]


def test_a_scrape_takes_at_most_20_milliseconds_also_with_a_backlog():
    """The best of several, since it is about the scrape, and not about what else runs."""
    oldest = Event.objects.order_by("pk").values("pk")[:5000]
    due_at = timezone.now() - timedelta(minutes=10)
    Event.objects.filter(pk__in=oldest).update(next_attempt_at=due_at)
    registry = CollectorRegistry()
    standing.register(registry)
    took = []
    for _ in range(20):
        began = perf_counter()
        list(registry.collect())
        took.append(perf_counter() - began)
    for name in ("due", "overdue", "failed"):
        assert registry.get_sample_value(f"superoffice_hooks_{name}") == 1000
    assert min(took) <= 0.020
