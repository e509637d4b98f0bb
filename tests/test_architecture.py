"""docs/architecture.md is the map of the package: it names what is there, and nothing else."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
PACKAGE = PROJECT / "superoffice_hooks"
MAP = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROOMS, _, FLOWS = MAP.partition("## What may import what")
PUBLIC = {"exceptions", "models", "signals", "testing", "urls"}
# Of every package, and not worth a row.
UNNAMED = {"__init__.py", "__pycache__"}
PLACES = sorted(set(re.findall(r"`([\w/]+\.py)` `([\w.]+)(?:\(\))?`", FLOWS)))
LAYERS = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]["contracts"][0]["layers"]


def test_each_entry_of_the_package_has_its_row_and_no_other_has():
    named = {
        name.rstrip("/")
        for row in re.findall(r"^\| (`[^|]*`) \|", ROOMS, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", row)
    }
    assert named == {path.name for path in PACKAGE.iterdir()} - UNNAMED


STORIES = set(re.findall(r"^### `(\w+)/`$", MAP, re.MULTILINE))


def test_rooms_that_tell_a_story_have_their_files_listed():
    doors = {"admin", "api", "checks", "contrib", "door", "management", "testing"}
    plain = {"locale", "migrations", "static", "templates", "superoffice_api", "wire"}
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()} - UNNAMED
    assert rooms - doors - plain == STORIES


@pytest.mark.parametrize("room", sorted(STORIES))
def test_each_file_of_a_room_has_its_line_and_no_other_has(room):
    files = {
        path.relative_to(PACKAGE).as_posix()
        for path in (PACKAGE / room).rglob("*.py")
        # One that only says what the room is for has its row above.
        if path.name != "__init__.py" or len(path.read_text(encoding="utf-8").splitlines()) > 40
    }
    listed = re.findall(rf"^\| `({room}/[\w/]+\.py)` \|", FLOWS, re.MULTILINE)
    assert sorted(listed) == sorted(files)


OPENING = {
    "models/transactions.py",
    # Around an INSERT, inside a transaction of others.
    "models/inserting.py",
    # That of a receiver, under the project's level.
    "dispatching/calling.py",
}


def test_transactions_of_our_own_are_opened_in_one_place():
    """On MariaDB under REPEATABLE READ, others would lock gaps and deadlock."""
    opening = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "atomic(" in path.read_text(encoding="utf-8").replace("in_atomic(", "")
    }
    assert opening == OPENING


def test_the_layers_are_those_that_are_checked():
    block = re.search(r"^```\n(.*?)^```", FLOWS, re.DOTALL | re.MULTILINE)
    assert block
    assert block[1].splitlines() == [re.sub(r"[()]", "", layer) for layer in LAYERS]


def test_the_flows_name_functions():
    assert len(PLACES) > 20


@pytest.mark.parametrize(("path", "name"), PLACES)
def test_each_place_of_a_flow_exists(path, name):
    nodes: list[ast.stmt] = ast.parse((PACKAGE / path).read_text(encoding="utf-8")).body
    for part in name.split("."):
        defined = {
            node.name: node.body
            for node in nodes
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert part in defined
        nodes = defined[part]


def test_each_story_is_told_in_a_dozen_lines():
    for heading in ("A delivery", "A dispatch", "A replay"):
        told = MAP.partition(f"## {heading}\n")[2].partition("\n## ")[0]
        assert 5 < len(re.findall(r"^\d+\. ", told, re.MULTILINE)) <= 12


def test_each_named_file_exists():
    for path in re.findall(r"`((?:[\w]+/)+[\w]*\.?\w*)`", MAP):
        assert (PACKAGE / path).exists() or (PROJECT / path).exists(), path


def test_the_example_project_uses_the_public_interface_alone():
    used = set()
    for path in (PROJECT / "example_project").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("superoffice"):
                used.add((node.module or "").partition(".")[2])
    assert used
    assert used <= PUBLIC
