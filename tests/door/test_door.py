"""The door answers the webhook's URLs alone, as the view does, and hands the rest on."""

from typing import Any

import pytest
from django.core import signals as requests
from django.core.exceptions import BadRequest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db.transaction import non_atomic_requests as no_transaction
from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from django.urls import include, path, re_path
from django.urls.resolvers import URLPattern, URLResolver

from superoffice_hooks.door import door
from superoffice_hooks.door.answering import Webhook
from superoffice_hooks.models import Event
from superoffice_hooks.views import webhook
from superoffice_hooks.wire.signature import sign

from ..conftest import SECRET, URL, Poster, body
from .through import CLIENTS, messages, over_asgi, over_wsgi, scope_of

pytestmark = pytest.mark.django_db

DOORS = {name: client for name, client in CLIENTS.items() if name != "view"}


@pytest.fixture(params=DOORS)
def post(request) -> Poster:
    """Through the door alone."""
    return Poster(DOORS[request.param])


def environ(sent: bytes, path: str = URL, **more: Any) -> dict[str, Any]:
    headers = {"X-SuperOffice-Signature": sign(sent, SECRET)}
    request = RequestFactory().post(path, sent, content_type="application/json", headers=headers)
    return {**request.environ, **more}


def refuses(get_response):
    """A middleware that nobody passes."""
    return lambda request: HttpResponse(status=418)


class TestMiddleware:
    """None is in the way, Django's own included."""

    @override_settings(MIDDLEWARE=[f"{__name__}.refuses"])
    def test_no_middleware_is_called(self, post):
        assert post(body()).status_code == 200
        assert post.client.get("/elsewhere/").status_code == 418

    @override_settings(ALLOWED_HOSTS=["crm.example.com"], SECURE_SSL_REDIRECT=True)
    def test_neither_the_host_nor_https_is_asked_for(self, post):
        assert post(body()).status_code == 200


class TestUrls:
    """Those of the URLconf, wherever it has the view."""

    def test_every_other_url_goes_on_to_the_application(self, post):
        others = (path("other/", no_transaction(refuses(None))), path("hook/", webhook))
        with override_settings(ROOT_URLCONF=others, MIDDLEWARE=[]):
            assert post.client.get("/other/").status_code == 418
            assert post.client.get("/hook/").status_code == 405
        assert post.client.get("/superoffice/other/").status_code == 404

    @pytest.mark.parametrize(
        ("entry", "at"),
        [
            (path("a/<int:year>/", include([path("hook/", webhook)])), None),
            (path("hooks/crm", webhook), "/hooks/crm"),
            (path("hooks/crm/", webhook, {"endpoint": "default"}), "/hooks/crm/"),
            (re_path("^deep/", include([path("x/", webhook)])), "/deep/x/"),
            (re_path(r"^hook-(?P<endpoint>\w+)$", webhook), "/hook-default"),
            (path("<slug:any>/", include([path("", refuses(None))])), None),
            (path("a/", include([path("<str:endpoint>/in/", webhook)])), "/a/default/in/"),
        ],
        ids=str,
    )
    def test_a_url_of_the_projects_own(self, post, entry: URLPattern | URLResolver, at):
        with override_settings(ROOT_URLCONF=(entry,)):
            assert not Webhook().at("/elsewhere/")
            if at:
                assert post(body(), url=at).status_code == 200
                assert Event.objects.get().endpoint == "default"

    def test_a_view_that_the_project_has_decorated_is_called_by_django(self):
        def decorated(request, **kwargs):
            return webhook(request, **kwargs)

        with override_settings(ROOT_URLCONF=(path("hook/", decorated),)):
            assert Webhook().at("/hook/") is None

    def test_an_entry_in_front_of_the_view_is_not_passed_by(self):
        first = re_path("", lambda request: HttpResponse("first"))
        with override_settings(ROOT_URLCONF=(first, path("hook/", webhook))):
            assert Webhook().at("/hook/") is None

    def test_a_site_below_a_prefix(self):
        sent = body()
        given = environ(sent, SCRIPT_NAME="/site")
        assert over_wsgi(door(WSGIHandler()), given).status_code == 200
        scope = scope_of(environ(sent), path=f"/site{URL}", root_path="/site")
        assert over_asgi(ASGIHandler(), scope, [sent]).status_code == 200


