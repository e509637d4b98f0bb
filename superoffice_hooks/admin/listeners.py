"""Who listens to an event, and why each was called or passed over."""

from typing import NamedTuple

from django.utils.safestring import SafeString

from ..receivers import Reason, Verdict
from . import showing


class Listener(NamedTuple):
    """A receiver as the page of an event shows it."""

    path: str
    signal: str
    is_called: bool
    why: str
    fields: SafeString
    """Those that made the call, or those that it waits for in vain."""


def listener(verdict: Verdict) -> Listener:
    """A verdict, ready to be shown: templates call what can be called, and a verdict can."""
    receiver = verdict.receiver
    fields = {Reason.CHANGED: verdict.changes, Reason.UNCHANGED: receiver.options.names or ()}
    return Listener(
        path=receiver.path,
        signal=receiver.pattern,
        is_called=verdict.is_call,
        why=str(verdict.reason.label),
        fields=showing.codes(fields.get(verdict.reason, ())),
    )
