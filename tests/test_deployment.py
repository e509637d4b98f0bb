"""The commands of docs/deployment.md start what they say, in a project like the quick start's."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from .newcomer import PROJECT, Reader, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PAGE = (PROJECT / "docs" / "deployment.md").read_text(encoding="utf-8")
DEPLOY = PROJECT / "docs" / "deploy"
UNIT = (DEPLOY / "mysite-web.service").read_text(encoding="utf-8")
CONTAINER = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")

SERVERS = dict(re.findall(r"^\| (gunicorn|uvicorn|daphne|uWSGI) \| `(.*?)`", PAGE, re.MULTILINE))
[SERVERS["systemd"]] = re.findall(r"^ExecStart=\S+/(gunicorn .*)$", UNIT, re.MULTILINE)
[words] = re.findall(r"^CMD \[(.*)\]$", CONTAINER, re.MULTILINE)
SERVERS["Dockerfile"] = " ".join(re.findall(r'"(.*?)"', words))

DEFAULT_PORT = {"gunicorn": "--bind 127.0.0.1:8000", "uvicorn": "--port 8000", "daphne": "-p 8000"}
"""What a command means that names no port."""

PRINTS = """
from django.dispatch import receiver
from superoffice_hooks.signals import any_event


@receiver(any_event)
def prints(sender, event, **kwargs):
    print(f"called for {event.primary_key}", flush=True)
"""


@pytest.fixture
def mysite(tmp_path) -> Reader:
    """The project of the quick start, with the packages of these tests."""
    reader = Reader(tmp_path)
    path = [str(Path(sys.executable).parent), os.environ["PATH"]]
    reader.environment["PATH"] = os.pathsep.join(path)
    reader.environment["PYTHONPATH"] = str(PROJECT)
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    reader.run("python -m django startproject mysite .")
    reader.run("python manage.py startapp helpdesk")
    reader.write(readme)
    (tmp_path / "helpdesk" / "receivers.py").write_text(PRINTS)
    reader.run("export SUPEROFFICE_SECRET=0123456789abcdef0123456789abcdef")
    reader.run("python manage.py migrate")
    return reader


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_starts_calls_receivers_and_ends(name, mysite):
    command = SERVERS[name]
    program = command.split()[0]
    if not shutil.which(program, path=mysite.environment["PATH"]):
        pytest.skip(f"There is no {program} here.")
    if ":8000" not in command:
        command += f" {DEFAULT_PORT[program]}"
    port = free_port()
    printed = mysite.folder / "printed.txt"
    with printed.open("wb") as output:
        process = subprocess.Popen(
            [
                "bash",
                "-ec",
                "\n".join([*mysite.exports, f"exec {command}".replace("8000", f"{port}")]),
            ],
            cwd=mysite.folder,
            env=mysite.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until(lambda: listens(port) or process.poll() is not None, f"{name} listens")
        assert process.poll() is None, printed.read_text()
        address = f"http://127.0.0.1:{port}/superoffice/webhook/"
        mysite.run(f"python manage.py superoffice_send {address} ticket.changed --primary-key 76")
        until(lambda: "called for 76" in printed.read_text(), "the receiver is called")
        # Only the process that was started, as systemd and Docker do it.
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)
