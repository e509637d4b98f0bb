"""Make a fixture of a stored event, without personal details."""

from typing import Any

from ..models import Event

_OURS = {"ContextIdentifier": "Cust12345", "WebhookName": "Name you provided"}
_ASSOCIATE = 37201
_KEPT = frozenset(
    {"EventId", "Timestamp", "Changes", "Event", "PrimaryKey", "Entity", "ContextIdentifier"}
)


def export(event: Event) -> dict[str, Any]:
    """Return the body of a stored event without personal details, fit for a repository.

    Names of fields, numbers, dates and the structure stay, so a receiver treats it as it treated
    the event. Each text among the values becomes ``text``. The tenant, the webhook and the
    associate are replaced. To deliver it: ``deliver(client, body["Event"], **body)``.
    """
    return {name: _replaced(name, value) for name, value in event.payload.items()}


def _replaced(name: str, value: Any) -> Any:
    if name in _OURS:
        return _OURS[name]
    if name == "ChangedByAssociateId":
        return _ASSOCIATE
    return value if name in _KEPT else _without_text(value)


def _without_text(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without_text(item) for key, item in value.items()}
        case list():
            return [_without_text(item) for item in value]
        case str() if value and not _is_date(value):
            return "text"
    return value


def _is_date(text: str) -> bool:
    """Return whether a text is a date or a time, as SuperOffice writes them."""
    return len(text) >= 10 and text[:4].isdigit() and text[4] == text[7] == "-"
