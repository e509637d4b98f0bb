"""README's quick start and the tutorial, followed to the letter, with what we would publish."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROJECT = Path(__file__).parent.parent
ADDRESS = "http://127.0.0.1:8000"


class Reader:
    """A person with an empty folder, a virtual environment and two terminals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PATH": f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
            # Packages come from where the machine that runs the tests takes them.
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
        }
        self.exports: list[str] = []

    def write(self, page: str) -> None:
        """Do what the sentence above a block of Python says: append it to a file, or write it."""
        for verb, path, code in re.findall(
            r"(Append to|append to|Write|Replace) `([\w/]+\.py)`:\n\n```python\n(.*?)^```",
            page,
            re.DOTALL | re.MULTILINE,
        ):
            target = self.folder / path
            assert target.exists() or verb == "Write", path
            before = target.read_text() if verb.lower() == "append to" else ""
            target.write_text(before + code)

    def run(self, line: str) -> str:
        """Type a line into a terminal, and return what it prints."""
        if line.startswith("export "):
            self.exports.append(line)
            return ""
        script = "\n".join([*self.exports, line])
        result = subprocess.run(
            ["bash", "-ec", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert result.returncode == 0, f"{line}\n{result.stdout}\n{result.stderr}"
        return result.stdout + result.stderr

    def answer(self, line: str, answers: list[str]) -> None:
        """Type a line that asks questions, and answer them on its terminal."""
        process, terminal = pty.fork()
        if not process:  # the child
            os.chdir(self.folder)
            script = "\n".join([*self.exports, line])
            os.execvpe("bash", ["bash", "-ec", script], self.environment)  # noqa: S606  (ends here)
        shown = ""
        for answer in answers:
            while not re.search(r": $", shown):
                shown += os.read(terminal, 1024).decode()
            os.write(terminal, f"{answer}\n".encode())
            shown = ""
        _, status = os.waitpid(process, 0)
        os.close(terminal)
        assert os.waitstatus_to_exitcode(status) == 0

    @contextmanager
    def server(self, line: str) -> Iterator[Path]:
        """Let a server run in the first terminal, and yield the file of what it prints."""
        printed = self.folder / "first-terminal.txt"
        with printed.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-ec", "\n".join([*self.exports, f"exec {line}"])],
                cwd=self.folder,
                env={**self.environment, "PYTHONUNBUFFERED": "1"},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            until(answers_at_all, "the server answers")
            yield printed
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)


def until(condition, what: str, seconds: float = 60) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, f"Waited in vain until {what}."
        time.sleep(0.1)


def answers_at_all() -> bool:
    try:
        with urllib.request.urlopen(f"{ADDRESS}/admin/login/", timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


def shell(page: str) -> list[list[str]]:
    """The lines of each block of the page that is typed into a terminal."""
    return [
        code.splitlines()
        for code in re.findall(r"^```shell\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    ]


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
    reader.answer(create_user, ["ann", "ann@example.com", "a long password 1", "a long password 1"])
    with reader.server(serve) as printed:
        for line in second:
            reader.run(line)
        [promised] = re.findall(r"The first terminal prints `(.*)`", quick_start)
        until(lambda: promised in printed.read_text(), f"the server prints {promised!r}")
        follow_the_tutorial(reader, printed)


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
