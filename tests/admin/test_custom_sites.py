"""Sites of a project's own: pages that they do not have are not linked to."""

import pytest
from django.contrib import admin
from django.contrib.admin import AdminSite, ModelAdmin
from django.urls import include, path

from superoffice_hooks import signals
from superoffice_hooks.models import Event, Rejection, Replay

from ..conftest import body
from .conftest import raises
from .page import Page

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls(__name__),
    pytest.mark.usefixtures("one_attempt"),
]


def site(name: str, *models: type) -> AdminSite:
    """A site with the ModelAdmins of these models only."""
    custom = AdminSite(name)
    for model in models:
        custom.register(model, type(admin.site.get_model_admin(model)))
    return custom


PLAIN = AdminSite("plain")
PLAIN.register([Event, Rejection, Replay], ModelAdmin)

urlpatterns = [
    path("admin/", admin.site.urls),
    path("events/", site("events", Event).urls),
    path("replays/", site("replays", Replay).urls),
    path("rejections/", site("rejections", Rejection).urls),
    path("plain/", PLAIN.urls),
    path("superoffice/", include("superoffice_hooks.urls")),
]


def test_the_registry_has_the_model_admins_themselves():
    for model in (Event, Rejection, Replay):
        assert type(admin.site._registry[model]).__name__ == f"{model.__name__}Admin"


@pytest.fixture
def failed(connect, event, one_attempt) -> Event:
    """An event that was replayed once."""
    connect(signals.any_event, raises)
    failed: Event = event()
    return failed


def test_a_site_with_events_alone_shows_them(failed, post, superuser):
    post(b"{}", secret=None)
    Page.get(superuser, f"/admin/superoffice_hooks/event/replay/?ids={failed.pk}").submit(
        "reason", reason="a test"
    )
    base = "/events/superoffice_hooks/"
    urls = ("", "event/", "event/overview/", f"event/{failed.pk}/change/")
    pages = [Page.get(superuser, base + url) for url in urls]
    assert [page.status for page in pages] == [200] * 4
    assert [link for page in pages for link in page.links.values() if "/admin/" in link] == []
    index, events, overview, of_event = pages
    assert "signature missing 1" in overview.text
    assert "signature missing" not in overview.links
    assert index.click("Overview").url == events.click("Overview").url == overview.url
    assert f"Replay {Replay.objects.get().pk} by sue" in of_event.text
    assert of_event.click("all its events").status == 200


def test_a_site_with_events_alone_replays_and_marks_as_handled(failed, superuser):
    url = f"/events/superoffice_hooks/event/{failed.pk}/change/"
    page = Page.get(superuser, url).click("Replay").submit("reason", reason="a test")
    assert page.url == url
    assert "1 event replayed" in page.text
    page = page.click("Mark as handled").submit("reason", reason="by phone")
    assert page.url == url
    assert "The event is marked as handled." in page.text


def test_a_site_with_events_alone_says_that_a_long_replay_goes_on(failed, superuser, monkeypatch):
    monkeypatch.setattr("superoffice_hooks.admin.replay_page.AT_ONCE", 0)
    page = Page.get(superuser, f"/events/superoffice_hooks/event/{failed.pk}/change/")
    page = page.click("Replay").submit("reason", reason="a test")
    assert (page.status, Replay.objects.count()) == (200, 1)
    assert "Dispatchers carry the replay on." in page.text


def test_a_site_with_replays_alone_shows_them(failed, superuser):
    Page.get(superuser, f"/admin/superoffice_hooks/event/replay/?ids={failed.pk}").submit(
        "reason", reason="a test"
    )
    replay = Replay.objects.get()
    for url in ("", f"{replay.pk}/change/", f"{replay.pk}/progress/"):
        page = Page.get(superuser, f"/replays/superoffice_hooks/replay/{url}")
        assert page.status == 200, url
        assert [link for link in page.links.values() if "/event/" in link] == []


def test_a_site_with_rejections_alone_parses_them_again(rejected, superuser):
    base = "/rejections/superoffice_hooks/rejection/"
    page = Page.get(superuser, f"{base}{rejected(body()).pk}/change/")
    page.forms = [form for form in page.forms if form.id == "parse-again"]
    page = page.submit("csrfmiddlewaretoken")
    assert "The rejection could be read" in page.text
    assert (page.url, Event.objects.count()) == (base, 1)


def test_a_site_may_show_the_rows_with_model_admins_of_its_own(failed, superuser):
    Replay.objects.create(who="bob", reason="a test")
    for model in ("event", "replay", "rejection"):
        assert superuser.get(f"/plain/superoffice_hooks/{model}/").status_code == 200
    assert superuser.get("/plain/superoffice_hooks/").status_code == 200
    for row in (failed, Replay.objects.get()):
        url = f"/plain/superoffice_hooks/{row._meta.model_name}/{row.pk}/change/"
        assert superuser.get(url).status_code == 200
