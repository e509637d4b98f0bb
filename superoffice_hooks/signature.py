"""X-SuperOffice-Signature: base64(HMAC-SHA256(secret as UTF-8, raw body)).

Source: SuperOffice documentation, "Validate webhook signatures". The signature covers the body
alone, so nothing in a header can be trusted on its word.
"""

import base64
import hmac
from collections.abc import Iterable, Iterator

HEADER = "X-SuperOffice-Signature"


def sign(body: bytes, secret: str) -> str:
    """Return what SuperOffice sends in X-SuperOffice-Signature for this body and secret."""
    return _signed_with(body, secret.encode())


def is_signed(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    """Return whether one of the secrets made this signature; takes as long whichever it was.

    What cannot be a secret matches nothing: empty text, because anybody could sign with it, text
    with lone surrogates, and anything that is no text.
    """
    # compare_digest refuses non-ASCII text, and a header may hold any character.
    sent = signature.strip().encode("utf-8", "surrogateescape")
    matches = [
        hmac.compare_digest(_signed_with(body, key).encode(), sent) for key in _keys(secrets)
    ]
    return any(matches)


def _signed_with(body: bytes, key: bytes) -> str:
    return base64.b64encode(hmac.digest(key, body, "sha256")).decode("ascii")


def _keys(secrets: Iterable[object]) -> Iterator[bytes]:
    for secret in secrets:
        if isinstance(secret, str) and secret:
            try:
                yield secret.encode()
            # os.environ gives lone surrogates for what is no UTF-8.
            except UnicodeEncodeError:
                continue
