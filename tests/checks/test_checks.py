"""Each mistake in SUPEROFFICE_HOOKS is found under its id, and no secret is shown."""

from datetime import timedelta

import pytest
from django.core import checks
from django.core.checks import Tags, run_checks
from django.db import connections
from django.test import override_settings

from superoffice_hooks import conf, signals
from superoffice_hooks.checks import check_receivers, check_settings
from superoffice_hooks.receivers import dotted_path
from superoffice_hooks.wire.samples import TICKET_FIELDS

LONG = "a secret of sixteen characters or more"
MISTAKEN = "sh0rt.but_secret"
"""A secret that looks like a dotted path."""
NOT_CALLABLE = "something else than a function"


def found(settings, **others):
    """The messages for these settings; ``None``: SUPEROFFICE_HOOKS is missing."""
    with override_settings(SUPEROFFICE_HOOKS=settings, **others):
        return check_settings()


def ids(settings, **others):
    return [message.id.removeprefix("superoffice_hooks.") for message in found(settings, **others)]


def secrets_of(endpoint: str) -> list[str] | None:
    """A callable for SECRETS; the checks must not call it, because it may ask a database."""
    raise AssertionError(endpoint)


@pytest.mark.parametrize(
    "settings",
    [
        {"SECRETS": [LONG]},
        {"SECRETS": (LONG, LONG)},
        {"SECRETS": {"default": [LONG], "sales": LONG}},
        {"SECRETS": "tests.checks.test_checks.secrets_of"},
        {"SECRETS": [LONG], "MAX_BODY_BYTES": 1, "LEASE_SECONDS": 1, "ALLOW_UNSIGNED": False},
        {"SECRETS": [LONG], "RETENTION": {"bodies": 30, "events": 365.5, "failed": None}},
        {"SECRETS": [LONG], "RETENTION": {"rejections": timedelta(hours=1)}},
        {"SECRETS": [LONG], "REDACT": ["email", "FieldValues.*phone*", "X.Event"]},
        {"SECRETS": [LONG], "NOISE_FIELDS": {"ticket": ["title"], "y_*": {"x_*"}, "*": ()}},
        {"SECRETS": [LONG], "OWN_ASSOCIATES": {"Default": [7], "Cust1": range(5)}},
        {"SECRETS": [LONG], "OWN_ASSOCIATES": lambda tenant: [7]},
        {"SECRETS": [LONG], "OWN_ASSOCIATES": "tests.checks.test_checks.secrets_of"},
        {"SECRETS": [LONG], "FAILURE_FINGERPRINT": "tests.checks.test_checks.secrets_of"},
        {"SECRETS": [LONG], "FAILURE_FINGERPRINT": lambda **failure: None},
    ],
)
def test_nothing_is_said_of_good_settings(settings):
    assert ids(settings) == []


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"SECRETS": None},
        {"SECRETS": []},
        {"SECRETS": {}},
        {"SECRETS": ""},
        {"SECRETS": [""]},
        {"SECRETS": [None]},
        {"SECRETS": [LONG, ""]},
        {"SECRETS": {"default": []}},
        {"SECRETS": {"default": None}},
        {"SECRETS": {"default": ""}},
        {"SECRETS": {"default": [LONG], "sales": [""]}},
    ],
)
def test_e001_an_endpoint_has_no_secret(settings):
    assert ids(settings) == ["E001"]


def test_e001_there_are_no_settings_at_all(settings):
    # Whoever has read the settings is told that they change, and of a deletion nobody is told.
    settings.SUPEROFFICE_HOOKS = {}
    del settings.SUPEROFFICE_HOOKS
    assert [message.id for message in check_settings()] == ["superoffice_hooks.E001"]


def test_e001_names_the_endpoint():
    [message] = found({"SECRETS": {"default": [LONG], "sales": []}})
    assert "'sales'" in message.msg


@pytest.mark.parametrize("settings", [None, "s3cret", [LONG], 5])
def test_e002_the_settings_are_not_a_dict(settings):
    assert ids(settings) == ["E002"]
    with override_settings(SUPEROFFICE_HOOKS=settings):
        assert conf.current() == conf.HooksSettings()


@pytest.mark.parametrize(
    "path",
    ["s3cret", MISTAKEN, "tests.checks.test_checks.nothing", "..", "a b", "tests.no_module.f"],
)
def test_e003_secrets_is_a_string_that_leads_nowhere(path):
    assert ids({"SECRETS": path}) == ["E003"]


