"""Select the lines of a stored traceback that belong to the project's own code."""

import re
from collections.abc import Iterator
from pathlib import Path

_FRAME = re.compile(r'(?P<margin>[ |]*) {2}File "(?P<file>.*)", line \d+')
_HEADER = re.compile(r"[ +|-]*(Exception Group )?Traceback \(most recent call last\):")
# It may come from another machine, so nothing is known but the names of folders.
_LIBRARY = re.compile(r"^<|[/\\](site|dist)-packages[/\\]|[/\\]lib(64)?[/\\]python[\d.]+[/\\]")
_OURS = str(Path(__file__).parent.parent)


def own_lines(traceback: str, receiver: str) -> str:
    """Return a traceback without the frames of libraries; empty if it has only these.

    A project that is installed as a package is among the libraries; so what is in the receiver's
    own top-level package counts as the project's too.
    """
    package = receiver.partition(".")[0]
    parts = list(_parts(traceback))
    own = [(file, lines) for file, lines in parts if not file or is_own(file, package)]
    if not any(file for file, _lines in own):
        return ""
    return "\n".join(line for _file, lines in own for line in lines).strip("\n")


def is_own(file: str, package: str = "") -> bool:
    """Return whether a file belongs to the project: not to Python, nor to a library, nor to us."""
    if package and re.search(rf"[/\\](site|dist)-packages[/\\]{re.escape(package)}[/\\.]", file):
        return True
    return not (_LIBRARY.search(file) or file.startswith(_OURS))


def _parts(traceback: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each frame with the name of its file, and lines between frames with an empty name."""
    file, margin, lines = "", "", list[str]()
    for line in traceback.splitlines():
        frame = _FRAME.match(line)
        is_of_frame = file and line.startswith(f"{margin}    ")
        if frame or not is_of_frame:
            if lines:
                yield file, lines
            file, lines = (frame["file"], []) if frame else ("", [])
            margin = frame["margin"] if frame else ""
        if not _HEADER.fullmatch(line):
            lines.append(line)
    if lines:
        yield file, lines
