"""The documentation names everything that exists and nothing that does not, and its code runs."""

import ast
import inspect
import json
import re
import shlex
import tomllib
import unittest
from argparse import ArgumentParser
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import global_settings
from django.contrib.auth.models import Permission
from django.core.management import BaseCommand, call_command, load_command_class
from django.dispatch import Signal
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import checks, conf, exceptions, models, signals
from superoffice_hooks.management import commands
from superoffice_hooks.models.event_queryset import EventQuerySet
from superoffice_hooks.replay import criteria
from superoffice_hooks.wire import event_names
from superoffice_hooks.wire.log_fields import FIELDS
from superoffice_hooks.wire.notification import KEPT_HEADERS

from .conftest import body, documented

PROJECT = Path(__file__).parent.parent
PAGES = {
    page.relative_to(PROJECT).as_posix(): page.read_text(encoding="utf-8")
    for page in (*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"))
}
README = PAGES["README.md"]
REFERENCE = PAGES["docs/reference.md"]
EVERYTHING = "\n".join(PAGES.values())

COMMANDS = sorted(
    path.stem for path in Path(commands.__path__[0]).glob("*.py") if path.stem != "__init__"
)
CHECK_IDS = sorted(
    {
        check_id
        for path in Path(checks.__path__[0]).glob("*.py")
        for check_id in re.findall(
            r"superoffice_hooks\.[EW]\d{3}", path.read_text(encoding="utf-8")
        )
    }
)
SIGNALS = sorted(name for name, value in vars(signals).items() if isinstance(value, Signal))
ANSWERS = {200, 405} | {*exceptions.STATUS_CODES.values(), exceptions.NotStored.status_code}
MODELS = [getattr(models, name) for name in models.__all__]
# What else is written in capitals: the setting itself, a part of DATABASES, settings of Celery and
# REST framework, values of options, a variable of the tests' environment.
OTHER_CAPITALS = {
    "ATOMIC_REQUESTS",
    "CELERY_BROKER_URL",
    "CELERY_RESULT_BACKEND",
    "CELERY_TASK_ACKS_LATE",
    "CELERY_TASK_PUBLISH_RETRY",
    "CONN_HEALTH_CHECKS",
    "CONN_MAX_AGE",
    "DEFAULT_PERMISSION_CLASSES",
    "PERIOD",
    "SUPEROFFICE_HOOKS",
    "SUPEROFFICE_SECRET",
    "TASKS",
    "TEST_BROWSER",
    "TEST_DATABASE_URL",
    "TEST_MARIADB_URL",
    "WHEN",
}


OF_DJANGO = [
    ["check"],
    ["createsuperuser"],
    ["migrate"],
    ["runserver"],
    ["startapp", "helpdesk"],
    ["test", "helpdesk"],
]
SITE = "https://django-superoffice-hooks.readthedocs.io/latest/"
PICTURES = "https://raw.githubusercontent.com/superoffice-hooks/django-superoffice-hooks/main/"


def blocks(language: str) -> list[tuple[str, str]]:
    """Page and code of each block in this language."""
    return [
        (name, code)
        for name, page in PAGES.items()
        for code in re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    ]


def lines(code: str, start: str) -> list[str]:
    return [line for line in code.splitlines() if line.startswith(start)]


def section(page: str, heading: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(heading)}\n", page, re.MULTILINE)
    assert found, f"There is no heading {heading!r}."
    rest = page[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def column(text: str, head: str) -> list[str]:
    """The code that the cells of the first column begin with, in the table with this head."""
    table = text.partition(f"| {head} |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `(\w+)", table, re.MULTILINE)


def parser_of(command: str) -> ArgumentParser:
    return load_command_class("superoffice_hooks", command).create_parser("manage.py", command)


def own_options(command: str) -> set[str]:
    """The options a command has beyond every command's."""
    return options(parser_of(command)) - options(BaseCommand().create_parser("manage.py", "any"))


def options(parser: ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


class TestEverythingIsNamed:
    @pytest.mark.parametrize("key", sorted(conf.KEYS))
    def test_settings_with_their_defaults(self, key):
        default = re.search(r"Default: `(.*?)`", section(REFERENCE, f"`{key}`"))
        assert default
        assert ast.literal_eval(default[1]) == getattr(conf.HooksSettings(), key)

    @pytest.mark.parametrize("command", COMMANDS)
    def test_commands(self, command):
        assert f"`{command}`" in README
        assert f"manage.py {command} " in EVERYTHING
        assert f"### `{command}`\n" in REFERENCE

    @pytest.mark.parametrize("command", COMMANDS)
    def test_the_options_of_a_command(self, command):
        told = set(re.findall(r"^\| `(--[\w-]+)", section(REFERENCE, f"`{command}`"), re.MULTILINE))
        assert told == own_options(command)

    @pytest.mark.parametrize("criterion", criteria.TABLE.values(), ids=lambda row: row.name)
    def test_the_values_of_a_criterion_that_has_choices(self, criterion):
        rows = (
            section(REFERENCE, "`superoffice_replay`"),
            section(PAGES["docs/api.md"], "Finding events"),
        )
        places = (f"`--{criterion.option}", f"`{criterion.parameters[-1]}`")
        for value, _label in getattr(criterion.kind, "choices", ()):
            for rows_of_page, place in zip(rows, places, strict=True):
                [told] = [
                    line
                    for line in rows_of_page.splitlines()
                    if line.startswith("| ") and place in line.split(" | ")[0]
                ]
                assert f"`{value}`" in told

    @pytest.mark.parametrize("criterion", criteria.offered("admin"), ids=lambda row: row.name)
    def test_the_parameters_of_the_list_in_the_admin(self, criterion):
        table = PAGES["docs/admin.md"].partition("| Parameter | Events |")[2].partition("\n\n")[0]
        assert f"`{criterion.parameters[0]}`" in table

    def test_the_criteria_of_python(self):
        told = re.search(
            r"`Criteria` takes (.*?)They mean", section(REFERENCE, "Replay in Python"), re.DOTALL
        )
        assert told
        assert set(re.findall(r"`(\w+)`", told[1])) == set(criteria.TABLE)

    def test_system_checks(self):
        told = re.findall(r"^\| `(superoffice_hooks\.[EW]\d+)` \|", REFERENCE, re.MULTILINE)
        assert told == CHECK_IDS

    def test_the_fields_of_log_records(self):
        table = section(PAGES["docs/monitoring.md"], "Fields, for loggers that write JSON")
        assert dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE)) == FIELDS

    def test_signals(self):
        told = set(re.findall(r"`(\w+)`", section(REFERENCE, "Signals")))
        assert [name for name in SIGNALS if name not in told] == []

    def test_a_signal_for_each_documented_event_name(self):
        assert {name.replace(".", "_") for name in event_names.EVENT_NAMES} <= set(SIGNALS)

    def test_the_answers_of_the_view(self):
        told = re.findall(r"^\| (\d{3}) \|", section(REFERENCE, "URLs and answers"), re.MULTILINE)
        assert set(map(int, told)) == ANSWERS

    @pytest.mark.parametrize("model", MODELS)
    def test_the_columns_of_a_model(self, model):
        fields = [*model._meta.fields, *model._meta.many_to_many]
        told = column(section(REFERENCE, f"`{model.__name__}`"), "Column")
        assert sorted(told) == sorted(field.name for field in fields if field.name != "id")

    def test_the_statuses_of_an_event(self):
        assert column(section(REFERENCE, "`Event`"), "Status") == models.Event.Status.values

    @pytest.mark.django_db
    def test_permissions(self):
        told = set(re.findall(r"`superoffice_hooks\.(\w+)`", section(REFERENCE, "Permissions")))
        ours = Permission.objects.filter(content_type__app_label="superoffice_hooks")
        assert told <= set(ours.values_list("codename", flat=True))
        special = [name for model in MODELS for name, _ in model._meta.permissions]
        assert special == ["replay_event", "triage_failuregroup", "manage_webhooks"]
        assert set(special) <= told

    def test_queries(self):
        ours = [base for base in EventQuerySet.__mro__ if base.__module__.startswith("superoffice")]
        methods = {
            name for base in ours for name, value in vars(base).items() if inspect.isfunction(value)
        }
        # What receiving and dispatching do with them is nobody else's business.
        inside = {"record", "placed"}
        queries = section(REFERENCE, "Queries")
        named = column(queries, "Method") + column(queries, "Method | Marks events")
        assert set(named) == methods - inside

    def test_the_headers_that_are_kept(self):
        assert all(f"`{name}`" in section(REFERENCE, "`Event`") for name in KEPT_HEADERS)
        assert len(KEPT_HEADERS) == 6
        assert " six headers," in PAGES["docs/security.md"]

    def test_supported_versions(self):
        project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
        supported = section(README, "Supported versions")
        for classifier in project["classifiers"]:
            if version := re.fullmatch(r"(?:Programming|Framework).* :: (\d+\.\d+)", classifier):
                assert version[1] in supported
        assert f"`{project['name']}`" in README
        assert f"The licence is {project['license']};" in README

    def test_a_word_for_each_model(self):
        words = re.findall(r"^\| \*\*(.+?)\*\* \|", PAGES["docs/glossary.md"], re.MULTILINE)
        assert len(words) == len(set(words))
        for model in MODELS:
            name = str(model._meta.verbose_name)
            assert name.replace("changed field", "changed fields") in words


class TestNothingElseIsNamed:
    def test_every_test_that_is_named_exists(self):
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", EVERYTHING)
        assert len(named) > 20
        for path, test in named:
            source = (PROJECT / path).read_text(encoding="utf-8")
            assert re.search(rf"def {test}\(", source), f"{path} has no {test}"

    def test_no_setting_that_does_not_exist(self):
        capitals = set(re.findall(r"`([A-Z][A-Z_]{2,})`", EVERYTHING))
        assert capitals - conf.KEYS - set(dir(global_settings)) - OTHER_CAPITALS == set()

    def test_no_key_in_an_example_that_does_not_exist(self):
        keys = set()
        for _, code in blocks("python"):
            for node in ast.walk(ast.parse(code)):
                match node:
                    case ast.Assign(
                        targets=[ast.Name(id="SUPEROFFICE_HOOKS")], value=ast.Dict(keys=given)
                    ):
                        keys |= {ast.literal_eval(key) for key in given if key}
                    case ast.Subscript(
                        value=ast.Name(id="SUPEROFFICE_HOOKS")
                        | ast.Attribute(attr="SUPEROFFICE_HOOKS"),
                        slice=ast.Constant(value=str(key)),
                    ):
                        keys.add(key)
        assert {"SECRETS", "RETENTION", "NOISE_FIELDS", "OWN_ASSOCIATES"} <= keys <= conf.KEYS

    @pytest.mark.parametrize("page", PAGES)
    def test_links_lead_somewhere(self, page):
        for target in re.findall(r"\]\((?!https?://)([^)]+)\)", PAGES[page]):
            path, _, anchor = target.partition("#")
            found = (PROJECT / page).parent / path if path else PROJECT / page
            assert found.is_file(), target
            if anchor:
                headings = re.findall(r"^#+ (.*)$", found.read_text(encoding="utf-8"), re.MULTILINE)
                anchors = [re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings]
                assert anchor in anchors, target

    def test_links_of_the_readme_lead_to_pages_of_the_site(self):
        assert re.findall(r"\]\((?!https?://)", README) == []
        for page, anchor in re.findall(
            rf"{re.escape(SITE)}(\w+)\.html(?:#([\w-]+))?$", README, re.MULTILINE
        ):
            headings = re.findall(r"^#+ (.*)$", PAGES[f"docs/{page}.md"], re.MULTILINE)
            anchors = [heading.lower().replace(" ", "-") for heading in headings]
            assert not anchor or anchor in anchors, f"{page}#{anchor}"

    def test_the_readme_fits_into_150_lines(self):
        assert len(README.splitlines()) <= 150

    def test_every_page_is_in_the_contents_of_the_site(self):
        contents = re.findall(r"^\w+$", PAGES["docs/index.md"], re.MULTILINE)
        assert {f"docs/{name}.md" for name in [*contents, "index"]} == {
            page for page in PAGES if page.startswith("docs/")
        }

    def test_every_picture_exists_is_shown_and_is_described(self):
        shown = set()
        for page, text in PAGES.items():
            for image in re.findall(r"<img [^>]*>", text):
                assert re.search(r' alt="[^"]{20,}"', image), image
            local = text.replace(PICTURES, "")
            named = re.findall(r'(?:src|srcset)="([^"]+)"|!\[[^]]+\]\(([^)]+)\)', local)
            shown |= {(PROJECT / page).parent / (html or markdown) for html, markdown in named}
        assert shown == set((PROJECT / "docs" / "images").iterdir())

    def test_a_picture_of_a_page_is_light_and_dark(self):
        for page, text in PAGES.items():
            for picture in re.findall(r"<picture>(.*?)</picture>", text, re.DOTALL):
                dark = re.search(r'dark\)" srcset="(.*?)-dark\.png"', picture)
                light = re.search(r'<img src="(.*?)-light\.png"', picture)
                assert dark, page
                assert light, page
                assert dark[1] == light[1]

    @pytest.mark.parametrize(
        ("page", "heading"),
        [
            ("docs/scaling.md", "What one machine does"),
            ("docs/scaling.md", "Millions of events"),
        ],
    )
    def test_figures_are_those_of_the_benchmarks(self, page, heading):
        measured = (PROJECT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
        rows = re.findall(r"^\|.*?\|(.*)\|$", section(PAGES[page], heading), re.MULTILINE)
        figures = [figure for row in rows for figure in re.findall(r"\d+(?:\.\d+)?", row)]
        assert len(figures) > 5
        for figure in figures:
            assert re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d.])", measured), figure

    def test_make_has_every_target_that_is_named(self):
        targets = set(re.findall(r"^([\w-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
        named = {
            line.split()[1] for _, code in blocks("shell") for line in lines(code, "make ")
        } | set(re.findall(r"`make ([\w-]+)`", EVERYTHING))
        assert {"demo", "test"} <= named <= targets


class TestExamples:
    @pytest.mark.parametrize(
        "code",
        [pytest.param(code, id=f"{page}-{n}") for n, (page, code) in enumerate(blocks("python"))],
    )
    def test_python_compiles(self, code):
        compile(code, "example", "exec")

    @pytest.mark.parametrize(
        "line",
        # The same example may stand on two pages.
        dict.fromkeys(
            line for _, code in blocks("shell") for line in lines(code, "python manage.py ")
        ),
    )
    def test_commands_have_the_options_they_are_given(self, line):
        command, *arguments = shlex.split(line.removeprefix("python manage.py "))
        if command in COMMANDS:
            parser_of(command).parse_args(arguments)
        else:
            assert [command, *arguments] in OF_DJANGO

    @pytest.mark.parametrize(
        ("page", "name"),
        [("docs/testing.md", "EscalationTest"), ("docs/reference.md", "DeliveryTest")],
    )
    @pytest.mark.django_db(transaction=True)
    def test_tests_of_receivers_pass(self, page, name, connect):
        connect(signals.any_event, succeeds)
        [code] = [code for where, code in blocks("python") if where == page and name in code]
        tests = run(code)[name]
        outcome = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(tests).run(outcome)
        assert outcome.testsRun == code.count("    def test_")
        assert [error for _, error in outcome.errors + outcome.failures] == []

    @pytest.mark.usefixtures("one_attempt")
    @pytest.mark.django_db
    def test_replaying_in_python(self, post, connect, capsys):
        connect(signals.any_event, fails_unless_replayed)
        post(body())
        [code] = [code for _, code in blocks("python") if "import Criteria, Preview" in code]
        run(code)
        assert capsys.readouterr().out == (
            "1 1 {'tests.test_docs.fails_unless_replayed': 1} 0\n1 1 0\n"
        )

    @pytest.mark.usefixtures("one_attempt")
    @pytest.mark.django_db
    def test_replaying_through_call_command(self, post, connect):
        connect(signals.any_event, fails_unless_replayed)
        post(body())
        [code] = [
            code for _, code in blocks("python") if 'call_command("superoffice_replay' in code
        ]
        run(code)
        assert models.Replay.objects.get().done == 1

    @pytest.mark.django_db
    def test_deleting_what_is_old(self, post):
        for days in (20, 100, 400):
            post(body(PrimaryKey=days))
            received_at = timezone.now() - timedelta(days=days)
            models.Event.objects.filter(primary_key=days).update(received_at=received_at)
        [code] = [code for _, code in blocks("python") if "RETENTION" in code]
        hooks: dict[str, Any] = {"SECRETS": [SECRET]}
        run(code, SUPEROFFICE_HOOKS=hooks)
        with override_settings(SUPEROFFICE_HOOKS=hooks):
            assert checks.check_settings() == []
            call_command("superoffice_prune", stdout=StringIO())
        left = models.Event.objects.order_by("primary_key")
        assert [(event.primary_key, bool(event.body)) for event in left] == [
            (20, True),
            (100, False),
        ]

    @pytest.mark.parametrize(
        "code",
        [
            pytest.param(code, id=f"fields-{n}")
            for n, (page, code) in enumerate(blocks("python"))
            if page == "docs/fields.md"
        ],
    )
    @pytest.mark.django_db
    def test_what_can_be_done_with_changed_fields(self, code, post, capsys):
        sent = json.loads(documented("ticket-events-02-ticket.changed")) | {"Changes": NOISY}
        before = sent["FieldValues"] | {"priority": 1}
        post(body(**sent | {"EventId": str(uuid4()), "FieldValues": before}))
        post(body(**sent | {"EventId": str(uuid4())}))
        try:
            names = run(code, event=models.Event.objects.first())
            # What is connected there must run, too.
            post(body(**sent))
            assert models.Event.objects.first().status in {"succeeded", "skipped"}
        finally:
            for receiver in list(signals.connected()):
                receiver.signal.disconnect(receiver.function)
        printed = capsys.readouterr().out.splitlines()
        promised = re.findall(r"print\(.*\) +# (.*)$", code, re.MULTILINE)
        assert [line for line in promised if line not in printed] == []
        if hooks := names.get("SUPEROFFICE_HOOKS"):
            with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET]} | hooks):
                assert checks.check_settings() == []

    def test_receivers_of_patterns_are_connected(self):
        [code] = [
            code
            for page, code in blocks("python")
            if page == "docs/receivers.md" and "import any_event, on" in code
        ]
        names = run(code)
        try:
            for event, expected in (
                ("foo.bar", ["archive"]),
                ("list.110.softdeleted", ["archive", "forget_list_item"]),
            ):
                paths = [receiver.path for receiver in signals.receivers_of(event)]
                assert paths == [f"{__name__}.{name}" for name in expected]
        finally:
            signals.any_event.disconnect(names["archive"])
            signals.on("list.*.softdeleted").disconnect(names["forget_list_item"])


SECRET = "the secret of the documentation"
NOISY = ["id", "priority", "last_changed"]


def run(code: str, **given: Any) -> dict[str, Any]:
    """The names an example defines, as if it stood in this module."""
    names: dict[str, Any] = {"__name__": __name__, **given}
    exec(compile(code, "example", "exec"), names)  # noqa: S102  (our own example)
    return names


def succeeds(**kwargs):
    pass


def fails_unless_replayed(replay, **kwargs):
    if not replay:
        raise RuntimeError("the mail server is away")
