"""A test that starts a process says so, and what takes too long is ended."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from .bounded import TooLong, run_bounded
from .hard.processes import wait_until
from .parts import (
    MINUTES,
    as_databases_see_it,
    leave_to_the_slow,
    of_another_database,
    pytest_collection_modifyitems,
)


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_fast_test_that_starts_a_process_fails():
    with pytest.raises(pytest.fail.Exception, match=r"mark it slow: .*that_starts_a_process"):
        subprocess.run(python(""), check=True)


def item(*marks: pytest.MarkDecorator, **parameters: int) -> Any:
    """A test that uses the database, with these marks and with these parameters."""
    added = list[pytest.MarkDecorator]()

    def named(name: str) -> list[pytest.Mark]:
        return [each.mark for each in (*marks, *added) if each.name == name]

    return SimpleNamespace(
        fixturenames=("db",),
        get_closest_marker=lambda name: next(iter(named(name)), None),
        iter_markers=named,
        add_marker=added.append,
        callspec=SimpleNamespace(params=parameters),
        parent=None,
        name=f"test{parameters}",
        originalname="test",
    )


class TestAnotherDatabase:
    """What the first database has shown is not shown again by those to which it is the same."""

    def test_leaves_out_what_is_made_of_words(self):
        plain, of_words = item(), item(pytest.mark.words)
        assert of_another_database([plain, of_words]) == [plain]

    def test_takes_one_value_of_each_parameter_made_of_words_and_all_of_others(self):
        mark = pytest.mark.words("language", "look")
        items = [item(mark, language=n, look=n, row=m) for n in (0, 1) for m in (0, 1)]
        assert of_another_database(items) == items[:2]

    def test_takes_all_that_have_no_mark(self):
        items = [item(row=n) for n in (0, 1)]
        assert of_another_database(items) == items

    @pytest.mark.words("language")
    @pytest.mark.parametrize("row", [0, 1])
    @pytest.mark.parametrize("language", ["nb", "nl"])
    def test_sees_as_many_of_these_as_there_are_rows(self, request, language, row):
        """As pytest describes tests with several parameters."""
        name = request.node.originalname
        these = [each for each in request.session.items if each.originalname == name]
        rows = {each.callspec.params["row"] for each in these}
        assert len(set(map(as_databases_see_it, these))) == len(rows)


class TestFirst:
    """What repeats a fast test in all but what its mark names is slow."""

    def slow(self, *items: Any) -> list[bool]:
        leave_to_the_slow(list(items))
        return [bool(each.get_closest_marker("slow")) for each in items]

    def test_the_first_is_fast_for_each_value_of_the_other_parameters(self):
        mark = pytest.mark.first("version")
        items = [item(mark, version=n, action=m) for n in (0, 1) for m in (0, 1)]
        assert self.slow(*items) == [False, False, True, True]

    def test_one_that_is_run_alone_is_the_first(self):
        assert self.slow(item(pytest.mark.first("version"), version=1)) == [False]

    def test_others_stay_as_they_are(self):
        assert self.slow(item(version=0), item(version=1)) == [False, False]


class Marked:
    """A test with these marks."""

    def __init__(self, *marks: str) -> None:
        self.marks = marks

    def get_closest_marker(self, name: str) -> str | None:
        return name if name in self.marks else None


def test_the_longest_begin_first():
    plain, early = Marked(), Marked("early")
    config: Any = SimpleNamespace(
        getoption=lambda name: False, hook=SimpleNamespace(pytest_deselected=lambda items: None)
    )
    items: list[Any] = [plain, early]
    ordering = pytest_collection_modifyitems(config, items)
    next(ordering)
    with pytest.raises(StopIteration):
        next(ordering)
    assert items == [early, plain]


@pytest.mark.slow
class TestBounds:
    def test_a_test_that_hangs_fails_by_its_name_and_the_next_one_runs(self, tmp_path):
        (tmp_path / "test_hanging.py").write_text(
            "import subprocess\n"
            "def test_hangs():\n    subprocess.run(['sleep', '600'])\n"
            "def test_ends():\n    pass\n"
        )
        options = ["-p", "no:randomly", "--timeout=1", "--rootdir=.", "-q", "-rA"]
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-c", "/dev/null", *options, "test_hanging.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "FAILED test_hanging.py::test_hangs - Failed: Timeout" in ended.stdout
        assert "PASSED test_hanging.py::test_ends" in ended.stdout

    def test_the_slow_and_the_hard_have_a_bound_of_their_own(self, request):
        if not request.config.getoption("timeout"):
            assert request.node.get_closest_marker("timeout").args == (MINUTES * 60,)

    def test_a_process_that_ends_in_time_gives_its_status(self):
        assert run_bounded(python("raise SystemExit(3)"), os.environ, 300) == 3

    @pytest.mark.parametrize("ending", ["KeyboardInterrupt", "ZeroDivisionError"])
    def test_one_that_does_not_is_interrupted_and_takes_down_what_it_started(
        self, ending, tmp_path
    ):
        """One that does not heed it is killed with its children."""
        program = (
            "import pathlib, subprocess, sys, time\n"
            "child = subprocess.Popen(['sleep', '600'])\n"
            f"pathlib.Path({str(tmp_path / 'child')!r}).write_text(str(child.pid))\n"
            "while True:\n"
            "    try:\n"
            "        time.sleep(600)\n"
            f"    except {ending}:\n"
            "        pass\n"
        )
        started = time.monotonic()
        file = tmp_path / "child"
        # A machine that is slow to start it gets more time.
        for seconds in (0.5, 2, 8, 32):
            with pytest.raises(TooLong):
                run_bounded(python(program), os.environ, seconds, grace=1)
            if file.exists() and file.read_text():
                break
        assert time.monotonic() - started < 300
        child = int(file.read_text())
        wait_until(lambda: is_gone(child), "the end of the child")
