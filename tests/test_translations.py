"""Translations: complete, up to date, compiled, and shown."""

from gettext import GNUTranslations

import pytest
from babel.messages.catalog import Catalog, Message
from django.utils import translation

from superoffice_hooks.admin.summary import summary
from superoffice_hooks.models import Event

from .admin.conftest import EVENTS, logged_in
from .conftest import body
from .messages import LANGUAGES, LOCALE, is_translated, marked, translated


def test_there_is_a_language_for_each_country_superoffice_is_strong_in():
    assert sorted(path.name for path in LOCALE.iterdir()) == list(LANGUAGES)


@pytest.fixture(scope="module")
def strings() -> Catalog:
    """Every string that is marked, looked for once."""
    return marked()


@pytest.mark.parametrize("language", LANGUAGES)
class TestEachLanguage:
    def test_no_string_is_missing_and_none_is_left_over(self, language, strings):
        wanted = {(message.id, message.context) for message in strings if message.id}
        found = {(message.id, message.context) for message in translated(language) if message.id}
        assert wanted - found == set()
        assert found - wanted == set()

    def test_every_string_is_translated(self, language):
        assert [m.id for m in translated(language) if not is_translated(m)] == []

    def test_placeholders_are_those_of_the_source(self, language):
        assert [error for _, errors in translated(language).check() for error in errors] == []

    def test_what_is_compiled_is_what_is_written(self, language):
        with (LOCALE / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
            shipped = GNUTranslations(file)
        assert [m.id for m in translated(language) if said(shipped, m) != m.string] == []


def said(shipped: GNUTranslations, message: Message) -> str | tuple[str, ...]:
    """What the compiled file says for a message, in each of its forms."""
    if not isinstance(message.id, str):
        one, many = message.id
        return tuple(shipped.ngettext(one, many, number) for number in (1, 2))
    if message.context:
        return shipped.pgettext(message.context, message.id)
    return shipped.gettext(message.id) if message.id else str(message.string)


def test_strings_of_code_and_templates_are_both_found(strings):
    found = {str(message.id) for message in strings}
    # From a model, from a template, and a plural of each.
    assert {"event", "Before", "Mark as handled"} <= found
    assert any("%(count)d more field" in one for one in found)
    assert any("event is selected" in one for one in found)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("da", "hændelse"),
        ("de", "Ereignis"),
        ("nb", "hendelse"),
        ("nl", "gebeurtenis"),
        ("sv", "händelse"),
    ],
)
@pytest.mark.words
@pytest.mark.django_db
def test_the_admin_speaks_the_language(post, settings, language, words):
    post(body(Changes=["priority"]))
    settings.LANGUAGE_CODE = language
    client = logged_in("sue", is_staff=True, is_superuser=True)
    event = Event.objects.get()
    for url in (EVENTS, f"{EVENTS}{event.pk}/change/", f"{EVENTS}overview/"):
        page = client.get(url).content.decode()
        assert words in page
        assert "Changed fields" not in page
    with translation.override(language):
        assert "527331" in summary(event)
        assert "was received" not in summary(event)
