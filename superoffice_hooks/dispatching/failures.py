"""Failures: each is put into the group of its cause, and a new cause is announced once.

A group is written down before the run, in a statement of its own: so nobody waits for its row while
the event's outcome is written, and of two processes that meet a new cause at once, one opens it.
"""

from django.db import connections, router

from .. import conf
from ..exceptions import GiveUp, ends_the_process
from ..models import FailureGroup, ReceiverRun
from ..models.failure_group import Seen
from ..models.inserting import savepoint
from ..signals import failure_group_opened
from ..wire.log_fields import fields
from ..wire.logs import get_logger
from .announcing import announce
from .fingerprint import fingerprint

logger = get_logger(__name__)


class Failure:
    """What a receiver raised, and the run that records it."""

    def __init__(self, run: ReceiverRun, error: BaseException) -> None:
        run.fail(error)
        self._run = run
        self._error = error
        self._opened: Seen | None = None

    def note(self) -> None:
        """Put the run into its group. What goes wrong with that is logged, and the run has none.

        Raises:
            DatabaseError: the session has ended, so that the run cannot be stored either.
        """
        run = self._run
        if self._is_to_be_retried:
            return
        using = router.db_for_write(FailureGroup)
        try:
            cause = fingerprint(self._error, run.event, run.receiver)
            with savepoint(using):
                seen = FailureGroup.objects.using(using).see(cause, run.error)
        except BaseException as error:
            if ends_the_process(error) or not connections[using].is_usable():
                raise
            logger.exception(
                "The failure of receiver %s for %s is in no failure group", run.receiver, run.event
            )
            return
        run.join(seen.key)
        if seen.opened:
            self._opened = seen

    def announce(self) -> None:
        """Announce the group if this failure opened it; to be called once the run is stored."""
        if self._opened is None or (group := self._opened.opened) is None:
            return
        run, is_reopened = self._run, self._opened.is_reopened
        if is_reopened:
            message = "Receiver %s failed for %s as in failure group %d, which is open again"
        else:
            message = "Receiver %s failed for %s in a new way, which is failure group %d"
        logger.error(
            message,
            run.receiver,
            run.event,
            group.pk,
            exc_info=self._error,
            extra=fields(event=run.event, receiver=run.receiver, failure_group=group.pk),
        )
        announce(
            failure_group_opened,
            run.event,
            sender=FailureGroup,
            group=group,
            run=run,
            reopened=is_reopened,
        )

    @property
    def _is_to_be_retried(self) -> bool:
        """Return whether the receiver raised RetryLater, and an attempt is left."""
        run = self._run
        is_postponed = run.outcome == run.Outcome.POSTPONED and run.replay_id is None
        return is_postponed and run.attempt < conf.current().MAX_ATTEMPTS


def deadly(deaths: int) -> GiveUp:
    """Return the error of a receiver during whose calls the process ended so many times."""
    return GiveUp(
        f"The process that called it ended {deaths} times during the call."
        " Look for what ends processes: memory, crashes of extensions, os._exit()."
    )
