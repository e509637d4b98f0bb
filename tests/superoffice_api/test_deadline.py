"""A person at a page waits for seconds, whatever SuperOffice does."""

import threading
import time

import pytest

from superoffice_hooks.superoffice_api import deadline
from superoffice_hooks.superoffice_api.about import principal_of
from superoffice_hooks.superoffice_api.errors import ApiError, NotReached
from superoffice_hooks.superoffice_api.rate_limit import RateLimit
from superoffice_hooks.testing.fake import Reply

from .conftest import client_of

ME = r"User/currentPrincipal"


def test_without_a_limit_the_longest_time_is_left():
    assert deadline.left(60) == 60
    assert not deadline.is_over()


def test_within_a_limit_what_is_left_is_left():
    with deadline.within(5):
        assert 4 < deadline.left(60) <= 5
        assert deadline.left(1) == 1
    with deadline.within(0):
        assert deadline.is_over()
    assert deadline.left(60) == 60


@pytest.mark.parametrize("path", ["/api/state", "/Login/", "/login/", ME])
def test_a_slow_answer_is_not_waited_for(superoffice, path):
    superoffice.fail(path, times=9, seconds=3)
    started = time.monotonic()
    with (
        client_of(superoffice) as client,
        deadline.within(0.2),
        pytest.raises(ApiError, match=r"cannot be reached|does not show its keys"),
    ):
        principal_of(client)
    assert time.monotonic() - started < 2


def test_a_call_that_would_be_repeated_after_the_time_is_given_up(superoffice, naps):
    superoffice.fail(ME, times=9, reply=Reply(503))
    with (
        client_of(superoffice, naps) as client,
        deadline.within(3),
        pytest.raises(NotReached, match="503"),
    ):
        principal_of(client)
    # The second wait would be one of four seconds.
    assert naps == [1.0]


def test_nobody_waits_for_another_thread_that_waits(superoffice):
    superoffice.fail("/api/state", seconds=1)
    with client_of(superoffice) as client:
        other = threading.Thread(target=client.address)
        other.start()
        while not superoffice.requests:
            time.sleep(0.01)
        started = time.monotonic()
        with deadline.within(0.1), pytest.raises(NotReached, match="Another call waits"):
            principal_of(client)
        assert time.monotonic() - started < 0.8
        other.join()


def test_once_the_time_is_over_nothing_is_sent(superoffice):
    with client_of(superoffice) as client, deadline.within(0), pytest.raises(ApiError):
        principal_of(client)
    assert superoffice.requests == []


def test_the_pace_waits_no_longer_either():
    naps: list[float] = []
    pace = RateLimit(0.1, naps.append)
    pace.wait()
    with deadline.within(0.5):
        pace.wait()
    assert 0 < naps[0] <= 0.5
