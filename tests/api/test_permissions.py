"""Who may read what; nobody is let in unasked, and the project can restrict further."""

import pytest
from rest_framework.permissions import (
    BasePermission,
    DjangoModelPermissions,
    IsAdminUser,
)
from rest_framework.views import APIView

from superoffice_hooks.models import Event, Rejection

from ..conftest import body
from .conftest import API, EVERYBODY, logged_in

pytestmark = pytest.mark.django_db

OF_EVENTS = ("events/", "fields/", "status/", "records/Default/ticket/1/")


@pytest.fixture
def paths(post) -> dict[str, tuple[str, ...]]:
    """What there is to read, by the permission that it takes."""
    post(body())
    post(body(), secret=None)
    return {
        "view_event": (*OF_EVENTS, f"events/{Event.objects.get().pk}/"),
        "view_failuregroup": ("failure-groups/",),
        "view_rejection": ("rejections/", f"rejections/{Rejection.objects.get().pk}/"),
    }


def statuses(caller, paths) -> set[int]:
    return {caller.get(path).status_code for path in paths}


def project_permissions(monkeypatch, *classes: type[BasePermission]) -> None:
    # What DEFAULT_PERMISSION_CLASSES was is read once, when REST framework is imported.
    monkeypatch.setattr(APIView, "permission_classes", classes)


@pytest.mark.parametrize(
    ("caller", "expected"),
    list(zip(EVERYBODY, (403, 403, 200, 200, 200), strict=True)),
    indirect=["caller"],
)
def test_everything_is_for_those_who_may_view_it(caller, expected, paths):
    for readable in paths.values():
        assert statuses(caller, readable) == {expected}


@pytest.mark.parametrize("permission", ["view_event", "view_failuregroup", "view_rejection"])
def test_each_permission_opens_its_own_alone(permission, paths):
    caller = logged_in("one", permission)
    for wanted, readable in paths.items():
        assert statuses(caller, readable) == {200 if wanted == permission else 403}


def test_permission_to_replay_alone_shows_nothing(paths):
    caller = logged_in("ray", "replay_event")
    for readable in paths.values():
        assert statuses(caller, readable) == {403}


@pytest.mark.words
@pytest.mark.parametrize(
    ("caller", "method"),
    [
        *((caller, "post") for caller in EVERYBODY),
        *(("superuser", method) for method in ("put", "patch", "delete")),
    ],
    indirect=["caller"],
)
def test_nobody_adds_changes_or_deletes(caller, method, paths):
    caller.client.handler.enforce_csrf_checks = False
    for readable in paths.values():
        for path in readable:
            answer = getattr(caller.client, method)(API + path, "{}", "application/json")
            assert answer.status_code in {403, 405}
    assert Event.objects.count() == Rejection.objects.count() == 1


@pytest.mark.parametrize("caller", ["anonymous", "stranger"], indirect=True)
def test_what_there_is_to_know_of_a_view_is_for_those_who_may_use_it(caller, paths):
    for readable in paths.values():
        for path in readable:
            assert caller.client.options(API + path).status_code == 403
            assert caller.client.head(API + path).status_code == 403


def test_who_may_look_may_ask_what_there_is_to_know_of_a_view(viewer, paths):
    for readable in paths.values():
        for path in readable:
            assert viewer.client.options(API + path).status_code == 200
            answer = viewer.client.head(API + path)
            assert (answer.status_code, answer.content) == (200, b"")


def test_the_project_can_restrict_further(monkeypatch, viewer, paths):
    project_permissions(monkeypatch, IsAdminUser)
    assert statuses(viewer, paths["view_event"]) == {403}
    assert statuses(logged_in("staff", "view_event", is_staff=True), paths["view_event"]) == {200}


def test_the_project_cannot_open_by_allowing_everything_by_default(
    monkeypatch, anonymous, stranger, paths
):
    project_permissions(monkeypatch)
    for readable in paths.values():
        assert statuses(anonymous, readable) == statuses(stranger, readable) == {403}


def test_model_permissions_by_default_want_no_more_than_ours(monkeypatch, viewer, stranger, paths):
    project_permissions(monkeypatch, DjangoModelPermissions)
    assert statuses(viewer, paths["view_event"]) == {200}
    assert statuses(stranger, paths["view_event"]) == {403}
