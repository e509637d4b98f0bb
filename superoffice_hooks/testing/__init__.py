"""For the tests of a project: deliver events, dispatch what is due, and simulate SuperOffice.

::

    event = deliver(self.client, "ticket.changed", changes=["priority"], PrimaryKey=76)
    dispatch_due(later=timedelta(hours=1))

``SuperOffice`` is a sender that behaves as the real one does, for live servers::

    superoffice = SuperOffice(sleep=lambda seconds: None)
    superoffice.save(Webhook(url=f"{live_server.url}/superoffice/webhook/", secret=SECRET))
    (attempt,) = superoffice.send(notification("ticket.changed", PrimaryKey=42))
    assert attempt.succeeded

``notification`` makes bodies as SuperOffice writes them.
"""

from ..exceptions import renamed
from ..superoffice_api import is_installed
from ..wire.samples import notification
from .calls import muted, only
from .delivering import adeliver, deliver, event
from .dispatching import dispatch_due, wait_until_dispatched
from .exporting import export
from .sender import MAX_ERRORS, RETRY_DELAYS, Attempt, NotSaved, State, SuperOffice, Webhook

# It signs tokens as SuperOffice does. That needs the packages of the extra.
if is_installed():
    from .fake import FakeSuperOffice

__getattr__ = renamed(__name__, {"MOST_ERRORS": "MAX_ERRORS"})

__all__ = [
    "MAX_ERRORS",
    "RETRY_DELAYS",
    "Attempt",
    "FakeSuperOffice",
    "NotSaved",
    "State",
    "SuperOffice",
    "Webhook",
    "adeliver",
    "deliver",
    "dispatch_due",
    "event",
    "export",
    "muted",
    "notification",
    "only",
    "wait_until_dispatched",
]
