"""The paths of the fake's API below its root."""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ...wire.samples import notification
from . import archives
from .faults import Reply, Request, error
from .webhooks import Entry, FakeWebhooks

if TYPE_CHECKING:
    from .server import FakeSuperOffice

PAGE = 5
"""The longest page of an archive. It is short, so that each client has to read several."""


class Api:
    """Answers the requests to the API."""

    def __init__(self, fake: "FakeSuperOffice") -> None:
        self._fake = fake
        self.patches = fake.number < (12, 0)
        """Whether PATCH is known."""
        self.tables: dict[str, list[archives.Row]] = {
            "traveltransactionlog": [],
            "ticket_log_action": [],
            "ticket_log_change": [],
        }
        """Rows of the dynamic provider by table; the columns have the table's name in front."""
        self.unreadable: set[str] = set()
        """Tables that our user may not read."""
        self.may_see: Callable[[archives.Row], bool] = lambda row: True
        """Whether our user may see a row; a page is shorter by the rows that it may not."""
        self.links_pages = False
        """Whether a page links to the next one, as SuperOffice's sometimes do."""

    @property
    def _webhooks(self) -> FakeWebhooks:
        return self._fake.webhooks

    def answer(self, request: Request, path: str) -> Reply:
        """Answer a request; ``path`` is what follows the API's root."""
        if not path:
            return Reply(body={"v1": "v1/", "NetServerVersion": f"{self._fake.version}.721.0"})
        if refusal := self._fake.login.refuses(request):
            return refusal
        match path.split("/")[1:]:
            case ["User", "currentPrincipal"]:
                return Reply(body={"AssociateId": 42, "UserName": "hooks@example.com"})
            case ["TimeZone", "base"]:
                return Reply(body={"TZLocationCode": "NO", "Name": "(UTC+01:00) Oslo"})
            case ["Archive", provider]:
                return self._archive(provider, request)
            case ["Webhook", *rest]:
                return self._webhook(request, [unquote(part) for part in rest])
        return error(404, "NotFound", f"There is no {path}.")

    def _webhook(self, request: Request, rest: list[str]) -> Reply:
        login = self._fake.login
        application = "" if login.is_on_site else login.client_secret
        match request.method, rest:
            case "GET", []:
                return self._webhooks.listed(application, request.query.get("statusFilter", ""))
            case "GET", ["default"]:
                return self._webhooks.default()
            case "POST", []:
                return self._webhooks.save(request.json, application)
            case "POST", ["Test"]:
                return self._webhooks.test(request.json)
            case "POST", [name, key] if re.fullmatch(r"\d+", key):
                data = request.json if isinstance(request.json, dict) else {}
                event = notification(name, PrimaryKey=int(key), Changes=[], **data)
                self._webhooks.send(event)
                return Reply(204)
            case _, [number, *_] if number.isdecimal():
                entry = self._webhooks.find(number, application)
                if entry is None:
                    return error(404, "SoNotFoundException", f"Webhook id {number} not found")
                return self._one(request, entry, rest[1:])
        return error(405, "NotAllowed", "Not allowed.")

    def _one(self, request: Request, entry: Entry, rest: list[str]) -> Reply:
        match request.method, rest:
            case "GET", []:
                return Reply(body={**self._webhooks.shown(entry), "_Links": {"Self": "…"}})
            case "GET", ["LastError"]:
                return Reply(body=entry.last_error or None)
            case "PUT", []:
                return self._webhooks.save(request.json, entry.application, entry)
            case "PATCH", [] if self.patches:
                values = _patched(self._webhooks.shown(entry), request.json)
                if values is None:
                    return error(409, "SoException", "A test of the patch failed.")
                return self._webhooks.save(values, entry.application, entry)
            case "DELETE", []:
                del self._webhooks.entries[entry.id]
                return Reply(204)
        return error(405, "NotAllowed", "Not allowed.")

    def _archive(self, provider: str, request: Request) -> Reply:
        select = request.query.get("$select", "")
        table = select.split(".")[0]
        if provider == "Webhook" and self._fake.number >= (11, 13):
            return self._page(provider, request, map(self._usage, self._fake.entries()))
        if provider != "dynamic" or table in self.unreadable:
            return error(403, "SoSecurityException", f"No access to {provider} {table}.")
        if table == "webhook_usage":
            rows = [_as_table(self._usage(entry)) for entry in self._fake.entries()]
            return self._page(provider, request, rows)
        return self._page(provider, request, self.tables.get(table, ()))

    def _page(self, provider: str, request: Request, rows: Iterable[archives.Row]) -> Reply:
        link = f"{self._fake.root}/v1/Archive/{provider}" if self.links_pages else ""
        return archives.answer(request.query, rows, page=PAGE, link=link, may_see=self.may_see)

    def _usage(self, entry: Entry) -> archives.Row:
        return {
            "webhookId": entry.id,
            "webhookUsage/totalCalls": entry.total_calls,
            "webhookUsage/totalErrors": entry.total_errors,
            "webhookUsage/consecutiveErrors": entry.hook.errors,
            "webhookUsage/lastError": entry.last_error,
        }


def _as_table(usage: archives.Row) -> archives.Row:
    names = {"webhookId": "webhook_usage_id"}
    return {
        "webhook_usage."
        + names.get(key, re.sub(r"([A-Z])", r"_\1", key.rpartition("/")[2]).lower()): value
        for key, value in usage.items()
    }


def _patched(values: dict[str, Any], said: Any) -> dict[str, Any] | None:
    """Return an entity after a JSON Patch or a merge patch; None if a test of the patch fails."""
    if not isinstance(said, list):
        return {**values, **said} if isinstance(said, dict) else values
    # The case of names does not count.
    names = {name.lower(): name for name in values}
    for step in said:
        path = str(step.get("path", "")).strip("/")
        name, value = names.get(path.lower(), path), step.get("value")
        if step.get("op") == "test":
            if values.get(name) != value:
                return None
        else:
            values = {**values, name: None if step.get("op") == "remove" else value}
    return values
