"""System checks: what is wrong with SUPEROFFICE_HOOKS and with receivers, and what to do about it.

Checks do not run when a server starts, so security must not depend on them. No message shows a
secret, or a value that may be a secret in the wrong place.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core import checks

from .. import conf
from . import databases, deployment, receivers, secrets, subscriptions, values
from .databases import narrow_columns


@checks.register(checks.Tags.security)
def check_settings(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Check SUPEROFFICE_HOOKS."""
    setting = getattr(settings, conf.SETTING, {})
    if not isinstance(setting, Mapping):
        message = f"{conf.SETTING} is not a dict, so it counts as empty."
        hint = f"Write {secrets.EXAMPLE}."
        return [checks.Error(message, hint=hint, id="superoffice_hooks.E002")]
    return [
        *values.keys(setting),
        *secrets.secrets(),
        *values.numbers(),
        *secrets.unsigned(),
        *values.dispatch(),
        *values.spool(),
        *values.redacting(),
        *values.retention(),
        *values.fields(),
        *databases.silent_host(),
        *databases.no_commit(),
        *subscriptions.subscriptions(),
    ]


@checks.register(checks.Tags.urls)
def check_deployment(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Check what keeps deliveries from the webhook view."""
    # Django reports a project without URLs, or without middleware, by itself.
    return list(deployment.deployment()) if getattr(settings, "ROOT_URLCONF", None) else []


@checks.register(checks.Tags.database)
def check_database(
    *, databases: Sequence[str] | None = None, **_kwargs: Any
) -> list[checks.CheckMessage]:
    """Check our tables; ``check --database`` runs this."""
    return list(narrow_columns(databases or ()))


@checks.register(checks.Tags.signals)
def check_receivers(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Check the receivers that apps have connected in ``AppConfig.ready``."""
    return [
        *receivers.events(),
        *receivers.names(),
        *receivers.custom_fields(),
        *receivers.database(),
        *receivers.order(),
    ]
