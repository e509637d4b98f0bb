"""Settings: read when asked for, followed when they change."""

from datetime import timedelta

import pytest
from django.test import override_settings

from superoffice_hooks import conf
from superoffice_hooks.exceptions import UnknownEndpoint

from .conftest import SECRET


def test_defaults():
    assert conf.current().LEASE_SECONDS == 300
    assert conf.current().MAX_BODY_BYTES == 1024 * 1024
    assert conf.current().ALLOW_UNSIGNED is False


def test_settings_are_followed_when_they_change():
    assert conf.current().secrets_of("default") == (SECRET,)
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": ["another"]}):
        assert conf.current().secrets_of("default") == ("another",)
    assert conf.current().secrets_of("default") == (SECRET,)


def test_settings_are_read_once():
    assert conf.current() is conf.current()


@pytest.mark.parametrize(
    ("secrets", "endpoint", "found"),
    [
        (["new", "old"], "default", ("new", "old")),
        ({"a": ["x"], "b": ("y", "z")}, "b", ("y", "z")),
        ({"a": "one secret, not six characters"}, "a", ("one secret, not six characters",)),
        ([], "default", ()),
    ],
)
def test_secrets_of_an_endpoint(secrets, endpoint, found):
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": secrets}):
        assert conf.current().secrets_of(endpoint) == found


@pytest.mark.parametrize(
    ("secrets", "named"),
    [
        (["x"], ("default",)),
        ([], ("default",)),
        ({"a": ["x"], "b": ["y"]}, ("a", "b")),
        ({}, ()),
        ("project.secrets_of", ()),
    ],
)
def test_the_endpoints_that_the_settings_name(secrets, named):
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": secrets}):
        assert conf.current().endpoints == named


@pytest.mark.parametrize("secrets", [["x"], {"a": ["x"]}, {}])
def test_an_endpoint_without_an_entry_is_unknown(secrets):
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": secrets}), pytest.raises(UnknownEndpoint):
        conf.current().secrets_of("b")


def test_periods_are_in_days_and_none_is_for_ever():
    retention = {"bodies": 0.5, "events": timedelta(hours=3), "failed": None}
    with override_settings(SUPEROFFICE_HOOKS={"RETENTION": retention}):
        assert conf.current().periods() == {
            "bodies": timedelta(hours=12),
            "events": timedelta(hours=3),
        }
    assert conf.current().periods() == {}


@override_settings()
def test_without_the_setting_there_are_no_secrets(settings):
    del settings.SUPEROFFICE_HOOKS
    conf.current.cache_clear()
    assert conf.current().secrets_of("default") == ()
    conf.current.cache_clear()