def test_e003_secrets_leads_to_a_module_that_raises(tmp_path, monkeypatch):
    (tmp_path / "raising_module.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    assert ids({"SECRETS": "raising_module.secrets"}) == ["E003"]


def test_e004_secrets_leads_to_something_that_cannot_be_called():
    assert ids({"SECRETS": "tests.checks.test_checks.NOT_CALLABLE"}) == ["E004"]


@pytest.mark.parametrize(
    "secrets", [[LONG.encode()], LONG.encode(), 5, [5], {"default": {"a": 1}}, {"default": 5}]
)
def test_e005_a_secret_is_not_text(secrets):
    assert ids({"SECRETS": secrets}) == ["E005"]


@pytest.mark.parametrize("key", ["MAX_BODY_BYTES", "LEASE_SECONDS"])
@pytest.mark.parametrize("value", [0, -1, "300", 1.5, None, True])
def test_e006_a_number_is_none(key, value):
    assert ids({"SECRETS": [LONG], key: value}) == ["E006"]


@pytest.mark.parametrize("value", ["False", "", 0, 1, None])
@pytest.mark.parametrize("debug", [True, False])
def test_e006_allow_unsigned_is_neither_true_nor_false(value, debug):
    assert ids({"SECRETS": [LONG], "ALLOW_UNSIGNED": value}, DEBUG=debug) == ["E006"]


@pytest.mark.django_db
def test_allow_unsigned_says_false_in_text_and_lets_nobody_in(post):
    from ..conftest import body

    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [LONG], "ALLOW_UNSIGNED": "False"}):
        assert post(body(), secret=None).status_code == 401


def test_e007_unsigned_is_let_in_by_a_server_on_the_internet():
    assert ids({"SECRETS": [LONG], "ALLOW_UNSIGNED": True}, DEBUG=False) == ["E007"]


def test_w001_unsigned_is_let_in_while_developing():
    assert ids({"SECRETS": [LONG], "ALLOW_UNSIGNED": True}, DEBUG=True) == ["W001"]


def test_w001_comes_alone_where_nothing_needs_a_secret():
    assert ids({"ALLOW_UNSIGNED": True}, DEBUG=True) == ["W001"]


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("SECRET", "Did you mean 'SECRETS'?"),
        ("secrets", "Did you mean 'SECRETS'?"),
        ("MAX_BODY_SIZE", "Did you mean 'MAX_BODY_BYTES'?"),
        (1, "The keys are "),
        ("colour", "The keys are ALLOW_UNSIGNED, "),
    ],
)
def test_e009_a_key_is_unknown(key, hint):
    [message] = found({"SECRETS": [LONG], key: 1})
    assert message.id == "superoffice_hooks.E009"
    assert message.hint.startswith(hint)


def test_w003_a_secret_is_short():
    assert ids({"SECRETS": ["x" * 15]}) == ["W003"]
    assert ids({"SECRETS": ["x" * 16]}) == []


@pytest.mark.parametrize(
    ("ours", "djangos", "expected"),
    [(1000, 999, ["W004"]), (1000, 1000, []), (1000, None, []), (None, 1, ["E006"])],
)
def test_w004_django_may_refuse_a_body_first(ours, djangos, expected):
    settings = {"SECRETS": [LONG], "MAX_BODY_BYTES": ours}
    assert ids(settings, DATA_UPLOAD_MAX_MEMORY_SIZE=djangos) == expected


@pytest.mark.parametrize("secret", [f"{LONG}\n", f" {LONG}"])
def test_w002_white_space_came_along_with_a_secret(secret):
    assert ids({"SECRETS": [secret]}) == ["W002"]


@pytest.mark.parametrize("name", ["", "a/b", "x" * 51, 5, None])
def test_e008_no_url_leads_to_an_endpoint(name):
    assert ids({"SECRETS": {name: [LONG]}}) == ["E008"]


@pytest.mark.parametrize(
    "secrets",
    [
        MISTAKEN,
        [MISTAKEN],
        f"{MISTAKEN} ",
        [MISTAKEN.encode()],
        [f"{MISTAKEN}{MISTAKEN} "],
        {"default": [MISTAKEN[:15]]},
        {"default": {MISTAKEN: MISTAKEN}},
    ],
)
def test_no_secret_is_shown(secrets):
    messages = found({"SECRETS": secrets})
    assert MISTAKEN[:5] not in repr(messages)
    assert not any(MISTAKEN[:5] in f"{message.msg} {message.hint}" for message in messages)


