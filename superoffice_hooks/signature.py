"""X-SuperOffice-Signature: base64(HMAC-SHA256(secret as UTF-8, raw body)).

Source: SuperOffice documentation, "Validate webhook signatures". The signature covers the body
alone, so nothing in a header can be trusted on its word.
"""

import base64
import hmac
from collections.abc import Iterable

HEADER = "X-SuperOffice-Signature"


def sign(body: bytes, secret: str) -> str:
    """The value SuperOffice sends in X-SuperOffice-Signature for this body and secret."""
    digest = hmac.digest(secret.encode(), body, "sha256")
    return base64.b64encode(digest).decode("ascii")


def is_signed(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    """Whether one of the secrets made this signature; takes as long whichever it was.

    An empty secret never matches: anybody could sign with it.
    """
    # compare_digest refuses non-ASCII text, and a header may hold any character.
    sent = signature.strip().encode("utf-8", "surrogateescape")
    matches = [
        hmac.compare_digest(sign(body, secret).encode(), sent) for secret in secrets if secret
    ]
    return any(matches)
