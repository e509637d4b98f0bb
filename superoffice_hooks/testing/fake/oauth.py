"""The fake's endpoint of OAuth 2.0, for a person who has approved the application."""

import base64
import time
from urllib.parse import parse_qsl
from uuid import uuid4

from .faults import Reply, Request
from .login import CLAIM, Login, signed


class Tokens:
    """Gives access tokens for codes and for refresh tokens."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self.client_id = uuid4().hex
        self.seconds = 3600
        """How long an access token is valid."""
        self._codes: set[str] = set()
        self._refresh_tokens: set[str] = set()

    def code(self) -> str:
        """Return a code, as the redirect URL gets it when a person has approved the application."""
        code = uuid4().hex
        self._codes.add(code)
        return code

    def answer(self, request: Request, issuer: str) -> Reply:
        """Answer a form. A code can be used once, a refresh token any number of times."""
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        if self._client(request, form) != (self.client_id, self._login.client_secret):
            return Reply(401, {"error": "invalid_client"})
        if not form.get("redirect_uri"):
            return Reply(400, {"error": "invalid_request"})
        match form.get("grant_type"):
            case "authorization_code":
                known, token = self._codes, form.get("code", "")
            case "refresh_token":
                known, token = self._refresh_tokens, form.get("refresh_token", "")
            case _:
                return Reply(400, {"error": "unsupported_grant_type"})
        if self._login.is_revoked or token not in known:
            return Reply(400, {"error": "invalid_grant"})
        granted = self._granted(issuer)
        if known is self._codes:
            self._codes.discard(token)
            granted["refresh_token"] = refresh_token = uuid4().hex
            self._refresh_tokens.add(refresh_token)
        return Reply(body=granted)

    def _granted(self, issuer: str) -> dict[str, object]:
        token = f"8A:{self._login.tenant}.{uuid4().hex}"
        self._login.access_tokens[token] = time.monotonic() + self.seconds
        claims = {
            "sub": "hooks@example.com",
            "iss": issuer,
            "aud": self.client_id,
            f"{CLAIM}ctx": self._login.tenant,
            f"{CLAIM}system_token": self._login.system_user_token,
        }
        return {
            "token_type": "Bearer",
            "access_token": token,
            "expires_in": self.seconds,
            "id_token": signed(claims),
        }

    def _client(self, request: Request, form: dict[str, str]) -> tuple[str | None, str | None]:
        """Return the id and the secret of the application, from the header or the form."""
        sent = request.headers.get("authorization", "")
        if sent.startswith("Basic "):
            try:
                name, _, secret = base64.b64decode(sent[6:]).decode().partition(":")
            except ValueError:
                return None, None
            return name, secret
        return form.get("client_id"), form.get("client_secret")