def test_every_message_says_what_to_do():
    settings = {"SECRETS": {"a/b": ["short", "", 5, f"{LONG} "]}, "OTHER": 1, "LEASE_SECONDS": 0}
    messages = found({**settings, "ALLOW_UNSIGNED": 1}, DATA_UPLOAD_MAX_MEMORY_SIZE=1)
    assert len({message.id for message in messages}) == 8
    for message in messages:
        assert isinstance(message, checks.Error | checks.Warning)
        assert message.msg.endswith(".")
        assert message.hint.endswith((".", "?"))


@pytest.mark.django_db  # Django's own checks ask the database what it supports.
def test_manage_py_check_runs_them():
    with override_settings(SUPEROFFICE_HOOKS={}):
        for messages in run_checks(), run_checks(tags=[Tags.security]):
            assert "superoffice_hooks.E001" in {message.id for message in messages}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("MAX_ATTEMPTS", 0),
        ("MAX_ATTEMPTS", "5"),
        ("DISPATCH", "celery"),
        ("ORDERED", "False"),
        ("RETRY_DELAYS", []),
        ("RETRY_DELAYS", 60),
        ("RETRY_DELAYS", [60, "300"]),
        ("RETRY_DELAYS", [-1]),
        ("RETRY_DELAYS", [True]),
    ],
)
def test_e006_a_setting_of_the_dispatch_makes_no_sense(key, value):
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [LONG], key: value}):
        (message,) = check_settings()
    assert message.id == "superoffice_hooks.E006"
    assert key in message.msg


@pytest.mark.parametrize(
    "retention",
    [
        None,
        30,
        ["events"],
        {"event": 30},
        {"events": "30"},
        {"events": 0},
        {"events": -1},
        {"events": True},
        {"events": float("nan")},
        {"events": float("inf")},
        {"events": 36_501},
        {"events": 10**400},
        {"events": timedelta()},
        {"events": timedelta(days=36_501)},
    ],
)
def test_e006_retention_is_no_dict_of_periods(retention):
    (message,) = found({"SECRETS": [LONG], "RETENTION": retention})
    assert message.id == "superoffice_hooks.E006"
    assert "RETENTION" in message.msg
    assert "bodies, events, failed, rejections" in message.hint


@pytest.mark.parametrize("names", ["email", [5], [""], ["x" * 301], {"email": "x"}, None])
def test_e006_redact_is_no_list_of_names(names):
    (message,) = found({"SECRETS": [LONG], "REDACT": names})
    assert message.id == "superoffice_hooks.E006"
    assert "FieldValues.*phone*" in message.hint


def test_e006_redact_names_what_says_which_event_it_is():
    (message,) = found({"SECRETS": [LONG], "REDACT": ["email", "eventid"]})
    assert message.id == "superoffice_hooks.E006"
    assert message.hint.startswith("eventid: ")


def test_e010_there_are_no_tasks_to_dispatch_with(monkeypatch):
    monkeypatch.setattr("superoffice_hooks.conf.find_spec", lambda name: None)
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [LONG], "DISPATCH": "task"}):
        (message,) = check_settings()
    assert message.id == "superoffice_hooks.E010"


def test_w032_the_spool_cannot_be_written_which_keeps_no_command_from_running(tmp_path):
    spooling = {"SECRETS": [LONG], "SPOOL_DIR": tmp_path / "nowhere"}
    with override_settings(SUPEROFFICE_HOOKS=spooling):
        (message,) = check_settings()
    assert message.id == "superoffice_hooks.W032"
    assert not message.is_serious()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"HOST": "db.example.org"}, ["W030"]),
        ({"HOST": "10.0.0.7"}, ["W030"]),
        ({"HOST": "db.example.org", "OPTIONS": {"connect_timeout": 3}}, []),
        ({"HOST": "db.example.org", "ENGINE": "django.db.backends.mysql"}, ["W030"]),
        ({"HOST": "db.example.org", "ENGINE": "django.db.backends.sqlite3"}, []),
        ({"HOST": "db.example.org", "OPTIONS": {"service": "mine"}}, []),
        ({"HOST": "127.0.0.1"}, []),
        ({"HOST": "/run/postgresql"}, []),
        ({"HOST": ""}, []),
    ],
    ids=str,
)
def test_w030_a_host_that_may_be_silent_has_no_time_out(monkeypatch, changes, expected):
    monkeypatch.delenv("PGCONNECT_TIMEOUT", raising=False)
    database = {"ENGINE": "django.db.backends.postgresql", "OPTIONS": {}, **changes}
    monkeypatch.setitem(connections.databases, "default", database)
    assert ids({"SECRETS": [LONG]}) == expected


