"""A delivery is taken whatever middleware the project has, and in whatever order."""

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from django.utils import translation

from superoffice_hooks import signals
from superoffice_hooks.models import Event

from ..conftest import URL, Poster, body

pytestmark = [pytest.mark.django_db, pytest.mark.words("order", "url")]

COMMON = "django.middleware.common.CommonMiddleware"
GZIP = "django.middleware.gzip.GZipMiddleware"
LOCALE = "django.middleware.locale.LocaleMiddleware"
OTHERS = [name for name in settings.MIDDLEWARE if name != COMMON]
ORDERS = {
    "none": [],
    "common first": [COMMON, *OTHERS],
    "common last": [*OTHERS, COMMON],
    "gzip outside": [GZIP, *OTHERS, COMMON],
    "gzip inside": [COMMON, *OTHERS, GZIP],
    "locale": [*OTHERS[:2], LOCALE, COMMON, *OTHERS[2:]],
    "conditional": ["django.middleware.http.ConditionalGetMiddleware", COMMON, *OTHERS],
    "cache": [
        "django.middleware.cache.UpdateCacheMiddleware",
        COMMON,
        *OTHERS,
        "django.middleware.cache.FetchFromCacheMiddleware",
    ],
    "body read first": [f"{__name__}.reads_the_body", COMMON, *OTHERS],
    "body read last": [COMMON, *OTHERS, f"{__name__}.reads_the_body"],
    "all turned round": [GZIP, LOCALE, COMMON, *reversed(OTHERS)][::-1],
}


def reads_the_body(get_response):
    """What logs each request, or verifies signatures of its own."""

    def middleware(request):
        assert request.body
        return get_response(request)

    return middleware


@pytest.fixture(params=ORDERS)
def order(request):
    # Reversed, some of Django's own no longer find the session or the user that they want.
    names = ORDERS[request.param]
    if request.param == "all turned round":
        names = [name for name in names if ".auth." not in name and ".messages." not in name]
    # LocaleMiddleware leaves its language to the thread.
    with override_settings(MIDDLEWARE=names), translation.override(None):
        yield names


@pytest.mark.parametrize("atomic_requests", [True, False])
@pytest.mark.parametrize("url", [URL, URL.rstrip("/")])
def test_it_is_stored_dispatched_and_answered_200(order, connect, url, atomic_requests):
    called: list[int] = []
    connect(signals.ticket_changed, lambda event, **kwargs: called.append(event.primary_key))
    post = Poster()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", atomic_requests)
        answer = post(
            body(PrimaryKey=76),
            url=url,
            headers={"Accept-Encoding": "gzip", "Accept-Language": "de", "If-None-Match": "*"},
        )
    assert (answer.status_code, answer.content) == (200, b"OK")
    assert called == [76]
    assert Event.objects.get().status == "succeeded"


def test_without_a_signature_it_is_refused(order):
    assert Poster()(body(), secret=None).status_code == 401
    assert not Event.objects.exists()
