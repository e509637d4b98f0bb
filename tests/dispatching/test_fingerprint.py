"""Fingerprints: failures with the same cause have the same, and failures with another have not."""

import json

import pytest
from django.test import override_settings

from superoffice_hooks.dispatching.fingerprint import fingerprint
from superoffice_hooks.models.failure_group import Fingerprint

RECEIVER = "tests.dispatching.test_fingerprint.receiver"
HERE = "tests/dispatching/test_fingerprint.py"


def of(function, *arguments, receiver=RECEIVER) -> Fingerprint:
    try:
        function(*arguments)
    except BaseException as error:
        return fingerprint(error, None, receiver)
    raise AssertionError("It did not fail.")


def first(number):
    if number == 1:
        raise ValueError(number)
    raise ValueError(number)


def second(number):
    raise ValueError(number)


def decode(text):
    return json.loads(text)


def through_first(number):
    first(number)


class OwnError(Exception):
    """An exception of the project."""


def test_a_line_and_a_message_make_no_difference():
    assert of(first, 1) == of(first, 2)
    assert of(first, 1).frame == f"{HERE}:first"
    assert of(first, 1).exception == "ValueError"


def test_a_function_an_exception_and_a_receiver_do():
    def own(number):
        raise OwnError

    different = [of(first, 1), of(second, 1), of(own, 1), of(first, 1, receiver="other.receiver")]
    assert len({print_.key for print_ in different}) == 4
    assert different[2].exception == f"{__name__}.OwnError"
    assert different[2].frame.endswith(".<locals>.own")


def test_the_frame_is_the_projects_nearest_to_where_it_was_raised():
    assert of(decode, "no json").frame == f"{HERE}:decode"
    assert of(through_first, 1) == of(first, 1)


def installed(package: str):
    """A function of a project that is installed as a package."""
    code = compile("def work():\n    raise KeyError", f"/srv/site-packages/{package}/x.py", "exec")
    names = {"__name__": f"{package}.x"}
    exec(code, names)  # noqa: S102
    return names["work"]


def test_a_project_that_is_installed_as_a_package_has_frames_of_its_own():
    work = installed("helpdesk")
    assert of(work, receiver="helpdesk.receivers.work").frame == "helpdesk/x.py:work"
    assert of(work).frame == f"{HERE}:of"


def test_an_error_that_came_up_in_no_code_of_the_project_has_no_frame():
    assert fingerprint(OwnError(), None, RECEIVER).frame == ""


def test_what_no_database_takes_is_left_out():
    odd = type("Odd", (Exception,), {})
    odd.__module__ = "no\0module\ud800"
    print_ = fingerprint(odd(), None, RECEIVER)
    assert "\0" not in print_.exception
    print_.exception.encode()


class TestSetting:
    """FAILURE_FINGERPRINT decides instead, as long as it makes sense."""

    def of(self, replaced) -> Fingerprint:
        with override_settings(SUPEROFFICE_HOOKS={"FAILURE_FINGERPRINT": replaced}):
            return of(first, 1)

    def test_a_text_tells_the_failures_of_a_receiver_apart(self):
        seen = []

        def replaced(error, event, receiver):
            seen.append((str(error), event, receiver))
            return "HTTP 503"

        assert self.of(replaced).key != of(first, 1).key
        assert seen == [("1", None, RECEIVER)]
        assert self.of(lambda **failure: "HTTP 503").key == self.of(replaced).key
        assert self.of(lambda **failure: "HTTP 504").key != self.of(replaced).key
        assert self.of(replaced).frame == f"{HERE}:first"

    def test_none_leaves_it_as_it_is(self):
        assert self.of(lambda **failure: None) == of(first, 1)

    @pytest.mark.parametrize("returned", ["", 7, b"503", ["HTTP", 503]])
    def test_anything_else_leaves_it_too_and_is_logged(self, returned, caplog):
        assert self.of(lambda **failure: returned) == of(first, 1)
        assert f"a value of type {type(returned).__name__}" in caplog.text

    @pytest.mark.parametrize("error", [KeyError("x"), SystemExit(1), RecursionError()])
    def test_one_that_raises_leaves_it_too_and_is_logged(self, error, caplog):
        def replaced(**failure):
            raise error

        assert self.of(replaced) == of(first, 1)
        assert "FAILURE_FINGERPRINT" in caplog.text

    def test_one_that_is_nowhere_leaves_it_too(self):
        assert self.of("no.such.module") == of(first, 1)

    def test_a_person_who_ends_the_process_is_obeyed(self):
        def replaced(**failure):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.of(replaced)
