"""System checks: what is wrong with SUPEROFFICE_HOOKS and with receivers, and what to do about it.

Servers start without running them, so none may be all that keeps a door shut. No message shows a
secret, nor a value that may be one in the wrong place.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core import checks

from .. import conf


@checks.register(checks.Tags.security)
def check_settings(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Everything about SUPEROFFICE_HOOKS."""
    from . import databases, secrets, values  # noqa: PLC0415  (a server starts without its checks)

    given = getattr(settings, conf.SETTING, {})
    if not isinstance(given, Mapping):
        message = f"{conf.SETTING} is not a dict, so it counts as empty."
        hint = f"Write {secrets.EXAMPLE}."
        return [checks.Error(message, hint=hint, id="superoffice_hooks.E002")]
    return [
        *values.keys(given),
        *secrets.secrets(),
        *values.numbers(),
        *secrets.unsigned(),
        *values.dispatch(),
        *values.spool(),
        *values.retention(),
        *values.fields(),
        *databases.silent_host(),
    ]


@checks.register(checks.Tags.urls)
def check_deployment(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Return what keeps deliveries from the webhook view."""
    from . import deployment  # noqa: PLC0415  (a server starts without its checks)

    # Django reports a project without URLs, or without middleware, by itself.
    return list(deployment.deployment()) if getattr(settings, "ROOT_URLCONF", None) else []


@checks.register(checks.Tags.database)
def check_database(
    databases: Sequence[str] | None = None, **_kwargs: Any
) -> list[checks.CheckMessage]:
    """Return what is wrong with our tables; Django asks for it with ``check --database``."""
    from . import charsets  # noqa: PLC0415  (a server starts without its checks)

    return list(charsets.columns(databases or ()))


@checks.register(checks.Tags.signals)
def check_receivers(**_kwargs: Any) -> list[checks.CheckMessage]:
    """The receivers that are connected by now; those of apps connect in ``AppConfig.ready``."""
    from . import receivers  # noqa: PLC0415  (a server starts without its checks)

    return [*receivers.names(), *receivers.database()]
