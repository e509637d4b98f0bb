"""Sign in: with a ticket at SuperOffice Online, with a user name and a password on site."""

import base64
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import jwt

from .connection import Connection
from .errors import ApiError, NotReached, NotRead, NotSignedIn
from .keys import read_key, signed_token
from .redacting import NO_SECRET, Secret, redacted
from .sending import Answer, Sender

TICKET_SECONDS = 5 * 3600.0
"""After how many seconds without use a ticket is renewed. It would end after six hours."""

_CLAIM = "http://schemes.superoffice.net/identity/"
_ISSUER = "SuperOffice AS"
_LEEWAY = 60
_WRONG_CLOCK = timedelta(minutes=2)

_REASONS = (
    (
        r"InvalidTimestamp|\b6\b",
        "SuperOffice finds the time in our request wrong. Set the clock of this machine.",
    ),
    (
        r"InvalidSignature|\b7\b",
        "The private key does not belong to the application. Compare private_key with the key that"
        " SuperOffice sent for this application and this environment.",
    ),
    (
        r"Revoked|\b1\b",
        "The system user token was revoked. A tenant administrator has to approve the application"
        " again; then put the new token into CONNECTIONS.",
    ),
    (
        r"NeedsReapproval|\b5\b",
        "The application was changed, and a tenant administrator has to approve it again.",
    ),
    (r"Expired|\b3\b", "The approval of the application has expired. It has to be approved again."),
    (r"Denied|\b4\b", "A tenant administrator has denied the application."),
)
_UNEXPLAINED = (
    "SuperOffice does not accept the credentials. Compare host, client_secret, system_user_token"
    " and the tenant, which belong together."
)


class Credentials:
    """The headers that sign a call in. They are kept until they were not used for too long.

    Args:
        connection: how to sign in.
        sender: sends the requests.
        hidden: texts that must not show, if SuperOffice quotes them.
    """

    def __init__(
        self, connection: Connection, sender: Sender, hidden: tuple[Secret, ...] = ()
    ) -> None:
        self._connection = connection
        self._hidden = hidden
        self._sender = sender
        self._headers: dict[str, str | Secret] = {}
        self._used = 0.0

    def headers(self) -> dict[str, str | Secret]:
        """Return the headers; sign in first, if there are none that can be used.

        Raises:
            NotSignedIn: SuperOffice does not accept what CONNECTIONS has.
            NotReached: the login host gives no answer.
            NotRead: its answer cannot be read, or is not SuperOffice's.
        """
        now = time.monotonic()
        if not self._headers or now - self._used > TICKET_SECONDS:
            self._headers = self._sign_in()
        self._used = now
        return self._headers

    def forget(self) -> None:
        """Sign in again before the next call."""
        self._headers = {}

    def _sign_in(self) -> dict[str, str | Secret]:
        connection = self._connection
        if connection.is_online:
            ticket = _ticket(connection, self._sender, datetime.now(UTC), self._hidden)
            return {
                "Authorization": Secret(f"SOTicket {ticket.reveal()}"),
                "SO-AppToken": connection.client_secret,
            }
        pair = f"{connection.username}:{connection.password.reveal()}".encode()
        return {"Authorization": Secret(f"Basic {base64.b64encode(pair).decode()}")}


def _ticket(
    connection: Connection, sender: Sender, now: datetime, hidden: tuple[Secret, ...]
) -> Secret:
    key = read_key(connection.private_key)
    answer = sender.send(
        "POST",
        f"{connection.host}/Login/api/PartnerSystemUser/Authenticate",
        body=lambda: {
            "SignedSystemToken": signed_token(connection.system_user_token, key, now).reveal(),
            "ApplicationToken": connection.client_secret.reveal(),
            "ContextIdentifier": connection.tenant,
            "ReturnTokenType": "JWT",
        },
    )
    if not isinstance(answer, Answer):
        raise NotReached(f"{connection.host} cannot be reached to sign in: {answer.reason}.")
    if answer.status >= 500 or answer.status == 429:
        raise NotReached(f"{connection.host} answered {answer.status} to the sign-in.")
    token, message = _token_of(answer)
    if not token:
        raise NotSignedIn(
            _explained(redacted(message, (*connection.secrets, *hidden)), answer, now)
        )
    ticket, problem = _verified(token, connection, sender)
    if problem is not None:
        raise problem
    return ticket


def _token_of(answer: Answer) -> tuple[Secret, str]:
    """Return the token in the answer, or SuperOffice's reason for sending none."""
    try:
        data = answer.json()
    except ValueError:
        return NO_SECRET, f"an answer {answer.status} that is no JSON"
    if not isinstance(data, dict):
        return NO_SECRET, f"an answer {answer.status} that is no object"
    token = data.get("Token")
    if data.get("IsSuccessful") is True and isinstance(token, Secret):
        return token, ""
    return NO_SECRET, str(data.get("ErrorMessage") or f"an answer {answer.status}")


def _explained(message: str, answer: Answer, now: datetime) -> str:
    matching = (
        reason for pattern, reason in _REASONS if re.search(pattern, message, re.IGNORECASE)
    )
    sentence = next(matching, _UNEXPLAINED)
    return f"{sentence}{_clock(answer, now)} SuperOffice wrote: {message}"


def _clock(answer: Answer, now: datetime) -> str:
    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", ""))
        difference = now - theirs
    except (TypeError, ValueError):
        return ""
    if abs(difference) < _WRONG_CLOCK:
        return ""
    minutes = round(abs(difference) / timedelta(minutes=1))
    return f" It is {minutes} minutes {'ahead' if difference > timedelta() else 'behind'}."


def _verified(
    token: Secret, connection: Connection, sender: Sender
) -> tuple[Secret, ApiError | None]:
    """Return the ticket in the token, or the error if SuperOffice has not signed it for us."""
    answer = sender.send("GET", f"{connection.host}/login/.well-known/jwks")
    if not isinstance(answer, Answer) or answer.status != 200:
        return NO_SECRET, NotReached(
            f"{connection.host} does not show its keys, so no answer can be verified."
        )
    try:
        keys = _keys(answer.json(), jwt.get_unverified_header(token.reveal()).get("kid"))
    except Exception:
        keys = []
    for key in keys:
        try:
            return Secret(_claims(token, key, connection)), None
        except Exception:  # noqa: S112  (the next key may be the one)
            continue
    return NO_SECRET, NotRead(
        f"The answer to the sign-in is not one that {connection.host} signed for this tenant. It"
        " was not used. If it stays so, compare the clock of this machine, and ask SuperOffice."
    )


def _keys(data: Any, key_id: object) -> list[Any]:
    """Return the key with this id, in a list; all keys if the token names none."""
    keys = []
    for key in data["keys"]:
        try:
            keys.append(jwt.PyJWK.from_dict({"alg": "RS256", **key}))
        except jwt.PyJWTError:
            continue
    return [key for key in keys if key.key_id == key_id] or ([] if key_id else keys)


def _claims(token: Secret, key: Any, connection: Connection) -> str:
    serial = jwt.decode(token.reveal(), options={"verify_signature": False})[f"{_CLAIM}serial"]
    claims = jwt.decode(
        token.reveal(),
        key,
        algorithms=["RS256"],
        audience=f"spn:{serial}",
        issuer=_ISSUER,
        leeway=_LEEWAY,
        options={"require": ["exp", "iss", "aud"]},
    )
    tenant, ticket = claims.get(f"{_CLAIM}ctx"), claims[f"{_CLAIM}ticket"]
    if not isinstance(ticket, str) or not ticket or tenant not in (None, connection.tenant):
        raise ValueError
    return ticket
