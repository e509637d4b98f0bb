"""The base of the commands that call SuperOffice's API."""

from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from .. import superoffice_api
from ..subscribing import configured


class ApiCommand(BaseCommand):
    """A command that needs the extra ``superoffice``, and says so."""

    # A wrong setting elsewhere must not keep the command from running.
    requires_system_checks: list[str] = []  # noqa: RUF012  (Django's own)
    code_if_not_known = 1
    """The exit code if nothing is known."""

    def execute(self, *args: Any, **options: Any) -> Any:
        if not superoffice_api.is_installed():
            raise CommandError(
                "This needs SuperOffice's API. Install the extra:"
                ' pip install "django-superoffice-hooks[superoffice]".',
                returncode=self.code_if_not_known,
            )
        return super().execute(*args, **options)


class EndpointsCommand(ApiCommand):
    """A command that calls the API for endpoints of WEBHOOKS."""

    # 1 means that something differs.
    code_if_not_known = 2

    def add_arguments(self, parser: CommandParser) -> None:
        words = "endpoints of WEBHOOKS; all if none"
        parser.add_argument("endpoints", nargs="*", metavar="endpoint", help=words)

    def endpoints(self, options: dict[str, Any]) -> list[str]:
        """Return the endpoints that are meant.

        Raises:
            CommandError: WEBHOOKS wants no webhook.
        """
        endpoints: list[str] = options["endpoints"] or configured.endpoints()
        if not endpoints:
            raise CommandError(
                "SUPEROFFICE_HOOKS['WEBHOOKS'] wants no webhook.",
                returncode=self.code_if_not_known,
            )
        return endpoints
