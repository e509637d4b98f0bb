"""Django signals for SuperOffice's events.

Receivers of an event signal are called with

* ``sender``: the model class ``Event``,
* ``event``: the Event,
* ``changes``: the names of the changed fields as SuperOffice sent them; empty means unknown. If
  connected with ``fields``, those of them that match,
* ``replay``: None, or the Replay that this call is part of,

once per event, after SuperOffice has its answer, each inside a transaction of its own together with
the record that it ran (unless connected with ``atomic=False``). One that raises is called again
later; it can raise ``RetryLater`` or ``GiveUp`` to say when, or that it is no use.
"""

from django.dispatch import Signal

from . import receivers
from .exceptions import renamed

__getattr__ = renamed(__name__, {"verdicts_on": "judged"})

on = receivers.on
connected = receivers.connected
receivers_of = receivers.receivers_of
judged = receivers.judged
calls_for = receivers.calls_for

# All events, those of unknown names included, but neither the test event, which has webhook_tested
# alone, nor our own ping.
any_event = on("*")

activity_created = on("activity.created")
activity_changed = on("activity.changed")
activity_deleted = on("activity.deleted")
associate_created = on("associate.created")
associate_changed = on("associate.changed")
associate_deleted = on("associate.deleted")
chatsession_created = on("chatsession.created")
chatsession_message = on("chatsession.message")
chatsession_changed = on("chatsession.changed")
contact_created = on("contact.created")
contact_changed = on("contact.changed")
contact_deleted = on("contact.deleted")
contact_softdeleted = on("contact.softdeleted")
document_created = on("document.created")
document_changed = on("document.changed")
document_edited = on("document.edited")
document_deleted = on("document.deleted")
person_created = on("person.created")
person_changed = on("person.changed")
person_deleted = on("person.deleted")
person_softdeleted = on("person.softdeleted")
person_consented = on("person.consented")
person_unconsented = on("person.unconsented")
project_created = on("project.created")
project_changed = on("project.changed")
project_deleted = on("project.deleted")
projectmember_created = on("projectmember.created")
projectmember_changed = on("projectmember.changed")
projectmember_deleted = on("projectmember.deleted")
quote_approved = on("quote.approved")
quote_rejected = on("quote.rejected")
quote_sent = on("quote.sent")
quote_ordered = on("quote.ordered")
relation_created = on("relation.created")
relation_changed = on("relation.changed")
relation_deleted = on("relation.deleted")
sale_created = on("sale.created")
sale_changed = on("sale.changed")
sale_deleted = on("sale.deleted")
sale_sold = on("sale.sold")
sale_lost = on("sale.lost")
sale_completed = on("sale.completed")
salestakeholder_created = on("salestakeholder.created")
salestakeholder_changed = on("salestakeholder.changed")
salestakeholder_deleted = on("salestakeholder.deleted")
ticket_created = on("ticket.created")
ticket_changed = on("ticket.changed")

# A webhook was started, stopped, or ended by too many errors (webhook.started, .stopped, .errors).
webhook_state_changed = on("webhook.*")

# A registration's test event came in and was answered. Arguments: sender (Event), event.
# Plain signal: nothing is recorded, errors are logged.
webhook_tested = Signal()

# An event failed for good: a receiver gave up, or MAX_ATTEMPTS were not enough. Arguments: sender
# (Event), event. Plain signal: nothing is recorded, errors are logged.
event_failed = Signal()

# Failures have a cause that no failure had before, or one that was resolved or muted. Arguments:
# sender (FailureGroup), group, event, run, reopened. Plain signal: nothing is recorded, errors are
# logged.
failure_group_opened = Signal()

# A call of a receiver was recorded, whatever its outcome. Arguments: sender (ReceiverRun), event,
# run. The event's other receivers wait meanwhile, so it must be cheap. Plain signal: nothing is
# recorded, errors are logged.
receiver_ran = Signal()

# A delivery was refused. Arguments: sender (Rejection), rejection. Anybody on the internet can
# cause it, so receivers must be cheap. Plain signal: nothing is recorded, errors are logged.
delivery_rejected = Signal()

# A webhook at SuperOffice delivers nothing any more: stopped, ended, missing, or its ping is lost.
# Arguments: sender (Watch), watch. Plain signal: nothing is recorded, errors are logged.
webhook_stopped = Signal()

# It delivers again. Arguments: sender (Watch), watch. Plain signal, as above.
webhook_restored = Signal()