def test_w030_the_environment_may_have_the_time_out(monkeypatch):
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "3")
    database = {"ENGINE": "django.db.backends.postgresql", "OPTIONS": {}, "HOST": "db.example.org"}
    monkeypatch.setitem(connections.databases, "default", database)
    assert ids({"SECRETS": [LONG]}) == []


@pytest.mark.parametrize(("autocommit", "expected"), [(False, ["E022"]), (True, [])])
def test_e022_nobody_commits_what_is_stored(monkeypatch, autocommit, expected):
    database = {**connections.databases["default"], "AUTOCOMMIT": autocommit}
    monkeypatch.setitem(connections.databases, "default", database)
    assert ids({"SECRETS": [LONG]}) == expected


def test_what_makes_sense_is_no_problem(tmp_path):
    sensible = {
        "SECRETS": [LONG],
        "DISPATCH": "task",
        "ORDERED": True,
        "RETRY_DELAYS": (1, 2.5),
        "SPOOL_DIR": str(tmp_path),
    }
    with override_settings(SUPEROFFICE_HOOKS=sensible):
        assert check_settings() == []


@pytest.mark.parametrize(
    "noise", [["title"], "title", {"ticket": "title"}, {"ticket": [7]}, {7: ["title"]}, None]
)
def test_noise_fields_that_are_no_lists_of_names(noise):
    (message,) = found({"SECRETS": [LONG], "NOISE_FIELDS": noise})
    assert message.id == "superoffice_hooks.E006"
    assert "NOISE_FIELDS" in message.msg


@pytest.mark.parametrize("own", [[7], 7, {"Default": 7}, {"Default": ["7"]}, {7: [7]}, None])
def test_own_associates_that_are_no_lists_of_numbers(own):
    (message,) = found({"SECRETS": [LONG], "OWN_ASSOCIATES": own})
    assert message.id == "superoffice_hooks.E006"
    assert "OWN_ASSOCIATES" in message.msg


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("no.such.module", "cannot be imported (ModuleNotFoundError)"),
        ("nothing", "cannot be imported (ImportError)"),
        ("tests.checks.test_checks.NOT_CALLABLE", "cannot be called"),
    ],
)
@pytest.mark.parametrize("key", ["OWN_ASSOCIATES", "FAILURE_FINGERPRINT"])
def test_callables_that_lead_nowhere(key, path, problem):
    (message,) = found({"SECRETS": [LONG], key: path})
    assert message.id == "superoffice_hooks.E012"
    assert key in message.msg
    assert problem in message.msg


def test_a_fingerprint_that_cannot_be_called():
    (message,) = found({"SECRETS": [LONG], "FAILURE_FINGERPRINT": 7})
    assert message.id == "superoffice_hooks.E006"
    assert "FAILURE_FINGERPRINT" in message.msg


