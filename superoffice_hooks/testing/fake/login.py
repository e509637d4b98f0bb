"""The login host of the fake: the tenant's state, the system user, tickets."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import uuid4

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .faults import Reply, Request, error

CLAIM = "http://schemes.superoffice.net/identity/"
_WORKING = ("Running", "OnlineMaintenance")
_CLOCK_LIMIT = timedelta(minutes=5)


@cache
def made_up_key(name: str) -> rsa.RSAPrivateKey:
    """Return a key of this name, the same for the life of the process."""
    return rsa.generate_private_key(65537, 2048)


def as_pem(key: rsa.RSAPrivateKey) -> str:
    """Return a private key as PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def as_xml(key: rsa.RSAPrivateKey) -> str:
    """Return a private key as RSA-XML, the way SuperOffice delivers it."""
    numbers = key.private_numbers()
    public = numbers.public_numbers
    values = {
        "Modulus": public.n,
        "Exponent": public.e,
        "P": numbers.p,
        "Q": numbers.q,
        "DP": numbers.dmp1,
        "DQ": numbers.dmq1,
        "InverseQ": numbers.iqmp,
        "D": numbers.d,
    }
    parts = "".join(f"<{name}>{_base64(value)}</{name}>" for name, value in values.items())
    return f"<RSAKeyValue>{parts}</RSAKeyValue>"


def _base64(number: int) -> str:
    return base64.b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode()


def signed(claims: dict[str, Any]) -> str:
    """Return a token with these claims, signed as SuperOffice signs; it lasts five minutes."""
    now = int(datetime.now(UTC).timestamp())
    # As text, as SuperOffice's own samples have it.
    times = {"nbf": now - 60, "exp": str(now + 300)}
    # PyJWT would not encode an exp that is text.
    return jwt.api_jws.PyJWS().encode(
        json.dumps({**claims, **times}).encode(),
        made_up_key("login"),
        "RS256",
        {"kid": "new", "typ": "JWT"},
    )


class Login:
    """The login host of one tenant."""

    def __init__(self, tenant: str, *, is_on_site: bool) -> None:
        self.tenant = tenant
        self.is_on_site = is_on_site
        self.client_secret = f"client-secret-{uuid4().hex}"
        self.system_user_token = f"Fake App-{uuid4().hex[:10]}"
        self.username, self.password = "hooks", f"password-{uuid4().hex}"
        self.state = "Running"
        self.is_revoked = False
        self.valid_for = timedelta(hours=1)
        """How long an address is valid, by its ``ValidUntil``."""
        self.clock = timedelta()
        """How far SuperOffice's clock is ahead of this machine's."""
        self.tickets: set[str] = set()
        self.access_tokens: dict[str, float] = {}
        """The tokens of people, and when each ends by the monotonic clock."""

    def state_of(self, tenant: str, api: str) -> Reply:
        """Answer with the address of the tenant, and whether it runs."""
        if tenant != self.tenant:
            return error(404, "NotFound", "Unknown tenant.")
        until = datetime.now(UTC) + self.clock + self.valid_for
        return Reply(
            body={
                "ContextIdentifier": tenant,
                "Endpoint": api.removesuffix("/api"),
                "State": self.state,
                "IsRunning": self.state in _WORKING,
                "ValidUntil": f"{until:%Y-%m-%dT%H:%M:%S.%f}1Z",
                "Api": api,
                "Version": "Release_of_the_fake",
            }
        )

    def authenticate(self, request: Request) -> Reply:
        """Answer a system user who signs in."""
        said = request.json if isinstance(request.json, dict) else {}
        problem = self._problem(said)
        if problem:
            return Reply(body={"IsSuccessful": False, "Token": None, "ErrorMessage": problem})
        ticket = f"7T:{base64.b64encode(uuid4().bytes * 2).decode()}"
        self.tickets.add(ticket)
        return Reply(
            body={"IsSuccessful": True, "Token": self._token(ticket), "ErrorMessage": None}
        )

    def _problem(self, said: dict[str, Any]) -> str:
        data, _, signature = str(said.get("SignedSystemToken")).rpartition(".")
        token, _, minute = data.rpartition(".")
        known = (said.get("ApplicationToken"), said.get("ContextIdentifier"), token)
        if self.is_revoked:
            return "Revoked"
        if known != (self.client_secret, self.tenant, self.system_user_token):
            return "The application, the tenant or the token is not known."
        try:
            made_up_key("app").public_key().verify(
                base64.b64decode(signature), data.encode(), padding.PKCS1v15(), hashes.SHA256()
            )
            signed_at = datetime.strptime(minute, "%Y%m%d%H%M").replace(tzinfo=UTC)
        except (InvalidSignature, ValueError):
            return "InvalidSignature"
        if abs(datetime.now(UTC) + self.clock - signed_at) > _CLOCK_LIMIT:
            return "InvalidTimestamp"
        return ""

    def _token(self, ticket: str) -> str:
        return signed(
            {
                "sub": "fake",
                "iss": "SuperOffice AS",
                "aud": "spn:1801550193",
                f"{CLAIM}ticket": ticket,
                f"{CLAIM}serial": "1801550193",
                f"{CLAIM}ctx": self.tenant,
            }
        )

    def keys(self) -> Reply:
        """Answer with the keys that verify tokens; the first one is out of date."""
        keys = []
        for name, key_id in (("app", "old"), ("login", "new")):
            public = jwt.algorithms.RSAAlgorithm.to_jwk(made_up_key(name).public_key())
            keys.append({**json.loads(public), "kid": key_id, "use": "sig"})
        return Reply(body={"keys": keys})

    def refuses(self, request: Request) -> Reply | None:
        """Answer a call that is not signed in; None if it is."""
        sent = request.headers.get("authorization", "")
        if self.is_on_site:
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            is_known = sent == f"Basic {pair}"
        elif sent.startswith("Bearer "):
            is_known = self.access_tokens.get(sent.removeprefix("Bearer "), 0) > time.monotonic()
        else:
            is_known = (
                sent.removeprefix("SOTicket ") in self.tickets
                and request.headers.get("so-apptoken") == self.client_secret
            )
        return None if is_known else error(401, "SoSecurityException", "Not signed in.")

    @property
    def is_closed(self) -> bool:
        """Return whether the API is closed, because of the tenant's state."""
        return self.state not in _WORKING
