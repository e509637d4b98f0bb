"""``manage.py superoffice_connect --check``: whether SuperOffice's API can be used."""

from typing import Any

from django.core.management import CommandError, CommandParser

from ...subscribing import configured
from ...superoffice_api import is_installed
from ..api_command import ApiCommand
from ..options import counted

if is_installed():
    from ...subscribing import connecting


class Command(ApiCommand):
    help = (
        "Signs in to SuperOffice's API for each tenant of CONNECTIONS, and says what works and"
        " what does not. Nothing is written. Exits with 1 if something does not work."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("tenants", nargs="*", metavar="tenant", help="tenants of CONNECTIONS; all if none")
        add("--check", action="store_true", required=True, help="find out, and write nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        tenants = options["tenants"] or configured.tenants()
        if not tenants:
            raise CommandError(
                "SUPEROFFICE_HOOKS['CONNECTIONS'] names no tenant. If it is a callable, name one."
            )
        failed = 0
        for tenant in tenants:
            for finding in connecting.check(tenant):
                failed += not finding.is_well
                write = self.stdout if finding.is_well else self.stderr
                write.write(f"{tenant}: {finding.sentence}")
        if failed:
            raise CommandError(f"{counted(failed, 'thing')} did not work.")