def test_each_request_is_started_and_finished_once(post):
    seen: list[str] = []

    def started(sender, **kwargs):
        seen.append(f"{sender.__name__} started")

    def finished(sender, **kwargs):
        # Django's client has no class for the answer that it was given.
        if sender:
            seen.append(f"{sender.__name__} finished")

    requests.request_started.connect(started)
    requests.request_finished.connect(finished)
    try:
        post(body())
    finally:
        requests.request_started.disconnect(started)
        requests.request_finished.disconnect(finished)
    ours = [what for what in seen if "Door" in what]
    assert len(ours) == 2
    assert [what.split()[1] for what in ours] == ["started", "finished"]


def test_an_answer_says_how_long_it_is(post):
    assert post(body()).headers["Content-Length"] == "2"
    assert post(body(), secret=None).headers["Content-Length"] == "0"


def test_a_refusal_is_logged_as_django_does(post, caplog):
    post(body(), secret=None)
    assert "django.request" in {record.name for record in caplog.records}


def test_a_character_set_that_does_not_exist_is_no_reason_to_refuse():
    sent = body()
    made_up = environ(sent, CONTENT_TYPE="application/json; charset*=nowhere'en'x")
    with pytest.raises((LookupError, ValueError, BadRequest)):
        WSGIRequest(dict(made_up))
    assert over_wsgi(door(WSGIHandler()), dict(made_up)).status_code == 200
    assert over_asgi(ASGIHandler(), scope_of(made_up), [sent]).status_code == 200


class TestApplications:
    """Any application can stand behind it."""

    def test_a_wsgi_application_that_is_a_function(self):
        def application(environ, start_response):
            start_response("204 No Content", [])
            return [b""]

        assert over_wsgi(door(application), environ(b"", "/elsewhere/")).status_code == 204
        assert over_wsgi(door(application), environ(body())).status_code == 200

    @pytest.mark.parametrize("kind", ["websocket", "lifespan"])
    def test_what_is_not_http_goes_on(self, kind):
        reached: list[str] = []

        async def application(scope, receive, send):
            reached.append(scope["type"])

        assert messages(application, {"type": kind, "path": URL}, []) == []
        assert reached == [kind]

    def test_it_is_seen_which_interface_an_application_has(self):
        async def function(scope, receive, send):
            """Does nothing."""

        class Wrapped:
            async def __call__(self, scope, receive, send):
                """Does nothing."""

        kinds = [type(door(one)).__name__ for one in (function, Wrapped(), ASGIHandler())]
        assert kinds == ["ASGIDoor"] * 3
        assert type(door(WSGIHandler())).__name__ == "WSGIDoor"


class TestBodiesUnderAsgi:
    """They come in parts, and may be longer than memory."""

    def test_in_parts(self):
        sent = body()
        parts: list[bytes | None] = [sent[:10], b"", sent[10:]]
        assert over_asgi(ASGIHandler(), scope_of(environ(sent)), parts).status_code == 200
        assert bytes(Event.objects.get().body) == sent

    def test_a_sender_that_hangs_up_is_not_answered(self):
        sent = body()
        assert messages(ASGIHandler(), scope_of(environ(sent)), [sent[:10], None]) == []
        assert not Event.objects.exists()

    def test_no_more_than_max_body_bytes_are_kept(self, settings):
        settings.SUPEROFFICE_HOOKS = {"SECRETS": [SECRET], "MAX_BODY_BYTES": 5000}
        sent = body(Properties="x" * 50_000)
        parts: list[bytes | None] = [sent[n : n + 900] for n in range(0, len(sent), 900)]
        assert over_asgi(ASGIHandler(), scope_of(environ(sent)), parts).status_code == 413

    def test_a_query_that_is_no_text(self):
        sent = body()
        scope = scope_of(environ(sent), query_string=b"\xff")
        assert over_asgi(ASGIHandler(), scope, [sent]).status_code == 200
