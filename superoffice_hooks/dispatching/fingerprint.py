"""Make the fingerprint of a failure. Failures with the same fingerprint have the same cause.

It has the type of the exception and the frame of the project's own code in which it was raised: the
file and the function, but not the line, which changes with each edit above it.
"""

import hashlib
import site
import sys
import sysconfig
import traceback
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.utils.module_loading import import_string

from .. import conf
from ..exceptions import ends_the_process
from ..models.failure_group import MAX_LENGTH, Fingerprint
from ..wire.logs import get_logger
from ..wire.values import storable_text

logger = get_logger(__name__)

_LIBRARY_PARTS = {"site-packages", "dist-packages"}
_OURS = Path(__file__).parent.parent


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
    """Return the text of FAILURE_FINGERPRINT for a failure; None for our own fingerprint."""
    chosen = conf.current().FAILURE_FINGERPRINT
    if chosen is None:
        return None
    try:
        function = import_string(chosen) if isinstance(chosen, str) else chosen
        text = function(error=error, event=event, receiver=receiver)
    # An error of the project's function must not keep the failure from being recorded.
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
    """Return the name of an exception's type; without a module if it is one of Python's own."""
    kind = type(error)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _own_frame(error: BaseException, receiver: str) -> str:
    """Return the frame of the project's own code that is nearest to where an error was raised.

    A project that is installed as a package is among the libraries. So the top-level package of the
    receiver counts as code of the project.
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
    # Code that is in no file has a name like <string> or <frozen importlib>.
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
    """Return the path of a file below the folder that it was imported from.

    So it is the same on each machine, and in each release that has a folder of its own.
    """
    path = Path(filename)
    folders = [Path(folder) for folder in sys.path if folder and path.is_relative_to(folder)]
    if not folders:
        return "/".join(path.parts[-2:])
    return path.relative_to(max(folders, key=lambda folder: len(folder.parts))).as_posix()
