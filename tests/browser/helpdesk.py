"""A project that uses the app, and a morning in its life: what the screenshots show."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Value
from django.db.models.functions import Replace
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.exceptions import GiveUp, RetryLater
from superoffice_hooks.models import Dispatcher, Event, ReceiverRun, Redelivery, Rejection, Replay
from superoffice_hooks.replay import running
from superoffice_hooks.testing import Attempt, notification

PROJECT = Path(__file__).parent.parent.parent
TICKET = 527331
"""The ticket that goes wrong: nobody has said who answers its category."""
HARDWARE = 7
ERROR = f"LookupError: There is no queue for category {HARDWARE}."

NORD, VEST = "Cust31038", "Cust26759"
PATIENT = {**settings.SUPEROFFICE_HOOKS, "MAX_ATTEMPTS": 5}
DESK, SALES = "Help desk", "Sales reports"
PRIORITY = ("priority", "category", "ticket_status", "last_changed", "alert_level")


def in_the_project(receiver: Callable[..., None]) -> Callable[..., None]:
    """Let the receiver be known by the dotted path that it would have there."""
    receiver.__module__, receiver.__qualname__ = "helpdesk.receivers", receiver.__name__
    return receiver


class HelpDesk:
    """Receivers, one of which somebody is going to mend."""

    def __init__(self, connect: Callable[..., Any], deliver: Callable[..., Attempt]) -> None:
        self.deliver = deliver
        self.queues = {1: "Support", 2: "Invoices"}
        self.escalated: list[int | None] = []
        for signal, receiver in (
            (signals.ticket_created, self.open_ticket),
            (signals.ticket_changed, self.notify_owner),
            (signals.ticket_changed, self.escalate),
            (signals.on("contact.*"), self.update_address_book),
            (signals.sale_sold, self.pay_commission),
        ):
            connect(signal, receiver)

    @in_the_project
    def open_ticket(self, **kwargs: Any) -> None:
        """Content with everything, as the next one is."""

    @in_the_project
    def notify_owner(self, **kwargs: Any) -> None: ...

    @in_the_project
    def escalate(self, event: Event, **kwargs: Any) -> None:
        category = event.payload.get("FieldValues", {}).get("category", 1)
        if category not in self.queues:
            raise LookupError(f"There is no queue for category {category}.")
        self.escalated.append(event.primary_key)

    @in_the_project
    def update_address_book(self, event: Event, **kwargs: Any) -> None:
        if event.action == "softdeleted":
            raise RetryLater(900) from TimeoutError("The address book is being backed up.")

    @in_the_project
    def pay_commission(self, **kwargs: Any) -> None:
        raise GiveUp("There is no exchange rate for currency 36.")

    def mend(self) -> None:
        """What a programmer does about the traceback."""
        self.queues[HARDWARE] = "Hardware"

    def ticket_goes_wrong(self) -> None:
        """The event of the story, after another one that went well."""
        self.says("contact.changed", VEST, 1204, changes=("name", "orgnr"))
        self.says("ticket.changed", NORD, TICKET, changes=PRIORITY, fields={"category": HARDWARE})

    def says(
        self,
        name: str,
        tenant: str,
        primary_key: int,
        *,
        changes: tuple[str, ...] = (),
        fields: Mapping[str, Any] | None = None,
        webhook: str = DESK,
        associate: int = 104,
        retry: int = 0,
    ) -> dict[str, Any]:
        """SuperOffice tells of something that happened."""
        sent = notification(
            name,
            PrimaryKey=primary_key,
            ContextIdentifier=tenant,
            ChangedByAssociateId=associate,
            Changes=list(changes),
            FieldValues=dict(fields or {}),
        )
        assert self.deliver(sent, name=webhook, retry=retry).succeeded
        return sent

    def morning(self) -> None:
        """Everything there is to see in the admin."""
        self.deliver(notification("test"), name=DESK)
        self.says("ticket.created", NORD, 527329)
        self.says("ticket.changed", NORD, 527329, changes=("status", "ticket_status", "closed_at"))
        self.says("contact.created", VEST, 1204, changes=("contact_id", "name", "number1"))
        self.says("person.changed", VEST, 3318, changes=("phone_present", "title"), associate=22)
        self.says("sale.changed", VEST, 871, changes=("amount", "probability"), webhook=SALES)
        self.says("sale.sold", VEST, 871, changes=("amount", "status"), webhook=SALES)
        self.says("list.category.changed", NORD, 12, changes=("Category_id", "name", "rank"))
        self.says("ticket.created", NORD, TICKET)
        self.ticket_goes_wrong()
        with override_settings(SUPEROFFICE_HOOKS=PATIENT):
            gone = self.says("contact.softdeleted", VEST, 955, changes=("contact_id", "deleted"))
            self.deliver(gone, name="Address book", retry=1)
        self.says("ticket.changed", VEST, 88120, changes=("owned_by", "last_changed"), associate=22)
        self.says("y_equipment.changed", NORD, 31, changes=("x_serial", "x_warranty_until"))
        self.says("ticket.changed", NORD, 527330, changes=PRIORITY, fields={"category": 2})
        self.deliver(b'{"Event": "ticket.changed", "PrimaryKey": 52', name=DESK)
        self.deliver(notification("ticket.changed"), secret="")
        self.deliver(notification("contact.deleted"), secret="the secret of last year")
        self.sale_is_replayed()
        self.let_time_pass()
        Dispatcher(kind=Dispatcher.Kind.WEB, host="web1", pid=4711, lanes=2).note_seen()

    def sale_is_replayed(self) -> None:
        """In vain: the exchange rate is missing still."""
        criteria = running.Criteria(name="sale.sold")
        planned = running.plan(criteria, who="rita", reason="The exchange rates were imported.")
        running.replay(planned)

    def let_time_pass(self) -> None:
        """Spread the morning over its hours, and move the project to where projects are."""
        now = before_lunch()
        events = list(Event.objects.order_by("-pk").values_list("pk", flat=True))
        for number, pk in enumerate(events):
            when = now - timedelta(minutes=3 + 13 * number, seconds=17 * number % 60)
            just_after = when + timedelta(seconds=1)
            Event.objects.filter(pk=pk).update(occurred_at=when, received_at=just_after)
            Event.objects.filter(pk=pk).exclude(finished_at=None).update(finished_at=just_after)
            ReceiverRun.objects.filter(event=pk, replay=None).update(started_at=just_after)
            Redelivery.objects.filter(event=pk).update(received_at=when + timedelta(minutes=5))
        for number, rejection in enumerate(Rejection.objects.order_by("-pk")):
            Rejection.objects.filter(pk=rejection.pk).update(
                received_at=now - timedelta(minutes=8 + 47 * number)
            )
        ReceiverRun.objects.exclude(replay=None).update(started_at=now)
        Replay.objects.update(created_at=now, finished_at=now + timedelta(seconds=2))
        for model in (Event, Rejection):
            model.objects.update(remote_addr="203.0.113.25")
        for here, there in (
            (Path(__file__), Path("/srv/helpdesk/helpdesk/receivers.py")),
            (PROJECT, Path("/srv/helpdesk/lib/site-packages")),
        ):
            ReceiverRun.objects.update(
                traceback=Replace("traceback", Value(str(here)), Value(str(there)))
            )


def before_lunch() -> datetime:
    """The last time it was 11:42, so that the morning is one morning."""
    now = timezone.localtime()
    lunch = now.replace(hour=11, minute=42, second=9)
    return lunch if lunch <= now else lunch - timedelta(days=1)
