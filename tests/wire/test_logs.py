"""No text from outside leaves its line in a log, or acts on a terminal."""

import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import superoffice_hooks
from superoffice_hooks import signals
from superoffice_hooks.models import ChangedField, Event, Redelivery, Rejection
from superoffice_hooks.wire.logs import get_logger
from superoffice_hooks.wire.values import one_line

from ..conftest import URL, body

KINDS = {
    "line feed": "\n",
    "carriage return": "\r",
    "next line": "\x85",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "escape sequence": "\x1b[31m",
    "one-byte escape sequence": "\x9b31m",
    "backspace": "\b",
    "delete": "\x7f",
    "NUL": "\x00",
    "right-to-left override": "\u202e",
    "isolate": "\u2066",
    "zero width space": "\u200b",
    "byte order mark": "\ufeff",
    "lone surrogate": "\ud800",
}
of_each_kind = pytest.mark.parametrize("char", KINDS.values(), ids=KINDS)
FORGED = "2026-11-26 CRITICAL forged"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a handler writes, one entry a line, each line of a traceback indented."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logging.getLogger("superoffice_hooks").addHandler(handler)
    yield stream
    logging.getLogger("superoffice_hooks").removeHandler(handler)


class HasNoGroup(ExceptionGroup):
    @property
    def exceptions(self):
        raise RuntimeError("it has none")


PLACE: Any = ("receivers.py", 1, 1, b"no text")
CANNOT_BE_SHOWN = [SyntaxError("no", PLACE), HasNoGroup("no", [ValueError()])]


@pytest.mark.parametrize("error", CANNOT_BE_SHOWN, ids=lambda error: type(error).__name__)
def test_an_error_that_cannot_be_shown_does_not_come_out_of_the_call_that_logs(log, error):
    try:
        raise error  # noqa: TRY301
    except Exception:
        get_logger("superoffice_hooks.tests").exception("It failed")
    lines = log.getvalue().splitlines()
    assert lines[0] == "ERROR It failed"
    assert "test_logs.py" in lines[1]
    assert lines[-1].endswith(f"{type(error).__qualname__}: (the message cannot be shown)")


def is_clean(text: str) -> bool:
    """Whether each line is harmless and begins as ours do."""
    lines = text.split("\n")
    return all(line.isprintable() for line in lines) and not any(
        line.startswith((FORGED, "forged")) for line in lines
    )


@of_each_kind
def test_one_line_shows_a_character_by_its_code(char):
    shown = one_line(f"a{char}b")
    assert shown.isprintable()
    assert re.fullmatch(r"a\\(x|u|n|r)[0-9a-f]*(\[?31m)?b", shown)


def test_one_line_leaves_text_of_any_language_as_it_is():
    assert one_line("Tønsberg-2, 北京, 😀") == "Tønsberg-2, 北京, 😀"


def test_one_line_cuts_what_is_too_long():
    assert one_line("x" * 1000) == "x" * 199 + "…"
    assert len(one_line("x" * 1000, 50)) == 50


@of_each_kind
@pytest.mark.django_db
def test_the_endpoint_of_a_refused_delivery_forges_nothing(post, log, char):
    endpoint = quote(f"x{char}{FORGED}", errors="surrogatepass")
    assert post(body(), url=f"{URL}{endpoint}/").status_code == 404
    assert "was refused" in log.getvalue()
    assert is_clean(log.getvalue())


@of_each_kind
@pytest.mark.django_db
def test_signed_names_forge_nothing_in_what_rows_are_called(post, log, connect, char):
    def fails(event, **kwargs):
        raise ValueError(event.webhook_name)

    connect(signals.any_event, fails)
    name = f"y{char}{FORGED}.changed"
    sent = body(name, WebhookName=f"{char}\n{FORGED}", Changes=[f"a{char}{FORGED}"])
    assert post(sent).status_code == 200
    post(sent)
    rows = [Event.objects.get(), ChangedField.objects.get(), Redelivery.objects.get()]
    assert all(str(row).isprintable() for row in rows)
    assert "raised for" in log.getvalue()
    assert is_clean(log.getvalue())


def test_the_reason_of_a_rejection_forges_nothing():
    from django.utils import timezone

    rejection = Rejection(reason=f"\n{FORGED}", received_at=timezone.now())
    assert str(rejection).isprintable()


class TestAnyLogger:
    @pytest.fixture
    def logger(self) -> logging.Logger:
        return get_logger("superoffice_hooks.of_a_test")

    @of_each_kind
    def test_arguments_and_tracebacks_stay_in_their_lines(self, logger, log, char):
        try:
            try:
                _ = dict[str, str]()[f"{char}\n{FORGED}"]
            except KeyError as error:
                raise ValueError(f"x{char}\n{FORGED}\n") from error
        except ValueError:
            logger.exception("It stumbled over %s at 100%%", f"{char}\n{FORGED}")
        assert is_clean(log.getvalue())
        assert "It stumbled over" in log.getvalue()
        assert "ValueError: x" in log.getvalue()

    def test_an_ordinary_record_keeps_its_template_and_its_arguments(self, logger, caplog):
        logger.warning("%d of %s", 3, "Tønsberg")
        assert (caplog.records[0].msg, caplog.records[0].args) == ("%d of %s", (3, "Tønsberg"))

    def test_a_long_line_is_cut(self, logger, log):
        logger.warning("%s", "x" * 1_000_000)
        assert len(log.getvalue()) < 1100

    def test_an_argument_that_cannot_be_shown_costs_the_caller_nothing(self, logger, monkeypatch):
        class Broken:
            def __str__(self):
                raise RuntimeError

        monkeypatch.setattr(logging, "raiseExceptions", False)
        logger.warning("%s", Broken())


def test_no_module_has_a_logger_of_another_kind():
    package = Path(superoffice_hooks.__file__).parent
    others = [
        path.name
        for path in package.rglob("*.py")
        if "logging.getLogger(" in path.read_text(encoding="utf-8") and path.name != "logs.py"
    ]
    assert others == []
