"""Why a delivery was not taken in, and what a receiver can raise to steer its retries.

The sender of a delivery that was not taken in is told the status code and no more.
"""

from typing import ClassVar


class SuperOfficeHooksError(Exception):
    """Base of all errors this app raises."""


class Refused(SuperOfficeHooksError):
    """A delivery that was not let in; kept as a Rejection under this ``reason``."""

    status_code: ClassVar[int]
    reason: ClassVar[str]


class UnknownEndpoint(Refused):
    """No secrets are configured under the endpoint's name."""

    status_code = 404
    reason = "unknown endpoint"


class BodyTooLarge(Refused):
    """The body has more than MAX_BODY_BYTES bytes."""

    status_code = 413
    reason = "body too large"


class BodyNotReadable(Refused):
    """The server did not hand the whole body over, as some do not if it is sent in chunks."""

    status_code = 503
    reason = "body not readable"


class BodyAlreadyRead(Refused):
    """A middleware read the body before the view, and Django has not kept it."""

    status_code = 503
    reason = "body already read by a middleware"


class SignatureMissing(Refused):
    """There is no X-SuperOffice-Signature: the webhook was saved without a secret."""

    status_code = 401
    reason = "signature missing"


class SignatureWrong(Refused):
    """None of the endpoint's secrets made the signature."""

    status_code = 401
    reason = "signature wrong"


class NotStored(SuperOfficeHooksError):
    """A delivery could not be written down now; SuperOffice should try again."""

    status_code = 503


class RetryLater(SuperOfficeHooksError):
    """Raised by a receiver that cannot work now: call it again, but not before then.

    It counts as one of the MAX_ATTEMPTS.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:g} seconds")
        self.seconds = seconds


class GiveUp(SuperOfficeHooksError):
    """Raised by a receiver that will never succeed with this event: do not call it again.

    The event has failed, whatever its other receivers do; ``reason`` is for whoever looks at it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
