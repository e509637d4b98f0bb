"""The API offers every criterion, or its row says why not."""

import pytest

from superoffice_hooks.api.filters import EventFilterSet
from superoffice_hooks.api.serializers.criteria import CriteriaSerializer
from superoffice_hooks.replay.criteria import TABLE

pytestmark = pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)


def test_the_filters_of_the_api(row):
    assert (row.key in EventFilterSet.base_filters) is not bool(row.absent.get("api"))


def test_the_criteria_of_the_api(row):
    assert row.key in CriteriaSerializer().fields
