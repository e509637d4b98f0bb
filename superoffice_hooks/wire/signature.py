"""X-SuperOffice-Signature: base64(HMAC-SHA256(secret as UTF-8, raw body)).

Source: SuperOffice documentation, "Validate webhook signatures". The signature covers the body
alone, so no header can be trusted.
"""

import base64
import hmac
import re
from collections.abc import Iterable

HEADER = "X-SuperOffice-Signature"

# os.environ has lone surrogates for what is no UTF-8.
_SURROGATE = re.compile("[\ud800-\udfff]")


def sign(body: bytes, secret: str) -> str:
    """Return what SuperOffice sends in X-SuperOffice-Signature for this body and secret."""
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode("ascii")


def is_signed(body: bytes, signature: str, secrets: Iterable[object]) -> bool:
    """Return whether one of the secrets made this signature, in the same time for each of them.

    What cannot be a secret matches nothing: empty text, which everybody knows, text with lone
    surrogates, and anything that is no text.
    """
    # compare_digest refuses non-ASCII text, and a header may hold any character.
    sent = signature.strip().encode("utf-8", "surrogateescape")
    matches = [
        hmac.compare_digest(sign(body, secret).encode(), sent)
        for secret in secrets
        if isinstance(secret, str) and secret and not _SURROGATE.search(secret)
    ]
    return any(matches)
