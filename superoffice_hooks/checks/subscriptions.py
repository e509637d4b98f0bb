"""CONNECTIONS, WEBHOOKS, API_RATE, REACTIVATE and WATCH_EVERY: the webhook at SuperOffice."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from django.core import checks
from django.utils.module_loading import import_string

from .. import conf, superoffice_api
from ..subscribing import configured
from ..wire.web_addresses import is_same_place
from .values import is_number, wrong

_CONNECTION = (
    'Write {tenant: {"host": "https://online.superoffice.com", "client_secret": …,'
    ' "system_user_token": …, "private_key": …}}; on site {tenant: {"api": …, "username": …,'
    ' "password": …}}; or the dotted path of a callable that takes a tenant.'
)
_WEBHOOK = (
    'Write {endpoint: {"tenant": "Cust12345", "url": "https://example.com/superoffice/webhook/",'
    ' "events": ["ticket.*"]}}.'
)


def subscriptions() -> Iterator[checks.CheckMessage]:
    """Yield what is wrong with the settings for the webhook at SuperOffice."""
    yield from _numbers()
    current = conf.current()
    if not current.CONNECTIONS and not current.WEBHOOKS:
        return
    if not superoffice_api.is_installed():
        yield checks.Error(
            f"{conf.SETTING} has CONNECTIONS or WEBHOOKS, but what they need is not installed.",
            hint='Install the extra: pip install "django-superoffice-hooks[superoffice]".',
            id="superoffice_hooks.E043",
        )
    yield from _connections(current.CONNECTIONS)
    yield from _webhooks(current.WEBHOOKS)


def _numbers() -> Iterator[checks.CheckMessage]:
    current = conf.current()
    if not (is_number(current.API_RATE) and current.API_RATE > 0):
        yield wrong("API_RATE", "Write how many calls a second, as 5.")
    if current.REACTIVATE is not False and not conf.is_positive(current.REACTIVATE):
        yield wrong("REACTIVATE", "Write how often a day at most, as 3, or False.")
    if current.WATCH_EVERY is not None and not is_number(current.WATCH_EVERY, least=10):
        yield wrong("WATCH_EVERY", "Write a number of seconds from 10 on, as 300, or None.")


def _connections(connections: Any) -> Iterator[checks.CheckMessage]:
    if isinstance(connections, str):
        # A callable is not called: it may ask a database.
        try:
            imported = import_string(connections)
        except Exception:
            imported = None
        if not callable(imported):
            yield checks.Error(
                f"{conf.SETTING}['CONNECTIONS'] is no dotted path of a callable.",
                hint=_CONNECTION,
                id="superoffice_hooks.E040",
            )
    elif isinstance(connections, Mapping):
        for tenant in connections:
            read = partial(configured.connection_of, tenant)
            yield from _problem(read, "superoffice_hooks.E040", _CONNECTION)
    elif not callable(connections):
        yield checks.Error(
            f"{conf.SETTING}['CONNECTIONS'] is no dict and no callable.",
            hint=_CONNECTION,
            id="superoffice_hooks.E040",
        )


def _webhooks(webhooks: Any) -> Iterator[checks.CheckMessage]:
    if not isinstance(webhooks, Mapping):
        yield checks.Error(
            f"{conf.SETTING}['WEBHOOKS'] is no dict.", hint=_WEBHOOK, id="superoffice_hooks.E041"
        )
        return
    for endpoint in webhooks:
        yield from _webhook(endpoint)


def _webhook(endpoint: str) -> Iterator[checks.CheckMessage]:
    wants = partial(configured.wanted_of, endpoint)
    problems = list(_problem(wants, "superoffice_hooks.E041", _WEBHOOK))
    yield from problems
    if not isinstance(conf.current().SECRETS, str):
        hint = "SuperOffice signs with the first of them. Add one."
        has_secret = partial(configured.secrets_of, endpoint)
        yield from _problem(has_secret, "superoffice_hooks.E042", hint)
    if problems:
        return
    wanted = configured.wanted_of(endpoint)
    connections: Any = conf.current().CONNECTIONS
    if isinstance(connections, Mapping) and wanted.tenant not in connections:
        yield checks.Error(
            f"{conf.SETTING}['WEBHOOKS'][{endpoint!r}] is for the tenant {wanted.tenant!r}, which"
            " CONNECTIONS does not have.",
            hint="Correct the one or add to the other.",
            id="superoffice_hooks.E041",
        )
    for other in configured.all_wanted():
        # Of two with one address, each makes the webhook its own, in turn.
        if other.endpoint == endpoint:
            break
        if other.tenant == wanted.tenant and is_same_place(other.url, wanted.url):
            yield checks.Error(
                f"{conf.SETTING}['WEBHOOKS'] has one 'url' for both {other.endpoint!r} and"
                f" {endpoint!r}.",
                hint="The address of an endpoint ends with its name, as …/webhook/<endpoint>/.",
                id="superoffice_hooks.E041",
            )
    if wanted.states_of and wanted.states_of not in conf.current().WEBHOOKS:
        yield checks.Error(
            f"{conf.SETTING}['WEBHOOKS'][{endpoint!r}] is for the states of"
            f" {wanted.states_of!r}, which WEBHOOKS does not have.",
            hint="Name an endpoint of WEBHOOKS.",
            id="superoffice_hooks.E041",
        )


def _problem(read: Callable[[], object], check_id: str, hint: str) -> Iterator[checks.CheckMessage]:
    try:
        read()
    except configured.NotConfigured as problem:
        yield checks.Error(str(problem), hint=hint, id=check_id)
