"""Errors of SuperOffice's API. Their messages are sentences for an administrator.

No message has a secret: the texts of SuperOffice in it are redacted.
"""


class ApiError(Exception):
    """The API could not be used. The message says why and what to do."""


class NotReached(ApiError):
    """There was no answer, or only answers of a broken server. It may help to try again later."""


class NotRunning(ApiError):
    """The tenant is not running."""

    def __init__(self, message: str, state: str) -> None:
        super().__init__(message)
        self.state = state


class NotSignedIn(ApiError):
    """SuperOffice does not accept the credentials."""


class Refused(ApiError):
    """SuperOffice refused a call.

    Args:
        message: a sentence.
        status: the HTTP status.
        kind: SuperOffice's own name of the error (``ErrorType``), if it gave one.
    """

    def __init__(self, message: str, status: int, kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class NotRead(ApiError):
    """The answer is not one that the API documents, so its meaning is not known."""
