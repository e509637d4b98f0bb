"""The private key of an app, as SuperOffice delivers it, and the signed system user token.

It is not checked whether the numbers of a key fit together. That takes a tenth of a second, the key
is one of our own settings, and SuperOffice refuses what a broken key signs.
"""

import base64
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .errors import NotSignedIn
from .redacting import Secret

_WRONG = (
    "The private key cannot be read ({reason}). Give it as SuperOffice delivered it (RSA-XML), as"
    " PEM without a password, or as the path of such a file."
)


def read_key(text: Secret) -> rsa.RSAPrivateKey:
    """Return the key that a PEM text, an RSA-XML text or the file at a path has.

    Raises:
        NotSignedIn: there is no such key.
    """
    key, reason = _read(text)
    if key is None:
        raise NotSignedIn(_WRONG.format(reason=reason))
    return key


def _read(text: Secret) -> tuple[rsa.RSAPrivateKey | None, str]:
    """Return the key, or the reason why there is none.

    It raises nothing: the frames of an error would show the key.
    """
    try:
        content = text.reveal().strip()
        if not content.startswith(("-----BEGIN", "<")):
            content = Path(content).read_text(encoding="utf-8-sig").strip()
        key = _from_xml(content) if content.startswith("<") else _from_pem(content)
    except OSError as error:
        return None, error.strerror or "no such file"
    except Exception as error:
        return None, type(error).__name__
    if not isinstance(key, rsa.RSAPrivateKey):
        return None, "it is no RSA key"
    return key, ""


def _from_pem(text: str) -> object:
    # In an environment variable, line ends are often written as \n.
    pem = text.replace("\\n", "\n").encode()
    return serialization.load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)


def _from_xml(text: str) -> object:
    if "<!" in text:
        raise ValueError
    root = ET.fromstring(text)  # noqa: S314  (no declarations, and from our own settings)

    def number(name: str) -> int:
        return int.from_bytes(base64.b64decode(root.findtext(name) or ""), "big")

    public = rsa.RSAPublicNumbers(number("Exponent"), number("Modulus"))
    return rsa.RSAPrivateNumbers(
        p=number("P"),
        q=number("Q"),
        d=number("D"),
        dmp1=number("DP"),
        dmq1=number("DQ"),
        iqmp=number("InverseQ"),
        public_numbers=public,
    ).private_key(unsafe_skip_rsa_key_validation=True)


def signed_token(token: Secret, key: rsa.RSAPrivateKey, now: datetime) -> Secret:
    """Return the system user token, signed for this minute; ``now`` is in UTC."""
    data = f"{token.reveal()}.{now:%Y%m%d%H%M}"
    signature = key.sign(data.encode(), padding.PKCS1v15(), hashes.SHA256())
    return Secret(f"{data}.{base64.b64encode(signature).decode()}")
