"""Lending: a receiver uses the connections of this thread, and leaves them as they were."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from ..exceptions import SuperOfficeHooksError, ends_the_process
from ..models import sessions


class LeftOpen(SuperOfficeHooksError):
    """A receiver has left a transaction open, or autocommit off."""

    def __init__(self, alias: str) -> None:
        super().__init__(
            f"The receiver left a transaction open in the database {alias!r}, or turned autocommit"
            " off. What it wrote there is undone. Open transactions in a `with` statement."
        )


@dataclass(eq=False)
class Lent:
    """A block in which the connections of this thread are lent to a receiver.

    If one is left in a transaction, that is undone, because the receivers that come next would
    write into it. If its session was changed, it gets a new one. Other databases than ours are
    connected anew if the connection is dead.

    Raises:
        LeftOpen: one was left in a transaction.
    """

    own: BaseDatabaseWrapper
    """Our own connection."""
    is_lost: bool = False
    """Whether its session ended, which may have caused the error."""
    _changed: dict[str, Any] = field(default_factory=dict)
    _watched: Sequence[BaseDatabaseWrapper] = ()

    def __enter__(self) -> "Lent":
        self._outer, _current.lent = getattr(_current, "lent", None), self
        self._lent = connections.all(initialized_only=True)
        # What surrounds us is not the receiver's.
        self._surrounded = {c.alias for c in self._lent if c.in_atomic_block}
        self._session = self.own.connection
        return self

    def watch(self) -> None:
        """Look at each statement from now on: it is one of the receiver."""
        self._watched = self._lent
        for connection in self._watched:
            connection.execute_wrappers.append(self._look)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        frames: TracebackType | None,
    ) -> None:
        _current.lent = self._outer
        for connection in self._watched:
            connection.execute_wrappers.remove(self._look)
        lent = [
            connection
            for connection in connections.all(initialized_only=True)
            if connection.alias not in self._surrounded
        ]
        left = [connection for connection in lent if sessions.is_left_open(connection)]
        if error and not left:
            self.is_lost = sessions.has_ended(self._session, self.own, error)
        for connection in lent:
            if connection in left or self._is_changed(connection):
                sessions.renew(connection)
            elif connection is not self.own and sessions.is_over(connection):
                # What becomes of ours depends on what is written next.
                sessions.end(connection)
        if left and not (error and ends_the_process(error)):
            raise LeftOpen(left[0].alias) from error

    def _look(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        """Execute a statement of the receiver; note whether it changes the session."""
        if sessions.is_changed_by(sql):
            connection = context["connection"]
            self._changed[connection.alias] = connection.connection
        return execute(sql, params, many, context)

    def _is_changed(self, connection: BaseDatabaseWrapper) -> bool:
        session = connection.connection
        if session is None:
            return False
        # The statements of one that is used for the first time were not looked at.
        return connection not in self._lent or self._changed.get(connection.alias) is session

    def forget(self, connection: BaseDatabaseWrapper) -> None:
        """Note that a session has begun: what was executed in it is how the project wants it."""
        self._changed.pop(connection.alias, None)


_current = threading.local()


def _begin_session(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Leave out what the project sets in each session, in receivers of the same signal."""
    if lent := getattr(_current, "lent", None):
        lent.forget(connection)


connection_created.connect(_begin_session)
