"""Every door offers every criterion, or its row says why not."""

import pytest
from django.core.management import get_commands, load_command_class

from superoffice_hooks.admin.events import EventAdmin
from superoffice_hooks.admin.filters.received import ReceivedFilter
from superoffice_hooks.admin.filters.related import ReceiverFilter
from superoffice_hooks.replay.criteria import TABLE

pytestmark = pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)


def test_the_command(row):
    command = load_command_class(get_commands()["superoffice_replay"], "superoffice_replay")
    options = command.create_parser("manage.py", "superoffice_replay")._option_string_actions
    assert (f"--{row.option}" in options) is not bool(row.absent.get("command"))


def test_the_filters_of_the_admin(row):
    offered = {getattr(one, "parameter_name", None) for one in EventAdmin.list_filter}
    offered |= {ReceivedFilter.SINCE, ReceivedFilter.UNTIL, ReceiverFilter.OUTCOME}
    assert (row.parameters[0] in offered) is not bool(row.absent.get("admin"))
