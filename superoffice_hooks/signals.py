"""Django signals for SuperOffice's events.

Receivers of an event signal are called with

* ``sender``: the model class ``Event``,
* ``event``: the Event,
* ``changes``: the names of the changed fields as SuperOffice sent them; empty means unknown. If
  connected with ``fields``, those of them that match,
* ``replay``: None, or the Replay that this call is part of,

once per event, after SuperOffice has its answer. Each call and the record that the receiver ran are
one transaction, unless the receiver is connected with ``atomic=False``. A receiver that raises is
called again later. With ``RetryLater`` it says when; with ``GiveUp`` it says never.
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

# All events, also those with unknown names; but not the test event, which has webhook_tested, and
# not our own ping.
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

# The test event came in that SuperOffice sends to test a webhook. Arguments: sender (Event), event.
# Plain signal: nothing is recorded, errors are logged.
webhook_tested = Signal()

# An event has failed for good: a receiver gave up, or MAX_ATTEMPTS have failed. Arguments: sender
# (Event), event. Plain signal: nothing is recorded, errors are logged.
event_failed = Signal()

# A failure has a new cause, or one whose group was resolved, or whose mute has ended. Arguments:
# sender (FailureGroup), group, event, run, reopened. Plain signal: nothing is recorded, errors are
# logged.
failure_group_opened = Signal()

# A call of a receiver was recorded, whatever its outcome. Arguments: sender (ReceiverRun), event,
# run. The event's next receiver waits for it, so it must be quick. Plain signal: nothing is
# recorded, errors are logged.
receiver_ran = Signal()

# A delivery was refused. Arguments: sender (Rejection), rejection. Anybody on the internet can
# cause it, so receivers must be quick. Plain signal: nothing is recorded, errors are logged.
delivery_rejected = Signal()

# A webhook at SuperOffice delivers nothing any more: it was stopped, ended or deleted, has another
# address, or its ping is lost. Arguments: sender (Watch), watch. Plain signal: nothing is recorded,
# errors are logged.
webhook_stopped = Signal()

# A webhook delivers again. Arguments: sender (Watch), watch. Plain signal: nothing is recorded,
# errors are logged.
webhook_restored = Signal()
