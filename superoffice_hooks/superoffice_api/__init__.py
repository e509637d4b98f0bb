"""A client of SuperOffice's own API: it signs in, repeats calls where that is safe, reads rows.

Plain Python, without Django. Needs the optional extra ``superoffice``. Only this module and
``connection`` can be imported without it.
"""

from importlib.util import find_spec

NEEDED = ("httpx", "jwt", "cryptography")
"""The modules of the extra ``superoffice``."""


def is_installed() -> bool:
    """Return whether the extra ``superoffice`` is installed."""
    return all(find_spec(name) for name in NEEDED)
