"""Brings the translations up to date: ``make messages``.

Reads the strings marked for translation from the code and the templates, as Django's makemessages
does, but through Babel, so that no gettext tools need to be installed; merges them into each
language's django.po, and compiles django.mo.
"""

import re
import sys
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

PACKAGE = Path(__file__).parent.parent / "superoffice_hooks"
LOCALE = PACKAGE / "locale"
LANGUAGES = ("da", "de", "nb", "nl", "sv")
_KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
}

# What templatize leaves of a template: calls as in Python, among remains that are none.
_CALL = re.compile(r"""\bn?p?gettext\((?:[^'"()]|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")*\)""")


def marked() -> Catalog:
    """Every string that is marked for translation, with where it stands."""
    catalog = Catalog(charset="utf-8", fuzzy=False)
    for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.html")]):
        if "migrations" in path.parts:
            continue
        source = path.read_text(encoding="utf-8")
        python = "\n".join(_CALL.findall(templatize(source))) if is_template(path) else source
        where = path.relative_to(PACKAGE).as_posix()
        for _, message, comments, context in extract(
            "python", BytesIO(python.encode()), _KEYWORDS, ("Translators:",)
        ):
            flags = {"python-format"} if "%(" in str(message) else set()
            catalog.add(message, None, [(where, 0)], flags, comments, context=context)
    return catalog


def is_template(path: Path) -> bool:
    return path.suffix == ".html"


def translated(language: str) -> Catalog:
    """The translations that are there."""
    path = LOCALE / language / "LC_MESSAGES" / "django.po"
    if not path.exists():
        return Catalog(language, charset="utf-8", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, language, charset="utf-8")


def update(language: str) -> Catalog:
    """Merge what is marked into a language's files; what is new there waits for a translator."""
    catalog = translated(language)
    catalog.update(marked(), no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    catalog.header_comment = (
        "# The admin of superoffice_hooks; brought up to date by `make messages`."
    )
    catalog.project, catalog.version = "superoffice_hooks", "1"
    catalog.msgid_bugs_address = catalog.last_translator = catalog.language_team = ""
    catalog.fuzzy = False
    folder = LOCALE / language / "LC_MESSAGES"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "django.po").open("wb") as file:
        write_po(
            file, catalog, width=100, omit_header=False, sort_output=True, include_lineno=False
        )
    with (folder / "django.mo").open("wb") as file:
        write_mo(file, catalog)
    return catalog


def is_translated(message: Message) -> bool:
    """Whether each of its forms is; the header is no message."""
    forms = message.string if isinstance(message.string, tuple) else (message.string,)
    return not message.id or (all(forms) and not message.fuzzy)


if __name__ == "__main__":
    for language in LANGUAGES:
        missing = [message for message in update(language) if not is_translated(message)]
        sys.stdout.write(f"{language}: {len(missing)} strings have no translation.\n")
