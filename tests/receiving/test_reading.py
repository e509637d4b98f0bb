"""The body is read, however it was transferred; where it cannot be, the reason says so."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.test import RequestFactory, override_settings

from superoffice_hooks.door import door
from superoffice_hooks.models import Event, Rejection
from superoffice_hooks.views import webhook
from superoffice_hooks.wire.signature import sign

from ..conftest import SECRET, URL, body
from ..door.through import over_wsgi

pytestmark = pytest.mark.django_db


class Drips(io.BytesIO):
    """A stream that gives seven bytes at a time, as a server may do at the end of a chunk."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(7, 7 if size is None or size < 0 else size))


class HangsUp(io.BytesIO):
    """The stream of a sender that is gone."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise ConnectionResetError


def chunked(sent: bytes, stream: io.BytesIO | None = None, **environ: Any) -> WSGIRequest:
    """A request as a WSGI server makes it of a chunked one; ``stream`` is what it hands over."""
    request = RequestFactory().post(URL, sent, content_type="application/json")
    given = {
        **request.environ,
        "wsgi.input": stream or io.BytesIO(sent),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
        "HTTP_X_SUPEROFFICE_SIGNATURE": sign(sent, SECRET),
        **environ,
    }
    given.pop("CONTENT_LENGTH", None)
    return WSGIRequest(given)


@pytest.fixture(params=["view", "door"])
def answer(request) -> Callable[[WSGIRequest], int]:
    """``answer(request)`` is the status of the view's answer, also through the door."""
    if request.param == "view":
        return lambda request: webhook(request).status_code
    return lambda request: over_wsgi(door(WSGIHandler()), request.environ).status_code


def refused_for() -> str:
    assert not Event.objects.exists()
    return Rejection.objects.get().reason


@pytest.mark.parametrize("stream", [io.BytesIO, Drips])
@pytest.mark.parametrize("length", [None, ""])
def test_a_chunked_body_is_read_to_its_end(answer, stream, length):
    sent = body()
    request = chunked(sent, stream(sent))
    if length is not None:
        request.META["CONTENT_LENGTH"] = length
    assert answer(request) == 200
    assert bytes(Event.objects.get().body) == sent


def test_it_is_read_though_a_middleware_wanted_it_first_and_got_nothing(answer):
    request = chunked(body())
    assert request.body == b""
    assert answer(request) == 200


@override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "MAX_BODY_BYTES": 5000})
def test_no_more_than_max_body_bytes_of_it_are_read(answer):
    stream = io.BytesIO(body(Properties="x" * 50_000))
    assert answer(chunked(stream.getvalue(), stream)) == 413
    assert stream.tell() == 5001
    assert refused_for() == "body too large"


@pytest.mark.parametrize("terminated", [False, None])
def test_a_server_that_does_not_end_the_stream_is_not_waited_for(answer, terminated):
    request = chunked(body(), HangsUp(), **{"wsgi.input_terminated": terminated})
    assert answer(request) == 503
    assert refused_for() == "body not readable"


def test_a_server_that_hands_over_nothing_is_named_as_the_reason(answer):
    sent = body()
    assert answer(chunked(sent, io.BytesIO())) == 503
    assert refused_for() == "body not readable"


@pytest.mark.parametrize("length", [None, "10"])
def test_a_sender_that_hangs_up_is_no_error_of_ours(answer, length, caplog):
    request = chunked(body(), HangsUp())
    if length:
        request.META["CONTENT_LENGTH"] = length
        request._stream = HangsUp()
    assert answer(request) == 503
    assert refused_for() == "body not readable"
    assert "Traceback" not in caplog.text


def test_a_body_that_is_shorter_than_announced_is_not_called_wrongly_signed(post):
    sent = body()
    request = RequestFactory().post(
        URL, sent, content_type="application/json", headers={"X-SuperOffice-Signature": "x"}
    )
    request._stream = io.BytesIO(sent[:50])
    assert webhook(request).status_code == 503
    assert refused_for() == "body not readable"


def test_no_body_at_all_is_a_body(answer):
    request = chunked(b"")
    del request.META["HTTP_TRANSFER_ENCODING"]
    assert answer(request) == 200
    assert Rejection.objects.get().verified


class Middleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        self.look_at(request)
        return self.get_response(request)

    def look_at(self, request):
        raise NotImplementedError


class ReadsTheBody(Middleware):
    def look_at(self, request):
        assert request.body


class ReadsTheBodyThenTheStream(Middleware):
    def look_at(self, request):
        assert request.body
        assert request.read()


class ReadsTheStream(Middleware):
    def look_at(self, request):
        assert request.read()


class ReadsTheStreamInPart(Middleware):
    def look_at(self, request):
        assert request.readline()


class TestAMiddlewareThatReadsTheBody:
    def post(self, post, middleware) -> int:
        with override_settings(MIDDLEWARE=[f"{__name__}.{middleware.__name__}"]):
            status: int = post(body()).status_code
        return status

    @pytest.mark.parametrize("middleware", [ReadsTheBody, ReadsTheBodyThenTheStream])
    def test_what_django_kept_is_used(self, post, middleware):
        assert self.post(post, middleware) == 200
        assert Event.objects.exists()

    @pytest.mark.parametrize("middleware", [ReadsTheStream, ReadsTheStreamInPart])
    def test_what_it_did_not_keep_is_the_reason(self, post, middleware):
        assert self.post(post, middleware) == 503
        assert refused_for() == "body already read by a middleware"

    def test_what_it_read_behind_djangos_back_is_not_called_wrongly_signed(self):
        sent = body()
        environ = RequestFactory().post(URL, sent, content_type="application/json").environ
        request = WSGIRequest({**environ, "wsgi.input": io.BytesIO(sent)})
        assert request.META["wsgi.input"].read()
        assert webhook(request).status_code == 503
        assert refused_for() == "body not readable"

    @override_settings(
        SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "MAX_BODY_BYTES": 500},
        MIDDLEWARE=[f"{__name__}.ReadsTheBody"],
    )
    def test_it_does_not_raise_max_body_bytes(self, post):
        assert post(body(Changes=["x" * 500])).status_code == 413
