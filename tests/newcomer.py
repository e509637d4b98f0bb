"""A person who follows our pages to the letter, in an empty folder."""

import os
import pty
import re
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).parent.parent
ADDRESS = "http://127.0.0.1:8000"
"""Of the server that runs in the first terminal."""


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


class Browser:
    """Somebody who has logged in to the admin of the server in the first terminal."""

    def __init__(self, name: str, password: str) -> None:
        cookies = urllib.request.HTTPCookieProcessor()
        self._opener = urllib.request.build_opener(cookies)
        form = self.open("/admin/login/")
        [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
        fields = {"username": name, "password": password, "csrfmiddlewaretoken": token}
        self.open("/admin/login/?next=/admin/", urllib.parse.urlencode(fields).encode())

    def open(self, path: str, data: bytes | None = None) -> str:
        """Return a page."""
        with self._opener.open(f"{ADDRESS}{path}", data, timeout=30) as answer:
            return str(answer.read().decode())


def shell(page: str) -> list[list[str]]:
    """The lines of each block of the page that is typed into a terminal."""
    return [
        code.splitlines()
        for code in re.findall(r"^```shell\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    ]
