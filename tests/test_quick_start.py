"""README's quick start and the tutorial, followed to the letter, with what we would publish."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .newcomer import ADDRESS, PROJECT, Browser, Reader, answers_at_all, shell, until

pytestmark = [pytest.mark.slow, pytest.mark.early, pytest.mark.timeout(600)]

PASSWORD = "a long password 1"


@pytest.fixture(scope="module")
def reader(tmp_path_factory) -> Reader:
    if answers_at_all():
        pytest.skip("Something else uses port 8000, which README names.")
    wheels = tmp_path_factory.mktemp("wheels")
    build = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--wheel",
        "--outdir",
        wheels,
        PROJECT,
    ]
    subprocess.run(build, cwd=wheels, capture_output=True, check=True)
    [wheel] = wheels.glob("*.whl")
    reader = Reader(tmp_path_factory.mktemp("quick-start"))
    subprocess.run([sys.executable, "-m", "venv", reader.folder / ".venv"], check=True)
    reader.run(f"python -m pip install --quiet {wheel}")
    return reader


def test_the_quick_start_and_the_tutorial_work_to_the_letter(reader):
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    quick_start = readme[readme.index("## Quick start") : readme.index("## Try it from")]
    install, first, second = shell(quick_start)
    assert install[0] == "python -m pip install django-superoffice-hooks"
    for line in install[1:]:
        reader.run(line)
    reader.write(quick_start)
    *before, create_user, serve = first
    for line in before:
        reader.run(line)
    reader.answer(create_user, ["ann", "ann@example.com", PASSWORD, PASSWORD])
    with reader.server(serve) as printed:
        for line in second:
            reader.run(line)
        [promised] = re.findall(r"The first terminal prints `(.*)`", quick_start)
        until(lambda: promised in printed.read_text(), f"the server prints {promised!r}")
        look_at_the_event(quick_start)
        follow_the_tutorial(reader, printed)


def look_at_the_event(quick_start: str) -> None:
    """See what README promises to be seen in the admin."""
    [address] = re.findall(rf"<{re.escape(ADDRESS)}(.*?)>", quick_start)
    browser = Browser("ann", PASSWORD)
    events = browser.open(address)
    [page] = set(re.findall(rf'href="({address}\d+/change/)', events))
    shown = browser.open(page)
    assert "succeeded" in events
    for promised in ("priority", "helpdesk.receivers.escalate", "Replay"):
        assert promised in shown.replace("<wbr>", "")


def follow_the_tutorial(reader: Reader, printed: Path) -> None:
    tutorial = (PROJECT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    broken, rest = tutorial.split("## 2. Give up")
    given_up, test = rest.split("## 4. Test the receiver")

    def changed(page: str) -> None:
        reloads = printed.read_text().count("changed, reloading.")
        reader.write(page)
        until(lambda: printed.read_text().count("changed, reloading.") > reloads, "it reloads")
        until(answers_at_all, "the server answers again")

    def is_printed(text: str) -> None:
        until(lambda: text in printed.read_text(), f"the first terminal prints {text!r}")

    [send], [repair] = shell(broken)
    changed(broken)
    reader.run(send)
    is_printed("The telephone system does not answer.")
    reader.run(repair)
    [promised] = re.findall(r"first terminal prints `(.*)`", broken)
    is_printed(promised)

    [send], [check], [plan], [repair, replay] = shell(given_up)
    changed(given_up)
    reader.run(send)
    is_printed("The contract with the telephone company has ended.")
    reader.run(check)
    assert "1 event" in reader.run(plan)
    reader.run(repair)
    [promised] = re.findall(r"second terminal prints `(.*)`", given_up)
    assert promised in reader.run(replay)

    reader.write(test)
    [[line]] = shell(test)
    assert "Ran 3 tests" in reader.run(line)
