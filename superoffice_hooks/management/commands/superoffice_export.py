"""``manage.py superoffice_export``: a stored event as a fixture for a test."""

import json
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from ...models import Event
from ...testing import export


class Command(BaseCommand):
    help = (
        "Prints the body of a stored event as a fixture for a test, with texts, the tenant, the"
        " webhook and the associate replaced. superoffice_send --body sends it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("event", type=int, help="The key of the event, as in its page's URL.")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            event = Event.objects.get(pk=options["event"])
        except Event.DoesNotExist:
            raise CommandError(f"There is no event {options['event']}.") from None
        self.stdout.write(json.dumps(export(event), indent=2, ensure_ascii=False))
