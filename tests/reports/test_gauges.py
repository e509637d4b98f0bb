"""Gauges: figures that are read again and again."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from superoffice_hooks.models import Event
from superoffice_hooks.reports.gatherings import Waiting
from superoffice_hooks.reports.gauges import gauges

from ..conftest import body

pytestmark = pytest.mark.django_db


def test_without_an_event_nothing_waits_and_nothing_has_failed(db):
    found = gauges()
    assert (found.pending, found.due, found.overdue, found.oldest_due) == (0, 0, 0, 0.0)
    assert (found.failed, found.groups, found.gatherings) == (0, 0, Waiting())


def test_what_becomes_due_after_the_first_time_is_due(post):
    post(body())
    assert gauges().due == 0
    soon = timezone.now() + timedelta(seconds=0.2)
    Event.objects.update(status="pending", next_attempt_at=soon, finished_at=None)
    before = gauges()
    assert (before.pending, before.due) == (1, 0)
    while not (now := gauges()).due:
        assert timezone.now() < soon + timedelta(seconds=20)
        time.sleep(0.05)
    assert now.oldest_due > 0
