"""The words of the package are plain: some are retired, because they make a reader stop."""

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "superoffice_hooks"
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if "migrations" not in path.parts]

RETIRED = re.compile(
    r"\b(asked|given|found|told|few|most|whoever|whatever|moments?|stor(y|ies)|listeners?"
    r"|in hand)\b",
    re.IGNORECASE,
)
RETIRED_IN_NAMES = re.compile(rf"{RETIRED.pattern}|\bwhy\b", re.IGNORECASE)
# Names of Python's, Django's and REST framework's, and an option that users of debounces know.
ALLOWED = {"has_listeners", "most_common", "FileNotFoundError", "NotFound", "NOT_FOUND", "at_most"}
# Keyword arguments whose texts people read: in forms, in commands, in the schema.
TEXTS = {"help", "help_text", "label", "description"}
# How a docstring begins that says what something is, and not what a function does.
NO_VERB = re.compile(
    r"(A|An|As|For|From|How|Of|One|The|Those|What|When|Where|Whether|Which|Who|Whom|Why)\b"
)


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def names(source: str) -> Iterator[str]:
    lines = iter(source.splitlines(keepends=True))
    for token in tokenize.generate_tokens(lambda: next(lines, "")):
        if token.type == tokenize.NAME and token.string not in ALLOWED:
            yield token.string


def words(name: str) -> str:
    """``is_aWord`` as ``is a Word``."""
    return re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).replace("_", " ")


def texts(source: str) -> Iterator[str]:
    """Docstrings, of attributes too, and the texts that people read."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)
        if isinstance(node, ast.keyword) and node.arg in TEXTS:
            for part in ast.walk(node.value):
                if isinstance(part, ast.Constant):
                    yield str(part.value)


def function_docstrings(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


@pytest.mark.parametrize("path", FILES, ids=relative)
class TestEachFile:
    def test_no_name_is_made_of_a_retired_word(self, path):
        source = path.read_text(encoding="utf-8")
        assert {name for name in names(source) if RETIRED_IN_NAMES.search(words(name))} == set()

    def test_no_docstring_and_no_help_has_a_retired_word(self, path):
        source = path.read_text(encoding="utf-8")
        assert [text for text in texts(source) if RETIRED.search(text)] == []

    def test_the_docstring_of_a_function_begins_with_what_it_does(self, path):
        source = path.read_text(encoding="utf-8")
        assert [text for text in function_docstrings(source) if NO_VERB.match(text)] == []


@pytest.mark.parametrize("name", ["is_asked", "MOST_ROWS", "TheStory", "listeners", "why", "few"])
def test_a_retired_word_is_found_in_a_name(name):
    assert RETIRED_IN_NAMES.search(words(name))


@pytest.mark.parametrize("name", ["history", "almost", "reason", "whyever", "foundation"])
def test_no_word_is_mistaken_for_a_retired_one(name):
    assert not RETIRED_IN_NAMES.search(words(name))


def test_texts_that_people_read_are_looked_at():
    source = '"""Docs."""\nx = 1\n"""Of x."""\nf(help=f"At {x} most.")\n'
    assert [text for text in texts(source) if text != "1"] == ["Docs.", "Of x.", "At ", " most."]
