"""What answers SuperOffice before the view can is found by a check; each really does answer."""

import functools
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.http import HttpResponse
from django.test import override_settings
from django.urls import include, path, re_path

from superoffice_hooks.checks import check_deployment
from superoffice_hooks.views import webhook

from ..conftest import Poster, body

OURS = path("superoffice/", include("superoffice_hooks.urls"))
LOCALE = "django.middleware.locale.LocaleMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"
SECURITY = "django.middleware.security.SecurityMiddleware"


def ids() -> list[str]:
    return [message.id.removeprefix("superoffice_hooks.") for message in check_deployment()]


@pytest.fixture
def urls(settings) -> Iterator[Callable[..., None]]:
    """``urls(path(…), …)`` is the URLconf until the test ends."""

    def use(*patterns: Any) -> None:
        module = ModuleType("urls_of_a_test")
        vars(module)["urlpatterns"] = list(patterns)
        sys.modules[module.__name__] = module
        settings.ROOT_URLCONF = module.__name__

    yield use
    sys.modules.pop("urls_of_a_test", None)


def page(request, **kwargs):
    return HttpResponse("a page")


def test_nothing_is_said_of_a_good_project():
    assert ids() == []


def test_nothing_is_said_of_a_process_that_serves_no_webhook(urls):
    urls(path("page/", page))
    with override_settings(ALLOWED_HOSTS=[], PREPEND_WWW=True, MIDDLEWARE=[COMMON]):
        assert ids() == []


@pytest.mark.django_db
def test_w009_a_url_with_a_language(urls, post):
    urls(*i18n_patterns(OURS))
    assert ids() == ["W009"]
    with override_settings(MIDDLEWARE=[LOCALE], LANGUAGE_CODE="en"):
        assert post(body()).status_code == 302


def test_nothing_is_said_of_languages_beside_it(urls):
    urls(*i18n_patterns(path("page/", page)), OURS)
    assert ids() == []


def test_w009_is_found_below_other_includes(urls):
    urls(*i18n_patterns(path("a/", include([path("b/", include([OURS]))]))))
    assert ids() == ["W009"]


@pytest.mark.django_db
def test_e014_an_earlier_entry_takes_the_deliveries(urls, post):
    urls(path("superoffice/<path:rest>", page), OURS)
    assert set(ids()) == {"E014"}
    # The page has CSRF protection; the webhook has none.
    assert post(body()).status_code == 403


@pytest.mark.django_db
def test_w010_a_url_of_ones_own_without_the_other_slash(urls, post):
    urls(path("hook/", webhook))
    assert ids() == ["W010"]
    assert post(body(), url="/hook").status_code == 301
    with override_settings(APPEND_SLASH=False):
        assert ids() == []
    urls(path("hook/", webhook), path("hook", webhook))
    assert ids() == []


def test_a_view_that_is_decorated_is_ours_still(urls):
    @functools.wraps(webhook)
    def wrapped(*args, **kwargs):
        return webhook(*args, **kwargs)

    urls(path("hook/", wrapped))
    assert ids() == ["W010"]


def test_a_regular_expression_is_not_taken_apart(urls):
    urls(re_path(r"^hook/(?P<endpoint>[a-z]+)/$", webhook))
    assert ids() == []


@pytest.mark.django_db
def test_w011_a_redirect_to_https(post, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert ids() == ["W011"]
    assert post(body()).status_code == 301
    settings.SECURE_REDIRECT_EXEMPT = [r"^superoffice/webhook"]
    assert ids() == []
    assert Poster()(body()).status_code == 200


@pytest.mark.django_db
def test_nothing_is_said_where_the_proxy_says_that_it_is_https(post, settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert ids() == []
    assert post(body(), headers={"X-Forwarded-Proto": "https"}).status_code == 200


@pytest.mark.django_db
def test_w012_a_redirect_to_www(post, settings):
    settings.PREPEND_WWW = True
    assert ids() == ["W012"]
    assert post(body()).status_code == 301


@pytest.mark.django_db
def test_w013_no_host_is_allowed(post, settings):
    settings.ALLOWED_HOSTS = []
    assert ids() == ["W013"]
    assert post(body()).status_code == 400
    settings.DEBUG = True
    assert ids() == []


def test_nothing_is_said_of_middleware_that_is_not_there(settings):
    settings.MIDDLEWARE = []
    settings.SECURE_SSL_REDIRECT = settings.PREPEND_WWW = True
    assert ids() == []