class TestNamesOfFields:
    """A name in fields= that SuperOffice does not have is often a misspelt one."""

    @pytest.mark.parametrize(
        ("signal", "fields"),
        [
            (signals.contact_changed, {"orgNr", "NAME", "x_anything", "x_*"}),
            (signals.ticket_changed, set(TICKET_FIELDS)),
            (signals.ticket_changed, {"time_*"}),
            (signals.chatsession_message, {"chatSession.topicId"}),
            (signals.on("list.category.changed"), {"whatever"}),
            (signals.on("y_car.changed"), {"plate"}),
            (signals.on("foo.bar"), {"baz"}),
            (signals.any_event, {"whatever"}),
            (signals.ticket_changed, "significant"),
            (signals.ticket_changed, lambda event: {"nonsense"}),
            (signals.ticket_changed, None),
        ],
    )
    def test_nothing_is_said_of_what_may_be_there(self, connect, signal, fields):
        connect(signal, lambda **kwargs: None, fields=fields)
        assert check_receivers() == []

    @pytest.mark.parametrize(
        ("signal", "name", "advice"),
        [
            (signals.contact_changed, "orgNrr", "Did you mean 'orgNr'?"),
            (signals.ticket_changed, "prioritty", "Did you mean 'priority'?"),
            (signals.sale_sold, "qqq", "Look for its right name."),
            (signals.on("ticket.*"), "statuss", "Did you mean 'status'?"),
            (signals.ticket_changed, "qq*", "Look for its right name."),
        ],
    )
    def test_a_name_that_is_not_there(self, connect, signal, name, advice):
        receiver = connect(signal, lambda **kwargs: None, fields={name})
        (message,) = check_receivers()
        assert message.id == "superoffice_hooks.W005"
        assert dotted_path(receiver) in message.msg
        assert f"the field {name.lower()!r}" in message.msg
        assert message.hint.startswith(advice)

    @pytest.mark.parametrize(
        ("pattern", "meant"),
        [
            ("tickets.changed", "ticket.changed"),
            ("contact.change", "contact.changed"),
            ("tickets.*", "ticket.*"),
        ],
    )
    def test_an_event_that_is_almost_one_of_superoffice(self, connect, pattern, meant):
        connect(signals.on(pattern), lambda **kwargs: None)
        (message,) = check_receivers()
        assert message.id == "superoffice_hooks.W014"
        assert repr(pattern) in message.msg
        assert message.hint == f"Did you mean {meant!r}?"

    @pytest.mark.parametrize(
        "pattern", ["*", "ticket.*", "ticket.merged", "y_car.changed", "list.*.created", "our.own"]
    )
    def test_an_event_that_may_be_there(self, connect, pattern):
        connect(signals.on(pattern), lambda **kwargs: None)
        assert check_receivers() == []

    def test_a_custom_field_of_a_ticket_by_its_name_alone(self, connect):
        receiver = connect(signals.ticket_changed, lambda **kwargs: None, fields={"x_region"})
        (message,) = check_receivers()
        assert message.id == "superoffice_hooks.W015"
        assert dotted_path(receiver) in message.msg

    def test_a_custom_field_of_a_ticket_in_both_ways(self, connect):
        fields = {"x_region", "extraField"}
        connect(signals.ticket_changed, lambda **kwargs: None, fields=fields)
        assert check_receivers() == []

    # Among the others is Django's, which asks the database whether it knows JSON.
    @pytest.mark.django_db
    def test_it_runs_with_the_others(self, connect):
        connect(signals.ticket_changed, lambda **kwargs: None, fields={"prioritty"})
        assert "superoffice_hooks.W005" in [message.id for message in run_checks()]


NO_TEXT = "p\udce5ssord som er langt nok"
"""As os.environ gives what was written as Latin-1."""


@pytest.mark.parametrize("secret", [NO_TEXT, "a secret of enough characters\ud800"])
def test_e013_a_secret_is_no_text(secret):
    assert ids({"SECRETS": [secret]}) == ["E013"]
    assert ids({"SECRETS": {"default": [LONG, secret]}}) == ["E013"]


@pytest.mark.parametrize("char", ["\ufeff", "\u200b", "\u200d", "\u00ad", "\u202e", "\x00"])
def test_w006_a_secret_has_an_invisible_character(char):
    for secret in (f"{char}{LONG}", f"a{char}{LONG}", f"{LONG}{char}a"):
        assert ids({"SECRETS": [secret]}) == ["W006"]


@pytest.mark.parametrize("quotes", ['""', "''", "``", "“”", "«»"])
def test_w007_a_secret_stands_in_quotes(quotes):
    assert ids({"SECRETS": [f"{quotes[0]}{LONG}{quotes[1]}"]}) == ["W007"]
    assert ids({"SECRETS": [f"{quotes[0]}{LONG}{quotes[1]}\n"]}) == ["W002", "W007"]


@pytest.mark.parametrize("secret", ["it's a good secret's", "blåbærsyltetøy og rømme", "北京" * 10])
def test_nothing_is_said_of_quotes_and_letters_inside_a_secret(secret):
    assert ids({"SECRETS": [secret]}) == []


def test_everything_that_is_wrong_with_a_secret_is_said():
    assert ids({"SECRETS": ['"short\u200b"\n']}) == ["W003", "W002", "W006", "W007"]


@pytest.mark.parametrize("age", [0, -1, "3600", 1.5, True, timedelta(hours=1)])
def test_e006_max_age_seconds_is_no_number(age):
    assert ids({"SECRETS": [LONG], "MAX_AGE_SECONDS": age}) == ["E006"]


@pytest.mark.parametrize("age", [None, 1, 3600])
def test_nothing_is_said_of_a_good_max_age(age):
    assert ids({"SECRETS": [LONG], "MAX_AGE_SECONDS": age}) == []
