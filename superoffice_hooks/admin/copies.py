"""An event as texts to copy: its body, and what sends it again or makes a test of it."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pprint import pformat
from textwrap import indent
from typing import NamedTuple

from django.utils.functional import cached_property
from django.utils.module_loading import import_string
from django.utils.translation import gettext

from ..models import Event
from ..wire.signature import HEADER, sign
from . import display

_EXPORT = "superoffice_hooks.testing.export"
"""By name, so that no process imports the test kit before somebody opens the page."""
MAX_LITERAL = 20_000
"""Bytes of a body inside of a command; a shell takes about 100 000 for one argument."""
MAX_JSON = 200_000
"""Characters of JSON on the page."""


class Copy(NamedTuple):
    """A text to copy."""

    id: str
    words: str
    """What the button says."""
    text: str
    help: str = ""


@dataclass(frozen=True)
class Copies:
    """The texts of one event.

    A body that is long, is no UTF-8, or has characters that cannot be seen is not part of any
    text: a page or a clipboard could change it. The commands read it from a file instead.
    """

    event: Event
    url: str
    """The absolute URL of the webhook here."""
    path: str
    """The same without the host."""
    secret: str | None = None
    """Signs the body; None if the user may not have a signature."""

    def all(self) -> Iterator[Copy]:
        """Yield the texts that there are."""
        if self.is_literal:
            yield Copy("body", gettext("Copy the body as sent"), self.body.decode(), self._pruned)
        if len(text := self.as_json()) <= MAX_JSON:
            yield Copy("json", gettext("Copy as indented JSON"), text)
        if self.secret is not None:
            signed = gettext(
                "The signature was made here and is good for this body alone. Whoever has it can"
                " send the event to every endpoint with the same secret."
            )
            unsigned = gettext("There is no secret for this endpoint, so nothing is signed.")
            yield Copy(
                "curl", gettext("Copy as curl"), self.curl(), signed if self.secret else unsigned
            )
        sends = gettext(
            "Sends it to your own machine, signed with the secret of the settings there."
        )
        yield Copy("send", gettext("Copy as superoffice_send"), self.send(), sends)
        replaced = gettext(
            "Texts, the tenant, the webhook and the associate are replaced. The kit for tests"
            " delivers it."
        )
        yield Copy("fixture", gettext("Copy as a fixture for pytest"), self.fixture(), replaced)

    @cached_property
    def body(self) -> bytes:
        """Return the body; if it is pruned, the payload as JSON."""
        return bytes(self.event.body) or self.as_json().encode()

    @property
    def _pruned(self) -> str:
        if self.event.body:
            return ""
        return gettext(
            "The body is pruned. This is written from the payload; its bytes may differ."
        )

    @cached_property
    def is_literal(self) -> bool:
        """Return whether the body can be part of a text, and stays as it is when it is copied."""
        try:
            text = self.body.decode()
        except UnicodeDecodeError:
            return False
        is_whole = len(self.body) <= MAX_LITERAL and not set("\r\t") & set(text)
        return is_whole and display.is_visible(text)

    @property
    def file(self) -> str:
        """Return the name under which the body is downloaded."""
        return f"event-{self.event.pk}.json"

    def as_json(self) -> str:
        """Return the payload as indented JSON, with escapes if it has what cannot be seen."""
        text = json.dumps(self.event.payload, indent=2, ensure_ascii=False)
        if display.is_visible(text):
            return text
        return json.dumps(self.event.payload, indent=2)

    def curl(self) -> str:
        """Return a command for a POSIX shell."""
        sent = {"Content-Type": "application/json; charset=utf-8"}
        if self.secret:
            sent[HEADER] = sign(self.body, self.secret)
        words = [f"--header {shlex.quote(f'{name}: {value}')}" for name, value in sent.items()]
        data = (
            f"--data-raw {shlex.quote(self.body.decode())}"
            if self.is_literal
            else f"--data-binary @{self.file}"
        )
        return " \\\n  ".join(["curl --include", *words, data, shlex.quote(self.url)])

    def send(self) -> str:
        """Return a command for a POSIX shell, in the directory of a project."""
        url = shlex.quote(f"http://127.0.0.1:8000{self.path}")
        command = f"python manage.py superoffice_send {url}"
        if self.event.endpoint != "default":
            command += f" {shlex.quote(f'--endpoint={self.event.endpoint}')}"
        if self.is_literal:
            return f"printf %s {shlex.quote(self.body.decode())} | {command} --body -"
        return f"{command} --body {self.file}"

    def fixture(self) -> str:
        """Return a module with a pytest fixture, without what is personal in the body."""
        name = re.sub(r"\W+", "_", f"{self.event.name} {self.event.primary_key}", flags=re.ASCII)
        head = f"@pytest.fixture\ndef event_{name.strip('_')}():\n"
        literal = pformat(import_string(_EXPORT)(self.event), width=92, sort_dicts=False)
        if len(literal) > MAX_LITERAL:
            command = f"python manage.py superoffice_export {self.event.pk} > {self.file}"
            return (
                "import json\nfrom pathlib import Path\n\nimport pytest\n\n\n"
                f'{head}    """Return the body of an event, which this has written: {command}"""\n'
                f'    return json.loads(Path(__file__).with_name("{self.file}").read_bytes())\n'
            )
        if not display.is_visible(literal):
            # Such characters are only in literals, where Python reads these escapes.
            literal = literal.encode("ascii", "backslashreplace").decode()
        return (
            "import pytest\n\nfrom superoffice_hooks.testing import notification\n\n\n"
            f'{head}    """Return the body of an event: deliver(body["Event"], **body)."""\n'
            f"    sent = (\n{indent(literal, ' ' * 8)}\n    )\n"
            f"    return notification({self.event.name!a}) | sent\n"
        )
