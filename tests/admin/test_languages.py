"""Every page speaks the language of its reader, but for what came from outside."""

import re
from html.parser import HTMLParser

import pytest
from django.utils.translation import trans_real

from superoffice_hooks import signals
from superoffice_hooks.models import FailureGroup, Rejection, Replay

from ..browser.places import PLACES
from ..conftest import body
from .conftest import EVENTS, GROUPS, REJECTIONS, raises
from .page import Page

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.words,
    pytest.mark.usefixtures("one_attempt", "rows"),
]

ALL_PLACES = {
    **PLACES,
    "app": lambda: "/admin/superoffice_hooks/",
    "handle the events of a group": lambda: f"{GROUPS}{FailureGroup.objects.get().pk}/handle/",
    "resolve": lambda: f"{GROUPS}{FailureGroup.objects.get().pk}/resolve/",
    "a filter that is wrong": lambda: f"{EVENTS}?received=soon&name=a&own=yes",
    "a window that is wrong": lambda: f"{EVENTS}overview/?since=2100-01-01",
    "an event that is gone": lambda: f"{EVENTS}99999/change/",
    "rejections filtered": lambda: f"{REJECTIONS}?reason=signature+missing",
    "a refusal": lambda: f"{REJECTIONS}{Rejection.objects.get(verified=False).pk}/change/",
}
FROM_OUTSIDE = re.compile(
    r"(?<!\w)(ticket|priority|status|title|changed|y_table\d+|[Dd]efault|Cust\w+|Desk"
    r"|tests|admin|conftest|raises|py|ValueError|KeyError|no <b>such</b>|not storable"
    r"|anna on crm1|rita|bob|a test|soon|Name you provided|Content-Type|application/json"
    r"|charset|utf-8|\w+ pid \d+|CET|UTC|[0-9a-f]{8}-[0-9a-f-]{27}|https?://\S+)(?!\w)"
)
"""What the pages show of rows: names of SuperOffice, texts of errors, people."""
# Of the picture beside the search field, in Django's own template.
OF_DJANGO = {"Search"}
DESCRIPTIONS = re.compile(r"^(Priority|Status|Title|The (status|title) of the ticket\b.*)$")
"""SuperOffice describes its fields in English alone."""
AROUND = " |\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
SAID = re.compile("⟦[^⟦⟧]*⟧")


class Words(HTMLParser):
    """What a person reads or hears of a page, besides code."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._of_code: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in {"code", "pre", "script", "style"}:
            self._of_code.append(tag)
        names = ["title", "aria-label", "data-label", "placeholder", "alt"]
        if given.get("type") == "submit":
            names.append("value")
        self.found += [given[name] for name in names if given.get(name)]

    def handle_endtag(self, tag: str) -> None:
        if self._of_code and self._of_code[-1] == tag:
            self._of_code.pop()

    def handle_data(self, data: str) -> None:
        if not self._of_code:
            self.found.append(data)


@pytest.fixture
def rows(post, connect, event, rejected):
    """A failed event, a replay, and a rejection of each kind."""
    connect(signals.ticket_changed, raises)
    event()
    post(body(), secret=None)
    rejected(body())
    Replay.objects.create(who="bob", reason="a test")


@pytest.fixture
def marked_translations(monkeypatch):
    """Everything that goes through a translation has brackets, with what is put into it."""
    for name in ("gettext", "ngettext", "pgettext", "npgettext"):
        original = getattr(trans_real.DjangoTranslation, name)

        def marked(catalog, *texts, original=original):
            said = original(catalog, *texts)
            return f"⟦{said}⟧" if said else said

        monkeypatch.setattr(trans_real.DjangoTranslation, name, marked)


@pytest.mark.parametrize("place", ALL_PLACES)
def test_no_word_of_a_page_is_left_out_of_the_translations(
    marked_translations, settings, replayer, place
):
    settings.LANGUAGE_CODE = "de"
    url = ALL_PLACES[place]()
    words = "\n".join(Words(Page.get(replayer, url).html).found)
    while SAID.search(words):
        words = SAID.sub("", words)
    lines = {line.strip(AROUND) for line in words.splitlines()} - OF_DJANGO
    left = {line for line in lines if not DESCRIPTIONS.match(line)}
    assert {line for line in left if re.search("[A-Za-z]{2}", FROM_OUTSIDE.sub("", line))} == set()
