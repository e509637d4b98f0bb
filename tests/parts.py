"""The parts of the suite: fast tests, slow ones, hard ones, and one of each as a smoke test.

Slow are those that start a process, drive a browser or fill a table, and those that repeat a fast
one with other parameters, which its mark "first" names; pytest's markers in pyproject.toml say the
same. A test that starts a process without that mark fails, since a suite gets slow by one such test
after the other.
"""

import gc
import sys
from collections.abc import Generator
from typing import Any

import pytest

MINUTES = 20
"""The bound of a slow or hard test: a quiet machine needs two, and a slow one four times as many.

Fast tests have that of pyproject.toml.
"""
STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"}
"""What Python audits where a process starts another."""

SAID = "said"
"""The property of a report that has a line with figures."""

in_hand: list[pytest.Item] = []
"""The test that this process is at."""


def pytest_addoption(parser: pytest.Parser) -> None:
    without = "leave out tests that use no database, or for which one is enough"
    parser.addoption("--only-with-database", action="store_true", help=without)
    smoke = "run each test with the first of its parameters only"
    parser.addoption("--smoke", action="store_true", help=smoke)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, object, object]:
    # Before pytest-randomly: the first of the parameters is the one that is written first.
    choose(config, items)
    result = yield
    # After it. Begun last, they would keep all others waiting.
    items.sort(key=lambda item: item.get_closest_marker("early") is None)
    return result


def choose(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the options leave out, and bound what is long."""
    leave_to_the_slow(items)
    # An option says it for all of them.
    for item in filter(is_long, [] if config.getoption("timeout") else items):
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(MINUTES * 60))
    chosen = items
    if config.getoption("--only-with-database"):
        chosen = of_another_database(chosen)
    if config.getoption("--smoke"):
        chosen = list({without_parameters(item): item for item in reversed(chosen)}.values())[::-1]
    kept = set(chosen)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = chosen


def leave_to_the_slow(items: list[pytest.Item]) -> None:
    """Make slow what differs from an earlier test in the parameters of its mark "first" alone."""
    known = set[tuple[object, ...]]()
    for item in items:
        if mark := item.get_closest_marker("first"):
            kind = without(item, set(mark.args))
            if kind in known:
                item.add_marker(pytest.mark.slow)
            known.add(kind)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests without the garbage collector: it would look through all, and free nothing."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Keep the garbage collector away from the thousands of tests, which all live to the end.

    And let it come seldom: with Python's own thresholds it takes a fifth of the processor's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests have said, wherever they ran."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.getreports(kind)]
    lines = [line for each in reports for name, line in each.user_properties if name == SAID]
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(str(line))


def is_long(item: pytest.Item) -> bool:
    return bool(item.get_closest_marker("slow") or item.get_closest_marker("hard"))


def uses_database(item: pytest.Item) -> bool:
    """Whether a test is given the database that the suite runs on."""
    fixtures = {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))
    return bool(fixtures or item.get_closest_marker("django_db"))


def of_another_database(items: list[pytest.Item]) -> list[pytest.Item]:
    """The tests for which one database is not enough.

    Of those that differ in parameters made of words alone, the one that is written first.
    """
    chosen = [item for item in items if uses_database(item) and () not in words_of(item)]
    return list({as_databases_see_it(item): item for item in reversed(chosen)}.values())[::-1]


def words_of(item: pytest.Item) -> list[tuple[str, ...]]:
    """The parameters that no database sees, by each mark; none named: the whole test."""
    return [mark.args for mark in item.iter_markers("words")]


def as_databases_see_it(item: pytest.Item) -> tuple[object, ...]:
    """What tells a test from those that do the same with other words."""
    return without(item, {name for named in words_of(item) for name in named})


def without(item: pytest.Item, names: set[str]) -> tuple[object, ...]:
    """What tells a test from others but for the parameters of these names."""
    # Not all values can be compared; pytest hands the same object to each test that has it.
    values: dict[str, object] = getattr(getattr(item, "callspec", None), "params", {})
    seen = {name: id(value) for name, value in values.items() if name not in names}
    return *without_parameters(item), *sorted(seen.items())


def without_parameters(item: pytest.Item) -> tuple[str, str]:
    parent = item.parent.nodeid if item.parent else ""
    return parent, getattr(item, "originalname", item.name)


def pytest_configure() -> None:
    sys.addaudithook(refuse_processes_to_fast_tests)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Note the test in hand, with the fixtures that are set up for it."""
    in_hand.append(item)
    try:
        return (yield)
    finally:
        in_hand.pop()


def refuse_processes_to_fast_tests(event: str, arguments: tuple[Any, ...]) -> None:
    if event in STARTS and in_hand and not is_long(in_hand[-1]):
        pytest.fail(f"It starts a process, so mark it slow: {in_hand[-1].nodeid}")
