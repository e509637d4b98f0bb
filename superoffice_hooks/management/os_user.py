"""The user of the operating system who runs a command."""

import getpass


def user_name() -> str:
    """Return the user's name, or "unknown user"."""
    try:
        return getpass.getuser()
    # Containers run as users without a name; which error says so depends on the Python.
    except (OSError, KeyError, ImportError):
        return "unknown user"
