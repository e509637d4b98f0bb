"""The API in projects whose own API is set up in another way."""

import re
from typing import Any

import pytest
from django.test import override_settings
from django.urls import include, path
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.renderers import JSONRenderer
from rest_framework.versioning import URLPathVersioning

from superoffice_hooks import signals
from superoffice_hooks.api.base import View, renderers
from superoffice_hooks.models import Event, Replay

from ..conftest import body
from .asking import TOKEN
from .conftest import raises

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

STATES, LEVELS = ["open", "closed"], ["low", "high"]


class Order(serializers.Serializer[Any]):
    status = serializers.ChoiceField(STATES)
    level = serializers.ListField(child=serializers.ChoiceField(LEVELS))


class Orders(ListAPIView[Any]):
    """The project's own orders."""

    schema = AutoSchema()
    serializer_class = Order
    queryset = Event.objects.none()


urlpatterns = [
    path("superoffice/", include("superoffice_hooks.urls")),
    path("api/<str:version>/superoffice/", include("superoffice_hooks.api.urls")),
    path("api/<str:version>/orders/", Orders.as_view()),
]


@pytest.fixture
def versioned(monkeypatch):
    monkeypatch.setattr(View, "versioning_class", URLPathVersioning)


def ask(caller, where: str, **values: Any) -> Any:
    caller.client.cookies["csrftoken"] = TOKEN
    where = f"/api/v1/superoffice/{where}"
    sent = {"content_type": "application/json", "headers": {"X-CSRFToken": TOKEN}}
    return caller.client.post(where, values, **sent)


def test_a_version_in_the_path_disturbs_no_post(versioned, superuser, post, connect, one_attempt):
    connect(signals.ticket_changed, raises)
    post(body("ticket.changed"))
    event = Event.objects.get()
    begun = ask(superuser, "replays/", all=True, reason="v1")
    assert begun.status_code == 201
    assert begun["Location"].endswith(f"/api/v1/superoffice/replays/{Replay.objects.get().pk}/")
    assert superuser.client.get(begun["Location"]).json()["reason"] == "v1"
    assert ask(superuser, f"events/{event.pk}/replay/", reason="v1").status_code == 200
    assert ask(superuser, f"replays/{Replay.objects.latest('pk').pk}/cancel/").status_code == 409
    [group] = superuser.client.get("/api/v1/superoffice/failure-groups/").json()["results"]
    for action in ("mute", "reopen", "resolve", "handle"):
        answer = ask(superuser, f"failure-groups/{group['id']}/{action}/", reason="v1")
        assert answer.status_code == 200, answer.content


@override_settings(REST_FRAMEWORK={"DATETIME_FORMAT": "%d.%m.%y", "DATETIME_INPUT_FORMATS": ["%y"]})
def test_times_are_iso_8601_so_that_what_is_answered_can_be_asked_for(versioned, superuser, post):
    post(body("ticket.changed"))
    [row] = superuser.client.get("/api/v1/superoffice/events/").json()["results"]
    assert re.match(r"\d{4}-\d\d-\d\dT", row["received_at"])
    found = superuser.client.get("/api/v1/superoffice/events/", {"since": row["received_at"]})
    assert [other["id"] for other in found.json()["results"]] == [row["id"]]
    criteria = {"since": row["received_at"]}
    begun = ask(superuser, "replays/", criteria=criteria, reason="again")
    assert begun.status_code == 201, begun.content
    again = ask(superuser, "replays/", criteria=begun.json()["criteria"], reason="again")
    assert again.status_code == 201, again.content


class Shouting(JSONRenderer):
    """A project's own JSON: wrapped, with other keys, as packages for camel case do it."""

    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        return super().render({"DATA": data}, *args, **kwargs)


@pytest.mark.parametrize("page", ["rest_framework.renderers.BrowsableAPIRenderer", None])
def test_answers_are_as_the_schema_has_them_however_the_project_renders(
    versioned, superuser, monkeypatch, page
):
    own = [f"{__name__}.Shouting", "rest_framework.renderers.AdminRenderer", page]
    with override_settings(REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": list(filter(None, own))}):
        monkeypatch.setattr(View, "renderer_classes", renderers())
    where = "/api/v1/superoffice/events/"
    for accept in ("application/json", "*/*"):
        answer = superuser.client.get(where, headers={"Accept": accept})
        assert (answer["Content-Type"], answer.json()["results"]) == ("application/json", [])
    shown = superuser.client.get(where, headers={"Accept": "text/html,*/*;q=0.1"})
    assert shown["Content-Type"].startswith("text/html" if page else "application/json")


@override_settings(SPECTACULAR_SETTINGS={"OAS_VERSION": "3.1.0"})
def test_choices_of_the_project_keep_their_names_in_the_schema(capsys):
    GENERATOR_STATS.reset()
    made = SchemaGenerator().get_schema(request=None, public=True)
    assert capsys.readouterr().err == ""
    ours = {name for name in made["components"]["schemas"] if "SuperOffice" in name}
    others = made["components"]["schemas"].keys() - ours
    assert ours
    assert others == {"Order", "StatusEnum", "LevelEnum"}
    assert made["components"]["schemas"]["StatusEnum"]["enum"] == STATES
