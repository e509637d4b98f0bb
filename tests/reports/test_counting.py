"""Queries that are composed once."""

from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, QuerySet
from django.test.utils import CaptureQueriesContext

from superoffice_hooks.models import Event
from superoffice_hooks.reports.counting import ComposedOnce, Counted

from ..conftest import body

pytestmark = pytest.mark.django_db


def test_a_query_is_composed_once_and_asked_each_time(post):
    composed = []

    def build() -> QuerySet[Any, Any]:
        composed.append(1)
        number = Counted(Event.objects.order_by("pk").values("pk")[:3])
        return Event.objects.order_by("pk").values(number=number, at=F("received_at"))

    remembered = ComposedOnce(build)
    assert remembered.first_row(connection.alias) == {}
    for expected in (1, 2, 3, 3):
        post(body())
        with CaptureQueriesContext(connection) as queries:
            row = remembered.first_row(connection.alias)
        assert len(queries) == 1
        assert row == {"number": expected, "at": Event.objects.earliest("pk").received_at}
        assert isinstance(row["at"], datetime)
    assert composed == [1]
