"""``superoffice_export`` prints an event as a fixture."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from superoffice_hooks.testing import event

pytestmark = pytest.mark.django_db


def test_it_prints_the_body_without_personal_details():
    output = StringIO()
    call_command("superoffice_export", event(FieldValues={"name": "Ann"}).pk, stdout=output)
    assert json.loads(output.getvalue())["FieldValues"] == {"name": "text"}


def test_an_event_that_is_not_there_is_an_error():
    with pytest.raises(CommandError, match=r"There is no event 4711\."):
        call_command("superoffice_export", 4711)
