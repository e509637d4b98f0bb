"""The fingerprint of a failure: what tells one cause of failures from another.

It is made of the exception's type and of the frame of the project's own code in which it came up:
the file and the function, not the line, which changes with every edit above it.
"""

import hashlib
import site
import sys
import sysconfig
import traceback
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from django.utils.module_loading import import_string

from .. import conf
from ..exceptions import ends_the_process
from ..wire.logs import get_logger
from ..wire.values import storable_text

logger = get_logger(__name__)

MAX_LENGTH = 255
"""Characters that are kept of an exception's name, and of a frame. All count for the key."""

_LIBRARY_PARTS = {"site-packages", "dist-packages"}
_OURS = Path(__file__).parent.parent


class Fingerprint(NamedTuple):
    """The cause of a failure of one receiver."""

    receiver: str
    """The dotted path."""
    exception: str
    """The exception's type: ``KeyError``, ``requests.exceptions.ConnectionError``."""
    frame: str
    """``helpdesk/receivers.py:escalate``; empty if no code of the project was running."""
    key: str
    """A hash. Failures with the same key are in the same group."""


def fingerprint(error: BaseException, event: Any, receiver: str) -> Fingerprint:
    """Return the fingerprint of what a receiver, known by its dotted path, raised for an event."""
    exception, frame = _name_of(error), _own_frame(error, receiver)
    own = _by_setting(error, event, receiver)
    parts = (receiver, exception, frame) if own is None else (receiver, own)
    text = "\0".join(parts).encode(errors="backslashreplace")
    return Fingerprint(
        receiver,
        storable_text(exception)[:MAX_LENGTH],
        storable_text(frame)[-MAX_LENGTH:],
        hashlib.sha256(text).hexdigest(),
    )


def _by_setting(error: BaseException, event: Any, receiver: str) -> str | None:
    """Return what FAILURE_FINGERPRINT makes of a failure; None if it leaves that to us."""
    chosen = conf.current().FAILURE_FINGERPRINT
    if chosen is None:
        return None
    try:
        function = import_string(chosen) if isinstance(chosen, str) else chosen
        text = function(error=error, event=event, receiver=receiver)
    # Whatever the project's code raises, the failure itself is what has to be recorded.
    except BaseException as raised:
        if ends_the_process(raised):
            raise
        logger.warning(
            "%s['FAILURE_FINGERPRINT'] raised for a failure of %s. The failure is grouped as if"
            " the setting were left out.",
            conf.SETTING,
            receiver,
            exc_info=True,
        )
        return None
    if text is None or (isinstance(text, str) and text):
        return text
    logger.warning(
        "%s['FAILURE_FINGERPRINT'] returned a value of type %s for a failure of %s, and not a text"
        " or None. The failure is grouped as if the setting were left out.",
        conf.SETTING,
        type(text).__name__,
        receiver,
    )
    return None


def _name_of(error: BaseException) -> str:
    """Return the name of an exception's type, without the module of Python's own ones."""
    kind = type(error)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _own_frame(error: BaseException, receiver: str) -> str:
    """Return the frame of the project's own code that is nearest to where an error was raised.

    A project that is installed as a package is among the libraries; so what is in the receiver's
    own top-level package counts as the project's too.
    """
    package = receiver.partition(".")[0]
    for frame, _line in reversed(list(traceback.walk_tb(error.__traceback__))):
        code = frame.f_code
        module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if module == package or not _is_library(code.co_filename):
            return f"{_short(code.co_filename)}:{code.co_qualname}"
    return ""


@lru_cache(maxsize=1000)
def _is_library(filename: str) -> bool:
    """Return whether a file belongs to Python, to a package that is installed, or to us."""
    path = Path(filename)
    # Python names code that is in no file <string> or <frozen importlib>.
    if filename.startswith("<") or not _LIBRARY_PARTS.isdisjoint(path.parts):
        return True
    return any(path.is_relative_to(folder) for folder in _library_folders())


@lru_cache(maxsize=1)
def _library_folders() -> frozenset[Path]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = {sysconfig.get_path(name) for name in names} | {*site.getsitepackages()}
    return frozenset({_OURS, *(Path(folder) for folder in folders if folder)})


@lru_cache(maxsize=1000)
def _short(filename: str) -> str:
    """Return a file's path from the folder that it was imported from.

    So it is the same on every machine and in every release that has a folder of its own.
    """
    path = Path(filename)
    folders = [Path(folder) for folder in sys.path if folder and path.is_relative_to(folder)]
    if not folders:
        return "/".join(path.parts[-2:])
    return path.relative_to(max(folders, key=lambda folder: len(folder.parts))).as_posix()
