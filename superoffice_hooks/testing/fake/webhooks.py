"""The fake's webhooks: saved after a test event, delivered to, counted, ended."""

import itertools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ...wire import event_names
from ...wire.samples import notification
from ..sender import Attempt, State, SuperOffice, Webhook
from .faults import Reply, error

_NO_DATE = "0001-01-01T00:00:00"
_STATES = {0: "Unknown", 1: "Active", 2: "Stopped", 3: "TooManyErrors"}
_ANNOUNCED = {"Active": "started", "Stopped": "stopped", "TooManyErrors": "errors"}


@dataclass(slots=True, kw_only=True, eq=False)
class Entry:
    """One webhook of the fake."""

    id: int
    application: str
    """The application that it belongs to: others do not see it."""
    values: dict[str, Any] = field(repr=False)
    hook: Webhook = field(repr=False)
    total_calls: int = 0
    total_errors: int = 0
    last_error: str = ""

    @property
    def state(self) -> str:
        """Return its state, by name."""
        return self.hook.state.value

    @state.setter
    def state(self, name: str) -> None:
        self.hook.state = State(name)


class FakeWebhooks:
    """The webhooks of one tenant."""

    def __init__(
        self,
        tenant: str,
        version: tuple[int, int],
        sender: SuperOffice,
        *,
        masks_secret: bool,
        zeroes: bool,
    ) -> None:
        self.entries: dict[int, Entry] = {}
        self._tenant = tenant
        self._version = version
        self._sender = sender
        self._masks_secret = masks_secret
        self._zeroes = zeroes
        self._ids = itertools.count(17)
        self._lock = threading.Lock()
        self.save_gate: threading.Event | None = None
        """If set, a save waits for it, after the test event and before it stores the webhook."""

    def default(self) -> Reply:
        """Answer with a new entity."""
        values = {"Events": ["contact.created", "contact.deleted"]}
        return Reply(body=self._entity(None, values))

    def listed(self, application: str, state: str = "Unknown") -> Reply:
        """Answer with the webhooks of an application."""
        seen = [e for e in self.entries.values() if self._is_visible(e, application)]
        return Reply(body=[self.shown(e) for e in seen if state in ("Unknown", "", e.state)])

    def find(self, number: str, application: str) -> Entry | None:
        """Return a webhook that the application may see."""
        entry = self.entries.get(int(number))
        return entry if entry and self._is_visible(entry, application) else None

    def save(self, values: Any, application: str, entry: Entry | None = None) -> Reply:
        """Save a webhook, if its address answers a test event with 200."""
        if not isinstance(values, dict):
            return error(400, "ArgumentException", "Entity to save is not in request body")
        problem, hook = _read(values)
        if hook is None:
            return error(500, "SoException", problem)
        attempt = self._test(hook)
        if not attempt.succeeded:
            message = f"Webhook test failed: {attempt.status or attempt.error}"
            return error(500, "SoException", message)
        if self.save_gate is not None:
            self.save_gate.wait(60)
        before = entry.state if entry else ""
        entry = self._stored(values, hook, application, entry)
        if before and entry.state != before:
            self.announce(entry, _ANNOUNCED[entry.state])
        return Reply(body=self.shown(entry))

    def _stored(
        self, values: dict[str, Any], hook: Webhook, application: str, entry: Entry | None
    ) -> Entry:
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
        with self._lock:
            if entry is None:
                values = {**values, "Registered": now, "Updated": now}
                entry = Entry(id=next(self._ids), application=application, values=values, hook=hook)
                self.entries[entry.id] = entry
            else:
                was_active = entry.hook.state == State.ACTIVE
                hook.errors = entry.hook.errors
                if self._zeroes and not was_active:
                    hook.errors = 0
                kept = {"Registered": entry.values.get("Registered"), "Updated": now}
                entry.values, entry.hook = {**values, **kept}, hook
            return entry

    def test(self, values: Any) -> Reply:
        """Answer whether an address answers a test event with 200."""
        _problem, hook = _read(values if isinstance(values, dict) else {})
        attempt = self._test(hook) if hook else None
        answer = f"HTTP/1.1 {attempt.status or attempt.error}" if attempt else "no address"
        succeeded = attempt is not None and attempt.succeeded
        return Reply(
            body={
                "Success": succeeded,
                "Message": answer,
                "TableRight": None,
                "FieldProperties": {},
            }
        )

    def send(self, event: Mapping[str, Any]) -> list[Attempt]:
        """Deliver an event to all active webhooks that list its name, and count."""
        event = {"ContextIdentifier": self._tenant, **event}
        return [
            attempt
            for entry in list(self.entries.values())
            if entry.hook.state == State.ACTIVE and entry.hook.listens_to(_name(event))
            for attempt in self._delivered(entry, event)
        ]

    def _delivered(self, entry: Entry, event: Mapping[str, Any]) -> Sequence[Attempt]:
        attempts = self._sender.deliver(entry.hook, event)
        entry.total_calls += len(attempts)
        failed = [attempt for attempt in attempts if not attempt.succeeded]
        entry.total_errors += len(failed)
        if failed:
            entry.last_error = f"HTTP/1.1 {failed[-1].status or failed[-1].error}"
        if entry.hook.state == State.TOO_MANY_ERRORS:
            self.announce(entry, "errors")
        return attempts

    def announce(self, entry: Entry, action: str) -> None:
        """Send the new state of a webhook as an event to those that list it."""
        self.send(notification(f"webhook.{action}", PrimaryKey=entry.id))

    def shown(self, entry: Entry) -> dict[str, Any]:
        """Return a webhook as this version's API shows it."""
        return self._entity(entry, entry.values)

    def _entity(self, entry: Entry | None, values: Mapping[str, Any]) -> dict[str, Any]:
        secret = values.get("Secret")
        entity = {
            "WebhookId": entry.id if entry else 0,
            "Name": values.get("Name"),
            "Events": values.get("Events"),
            "TargetUrl": values.get("TargetUrl"),
            "Secret": "********" if secret and self._masks_secret else secret,
            "State": entry.state if entry else "Active",
            "Type": "webhook",
            "Headers": values.get("Headers"),
            "Properties": values.get("Properties"),
            "Registered": values.get("Registered", _NO_DATE),
            "Updated": values.get("Updated", _NO_DATE),
            "ErrorsEmail": values.get("ErrorsEmail"),
        }
        if self._version >= (12, 0):
            entity |= {
                "ErrorEmails": values.get("ErrorEmails") or [],
                "NotifyWhen": "Disabling",
                "TotalCalls": entry.total_calls if entry else 0,
                "TotalErrors": entry.total_errors if entry else 0,
                "ConsecutiveErrors": entry.hook.errors if entry else 0,
                "LastError": entry.last_error if entry else None,
            }
        return entity

    def _test(self, hook: Webhook) -> Attempt:
        errors, state = hook.errors, hook.state
        event = notification(event_names.TEST, Changes=[], ContextIdentifier=self._tenant)
        attempt = self._sender.attempt(hook, event)
        # A test is not counted, and ends no webhook.
        hook.errors, hook.state = errors, state
        return attempt

    def _is_visible(self, entry: Entry, application: str) -> bool:
        return not application or entry.application == application


def _name(event: Mapping[str, Any]) -> str:
    name = str(event.get("Event"))
    entity, action = event_names.split(name)
    return f"webhook{event.get('PrimaryKey')}.{action}" if entity == "webhook" else name


def _read(values: Mapping[str, Any]) -> tuple[str, Webhook | None]:
    """Return the webhook that is to be saved, or the reason why it cannot be saved."""
    events = values.get("Events")
    if not isinstance(events, list) or not events or len(",".join(map(str, events))) > 4000:
        return "Events are missing, or longer than 4000 characters.", None
    if any("*" in str(name) or "," in str(name) for name in events):
        return "An event name has a character that is not allowed.", None
    state = values.get("State", "Active")
    try:
        hook = Webhook(
            url=str(values.get("TargetUrl")),
            secret=values.get("Secret") or "",
            name=str(values.get("Name")),
            events=events,
            headers=values.get("Headers") or {},
            properties=values.get("Properties") or {},
            state=State(_STATES.get(state, state)),
        )
    except ValueError as problem:
        return str(problem), None
    return "", hook
