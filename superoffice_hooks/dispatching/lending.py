"""Lending: a receiver uses the connections of this thread, and leaves them as they were."""

from types import TracebackType

from django.db import connections

from ..exceptions import SuperOfficeHooksError, ends_the_process
from ..models import sessions


class LeftOpen(SuperOfficeHooksError):
    """A receiver has left a transaction open, or autocommit off."""

    def __init__(self, alias: str) -> None:
        super().__init__(
            f"The receiver left a transaction open in the database {alias!r}, or turned autocommit"
            " off. What it wrote there is undone. Open transactions in a `with` statement."
        )


class Lent:
    """A block in which the connections of this thread are lent to a receiver.

    If one is left in a transaction, that is undone, because the receivers that come next would
    write into it.

    Raises:
        LeftOpen: one was.
    """

    def __enter__(self) -> None:
        # What surrounds us is not the receiver's.
        self._surrounded = {
            c.alias for c in connections.all(initialized_only=True) if c.in_atomic_block
        }

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        frames: TracebackType | None,
    ) -> None:
        left = [
            connection
            for connection in connections.all(initialized_only=True)
            if connection.alias not in self._surrounded and sessions.is_left_open(connection)
        ]
        for connection in left:
            sessions.renew(connection)
        if left and not (error and ends_the_process(error)):
            raise LeftOpen(left[0].alias) from error
