"""Fields in what receivers log themselves."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from pythonjsonlogger.json import JsonFormatter

from superoffice_hooks.contrib.log_fields import LogFields
from superoffice_hooks.models import Event
from superoffice_hooks.signals import ticket_changed

from ..conftest import body

pytestmark = pytest.mark.django_db


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("%(message)s"))
    handler.addFilter(LogFields())
    logging.getLogger("helpdesk").addHandler(handler)
    yield stream
    logging.getLogger("helpdesk").removeHandler(handler)


def logs(**kwargs):
    logging.getLogger("helpdesk").warning("looked at it", extra={"tenant": "its own"})


async def logs_in_a_loop(**kwargs):
    logging.getLogger("helpdesk").warning("looked at it")


@pytest.mark.parametrize("receiver", [logs, logs_in_a_loop])
def test_a_receivers_record_names_the_event_and_the_receiver(post, connect, stream, receiver):
    connect(ticket_changed, receiver)
    post(body())
    line = json.loads(stream.getvalue())
    assert line["event_pk"] == Event.objects.get().pk
    assert line["receiver"].endswith(f".{receiver.__name__}")
    assert line["tenant"] == ("its own" if receiver is logs else Event.objects.get().tenant)


def test_outside_of_a_call_there_is_nothing_to_say(stream):
    logging.getLogger("helpdesk").warning("on its own")
    assert json.loads(stream.getvalue()).keys() <= {"message", "taskName"}
