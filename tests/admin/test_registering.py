"""The ModelAdmins are registered as in any other app."""

import importlib

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.exceptions import AlreadyRegistered

import superoffice_hooks.admin
from superoffice_hooks.admin import EventAdmin
from superoffice_hooks.models import Event, Rejection, Replay


class Mixin:
    """What a project has all its admins do."""


class OwnSite(AdminSite):
    """A project's own, which registers as Django's does."""


class MixingSite(AdminSite):
    """A project's own, which takes the class apart."""

    def register(self, model_or_iterable, admin_class=None, **options):
        mixed = type("Mixed", (Mixin, admin_class or ModelAdmin), {})
        super().register(model_or_iterable, mixed, **options)


@pytest.fixture
def registered_with(monkeypatch):
    """Has our admin discovered by a project with this site."""

    def discover(site: AdminSite) -> AdminSite:
        monkeypatch.setattr(admin, "site", site)
        importlib.reload(superoffice_hooks.admin)
        return site

    return discover


@pytest.mark.parametrize("kind", [AdminSite, OwnSite, MixingSite])
def test_every_kind_of_site_has_our_admins(registered_with, kind):
    site = registered_with(kind())
    for model in (Event, Rejection, Replay):
        found = site.get_model_admin(model)
        assert isinstance(found, getattr(superoffice_hooks.admin, f"{model.__name__}Admin"))
        assert isinstance(found, Mixin) == (kind is MixingSite)
        assert (found.model, found.admin_site) == (model, site)


def test_a_project_may_register_an_admin_of_its_own_instead(registered_with):
    class OwnAdmin(EventAdmin):
        list_per_page = 7

    site = registered_with(AdminSite())
    site.unregister(Event)
    site.register(Event, OwnAdmin)
    assert site.get_model_admin(Event).list_per_page == 7


def test_registering_twice_says_who_has_the_model(registered_with):
    site = registered_with(AdminSite())
    with pytest.raises(AlreadyRegistered, match=r"superoffice_hooks\.EventAdmin"):
        site.register(Event, EventAdmin)


def test_djangos_checks_look_at_our_admins(monkeypatch):
    monkeypatch.setattr(EventAdmin, "list_per_page", "many")
    found = admin.site.check([apps.get_app_config("superoffice_hooks")])
    assert [message.id for message in found] == ["admin.E118"]


def test_the_package_has_the_admins_and_no_other_names():
    assert not hasattr(superoffice_hooks.admin, "ChangedFieldAdmin")
